//! Starts the daemon in the background where none runs.
//!
//! Many clients may come at once: one of them starts it, the others wait for its socket. A daemon
//! that finds another one in its place leaves, and that is no error here.

use std::{
    fs::{File, OpenOptions},
    io::Read as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use super::connect;
use crate::{
    config::{Places, environment},
    domain::failure::{Failure, FailureKind},
};

/// The hidden flag that makes `stratavore --daemon` a background daemon.
pub const DAEMON_FLAG: &str = "--background";

/// How long a daemon may take until it can be reached: opening a large database takes a while.
const LIMIT: Duration = Duration::from_secs(15);

/// What the daemon gets of the client's environment. Agents get the environment of the client that
/// launches them, so the daemon needs no more.
const PASSED_ON: &[&str] = &[
    "HOME",
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "NODE_EXTRA_CA_CERTS",
];

/// Starts the daemon, with these settings besides, by their names in the environment, and connects to it.
pub(super) async fn start_and_connect(
    places: &Places,
    settings: &[(&str, &str)],
) -> Result<Channel, Failure> {
    if let Some(id) = environment::inside_runner() {
        let named = environment::get("STRATAVORE_HOME").map(|_| places.root());
        return Err(inside(&id, named));
    }
    places.prepare().map_err(|error| Failure::usage("UNSAFE_DIRECTORY", error.to_string()))?;
    let begun = Instant::now();
    let mut pause = Duration::from_millis(2);
    let mut started: Option<(Child, File)> = None;
    loop {
        match connect::connect(places).await {
            Ok(channel) => return Ok(channel),
            // One that gives up while it starts cuts off who waits in its backlog; why, it tells below.
            Err(error) if connect::is_absent(&error) || connect::is_cut_off(&error) => {}
            Err(error) => return Err(connect::failure(places, &error)),
        }
        if started.is_none() {
            started = take_turn(places, settings)?;
        }
        let ended = match &mut started {
            Some((child, _)) => child.try_wait().ok().flatten(),
            None => None,
        };
        if ended.is_some()
            && let Some((mut child, _)) = started.take()
        {
            explain_end(&mut child)?;
        }
        if begun.elapsed() > LIMIT {
            let what = format!("reach the daemon within {} s of starting it", LIMIT.as_secs());
            return Err(Failure::unavailable("DAEMON_SLOW", what)
                .with_hint(format!("its log is in {}", places.logs().display())));
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Returns the refusal of what calls from inside a runner. Agents are not told where their daemon is:
/// the usual root is that of another one, unless a root was `named`. And a daemon that ran would refuse
/// the call as well: only another place to call from helps.
fn inside(id: &str, named: Option<&Path>) -> Failure {
    let daemon = match named {
        Some(root) => format!("no daemon runs at {}, and none is started", root.display()),
        None => "no daemon is started".to_owned(),
    };
    let what = format!(
        "a process inside a runner may only report for itself; {daemon} from inside runner {id}"
    );
    Failure::unavailable("INSIDE_RUNNER", what)
        .with_hint("run it in a terminal that is not inside a runner")
}

/// Starts a daemon if no other client is just doing so.
fn take_turn(places: &Places, settings: &[(&str, &str)]) -> Result<Option<(Child, File)>, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::unavailable("DAEMON_NOT_STARTED", format!("start the daemon: {error}"))
            .with_hint("stratavore --daemon shows why")
    };
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(places.root().join("run").join("start.lock"))
        .map_err(|error| failed(&error))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(None);
    }
    let program = environment::own_program().map_err(|error| failed(&error))?;
    let mut command = Command::new(program);
    command.args(["--daemon", DAEMON_FLAG]).env_clear().env("STRATAVORE_HOME", places.root());
    let inherited = environment::all().into_iter().filter(|(name, _)| {
        let name = name.to_string_lossy();
        PASSED_ON.contains(&name.as_ref())
            || environment::DIAGNOSTIC.contains(&name.as_ref())
            || (name.starts_with("STRATAVORE_") && name != "STRATAVORE_HOME")
    });
    command.envs(inherited).envs(settings.iter().copied());
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| failed(&error))?;
    Ok(Some((child, lock)))
}

/// Returns the error of a daemon that ended instead of serving; `Ok` when another one serves.
fn explain_end(child: &mut Child) -> Result<(), Failure> {
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        // What cannot be read is not said.
        stderr.take(4096).read_to_string(&mut said).ok();
    }
    let code = child.wait().ok().and_then(|status| status.code());
    match code.and_then(FailureKind::of_exit_code) {
        Some(FailureKind::Conflict) => Ok(()),
        kind => Err(ended(kind.unwrap_or(FailureKind::Unavailable), &said)),
    }
}

/// Returns the failure that a daemon ended with, by what it said: a sentence, and what to do next.
fn ended(kind: FailureKind, said: &str) -> Failure {
    let mut lines = said.lines();
    let what = lines.next().unwrap_or_default();
    let what = what.strip_prefix("error: failed to run the daemon: ").unwrap_or(what);
    let what = if what.is_empty() { "it ended without a word" } else { what };
    let next = lines.find_map(|line| line.trim_start().strip_prefix("next: "));
    Failure::new(kind, "DAEMON_NOT_STARTED", format!("start the daemon: {what}"))
        .with_hint(next.unwrap_or("stratavore --daemon runs it in the foreground"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_inside_is_told_of_no_root_that_is_not_meant() {
        let told = inside("r-1", None);
        assert!(told.message.ends_with("no daemon is started from inside runner r-1"));
        assert!(!told.hint.contains("daemon start"), "{}", told.hint);
        let told = inside("r-1", Some(Path::new("/data")));
        assert!(told.message.contains("no daemon runs at /data"), "{}", told.message);
    }

    #[test]
    fn what_a_daemon_ended_with_is_told_as_it_was() {
        let said = "error: failed to run the daemon: the schema is newer\n  next: use that one\n";
        let told = ended(FailureKind::Internal, said);
        assert_eq!(told.message, "start the daemon: the schema is newer");
        assert_eq!((told.kind, told.hint.as_str()), (FailureKind::Internal, "use that one"));
        let told = ended(FailureKind::Unavailable, "");
        assert!(told.message.ends_with("it ended without a word"), "{}", told.message);
        assert!(told.hint.contains("--daemon"));
        for code in 2..=8 {
            let kind = FailureKind::of_exit_code(code).unwrap();
            assert_eq!(i32::from(kind.exit_code()), code);
        }
        assert_eq!(FailureKind::of_exit_code(101), None);
    }
}
