//! Reads a runner's recorded output, also while it grows.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
};

use super::Fleet;
use crate::{
    domain::id::RunnerId,
    runner_dir::{end_of_record, segments},
};

/// Bytes in one piece at most.
const PIECE: usize = 256 << 10;

/// A piece of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPiece {
    /// Offset of its first byte.
    pub offset: u64,
    /// Bytes before it that were not recorded, or no longer are.
    pub missing: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A place in a record.
#[derive(Debug, Clone)]
pub struct LogReader {
    dir: PathBuf,
    offset: u64,
    begun: bool,
}

impl Fleet {
    /// Returns a reader of a runner's record, beginning so many bytes before its end.
    pub fn read_log(&self, id: RunnerId, tail: Option<u64>) -> LogReader {
        let dir = self.dir(id).output();
        let offset = tail.map_or(0, |tail| end_of_record(&dir).saturating_sub(tail));
        LogReader { dir, offset, begun: false }
    }
}

impl LogReader {
    /// Returns the next piece, `None` at the present end.
    ///
    /// # Errors
    ///
    /// When a segment cannot be read.
    pub fn next_piece(&mut self) -> io::Result<Option<LogPiece>> {
        let segments = segments(&self.dir);
        let Some(segment) = segments.iter().find(|s| s.start + s.length > self.offset) else {
            return Ok(None);
        };
        let start = self.offset.max(segment.start);
        // What was before the first segment at the beginning of a reading is not news.
        let missing = if self.begun { start - self.offset } else { 0 };
        let mut file = File::open(&segment.path)?;
        file.seek(SeekFrom::Start(start - segment.start))?;
        let mut bytes = Vec::new();
        file.take(PIECE as u64).read_to_end(&mut bytes)?;
        self.offset = start + bytes.len() as u64;
        self.begun = true;
        Ok((!bytes.is_empty()).then_some(LogPiece { offset: start, missing, bytes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_told() {
        let temp = tempfile::tempdir().unwrap();
        let write = |start: u64, bytes: &[u8]| {
            std::fs::write(temp.path().join(crate::runner_dir::segment_name(start)), bytes)
                .unwrap();
        };
        write(100, b"abc");
        write(110, b"def");
        let mut reader = LogReader { dir: temp.path().into(), offset: 0, begun: false };
        let first = reader.next_piece().unwrap().unwrap();
        assert_eq!((first.offset, first.missing, first.bytes), (100, 0, b"abc".to_vec()));
        let second = reader.next_piece().unwrap().unwrap();
        assert_eq!((second.offset, second.missing, second.bytes), (110, 7, b"def".to_vec()));
        assert_eq!(reader.next_piece().unwrap(), None);
    }
}
