//! What a runner's agent reported, as the supervisor keeps it until the daemon has taken it in.
//!
//! A record of segments, as the output has one, whose bytes are framed reports. Every segment
//! begins with a whole report, so that a reader goes on behind a gap. Little endian: length of the
//! content (4 bytes), kind (1), when it came in microseconds since 1970 (8), content.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use super::record::segments;

/// Bytes before the content.
const HEADER: usize = 13;

/// The longest content; what is longer is not kept.
pub const LONGEST: usize = 1 << 20;

/// What a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// A body of OTLP/HTTP logs in JSON.
    Otlp,
    /// What a hook told: a [`crate::domain::hook::HookReport`] in JSON.
    Hook,
}

impl ReportKind {
    fn to_byte(self) -> u8 {
        match self {
            Self::Otlp => 1,
            Self::Hook => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Otlp),
            2 => Some(Self::Hook),
            _ => None,
        }
    }
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Where it stands in the spool: no other report of this runner has this offset.
    pub offset: u64,
    /// What it is.
    pub kind: ReportKind,
    /// When it came, in microseconds since 1970.
    pub at_us: i64,
    /// Its content.
    pub content: Vec<u8>,
}

/// What was read of a spool.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reports {
    /// The reports, in order; those of unknown kinds left out.
    pub reports: Vec<Report>,
    /// Where to go on.
    pub next: u64,
    /// Bytes that were not kept before or between them.
    pub missing: u64,
}

/// Returns a report as it stands in the spool, `None` when it is too long to be kept.
pub fn frame(kind: ReportKind, at_us: i64, content: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(content.len()).ok().filter(|_| content.len() <= LONGEST)?;
    let mut bytes = Vec::with_capacity(HEADER + content.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.push(kind.to_byte());
    bytes.extend_from_slice(&at_us.to_le_bytes());
    bytes.extend_from_slice(content);
    Some(bytes)
}

/// Reads reports from an offset on, about so many bytes at most.
///
/// # Errors
///
/// When a file cannot be read.
pub fn read(dir: &Path, from: u64, most: usize) -> io::Result<Reports> {
    let mut found = Reports { next: from, ..Reports::default() };
    let all = segments(dir);
    let mut taken = 0;
    for (index, segment) in all.iter().enumerate() {
        let is_last = index + 1 == all.len();
        let end = segment.start + segment.length;
        if end <= found.next && !(is_last && segment.start >= found.next) {
            continue;
        }
        if segment.start > found.next {
            found.missing += segment.start - found.next;
            found.next = segment.start;
        }
        let mut file = File::open(&segment.path)?;
        file.seek(SeekFrom::Start(found.next - segment.start))?;
        let mut bytes = Vec::new();
        file.take((most.saturating_sub(taken) + HEADER + LONGEST) as u64)
            .read_to_end(&mut bytes)?;
        let mut rest = bytes.as_slice();
        while taken < most
            && let Some((report, length)) = parse(rest, found.next)
        {
            found.reports.extend(report);
            found.next += length as u64;
            taken += length;
            rest = rest.get(length..).unwrap_or_default();
        }
        if taken >= most {
            return Ok(found);
        }
        if !is_last && found.next < end {
            // It was cut off there; the next segment begins anew.
            found.missing += end - found.next;
            found.next = end;
        }
    }
    Ok(found)
}

/// Returns the first report, unless its kind is unknown, and the bytes it takes; `None` when it is
/// not whole or none.
fn parse(bytes: &[u8], offset: u64) -> Option<(Option<Report>, usize)> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let (length, header) = header.split_first_chunk::<4>()?;
    let (kind, at) = header.split_first()?;
    let length = u32::from_le_bytes(*length) as usize;
    let content = rest.get(..length).filter(|_| length <= LONGEST)?;
    let at_us = i64::from_le_bytes(at.try_into().ok()?);
    let report = ReportKind::from_byte(*kind).map(|kind| Report {
        offset,
        kind,
        at_us,
        content: content.to_vec(),
    });
    Some((report, HEADER + length))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::runner_dir::segment_name;

    fn put(dir: &Path, start: u64, bytes: &[u8]) {
        fs::write(dir.join(segment_name(start)), bytes).unwrap();
    }

    fn texts(found: &Reports) -> Vec<&str> {
        found.reports.iter().map(|it| std::str::from_utf8(&it.content).unwrap()).collect()
    }

    #[test]
    fn reports_are_read_on_from_where_the_last_reading_ended() {
        let dir = tempfile::tempdir().unwrap();
        let one = frame(ReportKind::Otlp, 1, b"one").unwrap();
        let two = frame(ReportKind::Hook, 2, b"two").unwrap();
        let half = &two[..5];
        put(dir.path(), 0, &[&one[..], half].concat());
        let found = read(dir.path(), 0, 1000).unwrap();
        assert_eq!(texts(&found), ["one"]);
        assert_eq!(found.next, one.len() as u64);
        put(dir.path(), 0, &[&one[..], &two].concat());
        let found = read(dir.path(), found.next, 1000).unwrap();
        assert_eq!(texts(&found), ["two"]);
        assert_eq!(found.reports[0].kind, ReportKind::Hook);
        let again = read(dir.path(), found.next, 1000).unwrap();
        assert_eq!((again.reports.len(), again.next, again.missing), (0, found.next, 0));
    }

    #[test]
    fn a_gap_and_a_torn_segment_are_stepped_over_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let one = frame(ReportKind::Otlp, 1, b"one").unwrap();
        put(dir.path(), 0, &[&one[..], b"torn"].concat());
        put(dir.path(), 100, &one);
        let found = read(dir.path(), 0, 1000).unwrap();
        assert_eq!(texts(&found), ["one", "one"]);
        assert_eq!(found.next, 100 + one.len() as u64);
        assert_eq!(found.missing, 100 - one.len() as u64);
    }

    #[test]
    fn what_is_too_long_is_refused_and_what_lies_about_its_length_ends_the_reading() {
        assert_eq!(frame(ReportKind::Otlp, 0, &vec![0; LONGEST + 1]), None);
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), 0, &[255; 64]);
        assert_eq!(read(dir.path(), 0, 1000).unwrap().reports, []);
    }
}
