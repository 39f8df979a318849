//! The history: rows that have scrolled off the top, packed into blocks.
//!
//! Rows are appended to an open block of 32 KiB. Full ones stay as they are for a moment: most rows of
//! an agent that spews are forgotten before packing them would have been worth it. What is more than
//! 2 MiB is packed with LZ4, which is quick; once the history has stopped growing everything is packed
//! with DEFLATE, which takes a third of the room. Over the limits the oldest block goes as a whole, so appending costs the same however
//! long the history is. Invariant: [`Ring::len`] never exceeds the row limit, memory exceeds the
//! byte limit by at most the open block.

use std::collections::VecDeque;

use alacritty_terminal::term::cell::Cell;

use super::HistoryLimits;
use super::line::{Line, LineEncoder, encode_plain};

/// Size at which a block is compressed: small enough that reading a few rows stays cheap, large
/// enough that LZ4 finds its repetitions (64 KiB gained 4 % and read four times slower).
const BLOCK_BYTES: usize = 32 * 1024;

/// Bytes of full blocks that are kept as they are.
const MOST_LOOSE: usize = 2 << 20;

/// Blocks packed tightly in one call, so that none takes longer than a few milliseconds.
const REPACKED: usize = 8;

/// The library's default: higher levels gain nothing on lines of text.
const DEFLATE_LEVEL: u8 = 6;

/// How a block is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Lz4,
    Deflate,
}

#[derive(Debug)]
struct Block {
    packed: Box<[u8]>,
    packing: Packing,
    raw_len: usize,
    lines: usize,
}

impl Block {
    fn cost(&self) -> usize {
        self.packed.len() + size_of::<Self>()
    }

    fn unpack(&self) -> Vec<u8> {
        match self.packing {
            Packing::None => self.packed.to_vec(),
            Packing::Lz4 => {
                lz4_flex::block::decompress(&self.packed, self.raw_len).unwrap_or_default()
            }
            Packing::Deflate => {
                let limit = self.raw_len;
                miniz_oxide::inflate::decompress_to_vec_with_limit(&self.packed, limit)
                    .unwrap_or_default()
            }
        }
    }

    /// Packs it quickly.
    fn pack(&mut self) {
        self.packed = lz4_flex::block::compress(&self.packed).into();
        self.packing = Packing::Lz4;
    }

    /// Packs it so that it takes the least room.
    fn repack(&mut self) {
        let packed = miniz_oxide::deflate::compress_to_vec(&self.unpack(), DEFLATE_LEVEL);
        self.packed = packed.into();
        self.packing = Packing::Deflate;
    }
}

/// Compressed rows, oldest first.
#[derive(Debug)]
pub(crate) struct Ring {
    limits: HistoryLimits,
    blocks: VecDeque<Block>,
    block_bytes: usize,
    /// How many of the newest blocks are not packed.
    loose: usize,
    open: Vec<u8>,
    open_lines: usize,
    total: usize,
    /// Rows that went with the oldest blocks, or when everything was forgotten.
    dropped: u64,
    encoder: LineEncoder,
}

impl Ring {
    /// Returns an empty history.
    pub(crate) fn new(limits: HistoryLimits) -> Self {
        Self {
            limits,
            blocks: VecDeque::new(),
            block_bytes: 0,
            loose: 0,
            open: Vec::new(),
            open_lines: 0,
            total: 0,
            dropped: 0,
            encoder: LineEncoder::default(),
        }
    }

    /// The limits it was made with.
    pub(crate) fn limits(&self) -> HistoryLimits {
        self.limits
    }

    /// Number of rows that can be read.
    pub(crate) fn len(&self) -> usize {
        self.total.min(self.limits.lines)
    }

    /// Number of rows that were there before the oldest that can be read.
    pub(crate) fn forgotten(&self) -> u64 {
        self.dropped + (self.total - self.len()) as u64
    }

    /// Appends a row of the grid.
    pub(crate) fn push(&mut self, row: &[Cell]) {
        if self.keeps_any() {
            self.encoder.encode(row, &mut self.open);
            self.count_pushed();
        }
    }

    /// Appends a row of unstyled ASCII.
    pub(crate) fn push_plain(&mut self, text: &[u8]) {
        if self.keeps_any() {
            encode_plain(text, &mut self.open);
            self.count_pushed();
        }
    }

    fn keeps_any(&self) -> bool {
        self.limits.lines > 0 && self.limits.bytes > 0
    }

    fn count_pushed(&mut self) {
        self.open_lines += 1;
        self.total += 1;
        if self.open.len() >= BLOCK_BYTES {
            self.close_block();
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        let dropped = self.dropped + self.total as u64;
        *self = Self { dropped, ..Self::new(self.limits) };
    }

    /// Bytes held, spare room included.
    pub(crate) fn memory(&self) -> usize {
        self.block_bytes + self.open.capacity()
    }

    /// Packs a few more blocks tightly; returns whether there is more to do.
    pub(crate) fn pack(&mut self) -> bool {
        let wasteful = |block: &&mut Block| block.packing != Packing::Deflate;
        for block in self.blocks.iter_mut().filter(wasteful).take(REPACKED) {
            self.block_bytes -= block.cost();
            self.loose -= usize::from(block.packing == Packing::None);
            block.repack();
            self.block_bytes += block.cost();
        }
        self.blocks.iter().any(|block| block.packing != Packing::Deflate)
    }

    /// How many full blocks are not packed at all.
    pub(crate) fn loose(&self) -> usize {
        self.loose
    }

    /// Gives spare room back.
    pub(crate) fn settle(&mut self) {
        self.open.shrink_to_fit();
        self.blocks.shrink_to_fit();
        self.encoder = LineEncoder::default();
    }

    /// Calls `visit` with `count` rows from `from`, oldest first, until it returns false.
    pub(crate) fn read(
        &self,
        from: usize,
        count: usize,
        visit: &mut dyn FnMut(usize, Line) -> bool,
    ) {
        let dropped = self.total - self.len();
        let wanted = dropped.saturating_add(from)
            ..dropped.saturating_add(from).saturating_add(count).min(self.total);
        let mut first = 0;
        for block in &self.blocks {
            let lines = first..first + block.lines;
            first = lines.end;
            if lines.end <= wanted.start {
                continue;
            }
            if lines.start >= wanted.end {
                return;
            }
            let raw = block.unpack();
            if !read_block(&raw, lines.start, &wanted, &mut |at, line| visit(at - dropped, line)) {
                return;
            }
        }
        read_block(&self.open, first, &wanted, &mut |at, line| visit(at - dropped, line));
    }

    fn close_block(&mut self) {
        let raw_len = self.open.len();
        let packed = self.open.as_slice().into();
        let block = Block { packed, packing: Packing::None, raw_len, lines: self.open_lines };
        self.block_bytes += block.cost();
        self.blocks.push_back(block);
        self.loose += 1;
        self.open.clear();
        self.open.shrink_to(BLOCK_BYTES * 2);
        self.open_lines = 0;
        if self.loose * BLOCK_BYTES > MOST_LOOSE {
            self.pack_one();
        }
        self.drop_oldest();
    }

    /// Packs the oldest block that is not; false when there is none.
    fn pack_one(&mut self) -> bool {
        let at = self.blocks.len() - self.loose;
        let Some(block) = self.blocks.get_mut(at) else { return false };
        self.block_bytes -= block.cost();
        block.pack();
        self.block_bytes += block.cost();
        self.loose -= 1;
        true
    }

    fn drop_oldest(&mut self) {
        while let Some(oldest) = self.blocks.front() {
            let too_many = self.total - oldest.lines >= self.limits.lines;
            if !too_many && self.block_bytes <= self.limits.bytes {
                return;
            }
            // Packed, more of it fits.
            if !too_many && self.pack_one() {
                continue;
            }
            let Some(oldest) = self.blocks.pop_front() else { return };
            self.loose -= usize::from(oldest.packing == Packing::None);
            self.block_bytes -= oldest.cost();
            self.total -= oldest.lines;
            self.dropped += oldest.lines as u64;
        }
    }
}

/// Visits the wanted rows of one unpacked block whose first row has the index `first`.
fn read_block(
    mut raw: &[u8],
    first: usize,
    wanted: &std::ops::Range<usize>,
    visit: &mut dyn FnMut(usize, Line) -> bool,
) -> bool {
    let mut at = first;
    while !raw.is_empty() && at < wanted.end {
        if at < wanted.start {
            if Line::skip(&mut raw).is_none() {
                return false;
            }
        } else {
            let Some(line) = Line::decode(&mut raw) else {
                return false;
            };
            if !visit(at, line) {
                return false;
            }
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Vec<Cell> {
        text.chars().map(|c| Cell { c, ..Cell::default() }).collect()
    }

    fn texts(ring: &Ring, from: usize, count: usize) -> Vec<String> {
        let mut out = Vec::new();
        ring.read(from, count, &mut |_, line| {
            out.push(line.text);
            true
        });
        out
    }

    #[test]
    fn rows_come_back_in_order_over_block_borders() {
        let mut ring = Ring::new(HistoryLimits::default());
        for n in 0..5000 {
            ring.push(&row(&format!("line {n}")));
        }
        assert_eq!(ring.len(), 5000);
        assert_eq!(texts(&ring, 0, 2), ["line 0", "line 1"]);
        assert_eq!(texts(&ring, 4998, 10), ["line 4998", "line 4999"]);
        assert_eq!(texts(&ring, 0, usize::MAX).len(), 5000);
        assert!(texts(&ring, 9999, 1).is_empty());
    }

    #[test]
    fn what_is_packed_tightly_reads_the_same() {
        let mut ring = Ring::new(HistoryLimits { lines: 20_000, bytes: 1 << 20 });
        for n in 0..20_000 {
            ring.push(&row(&format!("line {n}: reading src/lib.rs, {} tests passed", n * 7 % 300)));
        }
        let (before, memory) = (texts(&ring, 0, usize::MAX), ring.memory());
        while ring.pack() {}
        assert_eq!(texts(&ring, 0, usize::MAX), before);
        assert!(ring.memory() < memory / 3, "{memory} became {}", ring.memory());
        ring.push(&row("one more"));
        assert_eq!(texts(&ring, ring.len() - 1, 1), ["one more"]);
    }

    #[test]
    fn the_row_limit_is_exact() {
        let mut ring = Ring::new(HistoryLimits { lines: 100, bytes: 1 << 20 });
        for n in 0..10_000 {
            ring.push(&row(&format!("line {n}")));
        }
        assert_eq!(ring.len(), 100);
        assert_eq!(texts(&ring, 0, 1), ["line 9900"]);
        assert_eq!(ring.forgotten(), 9900);
        assert_eq!(texts(&ring, 99, 5), ["line 9999"]);
    }

    #[test]
    fn the_byte_limit_holds() {
        let mut ring = Ring::new(HistoryLimits { lines: usize::MAX, bytes: 64 * 1024 });
        for n in 0..200_000u64 {
            let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ring.push(&row(&format!("{noise:016x}{:016x}", noise.rotate_left(17) ^ n)));
        }
        assert!(ring.memory() < 64 * 1024 + 4 * BLOCK_BYTES, "{}", ring.memory());
        assert!(ring.len() > 500);
    }
}
