//! `attack-daemon`: tries what an agent with the user's own rights must not be able to do.
//!
//! It runs the product's own commands with the environment of its ancestors, and connects to every
//! socket it can find below the directories that environment names. It reports outcomes in the
//! witness and changes nothing itself; whether an attempt succeeds is for the product to prevent
//! and for the test to judge. Only meant for a test's own home directory.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::args::DemoArgs;
use super::host::{Host, Stop, nanos, now_ns};
use super::plain::variables;

/// What is tried with the product's own program.
const COMMANDS: [&[&str]; 6] = [
    &["kill", "all"],
    &["launch"],
    &["daemon", "stop"],
    &["projects", "delete", "x", "--force"],
    &["approve", "all"],
    &["budget", "set", "--daily", "999999999"],
];
/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How deep directories are searched, and how many sockets are tried at most.
const DEPTH: usize = 5;
/// The most directory entries looked at.
const ENTRIES: usize = 20_000;
/// The beginning of a connection of the daemon's protocol (HTTP/2 with empty settings).
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// Makes every attempt, records it and ends.
pub(super) fn run(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let environment = environment();
    let program = environment
        .get(&OsString::from("STRATAVORE_EXE"))
        .map_or_else(|| PathBuf::from("/proc/self/exe"), PathBuf::from);
    host.witness().line("ready");
    let mut seen = sockets(&directories(&environment));
    attack_sockets(host, &seen)?;
    for words in COMMANDS {
        let outcome = attempt(host, &program, words, &environment)?;
        tell(host, &format!("attack command={} {outcome}", words.join("-")))?;
    }
    // A command may have started or moved something.
    let after = sockets(&directories(&environment));
    seen = after.difference(&seen).cloned().collect();
    attack_sockets(host, &seen)?;
    tell(host, "attack done")?;
    host.stay(Some(args.seconds.unwrap_or_default()))?;
    Ok(args.own_exit_code())
}

/// Tries every socket.
fn attack_sockets(host: &mut Host, sockets: &BTreeSet<PathBuf>) -> Result<(), Stop> {
    for socket in sockets {
        let outcome = connect(socket);
        tell(host, &format!("attack socket={} {outcome}", socket.display()))?;
    }
    Ok(())
}

/// Tells the witness and the screen.
fn tell(host: &mut Host, line: &str) -> Result<(), Stop> {
    host.witness().line(line);
    host.write(format!("{line}\n").as_bytes())
}

/// Runs one command to its end, or kills it when it takes too long.
fn attempt(
    host: &mut Host,
    program: &Path,
    words: &[&str],
    environment: &BTreeMap<OsString, OsString>,
) -> Result<String, Stop> {
    let started = Command::new(program)
        .args(words)
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return Ok(format!("result=not-started error={error}")),
    };
    let end = now_ns().saturating_add(nanos(PATIENCE));
    loop {
        if let Some(status) = child.try_wait()? {
            let code = status.code().map_or_else(|| "signal".to_owned(), |code| code.to_string());
            return Ok(format!("result=exit code={code}"));
        }
        let waited = host.wait(Some(Duration::from_millis(20)), false);
        if waited.is_err() || now_ns() >= end {
            child.kill().ok();
            child.wait()?;
            waited?;
            return Ok("result=timeout".to_owned());
        }
    }
}

/// Connects to a socket, says hello and reports what came back.
fn connect(path: &Path) -> String {
    let mut stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error) => return format!("result=refused error={error}"),
    };
    let wait = Some(Duration::from_millis(500));
    let sent = stream
        .set_read_timeout(wait)
        .and_then(|()| stream.set_write_timeout(wait))
        .and_then(|()| stream.write_all(HELLO));
    if let Err(error) = sent {
        return format!("result=closed error={error}");
    }
    let mut buffer = [0_u8; 256];
    match stream.read(&mut buffer) {
        Ok(0) => "result=closed".to_owned(),
        Ok(count) => format!("result=answered bytes={count}"),
        Err(error) => format!("result=connected error={error}"),
    }
}

/// Returns the variables of this process and of its ancestors that have to do with the product.
fn environment() -> BTreeMap<OsString, OsString> {
    let mut found: BTreeMap<OsString, OsString> = variables().filter(is_ours).collect();
    let mut pid = parent_of("self");
    for _ in 0..8 {
        let Some(current) = pid.take().filter(|pid| *pid > 1) else {
            break;
        };
        let bytes = std::fs::read(format!("/proc/{current}/environ")).unwrap_or_default();
        for pair in parse_environment(&bytes).into_iter().filter(is_ours) {
            found.entry(pair.0).or_insert(pair.1);
        }
        pid = parent_of(&current.to_string());
    }
    found
}

/// Returns whether a variable may lead to the daemon.
fn is_ours(pair: &(OsString, OsString)) -> bool {
    let name = pair.0.as_bytes();
    name.starts_with(b"STRATAVORE_") || name == b"HOME" || name.starts_with(b"XDG_")
}

/// Splits the contents of an `environ` file.
fn parse_environment(bytes: &[u8]) -> Vec<(OsString, OsString)> {
    bytes
        .split(|byte| *byte == 0)
        .filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (pair.get(..at)?.to_vec(), pair.get(at + 1..)?.to_vec());
            Some((OsString::from_vec(name), OsString::from_vec(value)))
        })
        .collect()
}

/// Returns the parent of a process.
fn parent_of(pid: &str) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Returns the directories worth searching.
fn directories(environment: &BTreeMap<OsString, OsString>) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for (name, value) in environment {
        let path = PathBuf::from(value);
        if !path.is_absolute() || path == Path::new("/") {
            continue;
        }
        match name.as_bytes() {
            b"HOME" => {
                found.insert(path.join(".stratavore"));
                found.insert(path.join(".local/state/stratavore"));
                found.insert(path.join(".local/share/stratavore"));
            }
            other if other.starts_with(b"STRATAVORE_") => {
                found.insert(path);
            }
            _ => {
                found.insert(path.join("stratavore"));
            }
        }
    }
    let own = rustix::process::getuid().as_raw();
    found.insert(PathBuf::from(format!("/run/user/{own}/stratavore")));
    found.insert(PathBuf::from(format!("/tmp/stratavore-{own}")));
    found.retain(|path| path.is_dir());
    found
}

/// Returns every socket below the directories; links are not followed.
fn sockets(directories: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut left: Vec<(PathBuf, usize)> =
        directories.iter().map(|path| (path.clone(), DEPTH)).collect();
    let mut looked = 0;
    while let Some((directory, depth)) = left.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            looked += 1;
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_socket() {
                found.insert(entry.path());
            } else if kind.is_dir() && depth > 0 && looked < ENTRIES {
                left.push((entry.path(), depth - 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn an_environ_file_is_split() {
        let pairs = parse_environment(b"A=1\0STRATAVORE_HOME=/x=y\0broken\0");
        assert_eq!(pairs.len(), 2);
        assert_eq!(pairs[1], ("STRATAVORE_HOME".into(), "/x=y".into()));
        assert!(is_ours(&pairs[1]) && !is_ours(&pairs[0]));
    }

    #[test]
    fn sockets_are_found_and_tried() {
        let home = std::env::temp_dir().join(format!("attack-{}", std::process::id()));
        std::fs::create_dir_all(home.join("run")).unwrap();
        let socket = home.join("run/daemon.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let environment = [("STRATAVORE_HOME".into(), home.clone().into())].into();
        let found = sockets(&directories(&environment));
        assert!(found.contains(&socket));
        assert!(connect(&socket).starts_with("result=connected"));
        drop(listener);
        assert!(connect(&socket).starts_with("result=refused"));
        std::fs::remove_dir_all(home).unwrap();
    }
}
