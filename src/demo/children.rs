//! Test modes with more than one process: what a supervisor must find, stop and survive.
//!
//! A child is this program started again with `--child`, so no `fork` is needed. Each child writes
//! its own `child` line before it does anything else, carries the witness file's path in its
//! arguments, and ends by itself after `--seconds`, at the latest after [`LIFE`].

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::SUBCOMMAND;
use super::args::{ChildKind, DemoArgs, Mode};
use super::host::{Host, Stop};

/// How long a forgotten child lives.
const LIFE: Duration = Duration::from_mins(10);
/// How long the holder of a terminal lives when `--seconds` does not say.
const HOLD: Duration = Duration::from_secs(5);
/// The most children of a bounded fork bomb.
const MOST: u64 = 2_000;

/// Starts a child in a session of its own and waits.
pub(super) fn setsid_child(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let child = start(args, ChildKind::Setsid, Streams::None)?;
    host.write(format!("setsid-child {}\n", child.id()).as_bytes())?;
    wait(host, args)
}

/// Starts a daemonised grandchild and waits.
pub(super) fn double_fork(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let mut middle = start(args, ChildKind::Middle, Streams::None)?;
    middle.wait()?;
    host.write(b"double-fork\n")?;
    wait(host, args)
}

/// Starts a daemonised grandchild that keeps the terminal open, and ends.
pub(super) fn hold_pty(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let mut middle = start(args, ChildKind::Middle, Streams::Shared)?;
    middle.wait()?;
    host.write(b"hold-pty\n")?;
    host.witness().line("ready");
    Ok(args.own_exit_code())
}

/// Starts a bounded number of children that each start one more, and waits.
pub(super) fn fork_bomb(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let count = args.count.unwrap_or(50).min(MOST);
    let mut children = Vec::new();
    let mut outcome = "all started".to_owned();
    for _ in 0..count {
        match start(args, ChildKind::Bomb, Streams::None) {
            Ok(child) => children.push(child),
            Err(error) => {
                outcome = error.to_string();
                break;
            }
        }
        host.wait(Some(Duration::ZERO), false)?;
    }
    let text = format!("fork-bomb children={} outcome={outcome}", children.len());
    host.witness().line(&text);
    host.write(format!("{text}\n").as_bytes())?;
    wait(host, args)
}

/// Plays a whole agent inside this one and waits for it.
pub(super) fn nested_agent(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let mut inner = args.clone();
    inner.mode = Mode::Work;
    inner.seed = args.seed.wrapping_add(1);
    host.write(b"nested-agent\n")?;
    let mut child = start(&inner, ChildKind::Nested, Streams::Shared)?;
    host.witness().line("ready");
    loop {
        if let Some(status) = child.try_wait()? {
            host.witness().line(&format!("nested {status}"));
            return Ok(args.own_exit_code());
        }
        // The inner agent uses the terminal; this one only looks whether it is still there.
        host.wait(Some(Duration::from_millis(200)), false)?;
    }
}

/// Plays the part of a child process.
pub(super) fn be(host: &mut Host, args: &DemoArgs, kind: ChildKind) -> Result<u8, Stop> {
    let life = Some(args.seconds.unwrap_or(LIFE));
    match kind {
        ChildKind::Setsid => {
            rustix::process::setsid()?;
            host.witness().line(&format!("session {}", std::process::id()));
            host.stay(life)?;
        }
        ChildKind::Middle => {
            rustix::process::setsid()?;
            let (leaf, streams) = match args.mode {
                Mode::HoldPty => (ChildKind::HoldPty, Streams::Shared),
                _ => (ChildKind::DoubleFork, Streams::None),
            };
            drop(start(args, leaf, streams)?);
        }
        ChildKind::HoldPty => host.stay(Some(args.seconds.unwrap_or(HOLD)))?,
        ChildKind::Bomb => {
            let child = start(args, ChildKind::BombLeaf, Streams::None);
            host.stay(life)?;
            drop(child);
        }
        ChildKind::DoubleFork | ChildKind::BombLeaf | ChildKind::Nested => host.stay(life)?,
    }
    Ok(0)
}

/// Which standard streams a child gets.
#[derive(Debug, Clone, Copy)]
enum Streams {
    /// None of the parent's.
    None,
    /// All of the parent's.
    Shared,
}

/// Starts this program again as a child.
fn start(args: &DemoArgs, kind: ChildKind, streams: Streams) -> std::io::Result<Child> {
    let mut command = Command::new("/proc/self/exe");
    // Listed under the name the user knows, not as `/proc/self/exe`.
    command.arg0(std::env::args_os().next().unwrap_or_else(|| SUBCOMMAND.into()));
    command.args(arguments(args, kind));
    if let Some(witness) = &args.witness {
        command.arg("--witness").arg(witness);
    }
    let stream = || match streams {
        Streams::None => Stdio::null(),
        Streams::Shared => Stdio::inherit(),
    };
    command.stdin(stream()).stdout(stream()).stderr(stream()).spawn()
}

/// Returns a child's arguments except the witness file.
fn arguments(args: &DemoArgs, kind: ChildKind) -> Vec<String> {
    let mut words = vec![
        SUBCOMMAND.to_owned(),
        "--mode".to_owned(),
        args.mode.name(),
        "--child".to_owned(),
        kind.name(),
        "--seed".to_owned(),
        args.seed.to_string(),
    ];
    if let Some(seconds) = args.seconds {
        words.push("--seconds".to_owned());
        words.push(seconds.as_secs_f64().to_string());
    }
    words
}

/// Says that the children are there and waits for a signal, `--seconds`, or [`LIFE`].
fn wait(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    host.witness().line("ready");
    host.stay(Some(args.seconds.unwrap_or(LIFE)))?;
    Ok(args.own_exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        demo: DemoArgs,
    }

    #[test]
    fn a_childs_arguments_mean_what_the_parents_did() {
        let demo = Cli::parse_from(["x", "--mode", "hold-pty", "--seconds", "2.5"]).demo;
        let child = Cli::parse_from(arguments(&demo, ChildKind::Middle)).demo;
        assert_eq!(child.mode, Mode::HoldPty);
        assert_eq!(child.child, Some(ChildKind::Middle));
        assert_eq!(child.seconds, Some(Duration::from_millis(2_500)));
    }
}
