//! What must survive: agents the daemon's death and the database's, nothing its supervisor's. A daemon that is
//! killed again and again is among the chaos tests.

use std::{fs, time::Duration};

use rustix::process::Signal;

use crate::support::{Follower, Say as _, World, assert_contiguous, wait_until, wait_value};

const SOON: Duration = Duration::from_secs(10);

/// Kills the daemon and deletes all that it knew.
fn delete_database(world: &World) {
    world.kill_daemon();
    for file in ["stratavore.db", "stratavore.db-wal", "stratavore.db-shm"] {
        fs::remove_file(world.root().join(file)).ok();
    }
}

#[test]
fn a_deleted_database_makes_no_second_agent() {
    let world = World::with_project();
    let agents = [world.agent("seq", &[]), world.agent("echo", &[])];
    delete_database(&world);
    wait_until("both are adopted", SOON, || world.runners().len() == 2);
    for agent in &agents {
        let runner = world.show(&agent.name);
        assert_eq!(runner["adopted"], true, "{runner}");
        assert_eq!(runner.text("status"), "running");
        assert_eq!(runner.number("pid"), Some(agent.witness.process().pid.into()));
    }
    let project = world.json(["projects", "show", "p"]);
    assert_eq!(project.text("path"), world.path("p-p").to_str().unwrap());
    assert_eq!(project.number("active_runners"), Some(2), "{project}");
    // Adopted runners are runners: they can be typed into, and nothing is given out twice.
    world.run(["send", "p-2", "still there"]).expect_code(0);
    world.wait_log("p-2", "still there");
    assert_eq!(world.launch(&[], &["sleep", "60"]), "p-3");
    assert!(agents.iter().all(|agent| agent.witness.starts() == 1));
    world.run(["kill", "all"]).expect_code(0);
    assert!(agents.iter().all(|agent| agent.witness.alive().is_empty()));
}

#[test]
fn a_deleted_database_gives_out_no_name_twice() {
    let world = World::with_project();
    let agents = [world.agent("echo", &[]), world.agent("echo", &[])];
    world.run(["kill", "p-2"]).expect_code(0);
    delete_database(&world);
    wait_until("the live one is adopted", SOON, || world.runners().len() == 1);
    assert_eq!(world.show("p-1")["adopted"], true);
    // The directory and the record of the ended one are still there under its name.
    assert_eq!(world.launch(&[], &["sleep", "60"]), "p-3");
    assert!(agents.iter().all(|agent| agent.witness.starts() == 1));
}

#[test]
fn a_damaged_database_is_put_aside_and_the_agents_are_adopted() {
    let world = World::with_project();
    let agent = world.agent("seq", &[]);
    world.kill_daemon();
    for file in ["stratavore.db-wal", "stratavore.db-shm"] {
        fs::remove_file(world.root().join(file)).ok();
    }
    fs::write(world.root().join("stratavore.db"), "this is no database\n".repeat(500)).unwrap();
    wait_until("it is adopted", SOON, || world.runners().len() == 1);
    assert_eq!(world.show(&agent.name)["adopted"], true);
    assert_eq!(agent.witness.starts(), 1);
    let kept = fs::read_dir(world.root()).unwrap().any(|entry| {
        fs::read_to_string(entry.unwrap().path()).is_ok_and(|text| text.contains("no database"))
    });
    assert!(kept, "the damaged file is kept");
}

#[test]
fn a_lost_supervisor_takes_its_whole_tree_with_it() {
    let world = World::with_project();
    for (mode, processes) in [("setsid-child", 2), ("double-fork", 3), ("ignore-term", 1)] {
        let agent = world.agent(mode, &[]);
        let witness = &agent.witness;
        wait_until("the tree is there", SOON, || witness.processes().len() == processes);
        world.supervisor(&agent.name).signal(Signal::KILL);
        wait_until(&format!("the tree of {mode} is gone"), Duration::from_secs(5), || {
            witness.alive().is_empty()
        });
        let lost = world.wait_status(&agent.name, "failed", Duration::from_secs(5));
        assert_eq!(lost.text("reason"), "supervisor lost", "{mode}");
        assert_eq!(witness.starts(), 1);
    }
}

#[test]
fn a_supervisor_lost_while_no_daemon_runs_is_settled_by_the_next() {
    let world = World::with_project();
    let agents = [world.agent("setsid-child", &[]), world.agent("double-fork", &[])];
    let bystander = world.agent("echo", &[]);
    wait_until("the trees are there", SOON, || {
        agents[0].witness.processes().len() == 2 && agents[1].witness.processes().len() == 3
    });
    let supervisors = agents.each_ref().map(|agent| world.supervisor(&agent.name));
    world.kill_daemon();
    for supervisor in supervisors {
        supervisor.signal(Signal::KILL);
    }
    world.run(["status"]).expect_code(0);
    for agent in &agents {
        wait_until("the tree is gone", Duration::from_secs(5), || agent.witness.alive().is_empty());
        let lost = world.wait_status(&agent.name, "failed", Duration::from_secs(5));
        assert_eq!(lost.text("reason"), "supervisor lost");
    }
    assert_eq!(world.show(&bystander.name).text("status"), "running");
    assert_eq!(bystander.witness.alive().len(), 1, "a bystander was hit");
    let failures = world.json(["events", "--type", "runner.failed"]);
    assert_eq!(failures.as_array().unwrap().len(), 2, "one end each: {failures}");
}

#[test]
fn an_agent_that_ends_while_no_daemon_runs_is_recorded_by_the_next() {
    let world = World::with_project();
    let go = world.path("go");
    let script = format!("while [ ! -e {} ]; do sleep 0.02; done; exit 7", go.display());
    let name = world.launch(&[], &["sh", "-c", &script]);
    let supervisor = world.supervisor(&name);
    world.kill_daemon();
    fs::write(&go, "").unwrap();
    wait_until("the supervisor has left", SOON, || !supervisor.is_alive());
    let ended = world.wait_status(&name, "failed", Duration::from_secs(5));
    assert_eq!(ended.number("exit_code"), Some(7));
}

#[test]
fn events_are_followed_across_daemons_without_gap_or_repeat() {
    let world = World::with_project();
    let follower = Follower::start(world.command(["events", "subscribe", "--format", "json"]));
    let positions = || -> Vec<i64> {
        let lines = follower.lines();
        let events = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line));
        events.map(|event| event.unwrap().number("position").unwrap()).collect()
    };
    // It begins with what happens after it; until it listens, something must happen.
    wait_until("the first event arrives", SOON, || {
        world.launch(&[], &["sleep", "60"]);
        !positions().is_empty()
    });
    for _ in 0..3 {
        world.launch(&[], &["sleep", "60"]);
        world.kill_daemon();
        world.launch(&[], &["sh", "-c", "sleep 0.1; exit 2"]);
        world.run(["daemon", "restart"]).expect_code(0);
        world.run(["kill", "all", "--force"]).expect_code(0);
    }
    let newest = || {
        let events = world.json(["events", "--limit", "1"]);
        events.as_array().unwrap().first().unwrap().number("position").unwrap()
    };
    wait_value("the follower has caught up", SOON, || {
        (positions().last() == Some(&newest())).then_some(())
    });
    let seen = positions();
    for pair in seen.windows(2) {
        assert_eq!(pair[1], pair[0] + 1, "a gap or a repeat: {seen:?}");
    }
    assert!(seen.len() > 20);
}

#[test]
fn the_record_of_a_live_runner_is_followed() {
    let world = World::with_project();
    let agent = world.agent("seq", &["--rate", "100"]);
    let follower = Follower::start(world.command(["logs", &agent.name, "--raw", "--follow"]));
    wait_until("it follows", SOON, || follower.lines().len() > 50);
    let lines = follower.lines();
    let got = lines.iter().map(|line| line.trim_end().trim_start_matches('@').to_owned());
    assert_contiguous(&got.collect::<Vec<_>>(), "what was followed");
}
