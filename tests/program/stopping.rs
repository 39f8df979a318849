//! Stop means stopped: whatever an agent does, nothing of its tree is left afterwards.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Agent, Say as _, World, elapsed_since, now, wait_until, wait_value};

const SOON: Duration = Duration::from_secs(10);

/// Kills a runner and checks that its whole tree is gone when the command returns.
#[track_caller]
fn kill_and_look(world: &World, agent: &Agent) {
    let begun = now();
    world.run(["kill", &agent.name, "--grace", "500ms"]).expect_code(0);
    let took = elapsed_since(begun);
    let alive = agent.witness.alive();
    assert!(alive.is_empty(), "{alive:?} outlived the stop");
    assert!(took < Duration::from_secs(4), "the stop took {took:?}");
    let runner = world.show(&agent.name);
    assert_eq!(runner.text("status"), "terminated", "{runner}");
    assert!(runner["survivors"].as_array().unwrap().is_empty(), "{runner}");
    world.run(["kill", &agent.name]).expect_error(0, &["already stopped"]);
    assert_eq!(agent.witness.starts(), 1);
}

#[test]
fn an_agent_that_ignores_sigterm_is_stopped() {
    let world = World::with_project();
    let agent = world.agent("ignore-term", &[]);
    kill_and_look(&world, &agent);
    assert!(agent.witness.lines().iter().any(|line| line == "signal TERM"), "it was asked first");
}

#[test]
fn a_child_in_a_session_of_its_own_is_stopped() {
    let world = World::with_project();
    let agent = world.agent("setsid-child", &[]);
    wait_until("the child is there", SOON, || agent.witness.processes().len() == 2);
    kill_and_look(&world, &agent);
}

#[test]
fn a_daemonised_grandchild_is_stopped() {
    let world = World::with_project();
    let agent = world.agent("double-fork", &[]);
    wait_until("the grandchild is there", SOON, || agent.witness.processes().len() == 3);
    kill_and_look(&world, &agent);
}

#[test]
fn a_fork_bomb_is_stopped() {
    let world = World::with_project();
    let agent = world.agent("fork-bomb", &["--count", "40"]);
    wait_until("most of it is there", SOON, || agent.witness.processes().len() > 60);
    kill_and_look(&world, &agent);
    // Whoever had not yet said that it is there is found by its mark when the world ends.
    wait_until("only the daemon is left", SOON, || world.processes().len() == 1);
}

#[test]
fn an_agent_that_stopped_itself_is_stopped() {
    let world = World::with_project();
    let witness = world.witness();
    let path = witness.path().to_str().unwrap().to_owned();
    let command =
        [crate::support::EXE, "demo-agent", "--mode", "stop-self", "--witness", path.as_str()];
    let name = world.launch(&[], &command);
    witness.wait_line("stopping");
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", witness.process().pid));
    wait_until("it has stopped", SOON, || stat().is_ok_and(|stat| stat.contains(") T ")));
    kill_and_look(&world, &Agent { name, witness });
}

#[test]
fn a_child_that_holds_the_terminal_does_not_delay_the_end() {
    let world = World::with_project();
    let agent = world.agent("hold-pty", &["--seconds", "60"]);
    // The agent has ended by itself; its child has not.
    kill_and_look(&world, &agent);
    assert_eq!(world.show(&agent.name).number("exit_code"), Some(0));
}

#[test]
fn what_was_started_through_a_launcher_has_the_time_that_was_given() {
    // The launcher leaves at once; who does the work writes down what it has to, and takes two seconds.
    const WORK: &str = r#"
        sh -c 'leave() { trap "" TERM; sleep 2; echo > $LEFT; exit; }
               trap "" HUP; trap leave TERM; echo ready; while :; do sleep 0.1; done' &
        wait
    "#;
    let world = World::with_project();
    let left = world.root().join("left");
    let name = world.launch(&[], &["sh", "-c", &WORK.replace("$LEFT", left.to_str().unwrap())]);
    wait_until("it works", SOON, || world.run(["logs", &name]).stdout.contains("ready"));
    let begun = now();
    world.run(["kill", &name, "--grace", "8s"]).expect_code(0);
    assert!(left.exists(), "it was killed after {:?}", elapsed_since(begun));
    assert!(elapsed_since(begun) < Duration::from_secs(7), "it was waited for when it was gone");
}

#[test]
fn what_an_agent_leaves_behind_is_cleared_away_without_being_asked() {
    let world = World::with_project();
    let agent = world.agent("hold-pty", &["--seconds", "60", "--exit-code", "4"]);
    let ended = world.wait_status(&agent.name, "failed", SOON);
    assert_eq!(ended.number("exit_code"), Some(4));
    assert!(agent.witness.alive().is_empty(), "the child ends before the runner is called ended");
}

#[test]
fn force_kills_at_once_and_hastens_a_gentle_stop() {
    let world = World::with_project();
    let (first, second) = (world.agent("ignore-term", &[]), world.agent("ignore-term", &[]));
    let begun = now();
    world.run(["kill", "--force", &first.name]).expect_code(0);
    assert!(elapsed_since(begun) < Duration::from_secs(2));
    assert!(first.witness.alive().is_empty());
    assert!(!first.witness.lines().iter().any(|line| line.starts_with("signal")), "not asked");

    let mut gentle = world.command(["kill", &second.name, "--grace", "1h"]);
    let mut gentle = gentle.stderr(std::process::Stdio::null()).spawn().unwrap();
    second.witness.wait_line("signal TERM");
    assert_eq!(world.show(&second.name).text("status"), "stopping");
    world.run(["kill", "--force", &second.name]).expect_code(0);
    assert!(second.witness.alive().is_empty());
    let status = wait_value("the gentle stop ends too", SOON, || gentle.try_wait().unwrap());
    assert!(status.success());
}

#[test]
fn a_supervisor_that_hangs_is_told_of_and_ends_by_force_or_when_it_goes_on() {
    let world = World::with_project();
    let (first, second) = (world.agent("seq", &[]), world.agent("seq", &[]));
    for agent in [&first, &second] {
        world.supervisor(&agent.name).signal(Signal::STOP);
        let next = format!("stratavore kill --force {}", agent.name);
        world.run(["kill", &agent.name, "--grace", "1h"]).expect_error(6, &["not answer", &next]);
    }
    world.run(["kill", "--force", &first.name]).expect_code(0);
    assert!(first.witness.alive().is_empty());
    world.supervisor(&second.name).signal(Signal::CONT);
    world.wait_status(&second.name, "terminated", SOON);
    assert!(second.witness.alive().is_empty());
}

#[test]
fn kill_takes_runners_projects_and_all() {
    let world = World::with_project();
    world.project("q");
    let agents = [world.agent("seq", &[]), world.agent("echo", &[]), world.agent("seq", &[])];
    let other = world.run(["launch", "q", "--", "sleep", "60"]).expect_code(0);
    world.kill_daemon();
    world.run(["kill", "p"]).expect_code(0);
    assert!(agents.iter().all(|agent| agent.witness.alive().is_empty()));
    let other = world.show(other.stdout.trim());
    assert_eq!(other.text("status"), "running");
    world.run(["kill", "all"]).expect_code(0);
    assert_eq!(world.show(other.text("name")).text("status"), "terminated");
    world.run(["kill", "all"]).expect_error(0, &["no runner is live"]);
}

#[test]
fn a_stop_that_the_daemon_does_not_live_to_see_is_recorded_by_the_next() {
    let world = World::with_project();
    let agent = world.agent("ignore-term", &[]);
    let mut kill = world.command(["kill", &agent.name, "--grace", "700ms", "--timeout", "5s"]);
    let mut kill = kill.stderr(std::process::Stdio::null()).spawn().unwrap();
    agent.witness.wait_line("signal TERM");
    world.kill_daemon();
    wait_until("the agent is gone without a daemon", SOON, || agent.witness.alive().is_empty());
    let ended = world.wait_status(&agent.name, "terminated", SOON);
    assert_eq!(ended.text("exit_signal"), "SIGKILL");
    rustix::process::kill_process(rustix::process::Pid::from_child(&kill), Signal::KILL).ok();
    kill.wait().unwrap();
}
