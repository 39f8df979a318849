//! Where the distributions put the servers' programs. Finding none is a failed test, never a
//! skipped one.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

/// Ports are taken from here: below the ephemeral range, so that no outgoing connection can sit on
/// the port of a server that is down, nor connect to itself.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// Returns the directory of `PostgreSQL`'s server programs, the newest version first.
pub(super) fn postgres() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    versions.sort();
    let packaged = versions.into_iter().rev().map(|(_, dir)| dir.join("bin"));
    first_with("initdb", packaged.chain(path())).unwrap_or_else(|| missing("PostgreSQL (initdb)"))
}

/// Returns the directory of the broker's own scripts: those on `PATH` insist on a system user.
pub(super) fn rabbitmq() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/rabbitmq/lib").into_iter().flatten().flatten();
    let sbin = versions.map(|entry| entry.path().join("sbin"));
    let all = [PathBuf::from("/usr/lib/rabbitmq/bin")].into_iter().chain(sbin).chain(path());
    first_with("rabbitmq-server", all).unwrap_or_else(|| missing("RabbitMQ (rabbitmq-server)"))
}

/// Returns the name server of Erlang nodes.
pub(super) fn epmd() -> PathBuf {
    let dir = first_with("epmd", path().chain([PathBuf::from("/usr/lib/erlang/bin")]));
    dir.unwrap_or_else(|| missing("Erlang (epmd)")).join("epmd")
}

/// Returns the first directory that holds a program.
fn first_with(program: &str, mut dirs: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    dirs.find(|dir| dir.join(program).is_file())
}

#[expect(clippy::disallowed_methods, reason = "the harness stands outside of the configuration")]
fn path() -> impl Iterator<Item = PathBuf> {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>().into_iter()
}

fn missing<T>(what: &str) -> T {
    panic!("{what} is not installed on this machine: ./tests/run installs what the tests need")
}

/// Returns a port of 127.0.0.1 that nobody listens on.
pub(super) fn free_port() -> u16 {
    let bits = || uuid::Uuid::new_v4().as_u64_pair().0;
    let candidates = std::iter::repeat_with(|| {
        let span = u64::from(PORTS.end - PORTS.start);
        PORTS.start + u16::try_from(bits() % span).expect("the span is a u16")
    });
    candidates
        .take(1000)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("a free port")
}

/// Returns the end of a log, for the message of a server that did not come up.
pub(super) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let from = text.len().saturating_sub(4000);
    String::from_utf8_lossy(text.get(from..).unwrap_or_default()).into_owned()
}
