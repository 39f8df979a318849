//! What scripts and shells read: formats, completion, colours.

use std::process::Command;

use serde_json::Value;

use crate::support::{EXE, Say as _, Terminal, World};

/// Every listing and every single thing that has a format.
const LISTINGS: &[&[&str]] = &[
    &["runners", "list"],
    &["runners", "show", "p-1"],
    &["runners", "show", "p-1", "--screen"],
    &["projects", "list"],
    &["projects", "show", "p"],
    &["events", "list"],
    &["status"],
    &["status", "--detailed"],
    &["health"],
    &["reconcile"],
    &["config", "show"],
    &["config", "show", "--source"],
    &["daemon", "status"],
    &["version", "--detailed"],
];

#[test]
fn every_listing_is_json_and_yaml_when_asked() {
    let world = World::with_project();
    world.agent("echo", &[]);
    world.run(["kill", &world.agent("echo", &[]).name]).expect_code(0);
    for words in LISTINGS {
        let ask = |format: &str| {
            let mut command = world.command(*words);
            command.args(["--format", format]);
            world.run_command(command).expect_code(0).stdout
        };
        let json: Value = serde_json::from_str(&ask("json"))
            .unwrap_or_else(|error| panic!("{words:?} is no JSON: {error}"));
        let yaml: Value = serde_saphyr::from_str(&ask("yaml"))
            .unwrap_or_else(|error| panic!("{words:?} is no YAML: {error}"));
        let shape = |value: &Value| match value {
            Value::Array(list) => format!("a list of {}", list.len()),
            Value::Object(map) => format!("{:?}", map.keys().collect::<Vec<_>>()),
            other => other.to_string(),
        };
        assert_eq!(shape(&json), shape(&yaml), "{words:?}");
        assert!(!ask("table").is_empty() || *words == ["reconcile"], "{words:?}");
    }
    let launched = world.run(["launch", "p", "--format", "json", "--", "sleep", "60"]);
    let launched: Value = serde_json::from_str(&launched.expect_code(0).stdout).unwrap();
    assert_eq!(launched[0].text("name"), "p-3");
    let killed = world.run(["kill", "p-3", "--format", "json"]).expect_code(0).stdout;
    let killed: Value = serde_json::from_str(&killed).unwrap();
    assert_eq!(killed[0].text("status"), "terminated");
    // An empty listing is an empty list, not an empty output.
    let none = world.json(["runners", "list", "--project", "p", "--status", "paused"]);
    assert!(none.as_array().unwrap().is_empty());
}

#[test]
fn data_goes_to_standard_output_and_talk_to_standard_error() {
    let world = World::with_project();
    let launched = world.run(["launch", "p", "--", "sleep", "60"]).expect_code(0);
    assert_eq!(launched.stdout, "p-1\n");
    assert!(launched.stderr.contains("stratavore attach p-1"), "{}", launched.stderr);
    let quiet = world.run(["launch", "p", "--quiet", "--", "sleep", "60"]).expect_code(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("p-2\n", ""));
    let killed = world.run(["kill", "p-1"]).expect_code(0);
    assert_eq!((killed.stdout.as_str(), killed.stderr.as_str()), ("", "p-1: stopped\n"));
    let empty = world.run(["runners", "list", "--status", "paused"]).expect_code(0);
    assert_eq!(empty.stdout, "");
}

/// Asks for completions as the registration script of bash does.
fn complete(world: &World, words: &[&str]) -> Vec<String> {
    let mut command = world.command(["--", "stratavore"].iter().chain(words));
    command
        .env("COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "true");
    let output = world.run_command(command).expect_code(0);
    assert_eq!(output.stderr, "");
    output.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn the_shell_completes_live_runners_and_projects() {
    let world = World::new();
    assert!(complete(&world, &["attach", ""]).iter().all(|word| word.starts_with('-')));
    assert!(world.daemon().is_none(), "the tab key starts no daemon");
    world.project("p");
    world.project("shop");
    let (live, ended) = (world.agent("echo", &[]), world.agent("echo", &[]));
    world.run(["kill", &ended.name]).expect_code(0);
    let has = |words: &[&str], word: &str| complete(&world, words).iter().any(|w| w == word);
    for command in ["attach", "logs", "send", "pause", "restart", "kill"] {
        assert!(has(&[command, ""], &live.name), "{command}");
        assert!(has(&[command, "p-"], &live.name), "{command}");
    }
    assert!(has(&["runners", "show", "p"], &live.name));
    assert!(has(&["launch", "s"], "shop"));
    assert!(has(&["projects", "show", ""], "shop"));
    assert!(has(&["kill", ""], "all") && has(&["kill", "s"], "shop"));
    assert!(!has(&["attach", ""], &ended.name), "what has ended cannot be attached to");
    assert!(has(&["lau"], "launch") && has(&["launch", "--att"], "--attach"));
    assert!(!complete(&world, &[""]).iter().any(|word| word == "demo-agent"), "hidden");
}

#[test]
fn the_script_for_bash_completes_in_bash() {
    let world = World::with_project();
    let live = world.agent("echo", &[]);
    let bin = world.path("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(EXE, bin.join("stratavore")).unwrap();
    let mut command: Command = world.foreign("bash");
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).args([
        "--norc",
        "-c",
        "source <(stratavore completion bash); COMP_WORDS=(stratavore attach p); COMP_CWORD=2; \
         COMP_TYPE=9; _clap_complete_stratavore stratavore p attach; echo \"${COMPREPLY[@]}\"",
    ]);
    let said = world.run_command(command).expect_code(0).stdout;
    assert_eq!(said.trim(), live.name);
}

#[test]
fn there_is_a_completion_script_for_every_shell() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.run(["completion", shell]).expect_code(0).stdout;
        assert!(script.contains("stratavore") && script.contains("COMPLETE"), "{shell}: {script}");
    }
    world.run(["completion", "csh"]).expect_error(2, &["bash"]);
}

#[test]
fn a_terminal_without_colours_gets_none() {
    let world = World::with_project();
    world.agent("work", &[]);
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "no-such-terminal")] {
        for words in [&["runners", "list"][..], &["status"], &["projects"], &["--help"], &["lauch"]]
        {
            let mut command = world.command(words);
            command.env(name, value);
            let mut terminal = Terminal::start(command);
            terminal.wait_exit();
            let raw = terminal.raw();
            let raw = raw.strip_suffix(crate::support::MARK).unwrap_or(&raw);
            assert!(
                value == "no-such-terminal" || !raw.contains(&0x1b),
                "{name}={value} {words:?}: {}",
                raw.escape_ascii()
            );
        }
    }
    // And nobody colours what goes into a pipe.
    for words in LISTINGS {
        assert!(!world.run(*words).bytes.contains(&0x1b), "{words:?}");
    }
}

#[test]
fn the_version_is_short_when_asked() {
    let world = World::new();
    let version = world.run(["version", "--short"]).expect_code(0).stdout;
    assert!(version.trim().split('.').count() == 3, "{version}");
    let long = world.run(["version"]).expect_code(0).stdout;
    assert_eq!(long.trim(), format!("stratavore {}", version.trim()));
    assert_eq!(world.run(["--version"]).expect_code(0).stdout, long);
    let detailed = world.json(["version", "--detailed"]);
    assert_eq!(detailed.text("daemon"), "not running");
}
