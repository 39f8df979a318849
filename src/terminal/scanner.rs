//! Finds the escape sequences in a stream that arrives in arbitrary pieces.
//!
//! Text is skipped sixteen bytes at a time; a sequence is looked at once, when it is complete.
//! What is incomplete at the end of a batch is kept back, so that a question split in two is
//! still found. Invariant: at most [`MOST_HELD`] bytes are kept back ([`MOST_CLIPBOARD`] for a
//! clipboard), a longer sequence is dropped up to its end without being stored.

use super::lexer::{BEL, C1_LEAD, ENQ, ESC, End, Kind, end_of, kind_of, plain_csi, skip_text};
use super::osc;
use super::query::{self, Fate};
use super::scan::{Op, Scan, ScanBuilder, Signal};
use super::whole::Whole;

/// Longest sequence that is understood.
pub(crate) const MOST_HELD: usize = 4096;
/// Longest clipboard that is passed on.
pub(crate) const MOST_CLIPBOARD: usize = 1 << 20;

/// What REP may print in one batch, in bytes: a few bytes ask for a screenful.
const MOST_REPEATED: usize = 1 << 20;

/// The state between two batches.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    whole: Whole,
    held: Vec<u8>,
    discarding: Option<Kind>,
    /// The last character that was printed by earlier batches, for REP.
    preceding: Option<char>,
    /// How many characters one REP may print: repeating is cheap to ask and dear to do.
    screenful: usize,
    /// Steps of the last batch: the next one will have about as many.
    usual_ops: usize,
    /// The last byte discarded was an ESC.
    escape_pending: bool,
}

impl Scanner {
    /// Bytes of memory in use.
    pub(crate) fn memory(&self) -> usize {
        self.held.capacity()
    }

    /// Gives spare room back.
    pub(crate) fn settle(&mut self) {
        self.held.shrink_to_fit();
    }

    /// Examines the next batch for a screen that has room for so many characters.
    pub(crate) fn scan(&mut self, batch: &[u8], screenful: usize) -> Scan {
        self.screenful = screenful;
        let whole = self.whole.take(batch);
        let input = whole.as_deref().unwrap_or(batch);
        let mut found = ScanBuilder::with_room(self.usual_ops);
        let mut at = 0;
        if self.discarding.is_some() {
            at = self.discard(input);
        }
        if !self.held.is_empty() {
            at += self.resume(input.get(at..).unwrap_or_default(), &mut found);
        }
        while at < input.len() {
            let rest = input.get(at..).unwrap_or_default();
            let plain = skip_text(rest);
            let Some(&byte) = rest.get(plain) else {
                found.text(at..input.len());
                break;
            };
            found.text(at..at + plain);
            at += plain;
            at = match byte {
                ENQ => at + 1,
                BEL => {
                    found.signal(Signal::Bell);
                    found.keep(at..at + 1);
                    at + 1
                }
                C1_LEAD if matches!(input.get(at + 1), Some(0x80..=0x9f)) => at + 2,
                C1_LEAD => {
                    found.text(at..at + 1);
                    at + 1
                }
                _ => self.sequence(input, at, &mut found),
            };
        }
        self.preceding = found.last_printed(input).or(self.preceding);
        let scan = found.finish(whole, batch);
        self.usual_ops = scan.ops.len();
        scan
    }

    /// Handles the sequence that starts at `at`; returns where to go on.
    fn sequence(&mut self, input: &[u8], at: usize, found: &mut ScanBuilder) -> usize {
        let bytes = input.get(at..).unwrap_or_default();
        if let Some(len) = plain_csi(bytes) {
            found.sequence(at..at + len);
            return at + len;
        }
        let Some((kind, lead)) = kind_of(bytes) else {
            self.hold(bytes);
            return input.len();
        };
        let body = bytes.get(lead..).unwrap_or_default();
        match end_of(kind, bytes.get(lead - 1).copied(), body) {
            End::Complete(len) => {
                let end = at + lead + len;
                let sequence = input.get(at..end).unwrap_or_default();
                self.apply_fate(decide(kind, sequence), Source::Batch(at, end), input, found);
                end
            }
            End::Abandoned(len) => at + lead + len,
            End::Missing => {
                self.hold(bytes);
                input.len()
            }
        }
    }

    /// Notes what becomes of a sequence; `input` is what of the batch lies before it, and may go on behind it.
    fn apply_fate(
        &mut self,
        fate: Fate,
        source: Source<'_>,
        input: &[u8],
        found: &mut ScanBuilder,
    ) {
        match fate {
            Fate::Apply => {
                source.forward(found);
                found.op(source.op());
            }
            Fate::Switch => {
                found.switch();
                found.op(source.op());
            }
            Fate::Hide => found.op(source.op()),
            Fate::Replace(bytes) => {
                found.add(&bytes);
                found.op(Op::HeldSequence(bytes));
            }
            Fate::Forward(signal) => {
                source.forward(found);
                if let Some(signal) = signal {
                    found.tell(signal);
                }
            }
            Fate::Drop => {}
            Fate::Repeat(times) => self.repeat(times, input, found),
            Fate::Ask(query) => found.op(Op::Query(query.into())),
            Fate::ApplyAndAsk(query) => {
                found.op(source.op());
                found.op(Op::Query(query.into()));
            }
            Fate::SoftReset => {
                found.switch();
                found.op(Op::SoftReset);
            }
        }
    }

    /// Makes text of REP: a viewer that attached meanwhile knows of no character to repeat.
    fn repeat(&mut self, times: u16, input: &[u8], found: &mut ScanBuilder) {
        self.preceding = found.last_printed(input).or(self.preceding);
        let Some(c) = self.preceding else { return };
        let room = MOST_REPEATED.saturating_sub(found.repeated()) / c.len_utf8();
        let times = usize::from(times).min(self.screenful).min(room);
        found.repeat(&String::from(c).repeat(times));
    }

    /// Goes on with what the last batch left unfinished; returns where the rest begins.
    fn resume(&mut self, input: &[u8], found: &mut ScanBuilder) -> usize {
        let mut taken = 0;
        while let Some(&next) = input.get(taken) {
            if self.held.is_empty() {
                break;
            }
            if self.held == [ESC] && matches!(next, b'[' | b']' | b'P' | b'_' | b'^' | b'X') {
                self.held.push(next);
                taken += 1;
                continue;
            }
            let kind = kind_of(&self.held).map_or(Kind::Escape, |(kind, _)| kind);
            let rest = input.get(taken..).unwrap_or_default();
            taken += self.resume_kind(kind, rest, found);
        }
        taken
    }

    fn resume_kind(&mut self, kind: Kind, rest: &[u8], found: &mut ScanBuilder) -> usize {
        match end_of(kind, self.held.last().copied(), rest) {
            End::Complete(len) => {
                self.held.extend_from_slice(rest.get(..len).unwrap_or_default());
                let sequence = std::mem::take(&mut self.held);
                // Nothing of this batch was printed before it.
                self.apply_fate(decide(kind, &sequence), Source::Held(&sequence), b"", found);
                len
            }
            End::Abandoned(len) => {
                // The ESC that broke a string off begins something else.
                let again = len == 0 && self.held.len() > 1 && self.held.ends_with(&[ESC]);
                self.held.clear();
                if again {
                    self.held.push(ESC);
                }
                len
            }
            End::Missing => {
                self.hold(rest);
                rest.len()
            }
        }
    }

    /// Keeps an unfinished sequence for the next batch, or begins to drop it if it is too long.
    fn hold(&mut self, bytes: &[u8]) {
        let clipboard = self.held.starts_with(b"\x1b]52;")
            || (self.held.is_empty() && bytes.starts_with(b"\x1b]52;"));
        let most = if clipboard { MOST_CLIPBOARD } else { MOST_HELD };
        if self.held.len() + bytes.len() <= most {
            self.held.extend_from_slice(bytes);
            return;
        }
        let start = if self.held.is_empty() { bytes } else { &self.held };
        self.discarding = kind_of(start).map(|(kind, _)| kind);
        self.escape_pending = bytes.last() == Some(&ESC);
        self.held = Vec::new();
    }

    /// Drops the rest of a sequence that was too long; returns where the rest begins.
    fn discard(&mut self, input: &[u8]) -> usize {
        let Some(kind) = self.discarding else {
            return 0;
        };
        let last = self.escape_pending.then_some(ESC);
        match end_of(kind, last, input) {
            End::Abandoned(0) if self.escape_pending => {
                self.discarding = None;
                self.escape_pending = false;
                self.held = vec![ESC];
                0
            }
            End::Complete(len) | End::Abandoned(len) => {
                self.discarding = None;
                self.escape_pending = false;
                len
            }
            End::Missing => {
                self.escape_pending = match input.last() {
                    Some(last) => *last == ESC,
                    None => self.escape_pending,
                };
                input.len()
            }
        }
    }
}

/// Where a sequence lies.
#[derive(Clone, Copy)]
enum Source<'a> {
    Batch(usize, usize),
    Held(&'a [u8]),
}

impl Source<'_> {
    fn forward(self, found: &mut ScanBuilder) {
        match self {
            Self::Batch(start, end) => found.keep(start..end),
            Self::Held(bytes) => found.add(bytes),
        }
    }

    fn op(self) -> Op {
        match self {
            Self::Batch(start, end) => Op::Sequence(start..end),
            Self::Held(bytes) => Op::HeldSequence(bytes.into()),
        }
    }
}

fn decide(kind: Kind, sequence: &[u8]) -> Fate {
    match kind {
        Kind::Csi => query::csi(sequence),
        Kind::Escape => query::escape(sequence),
        Kind::Osc | Kind::String => {
            let bell = sequence.last() == Some(&BEL);
            let end = sequence.len() - if bell { 1 } else { 2 };
            let body = sequence.get(2..end).unwrap_or_default();
            // Terminals disagree on what a C1 control does inside a string.
            let ambiguous = body.windows(2).any(|pair| matches!(pair, [C1_LEAD, 0x80..=0x9f]));
            if ambiguous {
                Fate::Drop
            } else if kind == Kind::Osc {
                osc::classify(body, bell)
            } else if sequence.get(1) == Some(&b'P') {
                query::dcs(body)
            } else {
                Fate::Drop
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREENFUL: usize = 80 * 24;

    #[test]
    fn text_without_sequences_is_borrowed() {
        let mut scanner = Scanner::default();
        let input = b"hello\r\nworld \xc3\xa9 \xe2\x82\xac".as_slice();
        let scan = scanner.scan(input, SCREENFUL);
        assert!(matches!(scan.forward(input), std::borrow::Cow::Borrowed(bytes) if bytes == input));
        assert_eq!(scan.ops, [Op::Text(0..input.len())]);
    }

    #[test]
    fn an_unfinished_sequence_is_kept_back() {
        let mut scanner = Scanner::default();
        assert_eq!(&*scanner.scan(b"a\x1b[3", SCREENFUL).forward(b"a\x1b[3"), b"a");
        assert_eq!(&*scanner.scan(b"1mb", SCREENFUL).forward(b"1mb"), b"\x1b[31mb");
    }

    #[test]
    fn c1_controls_are_removed() {
        let mut scanner = Scanner::default();
        let input = "a\u{9b}c\u{85}d\u{e9}".as_bytes();
        assert_eq!(&*scanner.scan(input, SCREENFUL).forward(input), "acd\u{e9}".as_bytes());
    }

    #[test]
    fn what_rep_repeats_is_printed_for_everybody() {
        for (stream, forwarded) in [
            ("ab\x1b[3bc", "abbbbc"),
            ("a\x1b[b\x1b[2b", "aaaa"),
            // Whatever stands between, as in xterm: only what takes up room is repeated.
            ("x\r\n\x1b[1m\x1b[2b", "x\r\n\x1b[1mxx"),
            ("e\u{301}\x1b[2b", "e\u{301}ee"),
            ("\u{65e5}\x07\x1b[1b", "\u{65e5}\x07\u{65e5}"),
            ("\x1b[5b\r\n\x1b[5b", "\r\n"),
        ] {
            for size in 1..=stream.len() {
                let mut scanner = Scanner::default();
                let pieces = stream.as_bytes().chunks(size);
                let all: Vec<u8> = pieces
                    .flat_map(|it| scanner.scan(it, SCREENFUL).forward(it).into_owned())
                    .collect();
                assert_eq!(String::from_utf8(all).unwrap(), forwarded, "in pieces of {size}");
            }
        }
    }

    #[test]
    fn rep_prints_no_more_than_there_is_room_for() {
        let stream = format!("\u{65e5}{}", "\x1b[65535b".repeat(3000));
        let mut scanner = Scanner::default();
        let scan = scanner.scan(stream.as_bytes(), SCREENFUL);
        let forwarded = scan.forward(stream.as_bytes()).len();
        assert!((MOST_REPEATED - 3..=MOST_REPEATED + 3).contains(&forwarded), "{forwarded}");
    }

    #[test]
    fn too_long_sequences_vanish_and_the_rest_survives() {
        for intro in ["\x1b]0;", "\x1b]52;c;", "\x1bP", "\x1b_G", "\x1b["] {
            let mut scanner = Scanner::default();
            let mut most = 0;
            assert!(scanner.scan(intro.as_bytes(), SCREENFUL).forward(intro.as_bytes()).is_empty());
            for _ in 0..600 {
                let filler = [b'0'; 4096];
                assert!(scanner.scan(&filler, SCREENFUL).forward(&filler).is_empty());
                most = most.max(scanner.memory());
            }
            assert!(most <= 2 * MOST_CLIPBOARD, "{most}");
            let tail = if intro == "\x1b[" { "mx" } else { "\x1b\\x" };
            assert_eq!(
                &*scanner.scan(tail.as_bytes(), SCREENFUL).forward(tail.as_bytes()),
                b"x",
                "{intro:?}"
            );
        }
    }
}
