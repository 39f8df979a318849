//! Packs files, and unpacks what it has packed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sha2::{Digest as _, Sha256};

/// Bytes that are held at once.
const BUFFER: usize = 64 << 10;

/// A packed copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in hex.
    pub checksum: String,
    /// Up to where the file was copied.
    pub source_bytes: u64,
}

/// Packs a file into another one, which is there whole or not at all.
///
/// # Errors
///
/// When either cannot be read or written.
pub fn pack(from: &Path, to: &Path) -> io::Result<Packed> {
    let source = File::open(from)?;
    let mut source = source.take(fs::metadata(from)?.len());
    let partial = partial(to)?;
    let mut packer = GzEncoder::new(Summed::new(new_file(&partial)?), Compression::new(6));
    let source_bytes = copy(&mut source, &mut packer)?;
    let summed = packer.finish()?;
    summed.inner.sync_all()?;
    let packed = Packed { size: summed.bytes, checksum: summed.checksum(), source_bytes };
    fs::rename(&partial, to)?;
    Ok(packed)
}

/// Unpacks a copy into a new file, if it is the one with this checksum.
///
/// # Errors
///
/// When it is another one, something stands there already, or a file cannot be read or written.
pub fn unpack(from: &Path, checksum: &str, to: &Path) -> io::Result<()> {
    if checksum_of(from)? != checksum {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is another one"));
    }
    let partial = partial(to)?;
    let mut file = new_file(&partial)?;
    copy(&mut GzDecoder::new(File::open(from)?), &mut file)?;
    file.sync_all()?;
    // What stands there is never written over, also when it came just now.
    let linked = fs::hard_link(&partial, to);
    fs::remove_file(&partial)?;
    linked
}

/// Returns the SHA-256 of a file in hex.
///
/// # Errors
///
/// When it cannot be read.
pub fn checksum_of(path: &Path) -> io::Result<String> {
    let mut summed = Summed::new(io::sink());
    copy(&mut File::open(path)?, &mut summed)?;
    Ok(summed.checksum())
}

/// Where a file is written before it is whole; makes its directory.
fn partial(path: &Path) -> io::Result<std::path::PathBuf> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let partial = path.with_file_name(name);
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(partial),
    }
}

/// Creates a file for us alone.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER];
    let mut copied = 0;
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(copied);
        }
        to.write_all(&buffer[..read])?;
        copied += read as u64;
    }
}

/// Sums up what is written.
struct Summed<W> {
    inner: W,
    sum: Sha256,
    bytes: u64,
}

impl<W> Summed<W> {
    fn new(inner: W) -> Self {
        Self { inner, sum: Sha256::new(), bytes: 0 }
    }

    fn checksum(self) -> String {
        hex::encode(self.sum.finalize())
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_nothing_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let text = "a line of a transcript\n".repeat(10_000);
        fs::write(at("source"), &text).unwrap();
        let packed = pack(&at("source"), &at("blobs/s/copy.gz")).unwrap();
        assert!(packed.size < 10_000 && packed.source_bytes == text.len() as u64);
        assert_eq!(checksum_of(&at("blobs/s/copy.gz")).unwrap(), packed.checksum);
        let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("blobs/s/copy.gz"), mode("blobs/s")), (0o600, 0o700));
        unpack(&at("blobs/s/copy.gz"), &packed.checksum, &at("new/back")).unwrap();
        assert_eq!(fs::read_to_string(at("new/back")).unwrap(), text);
        let error = unpack(&at("blobs/s/copy.gz"), &packed.checksum, &at("source")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing half done is left");
    }

    #[test]
    fn a_copy_that_was_changed_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("source"), "text").unwrap();
        let packed = pack(&at("source"), &at("copy")).unwrap();
        let mut bytes = fs::read(at("copy")).unwrap();
        bytes.pop();
        fs::write(at("copy"), bytes).unwrap();
        let error = unpack(&at("copy"), &packed.checksum, &at("back")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(!at("back").exists());
    }
}
