//! The dashboard's small files in the root: read whole, replaced whole, put aside when damaged.
//!
//! Invariant: a file holds one complete version of its text, also with several dashboards and when the
//! machine stops in the middle.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

/// A larger file is none of ours, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Returns the text of a file.
///
/// # Errors
///
/// When there is none, or it is none of ours.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let meta = fs::metadata(path)?;
    if !meta.is_file() || meta.len() > MAX_BYTES {
        return Err(io::Error::other("it is no file of a few kilobytes"));
    }
    fs::read_to_string(path)
}

/// Puts a file aside that cannot be used, because somebody may want to repair it; returns what became
/// of it, in words.
pub(super) fn put_aside(path: &Path) -> String {
    let aside = added(path, "damaged");
    match fs::rename(path, &aside) {
        Ok(()) => format!("it is kept as {}", aside.display()),
        Err(error) => format!("and it cannot be put aside: {error}"),
    }
}

/// Replaces a file as a whole.
///
/// # Errors
///
/// When it cannot be written; then it is as it was.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Two dashboards must not write into one file.
    let new = added(path, &format!("{}.new", std::process::id()));
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    drop(file);
    fs::rename(new, path)
}

/// Reads a file, changes its text and replaces it, while no other dashboard does.
///
/// # Errors
///
/// When it cannot be read, locked or written.
pub(super) fn change<T>(
    path: &Path,
    change: impl FnOnce(io::Result<String>) -> (String, T),
) -> io::Result<T> {
    let mut options = fs::OpenOptions::new();
    let lock = options.write(true).create(true).truncate(false).mode(0o600);
    let lock = lock.open(added(path, "lock"))?;
    // The others hold it for a moment only.
    flock(&lock, FlockOperation::LockExclusive)?;
    let (text, result) = change(read(path));
    replace(path, text.as_bytes())?;
    Ok(result)
}

fn added(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}
