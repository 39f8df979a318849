//! L1: the files in a runner's directory, which a supervisor and the daemon share.
//!
//! ```text
//! runners/<id>/
//!   link            the supervisor's socket
//!   spec            what the newest run was started with, environment included; 0600
//!   claim-<run>     whoever creates it decides over the run (see [`RunnerDir::claim`])
//!   exit-<run>.json how the run ended
//!   output/         the recorded output, in segments
//!   spool/          what the agent reported and the daemon takes in (see [`spool`])
//!   supervisor.log  what the supervisor could tell nobody else
//! ```
//!
//! Invariant: files appear whole or not at all, and are closed to others.

mod record;
pub mod spool;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use self::record::{Segment, end_of_record, segment_name, segments};
use crate::domain::runner::Exit;

/// Room for the record of an end without its screen, in bytes.
const RESERVED: usize = 4096;

/// A runner's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerDir {
    path: PathBuf,
}

/// How a run ended, or why it never began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// How the agent ended; `None` when it never ran.
    pub exit: Option<Exit>,
    /// Why it never ran.
    pub launch_error: Option<String>,
    /// The last screen, as text.
    pub screen: Vec<String>,
}

impl RunnerDir {
    /// Returns the directory at this path; nothing is created.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The supervisor's socket.
    pub fn link(&self) -> PathBuf {
        self.path.join("link")
    }

    /// The directory of the recorded output.
    pub fn output(&self) -> PathBuf {
        self.path.join("output")
    }

    /// The directory of what the agent reported.
    pub fn spool(&self) -> PathBuf {
        self.path.join("spool")
    }

    /// Where a supervisor writes what it can tell nobody else.
    pub fn supervisor_log(&self) -> PathBuf {
        self.path.join("supervisor.log")
    }

    /// Claims a run: true for exactly one caller ever. A supervisor claims it just before it starts
    /// the agent; a reconciler claims it to give the run up. So a launch that was interrupted
    /// anywhere ends with one agent or none, and everybody knows which.
    ///
    /// # Errors
    ///
    /// When the system refuses for another reason than that the claim exists.
    pub fn claim(&self, run: u32) -> io::Result<bool> {
        let path = self.path.join(format!("claim-{run}"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_file) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads the specification of the newest run.
    ///
    /// # Errors
    ///
    /// When it is not there or cannot be read.
    pub fn read_spec(&self) -> io::Result<Vec<u8>> {
        fs::read(self.path.join("spec"))
    }

    /// Replaces the specification.
    ///
    /// # Errors
    ///
    /// When the system refuses; the old one is then still there.
    pub fn write_spec(&self, bytes: &[u8]) -> io::Result<()> {
        self.replace("spec", bytes)
    }

    /// Reads how a run ended, `None` while it has not.
    pub fn read_exit(&self, run: u32) -> Option<ExitRecord> {
        let bytes = fs::read(self.path.join(exit_name(run))).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Takes the room that the record of an end needs, while there is some: how an agent ended must
    /// not be lost to a disk that is full by then. Until then the file reads as no record.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn reserve_exit(&self, run: u32) -> io::Result<()> {
        self.replace(&exit_name(run), &[b' '; RESERVED])
    }

    /// Records how a run ended; on a full disk without the screen, in the room that was reserved.
    ///
    /// # Errors
    ///
    /// When the system refuses that too.
    pub fn write_exit(&self, run: u32, record: &ExitRecord) -> io::Result<()> {
        let name = exit_name(run);
        self.replace(&name, &serde_json::to_vec(record)?).or_else(|_full| {
            let bare = ExitRecord { screen: Vec::new(), ..record.clone() };
            let mut bytes = serde_json::to_vec(&bare)?;
            // White space after the record is none of it; a rest of an earlier text would be.
            bytes.resize(bytes.len().max(RESERVED), b' ');
            OpenOptions::new().write(true).open(self.path.join(name))?.write_all(&bytes)
        })
    }

    /// Writes a file whole: under another name first, then renamed.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.path.join(format!(".{name}.new"));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes).inspect_err(|_| {
            fs::remove_file(&new).ok();
        })?;
        fs::rename(new, self.path.join(name))
    }
}

fn exit_name(run: u32) -> String {
    format!("exit-{run}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_claimed_once() {
        let temp = tempfile::tempdir().unwrap();
        let dir = RunnerDir::new(temp.path());
        assert!(dir.claim(1).unwrap());
        assert!(!dir.claim(1).unwrap());
        assert!(dir.claim(2).unwrap());
    }

    #[test]
    fn records_round_trip() {
        let temp = tempfile::tempdir().unwrap();
        let dir = RunnerDir::new(temp.path());
        assert_eq!(dir.read_exit(1), None);
        dir.reserve_exit(1).unwrap();
        assert_eq!(dir.read_exit(1), None);
        let record = ExitRecord { exit: None, launch_error: Some("no".into()), screen: vec![] };
        dir.write_exit(1, &record).unwrap();
        assert_eq!(dir.read_exit(1), Some(record));
        dir.write_spec(b"abc").unwrap();
        assert_eq!(dir.read_spec().unwrap(), b"abc");
    }
}
