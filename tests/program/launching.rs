//! Launches: once for each request, with the right environment, whatever becomes of the client.

use std::{
    collections::BTreeSet,
    os::unix::fs::MetadataExt as _,
    process::{Command, Stdio},
    time::Duration,
};

use crate::support::{
    EXE, Say as _, Witness, World, demo_line, launch_line, pause, wait_until, wait_value,
};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn one_request_id_starts_one_agent() {
    let world = World::with_project();
    let id = uuid::Uuid::new_v4().to_string();
    let launch = |command: &[&str]| world.run(launch_line(&["--request-id", &id], command));
    let first = launch(&["sleep", "60"]).expect_code(0);
    let second = launch(&["sleep", "60"]).expect_error(0, &["before"]);
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(world.runners().len(), 1);
    launch(&["sleep", "61"]).expect_error(4, &[&id]);
    world.kill_daemon();
    assert_eq!(launch(&["sleep", "60"]).expect_code(0).stdout, first.stdout);
    world.run(["kill", "all"]).expect_code(0);
    assert_eq!(launch(&["sleep", "60"]).expect_code(0).stdout, first.stdout, "nor after its end");
    assert_eq!(world.runners().len(), 1);
    world.run(launch_line(&["--request-id", "no-uuid"], &["sleep"])).expect_code(2);
}

#[test]
fn twenty_launches_at_once_with_one_id_start_one_agent() {
    let world = World::with_project();
    let witness = world.witness();
    let id = uuid::Uuid::new_v4().to_string();
    let line = demo_line("seq", &witness, &[]);
    let line: Vec<_> = line.iter().map(String::as_str).collect();
    let start = || {
        let mut command = world.command(launch_line(&["--request-id", &id], &line));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start a client")
    };
    let clients: Vec<_> = (0..20).map(|_| start()).collect();
    let names: BTreeSet<_> = clients
        .into_iter()
        .map(|client| {
            let output = client.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(world.runners().len(), 1);
    witness.wait_ready();
    assert_eq!(witness.starts(), 1);
}

/// Runs a client by way of a shell that sets a file mode mask, in an environment with things in it
/// that an agent must and must not see.
fn from_a_shell(world: &World, words: &[std::ffi::OsString]) -> Command {
    let mut command = world.foreign("sh");
    command.args(["-c", "umask 027; exec \"$0\" \"$@\"", EXE]).args(words);
    for (name, value) in [
        ("CANARY", "sings = loudly"),
        ("ANTHROPIC_API_KEY", "needed"),
        ("CLAUDECODE", "1"),
        ("CLAUDE_CODE_ENTRYPOINT", "cli"),
        ("TMUX", "/tmp/tmux-0/default,1,0"),
        ("TERM", "dumb"),
        ("STRATAVORE_LOGGING_LEVEL", "debug"),
    ] {
        command.env(name, value);
    }
    command
}

/// Returns what the newest run of a `env` agent printed.
fn printed(world: &World, name: &str, run: usize) -> Vec<String> {
    let text = wait_value("the environment is printed", SOON, || {
        let text = world.run(["logs", name]).expect_code(0).stdout;
        (text.matches("env done").count() == run).then_some(text)
    });
    let runs: Vec<_> = text.split("env done\n").collect();
    runs[run - 1].lines().map(str::to_owned).collect()
}

#[test]
fn the_agent_gets_the_clients_environment_and_keeps_it_when_restarted() {
    let world = World::with_project();
    let witness = world.witness();
    let line = demo_line("env", &witness, &[]);
    let line: Vec<_> = line.iter().map(String::as_str).collect();
    let launch = from_a_shell(&world, &launch_line(&[], &line));
    let name = world.run_command(launch).expect_code(0).stdout.trim().to_owned();
    let first = printed(&world, &name, 1);
    let has = |line: &str| first.iter().any(|printed| printed == line);
    assert!(has("env CANARY=sings = loudly"), "{first:#?}");
    assert!(has("env ANTHROPIC_API_KEY=needed"));
    assert!(has("env TERM=xterm-256color"));
    let id = world.show(&name).text("id").to_owned();
    assert!(has(&format!("env STRATAVORE_RUNNER={id}")), "the mark of its runner");
    for bad in ["CLAUDECODE=", "CLAUDE_CODE_ENTRYPOINT=", "TMUX="] {
        assert!(!first.iter().any(|line| line.starts_with(&format!("env {bad}"))), "{bad}");
    }
    assert!(has(&format!("env STRATAVORE_HOME={}", world.root().display())), "its daemon's root");
    let ours = first.iter().filter(|line| line.starts_with("env STRATAVORE_"));
    assert_eq!(ours.count(), 2, "nothing else of ours: {first:#?}");
    let open: Vec<_> = first.iter().filter(|line| line.starts_with("fd ")).collect();
    assert_eq!(open.len(), 3, "{open:?}");
    assert!(open.iter().all(|line| line.contains("-> /dev/pts/")), "{open:?}");
    assert!(has(&format!("cwd {}", world.path("p-p").display())));

    // Whoever restarts it, it runs in the same name and environment.
    world.kill_daemon();
    world.run(["restart", &name]).expect_error(0, &[&name, "run 2"]);
    let mut second = printed(&world, &name, 2);
    second.retain(|line| line.starts_with("env "));
    let before: Vec<_> = first.into_iter().filter(|line| line.starts_with("env ")).collect();
    assert_eq!(second, before);
    assert_eq!(world.runners().len(), 1);
    assert_eq!(world.show(&name).number("run"), Some(2));
    assert_eq!(witness.starts(), 2);
    assert_eq!(witness.alive().len(), 1, "the first run is over");
}

#[test]
fn the_agent_gets_the_clients_file_mode_mask() {
    let world = World::with_project();
    let words = launch_line(&[], &["sh", "-c", "umask; touch made; umask > done; sleep 0.1"]);
    let name = world.run_command(from_a_shell(&world, &words)).expect_code(0).stdout;
    world.wait_log(name.trim(), "0027");
    let made = wait_value("the file is made", SOON, || {
        world.path("p-p/done").exists().then(|| world.path("p-p/made").metadata().unwrap())
    });
    assert_eq!(made.mode() & 0o777, 0o640);
}

#[test]
fn a_restart_of_a_live_agent_ends_it_first() {
    let world = World::with_project();
    let agent = world.agent("ignore-term", &[]);
    world.run(["restart", &agent.name, "--grace", "300ms"]).expect_code(0);
    wait_until("it runs again", SOON, || agent.witness.starts() == 2);
    assert_eq!(agent.witness.alive().len(), 1);
    let runner = world.show(&agent.name);
    assert_eq!(runner.text("status"), "running");
    assert_eq!(runner.number("pid"), Some(agent.witness.process().pid.into()));
    world.run(["restart", "p-77"]).expect_error(3, &["p-77"]);
}

#[test]
fn a_restart_that_would_be_refused_ends_nothing() {
    let world = World::with_project();
    let agent = world.agent("ignore-term", &[]);
    let pid = agent.witness.process().pid;
    world.run(["budget", "set", "p", "total", "0"]).expect_code(0);
    wait_until("it is held", SOON, || !world.show(&agent.name)["hold"].is_null());
    world.run(["restart", &agent.name]).expect_error(7, &["held", "budget show"]);
    let runner = world.show(&agent.name);
    assert_eq!((runner.text("status"), runner.number("pid")), ("running", Some(pid.into())));
    assert_eq!(agent.witness.starts(), 1);
}

#[test]
fn a_client_that_vanishes_leaves_one_agent_or_none() {
    let world = World::with_project();
    let launch = |number: u64| -> Witness {
        let witness = world.witness();
        let line = demo_line("seq", &witness, &[]);
        let line: Vec<_> = line.iter().map(String::as_str).collect();
        let mut client =
            world.command(launch_line(&["--quiet"], &line)).stdout(Stdio::null()).spawn().unwrap();
        pause(Duration::from_millis(number * 7));
        client.kill().unwrap();
        client.wait().unwrap();
        witness
    };
    let mut witnesses = Vec::new();
    // Where the machine is busy a client needs longer to get anywhere.
    for number in 0..100 {
        witnesses.push(launch(number));
        if number >= 9 && witnesses.iter().any(|witness: &Witness| witness.starts() > 0) {
            break;
        }
    }
    wait_until("no launch is under way", Duration::from_secs(20), || {
        world.runners().iter().all(|runner| runner.text("status") != "starting")
    });
    let running: BTreeSet<_> = world
        .runners()
        .iter()
        .filter(|runner| runner.text("status") == "running")
        .map(|runner| runner.number("pid").unwrap())
        .collect();
    let started: Vec<_> = witnesses.iter().filter(|witness| witness.starts() > 0).collect();
    assert!(started.iter().all(|witness| witness.starts() == 1), "an agent was started twice");
    let alive: BTreeSet<_> = started.iter().map(|w| i64::from(w.process().pid)).collect();
    assert_eq!(running, alive, "what is listed is what runs");
    assert!(!alive.is_empty(), "no client lived long enough to launch anything");
}

#[test]
fn a_daemon_that_dies_during_launches_leaves_one_agent_or_none_each() {
    let world = World::with_project();
    for number in 0..5_u64 {
        let witnesses: Vec<_> = (0..4).map(|_| world.witness()).collect();
        let clients: Vec<_> = witnesses
            .iter()
            .map(|witness| {
                let line = demo_line("seq", witness, &[]);
                let line: Vec<_> = line.iter().map(String::as_str).collect();
                let mut command = world.command(launch_line(&["--timeout", "5s"], &line));
                command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
            })
            .collect();
        pause(Duration::from_millis(20 + number * 25));
        world.kill_daemon();
        for mut client in clients {
            client.wait().unwrap();
        }
        // Soon, not at the next of the reconciler's rounds.
        wait_until("every launch is settled", SOON, || {
            world.runners().iter().all(|runner| runner.text("status") != "starting")
        });
        assert!(witnesses.iter().all(|witness| witness.starts() <= 1));
        let alive = witnesses.iter().map(|witness| witness.alive().len()).sum::<usize>();
        let live = world.json(["runners", "list", "--status", "live"]);
        assert_eq!(live.as_array().unwrap().len(), alive, "{live:#}");
        world.run(["kill", "all", "--force"]).expect_code(0);
    }
}

#[test]
fn launches_at_once_inherit_nothing_from_each_other() {
    let world = World::with_project();
    let witnesses: Vec<_> = (0..16).map(|_| world.witness()).collect();
    let start = |witness: &Witness| {
        let line = demo_line("env", witness, &[]);
        let line: Vec<_> = line.iter().map(String::as_str).collect();
        let mut command = world.command(launch_line(&["--quiet"], &line));
        command.stdout(Stdio::piped()).spawn().expect("start a client")
    };
    let clients: Vec<_> = witnesses.iter().map(start).collect();
    let mut terminals = BTreeSet::new();
    for client in clients {
        let output = client.wait_with_output().unwrap();
        assert!(output.status.success());
        let name = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let said = printed(&world, &name, 1);
        let open: Vec<_> = said.iter().filter(|line| line.starts_with("fd ")).collect();
        assert_eq!(open.len(), 3, "{name}: {open:?}");
        terminals.insert(open[0].clone());
    }
    assert_eq!(terminals.len(), witnesses.len(), "each has a terminal of its own");
    assert!(witnesses.iter().all(|witness| witness.starts() == 1));
}

#[test]
fn a_runner_can_be_named() {
    let world = World::with_project();
    let launch = |name: &str| world.run(["launch", "p", "--name", name, "--", "sleep", "60"]);
    assert_eq!(launch("reviewer").expect_code(0).stdout.trim(), "reviewer");
    launch("reviewer").expect_error(4, &["`reviewer` is taken"]);
    launch("p-9").expect_error(2, &["given by stratavore"]);
    world.run(["kill", "reviewer"]).expect_code(0);
    assert_eq!(world.show("reviewer").text("status"), "terminated");
}

#[test]
fn a_secret_that_an_agent_is_given_is_its_own() {
    let world = World::with_project();
    let secret = format!("ghp_{}", "aB3".repeat(12));
    let given = ["sh", "-c", "echo \"given $0.\"; exec sleep 60", &secret];
    let name = world.launch(&[], &given);
    world.wait_log(&name, &format!("given {secret}."));
    for kind in ["runner.starting", "runner.started"] {
        let events = world.json(["events", "list", "--type", kind]).to_string();
        assert!(events.contains("[redacted: ") && !events.contains(&secret), "{events}");
    }
    let shown = world.run(["runners", "show", &name]).expect_code(0).stdout;
    assert!(shown.contains("[redacted: ") && !shown.contains(&secret), "{shown}");
    // Who starts it again starts the same.
    world.run(["restart", &name]).expect_code(0);
    wait_until("it is given it again", SOON, || {
        world.run(["logs", &name]).stdout.matches(&secret).count() == 2
    });
}
