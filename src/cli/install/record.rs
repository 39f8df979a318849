//! What was installed, so that exactly that can be removed again.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::chain::to_hex;

/// The files of an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Record {
    /// Which version wrote them.
    pub version: String,
    /// Each with what was in it.
    pub files: Vec<Recorded>,
}

/// A file that was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Recorded {
    /// Where it was written to.
    pub path: PathBuf,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// What became of a file that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Removed {
    /// It is gone.
    Yes,
    /// It was gone before.
    Missing,
    /// Somebody changed it: it stays.
    Changed,
}

impl Record {
    /// Reads the record of an installation, `None` when there is none.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be read.
    pub(in crate::cli) fn read(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes note of a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(in crate::cli) fn add(&mut self, path: &Path) -> io::Result<()> {
        let sha256 = sha256(path)?;
        self.files.push(Recorded { path: path.to_owned(), sha256 });
        Ok(())
    }
}

/// Removes a file if it is still what was installed; says what would be done in a dry run.
///
/// # Errors
///
/// When the system refuses.
pub(in crate::cli) fn remove(file: &Recorded, is_dry: bool) -> io::Result<Removed> {
    match sha256(&file.path) {
        Ok(found) if found != file.sha256 => Ok(Removed::Changed),
        Ok(_) => {
            if !is_dry {
                fs::remove_file(&file.path)?;
            }
            Ok(Removed::Yes)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Removed::Missing),
        Err(error) => Err(error),
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut file = fs::File::open(path)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => break,
            n => digest.update(buffer.get(..n).unwrap_or_default()),
        }
    }
    Ok(to_hex(&digest.finalize().into()))
}
