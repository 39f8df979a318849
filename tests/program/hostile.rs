//! Output and terminals that nobody wishes for: questions, garbage, floods, absurd sizes.

use std::{fs, time::Duration};

use crate::support::{
    EXE, Say as _, Terminal, Witness, World, elapsed_since, now, wait_until, wait_value,
};

const SOON: Duration = Duration::from_secs(10);

/// Checks that every question of the `query` agent was answered.
#[track_caller]
fn all_answered(witness: &Witness) {
    for name in ["da1", "cpr", "xtversion", "kitty", "osc11", "status"] {
        let answer = witness.wait_line(&format!("reply {name} "));
        assert_ne!(answer, "none", "{name} was not answered");
    }
}

#[test]
fn a_program_asks_its_terminal_and_is_answered_with_nobody_there() {
    let world = World::with_project();
    let agent = world.agent("query", &[]);
    all_answered(&agent.witness);
    world.wait_status(&agent.name, "terminated", SOON);
    let said = world.run(["logs", &agent.name]).expect_code(0).stdout;
    let took: u32 = said
        .split("query done ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next()?.parse().ok())
        .expect("it says how long it waited");
    assert!(took < 500, "the answers took {took} ms");
}

#[test]
fn a_program_asks_its_terminal_and_is_answered_while_attached() {
    let world = World::with_project();
    let witness = world.witness();
    let path = witness.path().display();
    for via in ["direct", "daemon"] {
        fs::remove_file(witness.path()).ok();
        let script =
            format!("echo waiting; read x; exec {EXE} demo-agent --mode query --witness {path}");
        let name = world.launch(&[], &["sh", "-c", &script]);
        let mut terminal = Terminal::start(world.command(["attach", "--via", via, &name]));
        terminal.wait_for("waiting");
        terminal.type_text("\r");
        all_answered(&witness);
        assert_eq!(terminal.wait_exit(), 0);
        terminal.assert_restored();
        // The questions were not put to the user's terminal too: its answers would come twice.
        let raw = terminal.raw();
        let asked = |question: &[u8]| raw.windows(question.len()).any(|part| part == question);
        for question in [b"\x1b[6n".as_slice(), b"\x1b[c", b"\x1b[>0q", b"\x1b[?u", b"]11;?"] {
            assert!(!asked(question), "{via}: {question:?} reached the user's terminal");
        }
    }
}

/// The checksum of the witness (CRC-32, as in zlib).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

#[test]
fn bytes_that_are_no_text_are_recorded_as_they_were() {
    let world = World::with_project();
    for mode in ["bad-utf8", "esc-corpus"] {
        let agent = world.agent(mode, &[]);
        let ended = world.wait_status(&agent.name, "terminated", Duration::from_secs(20));
        assert_eq!(ended.number("exit_code"), Some(0), "{mode}");
        let record = world.raw_log(&agent.name);
        let found = format!("bytes={} crc={:08x}", record.len(), crc32(&record));
        assert_eq!(agent.witness.wait_line("sent "), found, "{mode}");
        // For people it is text: nothing in it moves the reader's cursor or changes a colour.
        let text = world.run(["logs", &agent.name]).expect_code(0).bytes;
        let control = |byte: &u8| (*byte < 0x20 && !b"\n\t".contains(byte)) || *byte == 0x7f;
        let at = text.iter().position(control);
        let around = at.map(|at| text[at.saturating_sub(30)..].escape_ascii().to_string());
        let around = around.map(|text| text.chars().take(120).collect::<String>());
        assert_eq!(around, None, "{mode}: a control character is left in the text");
        let shown = world.run(["runners", "show", &agent.name]).expect_code(0).bytes;
        let bad = |byte: &u8| *byte < 0x20 && *byte != b'\n';
        assert!(!shown.iter().any(bad), "{mode}: {}", String::from_utf8_lossy(&shown));
        let listed = world.run(["runners", "list"]).expect_code(0).bytes;
        assert!(!listed.iter().any(bad), "{mode}: {}", String::from_utf8_lossy(&listed));
    }
}

#[test]
fn hostile_output_leaves_an_attached_terminal_usable() {
    let world = World::with_project();
    for via in ["direct", "daemon"] {
        for mode in ["bad-utf8", "esc-corpus"] {
            let witness = world.witness();
            let path = witness.path().display();
            let script = format!(
                "echo waiting; read x; exec {EXE} demo-agent --mode {mode} --witness {path}"
            );
            let name = world.launch(&[], &["sh", "-c", &script]);
            let mut terminal = Terminal::start(world.command(["attach", "--via", via, &name]));
            terminal.wait_for("waiting");
            terminal.type_text("\r");
            witness.wait_line("exit code=0");
            assert_eq!(terminal.wait_exit(), 0, "{via} {mode}");
            terminal.assert_restored();
        }
    }
}

#[test]
fn a_flood_beside_it_does_not_slow_an_idle_agent() {
    let world = World::alone();
    world.project("p");
    let quiet = world.agent("echo", &[]);
    let noisy = world.agent("spew", &["--rate", "0"]);
    let terminal = Terminal::start(world.command(["attach", &quiet.name]));
    terminal.wait_taken();
    terminal.type_text("#");
    terminal.wait_for("#");
    let mut slowest = Duration::ZERO;
    for letter in "abcdefghijklmnopqrstuvwxyz".chars() {
        let begun = now();
        terminal.type_text(&letter.to_string());
        terminal.wait_for(&format!("{letter}"));
        slowest = slowest.max(elapsed_since(begun));
    }
    assert!(slowest <= Duration::from_millis(250), "a key took {slowest:?} to come back");
    let begun = now();
    world.run(["runners", "list"]).expect_code(0);
    assert!(elapsed_since(begun) < Duration::from_secs(1), "G1: a local call answers in a second");
    let begun = now();
    world.run(["kill", &noisy.name, "--grace", "500ms"]).expect_code(0);
    assert!(elapsed_since(begun) < Duration::from_secs(4));
    assert!(noisy.witness.alive().is_empty());
}

#[test]
fn a_viewer_that_does_not_read_holds_nobody_up() {
    let world = World::with_project();
    let agent = world.agent("seq", &["--rate", "500"]);
    // A terminal whose other side nobody reads: it is full after some kilobytes.
    let master =
        rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY)
            .unwrap();
    rustix::pty::grantpt(&master).and_then(|()| rustix::pty::unlockpt(&master)).unwrap();
    let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
    let slave = fs::OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut command = world.command(["attach", &agent.name]);
    command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
    let mut client = command.spawn().unwrap();
    drop(command);
    let seen = agent.witness.sequence().len();
    wait_until("the agent goes on", SOON, || agent.witness.sequence().len() > seen + 1500);
    client.kill().unwrap();
    client.wait().unwrap();
    agent.witness.process().signal(rustix::process::Signal::TERM);
    agent.witness.wait_line("exit ");
    let stall = agent.witness.longest_stall();
    assert!(stall <= Duration::from_millis(250), "the agent was held up for {stall:?}");
}

/// The size of a runner's terminal in columns and rows.
fn size(world: &World, name: &str) -> (i64, i64) {
    let screen = &world.json(["runners", "show", name, "--screen"])["screen"];
    (screen.number("cols").unwrap(), screen.number("rows").unwrap())
}

/// The end of what a terminal got, for messages.
fn tail(raw: &[u8]) -> String {
    raw.get(raw.len().saturating_sub(600)..).unwrap_or(raw).escape_ascii().to_string()
}

#[test]
fn absurd_sizes_of_the_terminal_break_nothing() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    for (columns, rows) in [(1, 1), (1000, 1000), (2, 500), (1, 1000), (65535, 1)] {
        let mut terminal = Terminal::sized(world.command(["attach", &agent.name]), columns, rows);
        terminal.wait_taken();
        let before = world.raw_log(&agent.name).len();
        terminal.type_text("typed");
        wait_until("the agent gets it", SOON, || world.raw_log(&agent.name).len() == before + 5);
        // The runner's terminal has a size that it can have.
        let (wide, high) = size(&world, &agent.name);
        assert!((2..=1000).contains(&wide) && (2..=500).contains(&high), "{wide}×{high}");
        terminal.resize(80, 24);
        wait_until("the new size arrives", SOON, || size(&world, &agent.name) == (80, 24));
        terminal.type_text("\r\nand seen");
        terminal.wait_for("and seen");
        terminal.type_bytes(b"\x1c");
        assert_eq!(terminal.wait_exit(), 0, "{columns}×{rows}: {}", tail(&terminal.raw()));
    }
    assert_eq!(agent.witness.starts(), 1);
    assert_eq!(world.show(&agent.name).text("status"), "running");
}

#[test]
fn an_agent_that_never_reads_refuses_input_instead_of_blocking() {
    let world = World::with_project();
    let agent = world.agent("never-read", &[]);
    let text = "x".repeat(60_000);
    let refused = wait_value("the input is refused", Duration::from_secs(20), || {
        let begun = now();
        let output = world.run(["send", &agent.name, &text]);
        assert!(elapsed_since(begun) < Duration::from_secs(10), "send must not hang");
        (output.code != 0).then_some(output)
    });
    refused.expect_error(6, &["does not read its input"]);
    let begun = now();
    world.run(["kill", &agent.name, "--grace", "1s"]).expect_code(0);
    assert!(elapsed_since(begun) < Duration::from_secs(3), "stop works all the same");
}

#[test]
fn text_that_is_sent_cannot_break_out_of_a_paste() {
    let world = World::with_project();
    let agent = world.agent("alt", &[]);
    let refused = world.run(["send", &agent.name, "x\u{1b}[201~rm -rf /\u{1b}[200~"]);
    agent.witness.wait_ready();
    let keys = || {
        let lines = agent.witness.lines();
        lines.iter().filter_map(|line| line.strip_prefix("key ")).collect::<String>()
    };
    if refused.code == 0 {
        // 1b5b3230317e is the end of a paste; one at most, and as the last thing before Enter.
        wait_until("the text arrives", SOON, || keys().contains("726d202d7266202f"));
        let end = "1b5b3230317e";
        let got = keys();
        assert!(got.matches(end).count() <= 1, "{got}");
        assert!(got.rfind(end).is_none_or(|at| at > got.rfind("726d").unwrap()), "{got}");
    } else {
        refused.expect_error(2, &[]);
        assert_eq!(keys(), "");
    }
}
