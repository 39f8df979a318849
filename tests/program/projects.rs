//! Projects: registered, listed, gone into, forgotten; their directories stay.

use std::{fs, time::Duration};

use crate::support::{Say as _, Terminal, World, try_run};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_project_is_a_directory_that_exists_and_a_name_that_is_free() {
    let world = World::with_project();
    let path = world.path("p-p").to_str().unwrap().to_owned();
    world.run(["new", "p", "--path", &path]).expect_error(4, &["`p`"]);
    world.run(["new", "q", "--path", "/no/such/directory"]).expect_error(3, &["/no/such"]);
    let file = world.path("file");
    fs::write(&file, "").unwrap();
    world.run(["new", "q", "--path", file.to_str().unwrap()]).expect_error(2, &["directory"]);
    let taken = ["`p`", "next: stratavore launch p"];
    world.run(["new", "q", "--path", &path]).expect_error(4, &taken);
    let path = world.path("h").to_str().unwrap().to_owned();
    let made = ["new", "q", "--path", &path, "--description", "d e", "--tag", "a", "--tag", "b"];
    world.run(made).expect_code(0);
    let shown = world.json(["projects", "show", "q"]);
    assert_eq!(shown.text("description"), "d e");
    assert_eq!(shown["tags"], serde_json::json!(["a", "b"]));
    assert_eq!(world.json(["projects", "list"]).as_array().unwrap().len(), 2);
    // What a filter leaves out is not said to be missing.
    let archived = ["no projects that are archived", "next: stratavore projects"];
    world.run(["projects", "--status", "archived"]).expect_error(0, &archived);
    let failed = ["runners", "--project", "q", "--status", "failed"];
    world.run(failed).expect_error(0, &["no runners match"]);
}

#[test]
fn a_project_with_live_runners_is_forgotten_only_by_force() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    fs::write(world.path("p-p/kept"), "kept").unwrap();
    world.run(["projects", "delete", "p"]).expect_error(4, &["next:"]);
    assert_eq!(agent.witness.alive().len(), 1);
    world.run(["projects", "delete", "p", "--force"]).expect_error(0, &[&agent.name]);
    assert!(agent.witness.alive().is_empty());
    world.run(["projects", "show", "p"]).expect_code(3);
    assert!(world.runners().is_empty());
    assert!(world.path("p-p/kept").exists(), "its directory is the user's");
    // A project of the same name can be made anew.
    world.project("p");
    let name = world.launch(&[], &["sleep", "60"]);
    assert_eq!(world.show(&name).number("run"), Some(1));
}

#[test]
fn the_projects_name_alone_goes_into_its_agent() {
    let world = World::with_project();
    let config = world.home().join(".config/stratavore");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("stratavore.yaml"), "runner:\n  default_command: cat -u\n").unwrap();
    world.run(["daemon", "restart"]).expect_code(0);
    // Without a terminal it starts one and names it; the second time it finds it.
    for _ in 0..2 {
        assert_eq!(world.run(["p"]).expect_code(0).stdout, "p-1\n");
    }
    let mut terminal = Terminal::start(world.command(["p"]));
    terminal.wait_taken();
    terminal.type_text("miau\r");
    terminal.wait_for("miau\nmiau");
    terminal.type_bytes(b"\x1c");
    assert_eq!(terminal.wait_exit(), 0);
    terminal.assert_restored();
    assert_eq!(world.runners().len(), 1);
    world.run(["kill", "p-1"]).expect_code(0);
    assert_eq!(world.run(["p"]).expect_code(0).stdout, "p-2\n", "what has ended is not gone into");
}

#[test]
fn without_an_agent_installed_a_launch_says_what_to_install() {
    let world = World::with_project();
    world.run(["launch", "p"]).expect_error(3, &["claude", "stratavore launch p --"]);
    assert!(world.runners().is_empty());
}

#[test]
fn text_is_sent_from_standard_input_too() {
    let world = World::with_project();
    let name = world.launch(&[], &["cat", "-u"]);
    let sent = try_run(world.command(["send", &name]), b"one line\nanother line\n").unwrap();
    sent.expect_code(0);
    world.wait_log(&name, "another line");
    let tail = world.run(["logs", &name, "--tail", "1"]).expect_code(0).stdout;
    assert!(tail.contains("another line") && tail.lines().count() == 1, "{tail}");
    world.run(["kill", &name]).expect_code(0);
    world.run(["send", &name, "too late"]).expect_error(4, &[]);
    let ended = world.wait_status(&name, "terminated", SOON);
    assert!(ended["exit_signal"].is_string() || ended["exit_code"].is_number());
}
