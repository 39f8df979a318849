//! The recorded output of a runner: segment files named by the offset of their first byte.
//!
//! A gap between the end of one segment and the start of the next is output that could not be
//! recorded. The supervisor writes them, the daemon reads them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One file of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Offset of its first byte.
    pub start: u64,
    /// Bytes in it.
    pub length: u64,
    /// The file.
    pub path: PathBuf,
}

/// Returns the file name of the segment that begins at an offset.
pub fn segment_name(start: u64) -> String {
    format!("{start:016x}.log")
}

/// Returns the segments of a record, oldest first.
pub fn segments(dir: &Path) -> Vec<Segment> {
    let mut found: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name();
            let start = u64::from_str_radix(name.to_str()?.strip_suffix(".log")?, 16).ok()?;
            Some(Segment { start, length: entry.metadata().ok()?.len(), path: entry.path() })
        })
        .collect();
    found.sort_by_key(|segment| segment.start);
    found
}

/// Returns the offset at which a record ends.
pub fn end_of_record(dir: &Path) -> u64 {
    segments(dir).last().map_or(0, |segment| segment.start + segment.length)
}
