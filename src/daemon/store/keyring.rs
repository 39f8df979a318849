//! This node's key of the event log's chain, in a file of its own.
//!
//! Invariant: the file is only readable by its owner and holds the present key alone; a key that was
//! replaced is nowhere any more. The first key, which can check everything, waits in a second file
//! until it has been shown once, and is then removed.
//!
//! A key is replaced between two commits, beside what else is done there. The new one is used
//! when the file holds it, so that a start never finds an older key than the log.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    task::{JoinError, JoinHandle, spawn_blocking},
    time::{Instant, timeout},
};

use crate::domain::chain::{Key, KeyRef};

/// A key is replaced after the commit with which it has made so many codes, two for an event…
const CODES: u64 = 256;

/// …and, while events come, so long.
const AGE: Duration = Duration::from_mins(10);

/// The next commit waits so long for the file's disk at most; then it is made with the old key. Measured: 0.5 ms.
const WRITING: Duration = Duration::from_millis(100);

/// The present key.
#[derive(Debug)]
pub struct Keyring {
    path: PathBuf,
    key: Key,
    reference: KeyRef,
    used: u64,
    since: Instant,
    next: Option<Next>,
}

/// The key that follows, while it is written to the file.
#[derive(Debug)]
struct Next {
    key: Key,
    reference: KeyRef,
    written: JoinHandle<io::Result<()>>,
}

impl Keyring {
    /// Reads the key, or makes the first one.
    ///
    /// # Errors
    ///
    /// When the files can be neither read nor written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (key, reference) = match fs::read_to_string(path) {
            Ok(text) => {
                if let Some(found) = parse(&text) {
                    found
                } else {
                    let aside = path.with_extension("damaged");
                    fs::rename(path, &aside)?;
                    tracing::error!(kept = %aside.display(), "the audit key is damaged; a new one begins");
                    begin(path)?
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => begin(path)?,
            Err(error) => return Err(error),
        };
        let (path, since) = (path.to_owned(), Instant::now());
        Ok(Self { path, key, reference, used: 0, since, next: None })
    }

    /// The present key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// How rows name it.
    pub fn reference(&self) -> &KeyRef {
        &self.reference
    }

    /// Takes note of codes that were committed, and begins to replace the key when that is due. A disk that
    /// refuses leaves the old one in the file and in use; it is tried again with the next commit.
    pub fn used(&mut self, codes: u64) {
        self.used += codes;
        let is_due = self.used >= CODES || (self.used > 0 && self.since.elapsed() >= AGE);
        if !is_due || self.next.is_some() {
            return;
        }
        let key = self.key.next();
        let reference =
            KeyRef { name: self.reference.name.clone(), epoch: self.reference.epoch + 1 };
        let (path, text) = (self.path.clone(), format!("{reference} {}\n", key.to_hex()));
        let written = spawn_blocking(move || write(&path, &text));
        self.next = Some(Next { key, reference, written });
    }

    /// Goes over to the next key as soon as the file holds it. To be called between commits: the codes of one
    /// are made with one key.
    pub async fn turn(&mut self) {
        let Some(mut next) = self.next.take() else { return };
        match timeout(WRITING, &mut next.written).await {
            Ok(written) => self.follow(next, written),
            Err(_elapsed) => self.next = Some(next),
        }
    }

    /// Waits until nothing is being written any more.
    pub async fn close(mut self) {
        if let Some(mut next) = self.next.take() {
            let written = (&mut next.written).await;
            self.follow(next, written);
        }
    }

    fn follow(&mut self, next: Next, written: Result<io::Result<()>, JoinError>) {
        match written.map_err(io::Error::from).flatten() {
            Ok(()) => {
                (self.key, self.reference) = (next.key, next.reference);
                (self.used, self.since) = (0, Instant::now());
            }
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "failed to replace the audit key");
            }
        }
    }
}

/// The file in which the first key waits to be shown.
pub fn first_key_file(path: &Path) -> PathBuf {
    path.with_extension("verify")
}

/// Makes the first key.
fn begin(path: &Path) -> io::Result<(Key, KeyRef)> {
    let mut bytes = [0; 32];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    let key = Key::new(bytes);
    let reference = KeyRef { name: key.name(), epoch: 0 };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    write(&first_key_file(path), &format!("{}\n", key.to_hex()))?;
    write(path, &format!("{reference} {}\n", key.to_hex()))?;
    Ok((key, reference))
}

fn parse(text: &str) -> Option<(Key, KeyRef)> {
    let (reference, key) = text.trim().split_once(' ')?;
    Some((Key::parse(key)?, KeyRef::parse(reference)?))
}

/// Replaces a file at once, or leaves it as it is.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let next = path.with_extension("next");
    fs::remove_file(&next).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(&next)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&next, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn the_key_is_kept_replaced_and_never_goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys").join("audit.key");
        let mut ring = Keyring::open(&path).unwrap();
        let first = ring.key().clone();
        let shown = fs::read_to_string(first_key_file(&path)).unwrap();
        assert_eq!(Key::parse(&shown), Some(first.clone()));
        ring.used(CODES - 1);
        assert!(ring.next.is_none());
        ring.used(1);
        ring.used(CODES);
        assert_eq!(ring.key(), &first, "in use until the file holds the next");
        ring.turn().await;
        assert_eq!((ring.reference().epoch, ring.key()), (1, &first.next()));
        assert_eq!(ring.reference().name, first.name());
        let again = Keyring::open(&path).unwrap();
        assert_eq!((again.reference(), again.key()), (ring.reference(), ring.key()));
        ring.used(CODES);
        ring.close().await;
        assert_eq!(Keyring::open(&path).unwrap().reference().epoch, 2);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400);
        assert!(!fs::read_to_string(&path).unwrap().contains(&first.to_hex()));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "nonsense").unwrap();
        assert_ne!(Keyring::open(&path).unwrap().reference().name, first.name());
        assert!(path.with_extension("damaged").exists());
    }
}
