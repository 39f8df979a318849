//! A runner from launch to its end: what it was told, what it said, how it ended.

use std::{fs, time::Duration};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Say as _, World, stays, wait_until, write_script};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn bash_is_launched_used_and_killed() {
    let world = World::with_project();
    let name = world.launch(&[], &["bash", "--norc"]);
    assert_eq!(name, "p-1");
    let listed = world.runners();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].text("name"), "p-1");
    let shown = world.show(&name);
    assert_eq!(shown.text("status"), "running");
    assert_eq!(shown.text("agent"), "bash");
    assert_eq!(shown.text("cwd"), world.path("p-p").to_str().unwrap());
    assert_eq!(shown.number("run"), Some(1));
    // Every way to name it.
    let id = shown.text("id").to_owned();
    for word in [id.as_str(), &id[..8]] {
        assert_eq!(world.show(word).text("name"), "p-1");
    }

    world.run(["send", &name, "echo sum=$((40+2))"]).expect_code(0);
    wait_until("the answer is on the screen", SOON, || {
        let Value::Array(lines) =
            world.json(["runners", "show", &name, "--screen"])["screen"]["lines"].clone()
        else {
            panic!("no screen")
        };
        lines.iter().any(|line| line.as_str() == Some("sum=42"))
    });
    world.wait_log(&name, "sum=42");

    world.run(["kill", &name]).expect_error(0, &["p-1: stopped"]);
    let ended = world.show(&name);
    assert_eq!(ended.text("status"), "terminated");
    assert!(ended["survivors"].as_array().unwrap().is_empty());
    world.wait_log(&name, "sum=42");
    world.run(["kill", &name]).expect_error(0, &["already stopped"]);
    assert!(world.json(["runners", "list", "--status", "live"]).as_array().unwrap().is_empty());
}

#[test]
fn how_an_agent_ended_is_kept_exactly() {
    let world = World::with_project();
    let cases: [(&str, &str, Option<i64>, &str); 4] = [
        ("echo bye-0; sleep 0.1", "terminated", Some(0), ""),
        ("echo bye-1; sleep 0.1; exit 3", "failed", Some(3), ""),
        ("echo bye-2; sleep 0.1; kill -KILL $$", "failed", None, "SIGKILL"),
        ("echo bye-3; sleep 0.1; kill -SEGV $$", "failed", None, "SIGSEGV"),
    ];
    let names = cases.map(|(script, ..)| world.launch(&[], &["sh", "-c", script]));
    for (index, ((script, status, code, signal), name)) in cases.into_iter().zip(&names).enumerate()
    {
        let ended = world.wait_status(name, status, SOON);
        assert_eq!(ended.number("exit_code"), code, "{script}");
        assert_eq!(ended.text("exit_signal"), signal, "{script}");
        assert_eq!(ended["reason"].is_null(), status == "terminated", "{script}: {ended}");
        let said = world.run(["logs", name]).expect_code(0).stdout;
        assert_eq!(said, format!("bye-{index}\n"), "{script}");
    }
    // Also in a new daemon's memory.
    world.kill_daemon();
    assert_eq!(world.show(&names[1]).number("exit_code"), Some(3));
    assert_eq!(world.run(["logs", &names[1]]).expect_code(0).stdout, "bye-1\n");
}

#[test]
fn an_agent_that_ends_at_once_was_launched_all_the_same() {
    let world = World::with_project();
    for number in 1..=30 {
        let name = world.launch(&[], &["sh", "-c", "exit 9"]);
        assert_eq!(name, format!("p-{number}"));
    }
    for number in 1..=30 {
        let ended = world.wait_status(&format!("p-{number}"), "failed", SOON);
        assert_eq!(ended.number("exit_code"), Some(9), "{ended}");
        assert_eq!(ended.text("reason"), "exit code 9");
    }
}

#[test]
fn of_several_that_live_one_is_entered_and_the_others_are_told() {
    let world = World::with_project();
    let names = [0, 1].map(|_| world.launch(&[], &["sleep", "600"]));
    let entered = world.run(["p"]).expect_code(0);
    let (into, told) = (entered.stdout.trim(), &entered.stderr);
    let other = names.iter().find(|name| name.as_str() != into).unwrap();
    assert!(names.iter().any(|name| name == into), "{into}");
    assert!(told.contains(&format!("beside it lives {other}")), "{told}");
    world.run(["kill", other]).expect_code(0);
    let alone = world.run(["p"]).expect_code(0);
    assert_eq!((alone.stdout.trim(), alone.stderr.contains("beside")), (into, false));
}

#[test]
fn an_agent_of_ones_own_is_gone_on_with_by_its_template() {
    let world = World::with_project();
    let config = world.home().join(".config/stratavore");
    fs::create_dir_all(&config).unwrap();
    let program = world.path("mine");
    write_script(&program, "#!/bin/sh\necho \"$*\"\nexec sleep 600\n", 0o755);
    let path = program.to_str().unwrap();
    let text = format!(
        "agents:\n  mine:\n    command: [{path}, --id, \"{{session_id}}\"]\n    god: [--yes]\n    \
         resume: [{path}, --again, \"{{session_id}}\"]\n"
    );
    fs::write(config.join("stratavore.yaml"), text).unwrap();
    // A daemon that was there before does not know it.
    let early = world.run(["launch", "p", "--agent", "mine"]).expect_code(0);
    assert!(early.stderr.contains("stratavore daemon restart"), "{}", early.stderr);
    world.run(["kill", early.stdout.trim()]).expect_code(0);
    world.run(["daemon", "restart"]).expect_code(0);
    let launched = world.run(["launch", "p", "--agent", "mine", "--god"]).expect_code(0);
    assert!(!launched.stderr.contains("daemon restart"), "{}", launched.stderr);
    let name = launched.stdout.trim().to_owned();
    let id = world.show(&name).text("session_id").to_owned();
    world.wait_log(&name, &format!("--yes --id {id}"));
    let session = world.json(["sessions", "show", &id]);
    assert_eq!((session.text("agent"), session["resumable"] == true), ("mine", true), "{session}");
    world.run(["restart", &name, "--preserve-session"]).expect_code(0);
    world.wait_log(&name, &format!("--yes --again {id}"));
    world.run(["kill", &name]).expect_code(0);
    let ended = world.json(["sessions", "show", &id]);
    assert!(!ended["ended_at"].is_null(), "{ended}");
    world.run(["sessions", "resume", &id]).expect_code(0);
    wait_until("it goes on again", SOON, || {
        let log = world.run(["logs", &name]).stdout;
        log.matches(&format!("--yes --again {id}")).count() == 2
    });
    world.run(["kill", &name]).expect_code(0);
    let other = world.run(["sessions", "resume", &id, "--new-runner"]).expect_code(0);
    world.wait_log(other.stdout.trim(), &format!("--again {id}"));
}

#[test]
fn an_agent_that_keeps_one_conversation_in_a_directory_goes_on_with_that() {
    let world = World::with_project();
    // It hangs when it is asked for its version; nothing of that is left behind either.
    let program = world.path("aider");
    write_script(&program, "#!/bin/sh\necho \"begins $*.\"\nexec sleep 600\n", 0o755);
    let path = program.to_str().unwrap();
    let name = world.launch(&[], &[path, "--no-git"]);
    world.wait_log(&name, "begins --no-git.");
    let other = world.launch(&[], &[path]);
    let held = world.run(["restart", &name, "--preserve-session"]);
    held.expect_error(4, &[&other, "is in the conversation of"]);
    assert_eq!(world.show(&name).number("run"), Some(1), "it was not ended for nothing");
    world.run(["kill", &other]).expect_code(0);
    for _ in 0..2 {
        world.run(["restart", &name, "--preserve-session"]).expect_code(0);
        world.wait_log(&name, "begins --restore-chat-history --no-git.");
    }
    world.run(["restart", &name]).expect_code(0);
    wait_until("it begins anew", SOON, || {
        let log = world.run(["logs", &name]).stdout;
        log.trim_end().ends_with("begins --no-git.")
    });
}

#[test]
fn an_agent_killed_from_outside_is_failed_with_the_signal() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    agent.witness.process().signal(Signal::KILL);
    let ended = world.wait_status(&agent.name, "failed", SOON);
    assert_eq!(ended.text("exit_signal"), "SIGKILL");
    assert_eq!(ended.text("reason"), "killed by SIGKILL");
}

/// Options, command, exit code, and what the message must contain.
type LaunchCase<'a> = (&'a [&'a str], &'a [&'a str], i32, &'a [&'a str]);

#[test]
fn a_launch_that_fails_says_why_and_runs_nothing() {
    let world = World::with_project();
    let file = |name: &str| world.path(name).to_str().unwrap().to_owned();
    write_script(&world.path("plain"), "#!/bin/sh\n", 0o644);
    write_script(&world.path("lost"), "#!/no/such/interpreter\n", 0o755);
    fs::create_dir(world.path("gone")).unwrap();
    fs::remove_dir(world.path("gone")).unwrap();
    let (plain, lost, gone, proof) = (file("plain"), file("lost"), file("gone"), file("proof"));
    let pwd = format!("pwd > {proof}");
    let anything = ["sh", "-c", pwd.as_str()];
    let cases: [LaunchCase<'_>; 7] = [
        (&[], &["no-such-program"], 3, &["no-such-program", "errno 2"]),
        (&[], &["/no/such/program"], 3, &["/no/such/program", "errno 2"]),
        (&[], &[&plain], 5, &[&plain, "errno 13"]),
        (&[], &[&lost], 3, &[&lost, "/no/such/interpreter", "errno 2"]),
        (&["--cwd", &gone], &anything, 3, &[&gone, "errno 2"]),
        (&["--cwd", &plain], &anything, 3, &[&plain, "errno 20"]),
        (&["--cwd", &format!("{gone}/../h")], &anything, 3, &["errno 2"]),
    ];
    for (number, (options, command, code, texts)) in (1_usize..).zip(cases) {
        let mut line = vec!["launch", "p"];
        line.extend(options);
        line.push("--");
        line.extend(command);
        world.run(&line).expect_error(code, texts);
        let name = format!("p-{number}");
        let runner = world.show(&name);
        assert_eq!(runner.text("status"), "failed", "{command:?}");
        assert!(runner.text("reason").contains("errno"), "{command:?}: {runner}");
        assert!(runner["pid"].is_null(), "{command:?}");
        assert_eq!(world.runners().len(), number, "one runner for each launch: {command:?}");
    }
    assert!(!world.path("proof").exists(), "an agent ran in {}", world.home().display());
    wait_until("only the daemon is left", SOON, || world.processes().len() == 1);
}

#[test]
fn a_project_directory_that_vanished_is_a_launch_error() {
    let world = World::with_project();
    fs::remove_dir_all(world.path("p-p")).unwrap();
    let path = world.path("p-p").to_str().unwrap().to_owned();
    world.run(["launch", "p", "--", "bash"]).expect_error(3, &[&path, "errno 2"]);
    fs::write(world.path("p-p"), "a file").unwrap();
    world.run(["launch", "p", "--", "bash"]).expect_error(3, &[&path, "errno 20"]);
}

#[test]
fn pause_stops_an_agent_where_it_stands_and_resume_lets_it_go_on() {
    let world = World::with_project();
    let agent = world.agent("seq", &["--rate", "100"]);
    let count = || agent.witness.sequence().len();
    let grows = |what: &str| {
        let before = count();
        wait_until(what, SOON, || count() > before + 5);
    };
    grows("the agent writes");
    world.run(["resume", &agent.name]).expect_error(4, &[&agent.name, "running"]);
    world.run(["pause", &agent.name]).expect_error(0, &["paused"]);
    assert_eq!(world.show(&agent.name).text("status"), "paused");
    let stopped_at = count();
    stays("a paused agent writes nothing", Duration::from_millis(400), || count() == stopped_at);
    world.run(["pause", &agent.name]).expect_error(4, &[&agent.name, "paused"]);
    world.kill_daemon();
    assert_eq!(world.show(&agent.name).text("status"), "paused", "a new daemon knows it");
    stays("nobody else lets it go on", Duration::from_millis(200), || count() == stopped_at);
    world.run(["resume", &agent.name]).expect_error(0, &["resumed"]);
    assert_eq!(world.show(&agent.name).text("status"), "running");
    grows("the agent goes on");

    // A paused agent can be stopped, and then nothing else.
    world.run(["pause", &agent.name]).expect_code(0);
    world.run(["kill", &agent.name, "--grace", "1s"]).expect_code(0);
    assert!(agent.witness.alive().is_empty());
    assert_eq!(world.show(&agent.name).text("status"), "terminated");
    for verb in ["pause", "resume"] {
        world.run([verb, &agent.name]).expect_error(4, &[&agent.name, "terminated"]);
    }
    assert_eq!(agent.witness.starts(), 1);
}

#[test]
fn the_agent_of_a_directory_is_launched_without_naming_the_project() {
    let world = World::with_project();
    let mut command = world.command(["launch", "--", "sh", "-c", "pwd; sleep 0.1"]);
    command.current_dir(world.path("p-p"));
    let name = world.run_command(command).expect_code(0).stdout.trim().to_owned();
    assert_eq!(name, "p-1");
    world.wait_log(&name, world.path("p-p").to_str().unwrap());

    fs::create_dir_all(world.path("shop/.git")).unwrap();
    fs::create_dir_all(world.path("shop/src")).unwrap();
    let launch = |words: &[&str]| {
        let mut command = world.command(words);
        command.current_dir(world.path("shop/src"));
        world.run_command(command)
    };
    launch(&["launch", "--", "sh", "-c", "pwd; sleep 0.1"])
        .expect_error(3, &["no project", "stratavore new shop"]);
    let name =
        launch(&["launch", "--yes", "--", "sh", "-c", "pwd; sleep 0.1"]).expect_code(0).stdout;
    assert_eq!(name.trim(), "shop-1");
    world.wait_log("shop-1", world.path("shop").to_str().unwrap());
}
