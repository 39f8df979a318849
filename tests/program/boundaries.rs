//! What agents and strangers may not do: command the daemon, or break it by talking nonsense.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::support::{EXE, Say as _, World, wait_until, wait_value};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn an_agent_cannot_command_the_daemon() {
    let world = World::with_project();
    let bystanders = [world.agent("seq", &[]), world.agent("echo", &[])];
    let daemon = world.daemon_pid();
    let supervisors = bystanders.each_ref().map(|agent| world.supervisor(&agent.name));
    // The agent knows where the daemon is: it is told, as it could find out by itself.
    let witness = world.witness();
    let script = format!(
        "STRATAVORE_HOME={} exec {EXE} demo-agent --mode attack-daemon --witness {}",
        world.root().display(),
        witness.path().display()
    );
    let name = world.launch(&[], &["sh", "-c", &script]);
    wait_value("the attack is over", Duration::from_mins(1), || {
        witness.lines().iter().any(|line| line == "attack done").then_some(())
    });
    let lines = witness.lines();
    for command in ["kill-all", "launch", "daemon-stop", "projects-delete-x---force"] {
        let line = format!("attack command={command} result=exit code=5");
        assert!(lines.contains(&line), "{line} is not in {lines:#?}");
    }
    for command in ["approve-all", "budget-set---daily-999999999"] {
        let beginning = format!("attack command={command} ");
        let line = lines.iter().find(|line| line.starts_with(&beginning)).unwrap();
        assert!(!line.ends_with("code=0"), "{line}");
    }
    let sockets = lines.iter().filter(|line| line.starts_with("attack socket="));
    assert!(sockets.clone().count() >= 4, "it found the sockets: {lines:#?}");
    for line in sockets.filter(|line| line.contains("/link ")) {
        assert!(!line.contains("result=answered"), "a supervisor answers a stranger: {line}");
    }
    world.wait_status(&name, "terminated", SOON);
    assert_eq!(world.daemon_pid(), daemon);
    assert_eq!(world.runners().len(), 3, "nothing was launched");
    assert_eq!(world.json(["projects", "list"]).as_array().unwrap().len(), 1);
    for (agent, supervisor) in bystanders.iter().zip(supervisors) {
        assert_eq!(world.show(&agent.name).text("status"), "running");
        assert_eq!(agent.witness.alive().len(), 1);
        assert!(!agent.witness.lines().iter().any(|line| line.starts_with("signal")));
        assert_eq!(world.supervisor(&agent.name), supervisor);
    }
}

#[test]
fn every_command_of_an_agent_is_denied() {
    let world = World::with_project();
    let other = world.agent("echo", &[]);
    let out = world.path("out");
    let commands = [
        "runners list",
        "status",
        "projects list",
        "logs p-1",
        "send p-1 mischief",
        "pause p-1",
        "restart p-1",
        "events list",
        "reconcile",
        "health",
        "new mine --path /tmp",
        "launch p -- true",
        "runners show p-1 --screen",
        "quotas show",
        "quotas set p max_concurrent_runners 99",
        "quotas clear p",
    ];
    let runs: Vec<_> = commands
        .iter()
        .map(|words| format!("{EXE} {words} >/dev/null 2>&1; echo $? {words} >> {}", out.display()))
        .collect();
    // Also from a process that has left the agent's session, tree and environment.
    let script = format!(
        "export STRATAVORE_HOME={root}; {all}; unset STRATAVORE_RUNNER; \
         setsid sh -c '{EXE} kill all; echo $? setsid >> {out}' >/dev/null 2>&1; echo end >> {out}",
        root = world.root().display(),
        all = runs.join("; "),
        out = out.display(),
    );
    let name = world.launch(&[], &["sh", "-c", &script]);
    let said = wait_value("all were tried", Duration::from_secs(30), || {
        fs::read_to_string(&out).ok().filter(|text| text.ends_with("end\n"))
    });
    for line in said.lines().filter(|line| *line != "end") {
        assert!(line.starts_with("5 "), "an agent was allowed: {line}\n{said}");
    }
    assert_eq!(said.lines().count(), commands.len() + 2);
    world.wait_status(&name, "terminated", SOON);
    assert_eq!(world.show(&other.name).text("status"), "running");
    assert_eq!(world.runners().len(), 2);
}

#[test]
fn an_agent_gets_nothing_past_the_daemon_either() {
    let world = World::with_project();
    let (out, backup) = (world.path("out"), world.path("b.tar.gz"));
    let commands = [
        "audit key".to_owned(),
        format!("backup --output {}", backup.display()),
        format!("restore {} --dry-run", backup.display()),
        format!("support --output {}", backup.display()),
        format!("doctor --bundle {}", backup.display()),
        "database migrate".to_owned(),
        "database copy --to sqlite:///tmp/none.db".to_owned(),
    ];
    // With the mark and without it: it is known by its parents.
    let tries: Vec<_> = commands
        .iter()
        .flat_map(|command| ["", "env -u STRATAVORE_RUNNER "].map(|before| (before, command)))
        .map(|(before, command)| {
            format!(
                "STRATAVORE_HOME={} {before}{EXE} {command} 2>>{out}.err; echo $? >>{out}; ",
                world.root().display(),
                out = out.display()
            )
        })
        .collect();
    let name = world
        .launch(&[], &["sh", "-c", &format!("{} echo end >>{}", tries.concat(), out.display())]);
    let said = wait_value("the agent has tried", Duration::from_mins(1), || {
        fs::read_to_string(&out).ok().filter(|text| text.ends_with("end\n"))
    });
    let told = fs::read_to_string(world.path("out.err")).unwrap();
    assert_eq!(said, "5\n".repeat(commands.len() * 2) + "end\n", "{told}");
    assert_eq!(told.matches("inside a runner").count(), commands.len() * 2, "{told}");
    assert!(!backup.exists());
    world.wait_status(&name, "terminated", SOON);
    // The user outside can, and it is written down, also when no daemon runs.
    world.run(["daemon", "stop"]).expect_code(0);
    world.run(["audit", "key"]).expect_code(0);
    wait_value("it is in the log", SOON, || {
        let events = world.json(["events", "list", "--type", "audit.key_shown"]);
        (events.as_array()?.len() == 1).then_some(())
    });
}

#[test]
fn an_agent_starts_no_daemon() {
    let world = World::with_project();
    let (go, out) = (world.path("go"), world.path("out"));
    let script = format!(
        "while [ ! -e {} ]; do sleep 0.02; done; STRATAVORE_HOME={} {EXE} status 2>{}.err; \
         echo code=$? > {}; sleep 60",
        go.display(),
        world.root().display(),
        out.display(),
        out.display()
    );
    let name = world.launch(&[], &["sh", "-c", &script]);
    world.kill_daemon();
    fs::write(&go, "").unwrap();
    let said = wait_value("the agent has tried", SOON, || {
        fs::read_to_string(&out).ok().filter(|text| text.ends_with('\n'))
    });
    assert_eq!(said, "code=6\n");
    let why = fs::read_to_string(world.path("out.err")).unwrap();
    assert!(why.contains("inside runner"), "{why}");
    assert!(world.daemon().is_none(), "a daemon runs");
    assert_eq!(world.show(&name).text("status"), "running");
}

/// What a stranger may say: noise, another protocol, a length that is a lie, half a message.
fn nonsense() -> Vec<Vec<u8>> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let noise = (0..65_536).map(|_| {
        // Xorshift: the same noise in every run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    });
    let mut rapid =
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00".to_vec();
    rapid.extend([0xff; 4096]);
    vec![
        noise.collect(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0xff; 8],
        vec![0xff, 0xff, 0x0f, 0x00, 1, 2, 3],
        vec![0; 100_000],
        b"\x05\x00\x00\x00\x0a".to_vec(),
        rapid,
        Vec::new(),
    ]
}

/// Says every nonsense to a socket, twice: with and without waiting for what comes back.
fn babble(socket: &Path) {
    for bytes in nonsense() {
        for patient in [true, false] {
            let mut stream = UnixStream::connect(socket).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
            // It may be closed before it has taken everything.
            stream.write_all(&bytes).ok();
            if patient {
                stream.shutdown(Shutdown::Write).ok();
                // The first byte or the end, whatever it is.
                let mut first = [0];
                stream.read_exact(&mut first).ok();
            }
        }
    }
}

/// Returns the only runner's link.
fn link(world: &World, name: &str) -> PathBuf {
    world.root().join("runners").join(world.show(name).text("id")).join("link")
}

#[test]
fn nonsense_on_the_daemons_socket_changes_nothing() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    let daemon = world.daemon_pid();
    babble(&world.socket());
    // Silent connections take no one's place.
    let idle: Vec<_> = (0..300).filter_map(|_| UnixStream::connect(world.socket()).ok()).collect();
    assert!(idle.len() >= 100);
    world.run(["status"]).expect_code(0);
    world.run(["send", &agent.name, "fine"]).expect_code(0);
    world.wait_log(&agent.name, "fine");
    // Nor do they keep their own.
    for mut stream in &idle {
        stream.set_read_timeout(Some(SOON)).unwrap();
        // The daemon's greeting, if there was a place, and the end.
        stream.read_to_end(&mut Vec::new()).expect("it is closed");
    }
    drop(idle);
    let fds = || fs::read_dir(format!("/proc/{}/fd", daemon.pid)).unwrap().count();
    wait_until("its descriptors are free again", SOON, || fds() < 100);
    assert_eq!(world.daemon_pid(), daemon);
}

#[test]
fn nonsense_on_a_supervisors_socket_changes_nothing() {
    let world = World::with_project();
    let agent = world.agent("seq", &["--rate", "200"]);
    let supervisor = world.supervisor(&agent.name);
    let link = link(&world, &agent.name);
    babble(&link);
    let idle: Vec<_> = (0..50).filter_map(|_| UnixStream::connect(&link).ok()).collect();
    let seen = agent.witness.sequence().len();
    wait_until("the agent goes on", SOON, || agent.witness.sequence().len() > seen + 50);
    assert_eq!(world.supervisor(&agent.name), supervisor);
    assert_eq!(world.show(&agent.name).text("status"), "running");
    // The daemon's own link is not in their way either, nor is that of the next daemon.
    world.kill_daemon();
    assert_eq!(world.show(&agent.name).text("status"), "running");
    wait_until("the supervisor is linked", SOON, || world.run(["health"]).code == 0);
    drop(idle);
    world.run(["kill", &agent.name]).expect_code(0);
    let stall = agent.witness.longest_stall();
    assert!(stall <= Duration::from_millis(250), "the agent was held up for {stall:?}");
}

#[test]
fn what_is_ours_is_closed_to_others() {
    use std::os::unix::fs::MetadataExt as _;
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    world.run(["send", &agent.name, "secret"]).expect_code(0);
    world.wait_log(&agent.name, "secret");
    let mut left = vec![world.root()];
    let mut looked = 0;
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        looked += 1;
        // Nobody else gets through the directories to the log's files.
        if !path.starts_with(world.root().join("log")) || meta.is_dir() {
            assert_eq!(meta.mode() & 0o077, 0, "{} has mode {:o}", path.display(), meta.mode());
        }
        if meta.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(looked > 10, "only {looked} files");
}
