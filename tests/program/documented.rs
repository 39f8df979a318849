//! Every command that README and documentation show is run, in their order, in a world in which the agents
//! that they name are scripted ones. `tests/fixtures/shown.txt` says of some how; a line of it that nothing
//! shows any more fails the test.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;

use crate::support::{EXE, Follower, Terminal, World, wait_until, write_script};

#[path = "../blocks.rs"]
mod blocks;
use blocks::Shown;

const SOON: Duration = Duration::from_secs(20);

/// How a command is run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum How {
    Code(Vec<i32>),
    Screen,
    Follow,
    Parse,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Reads how commands are run that are not simply run.
fn exceptions() -> BTreeMap<String, How> {
    let text = fs::read_to_string(root().join("tests/fixtures/shown.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut found = BTreeMap::new();
    for line in lines {
        // A pipe may be in the command itself.
        let (how, rest) = line.split_once(" | ").unwrap_or_else(|| panic!("{line}"));
        let (command, reason) = rest.rsplit_once(" | ").unwrap_or_else(|| panic!("{line}"));
        assert!(reason.trim().len() > 10, "no reason is given: {line}");
        let how = match how.trim() {
            "screen" => How::Screen,
            "follow" => How::Follow,
            "parse" => How::Parse,
            codes => {
                let codes = codes.strip_prefix("code ").unwrap_or_else(|| panic!("{line}"));
                How::Code(codes.split(' ').map(|code| code.parse().unwrap()).collect())
            }
        };
        assert!(found.insert(command.trim().to_owned(), how).is_none(), "twice: {line}");
    }
    found
}

/// Makes the world that the pages speak of: a repository `~/src/shop`, agents on the PATH.
fn prepare(world: &World) -> PathBuf {
    let bin = world.path("bin");
    fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(EXE, bin.join("stratavore")).unwrap();
    // Reports as an agent does: at rest, at work with each line, done.
    let agent = "#!/bin/bash\n[ \"$1\" != --version ] || { echo 1.2.3; exit; }\n\
                 say() { printf '\\033]7501;state=%s\\033\\\\' \"$1\"; }\n\
                 say idle\nwhile read -r line; do say working; sleep 0.5; echo \"$line\"; say done; done\n";
    for name in ["claude", "codex", "vim", "htop", "npm"] {
        write_script(&bin.join(name), agent, 0o755);
    }
    for name in ["shop", "web"] {
        let dir = world.home().join("src").join(name);
        fs::create_dir_all(&dir).unwrap();
        let script = "git init -q -b main . && git -c user.name=a -c user.email=a@b \
                      commit -q --allow-empty -m first";
        let mut git = world.foreign("/bin/sh");
        git.args(["-c", script]).current_dir(&dir);
        world.run_command(git).expect_code(0);
    }
    bin
}

/// Returns a command of a shell in a directory of the world.
fn shell(world: &World, bin: &Path, dir: &Path, line: &str) -> Command {
    let mut command = world.foreign("/bin/bash");
    command
        .args(["-c", line])
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()))
        .env("SHELL", "/bin/bash")
        .env("USER", "amy")
        .current_dir(dir);
    command
}

/// Runs one command as it is to be; returns what was wrong.
fn run(world: &World, bin: &Path, dir: &mut PathBuf, shown: &Shown, how: &How) -> Option<String> {
    let Shown { file, line, command } = shown;
    let place = format!("{file}:{line}: {command}");
    match how {
        How::Parse => None,
        How::Code(codes) => {
            let kept = world.path("directory");
            let script = format!("{command}\ncode=$?\npwd > '{}'\nexit $code", kept.display());
            let output = world.run_command(shell(world, bin, dir, &script));
            if let Ok(now) = fs::read_to_string(&kept) {
                *dir = PathBuf::from(now.trim());
            }
            (!codes.contains(&output.code)).then(|| {
                format!("{place}: exit code {}\n{}{}", output.code, output.stdout, output.stderr)
            })
        }
        How::Screen => {
            let mut terminal = Terminal::sized(shell(world, bin, dir, command), 120, 40);
            wait_until(&format!("a screen of {place}"), SOON, || {
                let raw = terminal.raw();
                raw.windows(8).any(|bytes| bytes == b"\x1b[?1049h")
            });
            // ctrl-\ leaves an agent, q the dashboard.
            terminal.type_bytes(b"\x1c");
            terminal.type_bytes(b"q");
            let code = terminal.wait_exit();
            (code != 0).then(|| format!("{place}: left with {code}"))
        }
        How::Follow => {
            let script = format!("exec {command}");
            let mut follower = Follower::start(shell(world, bin, dir, &script));
            // What is followed has to happen: a runner begins, fails, and that is for a person.
            let happen = "cd ~/src/shop; stratavore new shop --path . 2>/dev/null; \
                          stratavore launch shop -- sh -c 'sleep 1; exit 3'";
            world.run_command(shell(world, bin, dir, happen)).expect_code(0);
            wait_until(&format!("{place} says something"), SOON, || !follower.lines().is_empty());
            follower.signal(Signal::KILL);
            None
        }
    }
}

#[test]
fn every_command_that_is_shown_works() {
    let exceptions = exceptions();
    let mut used = BTreeSet::new();
    let (mut wrong, mut ran) = (Vec::new(), 0);
    for page in blocks::pages(&root()) {
        let shown = blocks::commands(&root(), &page);
        if shown.is_empty() {
            continue;
        }
        let world = World::new();
        let bin = prepare(&world);
        let mut dir = world.home();
        for one in shown {
            let how = exceptions.get(&one.command).cloned().unwrap_or(How::Code(vec![0]));
            used.insert(one.command.clone());
            ran += usize::from(how != How::Parse);
            wrong.extend(run(&world, &bin, &mut dir, &one, &how));
        }
    }
    assert!(ran > 40, "only {ran} commands were run");
    let stale: Vec<_> = exceptions.keys().filter(|command| !used.contains(*command)).collect();
    assert!(stale.is_empty(), "nothing shows these any more: {stale:#?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The compose file cannot be started here; that it is what it should be can be seen all the same.
#[test]
fn the_compose_file_is_sound() {
    let dir = root().join("assets/compose");
    let read = |name: &str| -> serde_json::Value {
        serde_saphyr::from_str(&fs::read_to_string(dir.join(name)).unwrap()).unwrap()
    };
    let compose = read("compose.yaml");
    let services = compose["services"].as_object().unwrap();
    let names: Vec<_> = services.keys().map(String::as_str).collect();
    assert_eq!(names, ["grafana", "postgres", "prometheus", "rabbitmq"]);
    let example = fs::read_to_string(dir.join("env.example")).unwrap();
    for (name, service) in services {
        let image = service["image"].as_str().unwrap();
        assert!(image.contains(':') && !image.ends_with(":latest"), "{name}: {image}");
        for port in service["ports"].as_array().into_iter().flatten() {
            let port = port.as_str().unwrap();
            assert!(port.starts_with("127.0.0.1:"), "{name} listens for others: {port}");
        }
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            if source.starts_with('.') {
                assert!(dir.join(source).exists(), "{name}: there is no {source}");
            } else {
                assert!(compose["volumes"].get(source).is_some(), "{name}: {source}");
            }
        }
        for (key, value) in service["environment"].as_object().into_iter().flatten() {
            if let Some(variable) = value.as_str().and_then(|value| value.strip_prefix("${")) {
                let variable = variable.split(':').next().unwrap();
                assert!(example.contains(&format!("{variable}=\n")), "{name}.{key}: {variable}");
            } else {
                assert!(!key.contains("PASS"), "{name}.{key} is not from the environment");
            }
        }
    }
    let scraped = read("../prometheus/prometheus.yml");
    assert_eq!(scraped["scrape_configs"][0]["static_configs"][0]["targets"][0], "127.0.0.1:9091");
    assert_eq!(read("grafana-datasource.yaml")["datasources"][0]["type"], "prometheus");
}
