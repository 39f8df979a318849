//! Gives back memory that an idle supervisor does not need: there is one for each agent.
//!
//! Freed heap, and the pages of code that starting needed: they are the file's own, come back by
//! themselves when they are run again, and are shared with every other process of this program only
//! while those use them too. Invariant: nothing that was written to is ever dropped.

use std::{fs::File, io::Read as _};

use crate::process::heap;

/// Of the ELF format, System V ABI, 64-bit little endian.
const ET_EXEC: u64 = 2;
const PT_LOAD: u64 = 1;
const PF_W: u64 = 2;

/// Gives back what can be given back.
pub(super) fn give_back() {
    heap::give_back();
    let page = rustix::param::page_size() as u64;
    for (start, end) in code() {
        // Whole pages only: what borders on something else stays.
        let start = start.next_multiple_of(page);
        let length = (end - end % page).saturating_sub(start);
        let Some(length) = usize::try_from(length).ok().filter(|length| *length > 0) else {
            continue;
        };
        #[expect(unsafe_code, reason = "there is no safe way to name memory by its address")]
        // SAFETY: the range is a segment of this very program, mapped from its file without
        // permission to write, at the fixed address that its header gives. Nothing in it can have
        // been changed, so dropping its pages means reading the same bytes again.
        unsafe {
            libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED);
        }
    }
}

/// Returns the address ranges of this program's segments that cannot be written to; none when it is
/// not loaded at a fixed address.
fn code() -> Vec<(u64, u64)> {
    let mut header = Vec::new();
    // The program headers follow the file header and are few.
    let read = File::open("/proc/self/exe").and_then(|exe| exe.take(4096).read_to_end(&mut header));
    if read.is_err() {
        return Vec::new();
    }
    segments(&header).unwrap_or_default()
}

fn segments(header: &[u8]) -> Option<Vec<(u64, u64)>> {
    let is_fixed = header.starts_with(b"\x7fELF\x02\x01") && number(header, 16, 2)? == ET_EXEC;
    if !is_fixed {
        return None;
    }
    let (table, size, count) =
        (number(header, 32, 8)?, number(header, 54, 2)?, number(header, 56, 2)?);
    let mut found = Vec::new();
    for index in 0..count {
        let at = usize::try_from(table.checked_add(index.checked_mul(size)?)?).ok()?;
        let (kind, flags) = (number(header, at, 4)?, number(header, at + 4, 4)?);
        if kind == PT_LOAD && flags & PF_W == 0 {
            let address = number(header, at + 16, 8)?;
            found.push((address, address.checked_add(number(header, at + 32, 8)?)?));
        }
    }
    Some(found)
}

/// Reads a little-endian number of so many bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fixed_programs_have_droppable_code() {
        assert_eq!(segments(b"#!/bin/sh"), None);
        let mut header = vec![0; 64 + 2 * 56];
        header[..6].copy_from_slice(b"\x7fELF\x02\x01");
        header[16] = 2;
        header[32] = 64;
        header[54] = 56;
        header[56] = 2;
        for (index, flags) in [(0, 5), (1, 6)] {
            let at = 64 + index * 56;
            header[at] = 1;
            header[at + 4] = flags;
            header[at + 18] = 0x40;
            header[at + 33] = 0x10;
        }
        assert_eq!(segments(&header), Some(vec![(0x40_0000, 0x40_1000)]));
        header[16] = 3;
        assert_eq!(segments(&header), None);
        header.truncate(70);
        header[16] = 2;
        assert_eq!(segments(&header), None);
        give_back();
    }
}
