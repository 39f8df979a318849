//! The witness file: what really happened to the agent, for tests that must not trust the product.
//!
//! One line is one `write` to a file opened with `O_APPEND`, so that lines of several processes
//! never mix. The first line of an agent is `start pid=… starttime=… mode=…`. A child process
//! begins with `child pid=… starttime=… kind=…` instead, and each of its later lines with `from
//! pid=…`, so that what happens to a child is never taken for the agent's own. `starttime` is field
//! 22 of `/proc/self/stat`, which together with the pid names a process for as long as the machine
//! is up.
//!
//! Then come, in the order in which they happen: `ready` when the mode is set up, `signal <name>`
//! for each caught signal, `state <name>` for each status report of a look-alike, the lines of the
//! mode itself (`seq …`, `stall <ns>`, `sent …`, `reply …`, `attack …`), and `exit code=…` at an
//! orderly end. A file without the last line belongs to an agent that was killed, or lives.
//!
//! Writing never fails the agent: a full disk is one of the things the tests make.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use super::args::{ChildKind, Mode};

/// An open witness file, or nothing when none was asked for.
#[derive(Debug)]
pub(super) struct Witness {
    /// The file, `None` without `--witness`.
    file: Option<File>,
    /// What the lines of this process begin with; empty for the agent itself.
    prefix: String,
}

impl Witness {
    /// Opens the file of an agent and writes its `start` line.
    ///
    /// # Errors
    /// Fails when the file cannot be opened for appending.
    pub(super) fn begin(path: Option<&Path>, mode: Mode) -> io::Result<Self> {
        let witness = Self::open(path)?;
        witness.line(&start_line(std::process::id(), own_starttime(), &mode.name()));
        Ok(witness)
    }

    /// Opens the file for a child process and writes its `child` line.
    ///
    /// # Errors
    /// Fails when the file cannot be opened for appending.
    pub(super) fn join(path: Option<&Path>, kind: ChildKind) -> io::Result<Self> {
        let mut witness = Self::open(path)?;
        let pid = std::process::id();
        witness.line(&child_line(pid, own_starttime(), &kind.name()));
        witness.prefix = child_prefix(pid);
        Ok(witness)
    }

    /// Opens the file without writing to it.
    fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = match path {
            Some(path) => Some(OpenOptions::new().create(true).append(true).open(path)?),
            None => None,
        };
        Ok(Self { file, prefix: String::new() })
    }

    /// Appends one line in one write; line breaks inside it become spaces.
    pub(super) fn line(&self, text: &str) {
        if let Some(mut file) = self.file.as_ref() {
            file.write_all(&one_line(&format!("{}{text}", self.prefix))).ok();
        }
    }
}

/// Returns the bytes of one line with its end.
fn one_line(text: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        text.bytes().map(|byte| if byte == b'\n' || byte == b'\r' { b' ' } else { byte }).collect();
    bytes.push(b'\n');
    bytes
}

/// Formats the first line of an agent.
fn start_line(pid: u32, starttime: u64, mode: &str) -> String {
    format!("start pid={pid} starttime={starttime} mode={mode}")
}

/// Formats the first line of a child process.
fn child_line(pid: u32, starttime: u64, kind: &str) -> String {
    format!("child pid={pid} starttime={starttime} kind={kind}")
}

/// Returns what every later line of a child begins with.
fn child_prefix(pid: u32) -> String {
    format!("from pid={pid} ")
}

/// Returns this process's start time in clock ticks since boot, 0 when `/proc` does not say.
fn own_starttime() -> u64 {
    std::fs::read_to_string("/proc/self/stat")
        .ok()
        .and_then(|stat| starttime_field(&stat))
        .unwrap_or(0)
}

/// Returns field 22 of a `stat` line; the second field may hold spaces and parentheses.
fn starttime_field(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_formats() {
        assert_eq!(start_line(7, 99, "seq"), "start pid=7 starttime=99 mode=seq");
        assert_eq!(child_line(8, 100, "setsid"), "child pid=8 starttime=100 kind=setsid");
        assert_eq!(one_line("a\nb\rc"), b"a b c\n");
    }

    #[test]
    fn starttime_survives_a_hostile_name() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 9 9";
        assert_eq!(starttime_field(stat), Some(12345));
        assert_eq!(starttime_field("garbage"), None);
        assert!(own_starttime() > 0);
    }

    #[test]
    fn appends_and_never_truncates() {
        let path = std::env::temp_dir().join(format!("witness-{}", std::process::id()));
        std::fs::write(&path, "before\n").unwrap();
        Witness::begin(Some(&path), Mode::Seq).unwrap().line("seq 1 2 3");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], "before");
        assert!(lines[1].starts_with("start pid=") && lines[1].ends_with(" mode=seq"));
        assert_eq!(lines[2], "seq 1 2 3");
    }

    #[test]
    fn a_childs_lines_say_whose_they_are() {
        let path = std::env::temp_dir().join(format!("witness-child-{}", std::process::id()));
        Witness::join(Some(&path), ChildKind::Setsid).unwrap().line("signal TERM");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(text.starts_with("child pid=") && text.contains(" kind=setsid\nfrom pid="));
        assert!(text.ends_with(" signal TERM\n"));
    }

    #[test]
    fn no_file_is_no_error() {
        Witness::begin(None, Mode::Work).unwrap().line("nothing");
    }
}
