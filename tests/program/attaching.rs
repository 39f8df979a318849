//! A person's terminal in a runner: everything works, and afterwards it is as it was.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{
    Agent, Say as _, Terminal, World, assert_contiguous, sequence_in, stays, wait_until,
};

const SOON: Duration = Duration::from_secs(10);

/// The key that detaches.
const DETACH: &[u8] = b"\x1c";

/// Starts `attach` in a terminal of 80 × 24.
fn start(world: &World, words: &[&str]) -> Terminal {
    Terminal::start(world.command(["attach"].iter().chain(words)))
}

/// Attaches a terminal of 80 × 24.
#[track_caller]
fn attach(world: &World, words: &[&str]) -> Terminal {
    let terminal = start(world, words);
    terminal.wait_taken();
    terminal
}

/// Types something into an `echo` agent and waits for it to come back.
#[track_caller]
fn echoes(terminal: &Terminal, text: &str) {
    terminal.type_text(text);
    terminal.wait_for(text);
}

/// Detaches and checks that the terminal is as it was, and that the way back is shown.
#[track_caller]
fn detach(terminal: &mut Terminal, key: &[u8], name: &str) {
    terminal.type_bytes(key);
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
    terminal.assert_restored();
    let screen = terminal.screen();
    assert!(screen.contains(&format!("stratavore attach {name}")), "{screen}");
}

#[test]
fn typing_echoes_and_detaching_leaves_no_trace() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    let kitty: &[&[u8]] = &[DETACH, b"\x1b[92;5u", b"\x1b[92;5:1u", b"\x1b[27;5;92~"];
    for (number, key) in kitty.iter().enumerate() {
        let mut terminal = attach(&world, &[&agent.name]);
        echoes(&terminal, &format!("<typed {number}>"));
        detach(&mut terminal, key, &agent.name);
    }
    assert_eq!(agent.witness.alive().len(), 1, "the agent goes on");
    let record = world.run(["logs", &agent.name]).expect_code(0).stdout;
    assert_eq!(record, "<typed 0><typed 1><typed 2><typed 3>", "and got no key that detaches");
}

#[test]
fn the_only_live_runner_needs_no_name() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    let mut terminal = attach(&world, &[]);
    echoes(&terminal, "hello");
    detach(&mut terminal, DETACH, &agent.name);
    let other = world.agent("echo", &[]);
    // Of several, one is chosen.
    let mut terminal = start(&world, &[]);
    terminal.wait_for(&format!("{} ", other.name));
    terminal.type_text(&other.name);
    terminal.type_text("\r");
    wait_until("the picker is gone", SOON, || !terminal.screen().contains("attach to"));
    terminal.wait_taken();
    wait_until("it is attached", SOON, || {
        terminal.type_text(".");
        terminal.screen().contains("..")
    });
    detach(&mut terminal, DETACH, &other.name);
    world.wait_log(&other.name, "..");
}

#[test]
fn a_real_shell_works_at_the_size_of_the_terminal() {
    let world = World::with_project();
    let name = world.launch(&[], &["bash", "--norc"]);
    let mut terminal = Terminal::sized(world.command(["attach", &name]), 101, 33);
    terminal.wait_taken();
    terminal.type_text("stty size; echo $COLORTERM\r");
    terminal.wait_for("33 101");
    terminal.wait_for("truecolor");
    terminal.resize(90, 30);
    wait_until("the shell's terminal follows the window", SOON, || {
        terminal.type_text("stty size\r");
        terminal.screen().contains("30 90")
    });
    detach(&mut terminal, DETACH, &name);
}

#[test]
fn a_window_that_changes_while_its_terminal_detaches_is_no_error() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    for via in ["direct", "daemon"] {
        let mut terminal = attach(&world, &["--via", via, &agent.name]);
        echoes(&terminal, &format!("<{via}>"));
        terminal.resize(90, 30);
        detach(&mut terminal, DETACH, &agent.name);
    }
}

#[test]
fn a_read_only_terminal_types_nothing() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    let mut looking = attach(&world, &["--read-only", &agent.name]);
    looking.type_text("mischief");
    world.run(["send", "--no-submit", &agent.name, "from elsewhere"]).expect_code(0);
    looking.wait_for("from elsewhere");
    looking.type_text("mischief");
    stays("nothing is typed", Duration::from_millis(300), || {
        !looking.screen().contains("mischief")
    });
    detach(&mut looking, DETACH, &agent.name);
    let record = world.run(["logs", &agent.name]).expect_code(0).stdout;
    assert!(!record.contains("mischief"), "{record}");
}

#[test]
fn two_terminals_see_and_type_the_same() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    let mut one = attach(&world, &[&agent.name]);
    echoes(&one, "first,");
    let mut two = Terminal::sized(world.command(["attach", &agent.name]), 100, 40);
    two.wait_for("first,");
    echoes(&two, "second,");
    one.wait_for("first,second,");
    echoes(&one, "third");
    two.wait_for("first,second,third");
    detach(&mut one, DETACH, &agent.name);
    echoes(&two, "fourth");
    detach(&mut two, DETACH, &agent.name);
}

#[test]
fn a_killed_daemon_does_not_interrupt_typing() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    let mut terminal = attach(&world, &[&agent.name]);
    echoes(&terminal, "before");
    world.kill_daemon();
    echoes(&terminal, "without");
    assert!(world.daemon().is_none(), "typing needs no daemon");
    world.run(["status"]).expect_code(0);
    echoes(&terminal, "after");
    terminal.wait_for("beforewithoutafter");
    world.kill_daemon();
    detach(&mut terminal, DETACH, &agent.name);
}

#[test]
fn an_agent_that_dies_in_the_alternate_screen_leaves_the_terminal_as_it_was() {
    let world = World::with_project();
    for via in ["direct", "daemon"] {
        for (key, said) in [("k", "SIGKILL"), ("q", "exit code 0")] {
            let agent = world.agent("alt", &[]);
            let mut terminal = attach(&world, &["--via", via, &agent.name]);
            terminal.wait_for("q exits, k kills");
            // The modes come at the end of the picture, after the text.
            wait_until("the agent's modes are on", SOON, || {
                terminal.ask(|screen| {
                    let mouse = screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None;
                    mouse && screen.bracketed_paste() && screen.alternate_screen()
                })
            });
            terminal.type_text(key);
            assert_eq!(terminal.wait_exit(), 0, "{via} {key}: {}", terminal.screen());
            terminal.assert_restored();
            let screen = terminal.screen();
            assert!(screen.contains(said), "{via} {key}: {screen}");
            assert!(screen.contains(&format!("stratavore restart {}", agent.name)), "{screen}");
        }
    }
}

#[test]
fn a_lost_supervisor_and_a_signal_leave_the_terminal_as_it_was() {
    let world = World::with_project();
    let agent = world.agent("alt", &[]);
    let mut terminal = attach(&world, &[&agent.name]);
    terminal.wait_for("q exits, k kills");
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.wait_exit(), 0);
    terminal.assert_restored();
    assert_eq!(agent.witness.alive().len(), 1, "ending the client ends no agent");

    let mut terminal = attach(&world, &[&agent.name]);
    terminal.wait_for("q exits, k kills");
    world.supervisor(&agent.name).signal(Signal::KILL);
    assert_eq!(terminal.wait_exit(), 6, "{}", terminal.screen());
    terminal.assert_restored();
    assert!(terminal.screen().contains("supervisor is gone"), "{}", terminal.screen());
}

#[test]
fn a_killed_client_costs_nothing() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    for _ in 0..5 {
        let mut terminal = attach(&world, &[&agent.name]);
        echoes(&terminal, "x");
        terminal.signal(Signal::KILL);
        assert_eq!(terminal.wait_exit(), -9);
    }
    let mut terminal = attach(&world, &[&agent.name]);
    echoes(&terminal, "still there");
    detach(&mut terminal, DETACH, &agent.name);
    assert_eq!(agent.witness.starts(), 1);
}

#[test]
fn without_a_terminal_attach_says_what_to_do_instead() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    world.run(["attach", &agent.name]).expect_error(2, &["terminal", "stratavore logs"]);
    world.run(["launch", "p", "--attach", "--", "sleep", "60"]).expect_error(2, &["terminal"]);
}

#[test]
fn what_cannot_be_attached_to_is_named_and_the_terminal_left_alone() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    world.run(["kill", &agent.name]).expect_code(0);
    for (name, code) in [(agent.name.as_str(), 4), ("nobody-1", 3)] {
        let mut terminal = start(&world, &[name]);
        assert_eq!(terminal.wait_exit(), code, "{}", terminal.screen());
        terminal.assert_restored();
        assert!(terminal.screen().contains(name), "{}", terminal.screen());
    }
}

#[test]
fn launch_goes_into_what_it_launched() {
    let world = World::with_project();
    let mut terminal = Terminal::start(world.command(["launch", "p", "--attach", "--", "cat"]));
    terminal.wait_taken();
    terminal.type_text("hello\r");
    terminal.wait_for("hello\nhello");
    terminal.type_bytes(DETACH);
    assert_eq!(terminal.wait_exit(), 0);
    assert!(terminal.screen().contains("stratavore attach p-1"), "{}", terminal.screen());
}

/// Returns a terminal attached through the daemon to a `seq` agent, and the agent.
fn watching(world: &World) -> (Agent, Terminal) {
    let agent = world.agent("seq", &["--rate", "100"]);
    let terminal = attach(world, &["--via", "daemon", &agent.name]);
    wait_until("output flows", SOON, || sequence_in(&terminal.raw()).len() > 50);
    (agent, terminal)
}

/// Returns the numbers of the lines that came as they were said, not as part of a picture.
fn numbers(terminal: &Terminal) -> Vec<String> {
    let lines = sequence_in(&terminal.raw());
    let first = lines.first().and_then(|line| line.split(' ').next()?.parse::<usize>().ok());
    let first = first.expect("a first line");
    // Counted from one, as `assert_contiguous` wants them.
    let number = |line: &String| line.split(' ').next()?.parse::<usize>().ok();
    lines.iter().filter_map(number).map(|number| (number + 1 - first).to_string()).collect()
}

#[test]
fn through_the_daemon_no_byte_is_lost_when_it_dies() {
    let world = World::with_project();
    let (agent, mut terminal) = watching(&world);
    for _ in 0..2 {
        let seen = numbers(&terminal).len();
        world.kill_daemon();
        wait_until("output flows again", Duration::from_secs(20), || {
            numbers(&terminal).len() > seen + 50
        });
    }
    assert_contiguous(&numbers(&terminal), "the terminal");
    detach(&mut terminal, DETACH, &agent.name);
    assert_eq!(world.show(&agent.name).text("status"), "running");
}

#[test]
fn through_the_daemon_typing_works_and_goes_on_with_the_next() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    let mut terminal = attach(&world, &["--via", "daemon", &agent.name]);
    echoes(&terminal, "before");
    world.kill_daemon();
    wait_until("the client has found another daemon", SOON, || world.daemon().is_some());
    // What is typed while there is none is refused; later it is not.
    wait_until("typing works again", SOON, || {
        terminal.type_text("+");
        terminal.screen().contains("before+")
    });
    detach(&mut terminal, DETACH, &agent.name);
    assert_eq!(agent.witness.starts(), 1);
}

/// What a terminal that understands everything shows after these bytes.
fn shown(bytes: &[u8]) -> String {
    use stratavore::{domain::size::TerminalSize, terminal};
    let mut shown =
        terminal::Terminal::new(TerminalSize::new(80, 24), terminal::HistoryLimits::default());
    let scan = shown.scan(bytes);
    shown.apply(bytes, &scan, &mut Vec::new());
    String::from_utf8_lossy(&shown.picture()).into_owned()
}

#[test]
fn whoever_comes_while_an_agent_draws_sees_what_the_others_see() {
    let world = World::with_project();
    let capture = include_bytes!("../fixtures/terminal/codex-kitty.raw");
    // Recorded drawing, cut in the middle of whatever it was, and then emoji and accents.
    let (first, second) = capture.split_at(capture.len() / 2 + 1);
    let emoji =
        "\u{2764}\u{fe0f}x \u{1f468}\u{200d}\u{1f469}y \u{1f44d}\u{1f3fd}z e\u{301} \u{65e5}";
    let second = [second, b"\x1b[?1049h\x1b[3;5H", emoji.as_bytes(), b"\x1b[20;1H~end~"].concat();
    std::fs::write(world.path("first"), first).unwrap();
    std::fs::write(world.path("second"), second).unwrap();
    // What is recorded asks the terminal, too: its answers are read, and are not the sign to go on.
    let script = format!(
        "stty -echo raw; cat {}; until [ \"$(dd bs=1 count=1 2>/dev/null)\" = ! ]; do :; done; \
         cat {}; cat >/dev/null",
        world.path("first").display(),
        world.path("second").display()
    );
    let name = world.launch(&[], &["sh", "-c", &script]);
    let early = attach(&world, &[&name]);
    let late = attach(&world, &["--read-only", &name]);
    let relayed = attach(&world, &["--read-only", "--via", "daemon", &name]);
    wait_until("the first half is drawn", SOON, || shown(&early.raw()) == shown(&late.raw()));
    early.type_text("!");
    for terminal in [&early, &late, &relayed] {
        wait_until("the second half is drawn", SOON, || shown(&terminal.raw()).contains("~end~"));
    }
    let last = attach(&world, &["--read-only", &name]);
    let all = [&early, &late, &relayed, &last];
    wait_until("all see the same", SOON, || {
        let shown = all.map(|terminal| shown(&terminal.raw()));
        shown.iter().all(|screen| *screen == shown[0] && screen.contains("~end~"))
    });
}
