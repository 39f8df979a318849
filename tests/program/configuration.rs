//! Configuration: what may be missing, what must be right, where each value comes from.

use std::{fs, path::Path, time::Duration};

use crate::support::{Output, Say as _, World, elapsed_since, now};

/// Checks a configuration file by its path; nothing may take longer than two seconds.
#[track_caller]
fn validate(world: &World, file: &Path) -> Output {
    let begun = now();
    let output = world.run(["config", "validate", "--config", file.to_str().unwrap()]);
    assert!(elapsed_since(begun) < Duration::from_secs(2), "{}: too slow", file.display());
    output
}

#[test]
fn missing_and_empty_files_are_the_defaults() {
    let world = World::new();
    let defaults = world.json(["config", "show"]);
    assert_eq!(defaults["runner"]["max_restart_attempts"], 5);
    assert_eq!(defaults["daemon"]["heartbeat_interval_seconds"], 10);
    assert_eq!(defaults["daemon"]["reconcile_interval_seconds"], 30);
    let file = world.path("c.yaml");
    for text in ["", "\n", "# nothing\n", "---\n", "runner:\n", "\u{feff}runner:\r\n"] {
        fs::write(&file, text).unwrap();
        validate(&world, &file).expect_code(0);
        let shown = world.json(["config", "show", "--config", file.to_str().unwrap()]);
        assert_eq!(shown, defaults, "{text:?}");
    }
    assert!(world.daemon().is_none(), "configuration needs no daemon");
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_place() {
    let world = World::new();
    let file = world.path("c.yaml");
    let cases = [
        ("\nrunner:\n  max_restart_attempt: 3\n", &["c.yaml:3", "max_restart_attempts"][..]),
        ("runer:\n  history_lines: 1\n", &["c.yaml", "runer"]),
        ("runner:\n  history_lines: many\n", &["runner.history_lines", "c.yaml"]),
        ("runner:\n  history_lines: -1\n", &["runner.history_lines"]),
        ("runner: 3\n", &["runner", "c.yaml"]),
        ("daemon:\n  heartbeat_interval_seconds: 0\n", &["between 1 and 3600"]),
        ("logging:\n  level: loud\n", &["loud", "debug"]),
        ("attach:\n  detach_key: ctrl-m\n", &["detach_key", "Enter"]),
        ("runner: [\n", &["c.yaml"]),
        ("- a\n- b\n", &["mapping"]),
        ("just words\n", &["mapping"]),
        ("runner:\n  history_lines: 1\n  history_lines: 2\n", &["history_lines"]),
        ("a: &a [*a]\n", &["c.yaml"]),
    ];
    for (text, words) in cases {
        fs::write(&file, text).unwrap();
        validate(&world, &file).expect_error(2, words);
        world.run(["status", "--config", file.to_str().unwrap()]).expect_error(2, &["config"]);
    }
    fs::write(&file, b"runner:\n  default_command: caf\xe9\n").unwrap();
    validate(&world, &file).expect_error(2, &["c.yaml"]);
    assert!(world.daemon().is_none(), "nothing starts with a configuration that is wrong");
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let world = World::new();
    let fifo = world.path("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let giant = world.path("giant.yaml");
    fs::File::create(&giant).unwrap().set_len(1 << 30).unwrap();
    let missing = world.path("missing.yaml");
    for path in [Path::new("/dev/zero"), &world.home(), &fifo, &giant, &missing] {
        validate(&world, path).expect_error(2, &[path.to_str().unwrap()]);
    }
    // Bombs made of aliases cost no memory and no time.
    let bomb = world.path("bomb.yaml");
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let parts = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&["a", &level.to_string(), ": &a", &level.to_string()].concat());
        text.push_str(&[" [", &parts, "]\n"].concat());
    }
    fs::write(&bomb, text).unwrap();
    validate(&world, &bomb).expect_code(2);
}

#[test]
fn every_value_tells_where_it_comes_from() {
    let world = World::new();
    let dir = world.home().join(".config/stratavore");
    fs::create_dir_all(&dir).unwrap();
    let file = dir.join("stratavore.yaml");
    fs::write(&file, "runner:\n  stop_grace_seconds: 7\n  history_lines: 500\n").unwrap();
    let show = || {
        let mut command =
            world.command(["config", "show", "--source", "--format", "json", "--debug"]);
        command.env("STRATAVORE_RUNNER_HISTORY_LINES", "900");
        let text = world.run_command(command).expect_code(0).stdout;
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        move |key: &str| {
            let found = all.as_array().unwrap().iter().find(|entry| entry.text("key") == key);
            let entry = found.unwrap_or_else(|| panic!("no {key}")).clone();
            (entry["value"].to_string(), entry.text("source").to_owned())
        }
    };
    let value = show();
    let file = file.to_str().unwrap().to_owned();
    assert_eq!(value("runner.stop_grace_seconds"), ("7".into(), file));
    let variable = "$STRATAVORE_RUNNER_HISTORY_LINES".to_owned();
    assert_eq!(value("runner.history_lines"), ("900".into(), variable));
    assert_eq!(value("runner.max_restart_attempts"), ("5".into(), "default".into()));

    let mut command = world.command(["config", "validate"]);
    command.env("STRATAVORE_RUNNER_HISTORY_LINES", "many");
    world.run_command(command).expect_error(2, &["$STRATAVORE_RUNNER_HISTORY_LINES"]);
}

#[test]
fn a_file_named_by_a_variable_replaces_the_users() {
    let world = World::new();
    let dir = world.home().join(".config/stratavore");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("stratavore.yaml"), "this is: [broken\n").unwrap();
    world.run(["config", "validate"]).expect_error(2, &["stratavore.yaml"]);
    let file = world.path("other.yaml");
    fs::write(&file, "runner:\n  stop_grace_seconds: 9\n").unwrap();
    let mut command = world.command(["config", "show", "--format", "json"]);
    command.env("STRATAVORE_CONFIG", &file);
    let shown = world.run_command(command).expect_code(0).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["runner"]["stop_grace_seconds"], 9);
    // What needs no configuration works with a broken one.
    world.run(["completion", "fish"]).expect_code(0);
    world.run(["version"]).expect_code(0);
    world.run(["--help"]).expect_code(0);
}

#[test]
fn a_mistake_in_the_configuration_keeps_nobody_from_ending_agents() {
    let world = World::with_project();
    let name = world.launch(&[], &["sleep", "1000"]);
    let dir = world.home().join(".config/stratavore");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("stratavore.yaml"), "runner: [\n").unwrap();
    let warning = ["warning: failed to load the configuration", "stratavore.yaml"];
    assert!(world.run(["runners"]).expect_error(0, &warning).stdout.contains(&name));
    world.run(["launch", "p", "--", "true"]).expect_error(2, &["stratavore.yaml", "validate"]);
    world.run(["kill", &name]).expect_error(0, &warning);
    world.run(["daemon", "restart"]).expect_error(2, &["stratavore.yaml"]);
    assert!(world.daemon().is_some());
    world.run(["daemon", "stop"]).expect_error(0, &warning);
    world.run(["status"]).expect_error(2, &["stratavore.yaml", "validate"]);
    assert!(world.daemon().is_none(), "nothing starts with a configuration that is wrong");
}

#[test]
fn a_file_with_a_secret_that_others_can_read_is_warned_about() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let file = world.path("c.yaml");
    let plain = "runner:\n  stop_grace_seconds: 9\n";
    fs::write(&file, plain).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!validate(&world, &file).expect_code(0).stderr.contains("chmod"), "it holds none");
    fs::write(&file, format!("{plain}docker:\n  rabbitmq:\n    password: secret\n")).unwrap();
    validate(&world, &file).expect_error(0, &["chmod 600", "valid"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!validate(&world, &file).expect_code(0).stderr.contains("chmod"));
}
