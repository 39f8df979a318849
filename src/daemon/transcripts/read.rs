//! Reads a transcript on from a place, a bounded piece at a time.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use crate::{
    agents::transcript::{Entry, LONGEST_LINE, Reader},
    domain::agent::Agent,
};

/// Bytes of a file that are read together, at most, but for a longer line.
const PIECE: u64 = 16 << 20;

/// Bytes of a file's beginning that are looked at, but for a longer line.
const HEAD: u64 = 2 << 20;

/// Bytes of text that are handed on together, at most, but for the last line's.
const TEXT: usize = 1 << 20;

/// Things that are handed on together, at most, but for the last line's.
const ENTRIES: usize = 4096;

/// Bytes of the file that are held at once.
const BUFFER: usize = 128 << 10;

/// Up to where a file was read.
#[derive(Debug, Clone)]
pub struct Place {
    /// Which file it was: what stands under a name may be replaced.
    pub identity: String,
    /// Up to where.
    pub offset: u64,
    /// What the reader needs of what it has read.
    pub reader: Reader,
}

/// Something that a file says, and at which byte of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Where the line begins.
    pub offset: u64,
    /// What it says.
    pub entry: Entry,
}

/// A piece of a file.
#[derive(Debug, Clone)]
pub struct Piece {
    /// What stands in it, in order.
    pub found: Vec<Found>,
    /// The place behind it.
    pub place: Place,
    /// Whether there is nothing behind it for now.
    pub is_last: bool,
}

/// Returns what stands in a file from a place on; from its beginning when there is none, or when the
/// file is another one by now. `None` for an agent that writes no lines.
///
/// # Errors
///
/// When the file cannot be read.
pub fn read_on(path: &Path, agent: Agent, from: Option<Place>) -> io::Result<Option<Piece>> {
    let mut file = File::open(path)?;
    let meta = file.metadata()?;
    let identity = format!("{:x}:{:x}", meta.dev(), meta.ino());
    let known = from.filter(|place| place.identity == identity && place.offset <= meta.len());
    let begin = || Some(Place { identity, offset: 0, reader: Reader::new(agent)? });
    let Some(place) = known.or_else(begin) else { return Ok(None) };
    if place.offset == meta.len() {
        return Ok(Some(Piece { found: Vec::new(), place, is_last: true }));
    }
    file.seek(SeekFrom::Start(place.offset))?;
    piece(BufReader::with_capacity(BUFFER, file), place).map(Some)
}

/// Hands the first lines of a file to `line`, until that has what it wants and returns `false`.
///
/// # Errors
///
/// When the file cannot be read.
pub fn head(path: &Path, mut line: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut file = BufReader::with_capacity(BUFFER, File::open(path)?);
    let (mut bytes, mut read) = (Vec::new(), 0);
    while read < HEAD {
        bytes.clear();
        let Some(length) = next_line(&mut file, &mut bytes)? else { break };
        read += length;
        if !line(&bytes) {
            break;
        }
    }
    Ok(())
}

fn piece(mut file: BufReader<File>, mut place: Place) -> io::Result<Piece> {
    let begin = place.offset;
    let mut found = Vec::new();
    let mut text = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = next_line(&mut file, &mut line)?;
        // A line without an end is still being written.
        let Some(length) = length else {
            return Ok(Piece { found, place, is_last: true });
        };
        let offset = place.offset;
        place.reader.line(&line, &mut |entry| {
            text += length_of(&entry);
            found.push(Found { offset, entry });
        });
        place.offset += length;
        if place.offset - begin >= PIECE || text >= TEXT || found.len() >= ENTRIES {
            return Ok(Piece { found, place, is_last: false });
        }
    }
}

/// Reads a line with its end, of which as much is kept as is read at all; returns its whole length, or
/// `None` at the end of the file.
fn next_line(file: &mut BufReader<File>, line: &mut Vec<u8>) -> io::Result<Option<u64>> {
    let mut length = 0_u64;
    loop {
        let buffer = file.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let end = memchr::memchr(b'\n', buffer);
        let used = end.map_or(buffer.len(), |end| end + 1);
        // Beyond the longest line that is read, one byte more tells the reader to skip it.
        let room = (LONGEST_LINE + 2).saturating_sub(line.len());
        line.extend_from_slice(&buffer[..used.min(room)]);
        file.consume(used);
        length += used as u64;
        if end.is_some() {
            return Ok(Some(length));
        }
    }
}

fn length_of(entry: &Entry) -> usize {
    match entry {
        Entry::Message(message) => message.text.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;

    const LINE: &str = r#"{"type":"user","sessionId":"s","uuid":"UUID","message":{"content":"TEXT"},"timestamp":"2026-11-20T06:50:36.754Z"}"#;

    fn line(id: usize, text: &str) -> String {
        LINE.replace("UUID", &id.to_string()).replace("TEXT", text) + "\n"
    }

    fn texts(piece: &Piece) -> Vec<String> {
        let texts = piece.found.iter().filter_map(|it| match &it.entry {
            Entry::Message(message) => Some(message.text.clone()),
            _ => None,
        });
        texts.collect()
    }

    fn on(path: &Path, place: Option<Place>) -> Piece {
        read_on(path, Agent::Claude, place).unwrap().unwrap()
    }

    #[test]
    fn a_file_is_read_on_where_it_was_left_and_half_a_line_waits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.jsonl");
        let second = line(2, "two");
        fs::write(&path, format!("{}{}", line(1, "one"), &second[..40])).unwrap();
        let first = on(&path, None);
        assert_eq!((texts(&first), first.is_last), (vec!["one".to_owned()], true));
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&second.as_bytes()[40..]).unwrap();
        let next = on(&path, Some(first.place));
        assert_eq!(texts(&next), ["two"]);
        assert!(on(&path, Some(next.place)).found.is_empty());
    }

    #[test]
    fn a_file_that_was_cut_or_replaced_is_read_from_its_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.jsonl");
        fs::write(&path, line(1, "one") + &line(2, "two")).unwrap();
        let place = on(&path, None).place;
        fs::write(&path, line(3, "three")).unwrap();
        assert_eq!(texts(&on(&path, Some(place.clone()))), ["three"]);
        let other = dir.path().join("other");
        fs::write(&other, line(4, "four") + &line(5, "five") + &line(6, "six")).unwrap();
        fs::rename(&other, &path).unwrap();
        assert_eq!(texts(&on(&path, Some(place))), ["four", "five", "six"]);
    }

    #[test]
    fn pieces_are_bounded_and_lines_without_measure_are_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.jsonl");
        let long = "x".repeat(300_000);
        let mut text: String = (0..10).map(|n| line(n, &long)).collect();
        text.push_str(&line(10, &"y".repeat(LONGEST_LINE)));
        text.push_str(&line(11, "end"));
        fs::write(&path, text).unwrap();
        let (mut place, mut all, mut pieces) = (None, Vec::new(), 0);
        loop {
            let piece = on(&path, place);
            assert!(texts(&piece).iter().map(String::len).sum::<usize>() <= TEXT + long.len());
            all.extend(texts(&piece));
            pieces += 1;
            place = Some(piece.place);
            if piece.is_last {
                break;
            }
        }
        assert!(pieces >= 3 && all.len() == 11, "{pieces} pieces, {} messages", all.len());
        assert_eq!(all.last().unwrap(), "end");
    }
}
