//! The file itself: a compressed tar whose last entry tells what all others are.
//!
//! Invariant: nothing that is read is believed before its sum is right, and no name leads out of the
//! directory that it is unpacked into.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Component, Path, PathBuf},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sha2::{Digest as _, Sha256};

use super::{Entry, FORM, MANIFEST, Manifest};
use crate::domain::chain::to_hex;

/// Characters of what is said of a damaged archive, at most.
const LONGEST_WHY: usize = 120;

/// A manifest is no larger than this, in bytes.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// A backup that is being written.
pub(super) struct Writer {
    tar: tar::Builder<GzEncoder<BufWriter<File>>>,
    entries: Vec<Entry>,
}

impl Writer {
    /// Begins a new file, closed to others.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let packed = GzEncoder::new(BufWriter::new(file), Compression::fast());
        Ok(Self { tar: tar::Builder::new(packed), entries: Vec::new() })
    }

    /// Adds these bytes.
    pub(super) fn bytes(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.stream(name, bytes.len() as u64, bytes)
    }

    /// Adds a file as long as it is now; what grows meanwhile is left for the next time.
    pub(super) fn file(&mut self, name: &str, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        self.stream(name, size, file.take(size))
    }

    fn stream(&mut self, name: &str, size: u64, from: impl Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o600);
        let mut summed = Summed::new(from);
        self.tar.append_data(&mut header, name, &mut summed)?;
        if summed.bytes != size {
            let what = format!("`{name}` became shorter while it was read");
            return Err(io::Error::other(what));
        }
        let sha256 = summed.sum();
        self.entries.push(Entry { path: name.to_owned(), bytes: size, sha256 });
        Ok(())
    }

    /// Writes the manifest and everything that is still on its way to the disk.
    pub(super) fn finish(mut self, manifest: Manifest) -> io::Result<Manifest> {
        let manifest = Manifest { form: FORM, files: self.entries, ..manifest };
        let text = serde_json::to_vec_pretty(&manifest)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        self.tar.append_data(&mut header, MANIFEST, text.as_slice())?;
        let mut file = self.tar.into_inner()?.finish()?;
        file.flush()?;
        file.get_ref().sync_all()?;
        Ok(manifest)
    }
}

/// Reads a backup through and checks it; unpacks it into a new directory, if one is given.
///
/// # Errors
///
/// `InvalidData` when it is no backup, damaged, cut short or from a newer version.
pub(super) fn read(path: &Path, into: Option<&Path>) -> io::Result<Manifest> {
    let file = BufReader::new(File::open(path)?);
    let mut tar = tar::Archive::new(GzDecoder::new(file));
    if let Some(dir) = into {
        make_dir(dir)?;
    }
    let mut found = Vec::new();
    let mut manifest = None;
    for entry in tar.entries()? {
        // What the reader says of it has its bytes in it.
        let mut entry =
            entry.map_err(|_garbled| invalid("the head of one of its files is damaged"))?;
        if manifest.is_some() {
            return Err(invalid("something follows the manifest"));
        }
        let name = checked_name(&entry.path().map_err(damaged)?)?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(invalid(&format!("`{name}` is no regular file")));
        }
        if name == MANIFEST {
            let mut text = Vec::new();
            (&mut entry).take(LARGEST_MANIFEST).read_to_end(&mut text).map_err(damaged)?;
            manifest = Some(parse(&text)?);
            continue;
        }
        let mut summed = Summed::new(&mut entry);
        match into {
            Some(dir) => unpack(&mut summed, &dir.join(&name))?,
            None => io::copy(&mut summed, &mut io::sink()).map(drop).map_err(damaged)?,
        }
        let (bytes, sha256) = (summed.bytes, summed.sum());
        found.push(Entry { path: name, bytes, sha256 });
    }
    let manifest = manifest.ok_or_else(|| invalid("it has no manifest: it was cut short"))?;
    // The sum over all of it stands at the end of the compressed file, which a tar does not read.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(damaged)?;
    if found != manifest.files {
        let wrong = found.iter().find(|entry| !manifest.files.contains(entry));
        let missing = manifest.files.iter().find(|entry| !found.contains(entry));
        let name = wrong.or(missing).map_or("the order of its files", |entry| entry.path.as_str());
        return Err(invalid(&format!("`{name}` is not what was saved")));
    }
    Ok(manifest)
}

fn parse(text: &[u8]) -> io::Result<Manifest> {
    let manifest: Manifest =
        serde_json::from_slice(text).map_err(|error| invalid(&format!("manifest: {error}")))?;
    if manifest.form > FORM {
        let what = format!("its form is {}, this program reads {FORM}", manifest.form);
        return Err(invalid(&what));
    }
    Ok(manifest)
}

/// Returns the name of an entry if it stays below where it is unpacked.
fn checked_name(path: &Path) -> io::Result<String> {
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    match path.to_str().filter(|name| is_plain && !name.is_empty()) {
        Some(name) => Ok(name.to_owned()),
        None => Err(invalid(&format!("`{}` is no name of a file in it", path.display()))),
    }
}

fn unpack(from: &mut impl Read, to: &Path) -> io::Result<()> {
    let parents: Vec<PathBuf> = to.ancestors().skip(1).map(Path::to_owned).collect();
    for dir in parents.iter().rev().filter(|dir| !dir.exists()) {
        make_dir(dir)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(from, &mut file).map_err(damaged)?;
    file.sync_all()
}

fn make_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(dir)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// What the decompressor says is about bytes; what it means is this. A disk that refuses is itself.
fn damaged(error: io::Error) -> io::Error {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    match error.kind() {
        InvalidData | InvalidInput | UnexpectedEof | Other => {
            // What is said quotes the file behind this, whatever stands there.
            let said = error.to_string();
            let said = said.split_once(": ").map_or(said.as_str(), |(what, _)| what);
            let said: String = said.escape_debug().take(LONGEST_WHY).collect();
            invalid(&format!("it is damaged or no backup: {said}"))
        }
        _ => error,
    }
}

/// Adds up what is read.
struct Summed<R> {
    from: R,
    digest: Sha256,
    bytes: u64,
}

impl<R> Summed<R> {
    fn new(from: R) -> Self {
        Self { from, digest: Sha256::new(), bytes: 0 }
    }

    fn sum(self) -> String {
        to_hex(&self.digest.finalize().into())
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buffer)?;
        self.digest.update(buffer.get(..n).unwrap_or_default());
        self.bytes += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(dir: &Path) -> PathBuf {
        let path = dir.join("b.tar.gz");
        let mut writer = Writer::create(&path).unwrap();
        writer.bytes("keys/audit.key", b"secret").unwrap();
        writer.bytes("stratavore.db", &vec![7; 100_000]).unwrap();
        writer.finish(Manifest { version: "1".into(), ..Manifest::default() }).unwrap();
        path
    }

    #[test]
    fn what_was_saved_is_unpacked_and_closed_to_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        let manifest = read(&path, None).unwrap();
        assert_eq!(manifest.files.len(), 2);
        let into = dir.path().join("into");
        assert_eq!(read(&path, Some(&into)).unwrap(), manifest);
        assert_eq!(fs::read(into.join("keys/audit.key")).unwrap(), b"secret");
        assert_eq!((mode(&into.join("keys")), mode(&into.join("stratavore.db"))), (0o700, 0o600));
    }

    #[test]
    fn whatever_byte_is_changed_nothing_else_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path());
        let good = fs::read(&path).unwrap();
        let manifest = read(&path, None).unwrap();
        // The time and the system in the head of the compressed file mean nothing.
        for at in (10..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&path, &bad).unwrap();
            match read(&path, None) {
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::InvalidData, "byte {at}"),
                // Between two blocks of compressed data are bits that mean nothing: all that was saved
                // is read as it was, by its checksums.
                Ok(same) => assert_eq!(same, manifest, "byte {at} of {}", good.len()),
            }
        }
        for length in [0, 1, 20, good.len() / 2, good.len() - 9] {
            fs::write(&path, &good[..length]).unwrap();
            let kind = read(&path, None).map_err(|error| error.kind());
            assert_eq!(kind, Err(io::ErrorKind::InvalidData), "{length} bytes");
        }
        fs::write(&path, "no backup at all").unwrap();
        assert!(read(&path, None).is_err());
    }

    #[test]
    fn a_name_that_leads_out_is_refused() {
        for name in ["../x", "/etc/x", "a/../../x", ""] {
            assert!(checked_name(Path::new(name)).is_err(), "{name}");
        }
        assert_eq!(checked_name(Path::new("a/b")).unwrap(), "a/b");
    }
}
