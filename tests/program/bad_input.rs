//! Bad input on the command line: refused with the right code and words, and nothing done.

use std::{
    ffi::OsString,
    fs,
    os::unix::{ffi::OsStringExt as _, fs::PermissionsExt as _},
    path::Path,
    process::Stdio,
    time::Duration,
};

use rustix::process::Signal;
use sqlx::{Connection as _, sqlite::SqliteConnection};

use crate::support::{Follower, Say as _, Terminal, World, launch_line, wait_until};

#[test]
fn names_that_could_harm_are_refused_and_shown_escaped() {
    let world = World::new();
    let long = "x".repeat(65);
    let cases: [(&str, &str); 12] = [
        ("", "empty"),
        (&long, "64"),
        ("a/b", "a/b"),
        ("..", ".."),
        (".hidden", "begins"),
        ("a b", "a b"),
        ("a\nb", "a\\nb"),
        ("\u{1b}[31mred", "\\u{1b}[31mred"),
        ("\u{202e}evil", "\\u{202e}"),
        ("bell\u{7}", "\\u{7}"),
        ("é", "letters"),
        ("attach", "command"),
    ];
    for (name, text) in cases {
        world.run(["new", name]).expect_error(2, &[text]);
    }
    world.run(["new", "-x"]).expect_code(2);
    let garbled = OsString::from_vec(b"caf\xe9".to_vec());
    world.run([OsString::from("new"), garbled]).expect_error(2, &[]);
    assert!(world.json(["projects", "list"]).as_array().unwrap().is_empty());
    world.run(["new", &"x".repeat(64)]).expect_code(0);
}

#[test]
fn a_mistyped_command_starts_nothing_and_names_the_nearest() {
    let world = World::with_project();
    let refused = world.run(["lauch"]).expect_printable();
    assert!(matches!(refused.code, 2 | 3), "{}", refused.code);
    assert!(refused.stderr.contains("stratavore launch"), "{}", refused.stderr);
    for words in [&["lauch", "p"][..], &["runers", "list"], &["p", "extra"], &["\u{1b}[2J"]] {
        let refused = world.run(words).expect_printable();
        assert!(matches!(refused.code, 2 | 3), "{words:?}: {}", refused.code);
    }
    assert!(world.runners().is_empty());
    assert_eq!(world.json(["projects", "list"]).as_array().unwrap().len(), 1);
    world.run(["runners", "lst"]).expect_code(2);
    world.run(["launch", "p", "--atach"]).expect_error(2, &["--attach"]);
    world.run(["kill"]).expect_code(2);
    world.run(["status", "--format", "xml"]).expect_error(2, &["json", "yaml"]);
}

#[test]
fn numbers_and_durations_out_of_range_are_refused() {
    let world = World::with_project();
    for count in ["0", "-1", "101", "1e9", "0x10", "", "99999999999999999999"] {
        world
            .run(["launch", "p", &format!("--count={count}"), "--", "sleep", "60"])
            .expect_error(2, &["--count"]);
    }
    for grace in ["5x", "-1s", "1.5s", "", "999999999999d", "99999999999999999999s", "s"] {
        world.run(["kill", "all", &format!("--grace={grace}")]).expect_error(2, &["--grace"]);
    }
    for timeout in ["never", "-5"] {
        world.run(["status", &format!("--timeout={timeout}")]).expect_error(2, &["--timeout"]);
    }
    world
        .run(["launch", "p", "--restart", "always", "--", "true"])
        .expect_error(2, &["on-failure"]);
    world.run(["runners", "list", "--status", "asleep"]).expect_error(2, &["asleep", "running"]);
    assert!(world.runners().is_empty());
    world.run(["launch", "p", "--count", "3", "--", "sleep", "60"]).expect_code(0);
    assert_eq!(world.runners().len(), 3);
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    let world = World::with_project();
    for words in [
        &["kill", "all", "--force", "--grace", "1s"][..],
        &["launch", "p", "--attach", "--count", "2"],
        &["version", "--short", "--detailed"],
        &["attach", "--inline", "--via", "daemon"],
    ] {
        world.run(words).expect_error(2, &["cannot be used with"]);
    }
}

#[test]
fn what_does_not_exist_is_not_found_and_shown_escaped() {
    let world = World::with_project();
    for word in ["p-1", "nobody", "", "0", "\u{1b}[31m", "\u{202e}", "00000000"] {
        for command in ["kill", "logs", "pause", "restart"] {
            world.run([command, word]).expect_error(3, &[]);
        }
        world.run(["runners", "show", word]).expect_error(3, &["next:"]);
        world.run(["send", word, "text"]).expect_error(3, &[]);
    }
    world.run(["launch", "nope", "--", "true"]).expect_error(3, &["nope", "next:"]);
    world.run(["launch", "p", "--", ""]).expect_error(2, &["must not be empty", "next:"]);
    assert!(world.runners().is_empty());
    world.run(["projects", "show", "nope"]).expect_error(3, &["nope"]);
    world.run(["projects", "delete", "nope"]).expect_error(3, &["nope"]);
}

#[test]
fn an_ambiguous_prefix_of_an_id_names_its_candidates() {
    let world = World::with_project();
    for _ in 0..2 {
        world.run(launch_line(&[], &["/no/such/program"])).expect_code(3);
    }
    world.run(["daemon", "stop"]).expect_code(0);
    let url = format!("sqlite://{}", world.root().join("stratavore.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("UPDATE runners SET id = 'aaaaaaaa' || substr(id, 9)")
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
    world.run(["runners", "show", "aaaaaaaa"]).expect_error(3, &["p-1", "p-2", "next:"]);
    let id = world.show("p-2").text("id").to_owned();
    assert_eq!(world.show(&id).text("name"), "p-2");
}

#[test]
fn arguments_longer_than_the_kernel_takes_are_refused_before_anything_starts() {
    let world = World::with_project();
    // One argument of 128 KiB cannot even reach us; ten of 120 KiB can.
    let word = "x".repeat(120 << 10);
    let mut command = vec!["echo"];
    command.extend(std::iter::repeat_n(word.as_str(), 10));
    let refused = world.run(launch_line(&[], &command));
    assert!(refused.stderr.len() < 2000, "the message repeats the argument");
    refused.expect_error(2, &["bytes", "stratavore send"]);
    assert!(world.runners().is_empty());
    world.run(launch_line(&[], &["", "x"])).expect_code(2);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let world = World::with_project();
    world.launch(&[], &["sleep", "60"]);
    for words in [
        &["runners", "list"][..],
        &["projects", "list", "--format", "json"],
        &["events", "list"],
        &["status"],
        &["completion", "bash"],
        &["config", "show"],
        &["--help"],
        &["version"],
    ] {
        let mut command = world.command(words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", output.status);
        assert!(output.stderr.is_empty(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn closed_standard_streams_are_no_panic() {
    let world = World::with_project();
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        for words in ["status", "runners list --format json", "launch p -- sleep 60", "nonsense"] {
            let mut command = world.foreign("sh");
            let script = format!("exec {} {words} {closed}", crate::support::EXE);
            command.args(["-c", &script]);
            let output = world.run_command(command).expect_printable();
            let code = if words == "nonsense" { 3 } else { 0 };
            assert!(output.code == code || output.code == 6, "{words} {closed}: {}", output.code);
        }
    }
}

#[test]
fn names_that_nobody_has_are_refused_with_the_nearest() {
    let world = World::new();
    world.project("shop");
    for words in [
        &["events", "--project", "shpo"][..],
        &["events", "subscribe", "--project", "shpo"],
        &["watch", "--project", "shpo"],
        &["runners", "--project", "shpo"],
        &["budget", "show", "shpo"],
    ] {
        world.run(words).expect_error(3, &["no project `shpo`", "next: did you mean: shop"]);
    }
    world.run(["budget", "show", "shop"]).expect_error(0, &["budget set project:shop daily 1M"]);
    world
        .run(["events", "--type", "inbox"])
        .expect_error(2, &["next: did you mean: --type inbox."]);
    world.run(["log", "shop-4"]).expect_error(2, &["did you mean: stratavore logs shop-4"]);
    let launch = |words: &[&str]| world.run([&["launch", "shop"], words].concat());
    launch(&["--name", "", "--", "true"]).expect_error(2, &["must not be empty", "next:"]);
    let unnamed = launch(&["--worktree", "", "--", "true"]).expect_code(2);
    assert!(unnamed.stderr.contains("must not be empty"), "{}", unnamed.stderr);
    launch(&["--", ""]).expect_error(2, &["must not be empty", "next:"]);
    assert!(world.runners().is_empty(), "what is refused leaves nothing");
    let swapped = world.run(["approvals", "test", "Bash", "claude", "ls"]);
    swapped.expect_error(3, &["stratavore approvals test claude Bash"]);
    world.run(["approvals", "test", "claud", "Bash"]).expect_error(3, &["test claude Bash"]);
    let dead = world.run(["tokens", "create", "z", "--expires", "0s"]);
    dead.expect_code(2);
    // What a removed project has left is history, and no mistake.
    world.run(["projects", "delete", "shop"]).expect_code(0);
    let past = world.run(["events", "--project", "shop"]).expect_code(0);
    assert!(past.stdout.contains("project.deleted"), "{}", past.stdout);
    world.run(["events", "--project", "shop", "--type", "budget."]).expect_code(0);
}

#[test]
fn words_of_other_programs_lead_to_ours() {
    let world = World::with_project();
    world.run(["list"]).expect_error(3, &["next: did you mean: stratavore runners"]);
    let help = world.run(["help", "launch"]).expect_code(0).stdout;
    assert_eq!(help, world.run(["launch", "--help"]).expect_code(0).stdout);
    assert!(world.run(["help"]).expect_code(0).stdout.contains("launch"));
    world.run(["nosuch", "--help"]).expect_error(2, &["no command and no project `nosuch`"]);
    let name = world.launch(&["--name", "fixer"], &["sleep", "600"]);
    assert_eq!(world.json(["status"])["activities"]["running"], 1, "as `runners` says");
    world.run([&name]).expect_error(3, &["next: stratavore attach fixer"]);
    world.run(["attach", &name]).expect_error(2, &["next: stratavore logs fixer --follow"]);
    let again = world.run(["launch", "p", "--name", "fixer", "--", "true"]);
    again.expect_error(4, &["next: stratavore attach fixer"]);
    world.run(["kill", &name]).expect_code(0);
    let again = world.run(["launch", "p", "--name", "fixer", "--", "true"]);
    again.expect_error(4, &["next: stratavore restart fixer"]);
}

#[test]
fn a_root_that_is_unknown_or_unsafe_is_refused_with_the_fix() {
    let world = World::new();
    let refused = |name: &str, value: Option<&Path>, texts: &[&str]| {
        let mut command = world.command(["status"]);
        command.env_remove("STRATAVORE_HOME");
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
        world.run_command(command).expect_error(2, texts);
    };
    refused("HOME", None, &["STRATAVORE_HOME", "HOME"]);
    refused("HOME", Some(Path::new("")), &["STRATAVORE_HOME"]);
    refused("HOME", Some(Path::new("relative")), &["HOME", "absolute"]);
    refused("STRATAVORE_HOME", Some(Path::new("a/b")), &["STRATAVORE_HOME", "a/b", "absolute"]);
    refused("XDG_STATE_HOME", Some(Path::new("x")), &["XDG_STATE_HOME", "absolute"]);

    let open = world.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let fix = format!("chmod 700 '{}'", open.display());
    refused("STRATAVORE_HOME", Some(&open), &["777", &fix]);
    assert_eq!(fs::read_dir(&open).unwrap().count(), 0, "nothing was put into it");

    let file = world.path("file");
    fs::write(&file, "").unwrap();
    refused("STRATAVORE_HOME", Some(&file), &["not a directory"]);
    let link = world.path("link");
    std::os::unix::fs::symlink(world.home(), &link).unwrap();
    refused("STRATAVORE_HOME", Some(&link), &["symlink"]);
}

#[test]
fn a_root_too_long_for_its_sockets_is_refused_with_the_length() {
    let world = World::new();
    // The first is too long for a runner's socket only, the second for the daemon's too.
    for length in [60, 100] {
        let long = world.path(&"x".repeat(length));
        let mut command = world.command(["status"]);
        command.env("STRATAVORE_HOME", &long);
        world.run_command(command).expect_error(2, &["too long", "107"]);
        assert!(!long.exists(), "nothing was made");
    }
}

#[test]
fn the_root_defaults_to_the_state_directory_of_the_home() {
    let world = World::new();
    let mut command = world.command(["status", "--format", "json"]);
    // A second daemon in the same world: by HOME it is found, and ended here.
    command.env_remove("STRATAVORE_HOME");
    let status = world.run_command(command).expect_code(0).stdout;
    let root = world.home().join(".local/state/stratavore");
    assert!(status.contains(root.to_str().unwrap()), "{status}");
    let mut command = world.command(["daemon", "stop"]);
    command.env_remove("STRATAVORE_HOME");
    world.run_command(command).expect_code(0);
}

#[test]
fn without_a_terminal_the_program_alone_shows_what_it_can_do() {
    let world = World::new();
    let output = world.run([""; 0]).expect_printable();
    assert!(matches!(output.code, 0 | 2), "{}", output.code);
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(said.contains("--help") || said.contains("Commands:"), "{said}");
    assert!(world.daemon().is_none() || output.code == 0);
}

#[test]
fn ctrl_c_ends_what_waits() {
    let world = World::with_project();
    let mut following = Follower::start(world.command(["events", "subscribe"]));
    wait_until("it follows", Duration::from_secs(10), || {
        world.run(launch_line(&["--quiet"], &["true"])).expect_printable();
        !following.lines().is_empty()
    });
    assert_eq!(following.signal(Signal::INT), 130);
    let terminal = Terminal::start(world.command(["watch"]));
    wait_until("it watches", Duration::from_secs(10), || {
        world.run(launch_line(&["--quiet"], &["sleep", "60"])).expect_code(0);
        terminal.screen().contains("p-")
    });
    let mut terminal = terminal;
    terminal.type_bytes(b"\x03");
    assert_eq!(terminal.wait_exit(), 130);
}
