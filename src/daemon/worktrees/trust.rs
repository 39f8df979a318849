//! Which set-up commands of projects the user has allowed, on this machine: a file of ours.
//!
//! A command is allowed for a directory, word for word: another word asks anew.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    os::unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    path::Path,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::chain::to_hex;

/// The largest file that is read, in bytes.
const MOST: u64 = 4 << 20;

/// What was allowed, for whoever reads the file.
#[derive(Debug, Serialize, Deserialize)]
struct Trusted {
    directory: String,
    command: String,
    at: DateTime<Utc>,
}

/// Allowed commands by their digests.
type All = BTreeMap<String, Trusted>;

/// Whether the user has allowed this command in this project's directory.
///
/// # Errors
///
/// When the file cannot be read.
pub fn is_trusted(file: &Path, directory: &Path, command: &str) -> io::Result<bool> {
    Ok(read(file)?.contains_key(&digest(directory, command)))
}

/// Remembers that the user allows this command in this project's directory.
///
/// # Errors
///
/// When the file cannot be read or written.
pub fn trust(file: &Path, directory: &Path, command: &str, at: DateTime<Utc>) -> io::Result<()> {
    let mut all = read(file)?;
    let shown = directory.to_string_lossy().into_owned();
    let trusted = Trusted { directory: shown, command: command.to_owned(), at };
    all.insert(digest(directory, command), trusted);
    let new = file.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let mut written = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    written.write_all(&serde_json::to_vec_pretty(&all)?)?;
    fs::rename(new, file)
}

fn read(file: &Path) -> io::Result<All> {
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(All::new()),
        Ok(meta) if meta.len() > MOST => return Err(io::Error::other("it is too large")),
        other => other?,
    };
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}

fn digest(directory: &Path, command: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(directory.as_os_str().as_bytes());
    // No path has it: what is the directory and what the command is never in doubt.
    hash.update([0]);
    hash.update(command.as_bytes());
    to_hex(&hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_allowed_word_for_word_and_for_one_directory() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trusted.json");
        let api = Path::new("/src/api");
        assert!(!is_trusted(&file, api, "npm ci").unwrap());
        trust(&file, api, "npm ci", DateTime::default()).unwrap();
        trust(&file, Path::new("/src/web"), "make", DateTime::default()).unwrap();
        assert!(is_trusted(&file, api, "npm ci").unwrap());
        assert!(!is_trusted(&file, api, "npm ci; curl evil").unwrap());
        assert!(!is_trusted(&file, Path::new("/src/other"), "npm ci").unwrap());
        fs::write(&file, "broken").unwrap();
        assert!(is_trusted(&file, api, "npm ci").is_err());
    }
}
