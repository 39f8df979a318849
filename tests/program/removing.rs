//! Runners that have ended are removed: row, event, directory; live ones and other nodes' never are.

use std::{fs, path::PathBuf, time::Duration};

use crate::{
    servers::Postgres,
    support::{Follower, Say as _, Terminal, World, wait_until},
};

const SOON: Duration = Duration::from_secs(10);

/// The directories of runners, whether there are rows for them or not.
fn directories(world: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.root().join("runners")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_dir());
    paths
}

fn directory(world: &World, name: &str) -> PathBuf {
    world.root().join("runners").join(world.show(name).text("id"))
}

/// Launches something that ends at once, and returns its name.
fn ended(world: &World) -> String {
    let name = world.launch(&[], &["true"]);
    world.wait_status(&name, "terminated", SOON);
    name
}

#[test]
fn an_ended_runner_is_removed_and_a_live_one_is_not() {
    let world = World::with_project();
    let name = ended(&world);
    let dir = directory(&world, &name);
    assert!(dir.is_dir());
    let live = world.launch(&[], &["sleep", "60"]);
    world.run(["runners", "remove", &live]).expect_error(4, &["has not ended", "kill"]);
    world.run(["runners", "remove", &name]).expect_error(0, &["removed"]);
    assert!(!dir.exists(), "its directory goes with it");
    world.run(["runners", "show", &name]).expect_code(3);
    world.run(["runners", "remove", &name]).expect_code(3);
    let events = world.json(["events", "--type", "runner.removed"]);
    assert_eq!(events[0].text("runner"), name, "{events}");
    assert_eq!(world.show(&live).text("status"), "running");
    // Its number is not given out again.
    assert_ne!(ended(&world), name);
    world.run(["runners", "remove"]).expect_code(2);
    world.run(["runners", "remove", &name, "--ended"]).expect_code(2);
}

#[test]
fn all_that_have_ended_are_removed_by_project_and_age() {
    let world = World::with_project();
    world.project("q");
    let names = [ended(&world), ended(&world)];
    let live = world.launch(&[], &["sleep", "60"]);
    world.run(["runners", "remove", "--ended", "--older-than", "1h"]).expect_error(0, &["no such"]);
    world.run(["runners", "remove", "--ended", "--project", "q"]).expect_error(0, &["no such"]);
    world.run(["runners", "remove", "--ended", "--project", "none"]).expect_code(3);
    assert_eq!(world.runners().len(), 3);
    let removed = world.json(["runners", "remove", "--ended", "--project", "p"]);
    let mut told: Vec<_> = removed.as_array().unwrap().iter().map(|r| r.text("name")).collect();
    told.sort_unstable();
    assert_eq!(told, names);
    assert_eq!(world.runners().len(), 1);
    assert_eq!(directories(&world).len(), 1);
    assert_eq!(world.show(&live).text("status"), "running");
}

#[test]
fn followers_and_dashboards_drop_it_at_once() {
    let world = World::with_project();
    let name = ended(&world);
    let other = world.launch(&[], &["sleep", "60"]);
    let events = Follower::start(world.command(["events", "subscribe", "--type", "runner."]));
    let terminal = Terminal::sized(world.command([""; 0]), 120, 40);
    terminal.wait_taken();
    terminal.wait_for(&other);
    terminal.wait_for("FINISHED");
    world.run(["runners", "remove", &name]).expect_code(0);
    wait_until("the dashboard drops it", SOON, || !terminal.screen().contains("FINISHED"));
    wait_until("followers are told", SOON, || {
        events.lines().iter().any(|line| line.contains("runner.removed"))
    });
    // Who asks for the past, too, gets it first, and nothing twice.
    let words = ["events", "subscribe", "--type", "runner.removed", "--since", "1h"];
    let later = Follower::start(world.command(words));
    wait_until("the past is told", SOON, || later.lines().len() == 1);
    // From the dashboard itself, the last one that is left.
    world.run(["kill", &other]).expect_code(0);
    terminal.wait_for("FINISHED");
    terminal.type_text("d");
    terminal.wait_for(&format!("Remove {other}?"));
    terminal.type_text("y");
    wait_until("it is removed", SOON, || world.runners().is_empty());
    terminal.wait_for("No agents yet");
    wait_until("its directory is gone", SOON, || directories(&world).is_empty());
    wait_until("what comes is told", SOON, || later.lines().len() >= 2);
    assert_eq!(later.lines().len(), 2, "{:?}", later.lines());
}

#[test]
fn what_an_interruption_left_is_cleared_at_the_next_start_and_what_is_unknown_is_kept() {
    let world = World::with_project();
    let (name, kept) = (ended(&world), ended(&world));
    let (left, kept_dir) = (directory(&world, &name), directory(&world, &kept));
    let unknown = world.root().join("runners/11111111-1111-4111-8111-111111111111");
    let live = world.launch(&[], &["sleep", "60"]);
    let live_dir = directory(&world, &live);
    let id = world.show(&name).text("id").to_owned();
    world.kill_daemon();
    // As after a daemon that died between the commit and the removal.
    world.by_hand(&format!("DELETE FROM runners WHERE id = '{id}'"));
    fs::create_dir(&unknown).unwrap();
    world.run(["status"]).expect_code(0);
    wait_until("the orphan is gone", SOON, || !left.exists());
    assert!(kept_dir.is_dir() && live_dir.is_dir());
    assert!(unknown.is_dir(), "its row may be in another database");
    assert_eq!(world.show(&live).text("status"), "running");
    // One whose row is gone and whose agent lives is adopted, never cleared.
    let id = world.show(&live).text("id").to_owned();
    world.kill_daemon();
    world.by_hand(&format!("DELETE FROM runners WHERE id = '{id}'"));
    world.run(["status"]).expect_code(0);
    assert_eq!(world.wait_status(&live, "running", SOON)["adopted"], true);
    assert!(live_dir.is_dir());
}

#[tokio::test]
async fn a_runner_of_another_node_is_removed_there() {
    let url = Postgres::shared().database().await;
    let worlds = [World::new(), World::new()];
    for world in &worlds {
        let dir = world.home().join(".config/stratavore");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("stratavore.yaml"), format!("database:\n  url: {url}\n")).unwrap();
    }
    let [here, there] = worlds;
    here.project("p");
    let name = ended(&here);
    wait_until("the other node lists it", SOON, || there.runners().len() == 1);
    there.run(["runners", "remove", &name]).expect_error(4, &["runs on the node", &name]);
    assert_eq!(here.runners().len(), 1);
    here.run(["runners", "remove", &name]).expect_code(0);
    assert!(there.runners().is_empty());
    assert!(directories(&here).is_empty());
}
