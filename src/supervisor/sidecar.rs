//! A program that runs beside the agent and must be ready before it: Codex's app-server.
//!
//! It is below us like the agent and ends with it: what is left of the tree when the agent has ended is
//! swept. Where it does not become ready in time it is ended, and the agent is started without it.

use std::{
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::{
    event::{Timespec, poll},
    process::{Pid, Signal, kill_process_group},
};

use super::{
    clock::monotonic,
    spawn::{find_program, prepare_child},
};
use crate::proto::link::v1::{LaunchSpec, Sidecar};

/// How long it may take to become ready.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looked for so often meanwhile.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// Starts what is to run beside the agent; returns the specification by which the agent is started.
pub(super) fn start(spec: LaunchSpec) -> LaunchSpec {
    let Some(sidecar) = spec.sidecar.clone() else { return spec };
    match run(&spec, &sidecar) {
        Ok(()) => spec,
        Err(why) => {
            #[expect(clippy::print_stderr, reason = "it is our log, and nobody else can be told")]
            {
                eprintln!("the agent is started without its server: {why}");
            }
            LaunchSpec { argv: sidecar.instead_argv, control: None, sidecar: None, ..spec }
        }
    }
}

fn run(spec: &LaunchSpec, sidecar: &Sidecar) -> Result<(), String> {
    let argv = sidecar.command();
    let environment = spec.environment();
    let cwd = spec.working_directory();
    let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value);
    let word = argv.first().map(std::ffi::OsString::as_os_str);
    let program = find_program(word, path, &cwd).map_err(|error| error.message)?;
    let mut command = Command::new(&program);
    command
        .args(argv.iter().skip(1))
        .env_clear()
        .envs(environment)
        .current_dir(&cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    prepare_child(&mut command, spec.umask, false);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let until = monotonic() + PATIENCE;
    while UnixStream::connect(&sidecar.ready).is_err() {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("it ended at once: {status}"));
        }
        if monotonic() >= until {
            end(&mut child);
            return Err(format!("it was not ready after {} s", PATIENCE.as_secs()));
        }
        // A signal that comes meanwhile only makes it look sooner.
        poll(&mut [], Some(&PAUSE)).ok();
    }
    Ok(())
}

/// Ends it and what it started: it leads a session, and a group, of its own.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        kill_process_group(group, Signal::KILL).ok();
    }
    child.wait().ok();
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn spec(ready: &str, script: &str) -> LaunchSpec {
        let words =
            |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec().into()).collect();
        let sidecar = Sidecar {
            argv: words(&["/bin/sh", "-c", script]),
            ready: ready.to_owned(),
            instead_argv: words(&["plain"]),
        };
        LaunchSpec {
            argv: words(&["with"]),
            cwd: b"/".to_vec().into(),
            sidecar: Some(sidecar),
            ..LaunchSpec::default()
        }
    }

    #[test]
    fn the_agent_is_started_with_what_is_ready_and_without_what_is_not() {
        let temp = tempfile::tempdir().unwrap();
        let place = temp.path().join("s");
        let ready = place.to_str().unwrap();
        let without = start(spec(ready, "exit 3"));
        assert_eq!((without.command(), without.sidecar), (vec!["plain".into()], None));
        let _listener = UnixListener::bind(&place).unwrap();
        let with = start(spec(ready, "exit 0"));
        assert_eq!(with.command(), ["with"]);
    }
}
