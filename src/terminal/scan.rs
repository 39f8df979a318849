//! What the scanner found in one batch of output.

use std::borrow::Cow;
use std::ops::Range;

use unicode_width::UnicodeWidthChar as _;

use super::query::Query;
use crate::domain::activity::ProgramReport;

/// Something a program said that is of interest outside the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The new window title, control characters removed, at most 512 characters.
    Title(String),
    /// The program's report about itself (OSC 7501).
    Program(ProgramReport),
    /// The bell rang, once or more often.
    Bell,
    /// The working directory it announced (OSC 7), an absolute path.
    Cwd(String),
    /// A desktop notification it asked for (OSC 9, OSC 777), at most 512 characters.
    Notify(String),
}

/// One step of applying a batch to the screen. Ranges are positions in the batch as [`Scan::whole`] has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    /// Text and single control characters.
    Text(Range<usize>),
    /// One complete escape sequence.
    Sequence(Range<usize>),
    /// An escape sequence that began in an earlier batch, or stands for one.
    HeldSequence(Box<[u8]>),
    /// The title or the directory changes: the signal with this number says to what.
    Tell(usize),
    /// A question to be answered.
    Query(Box<Query>),
    /// DECSTR, which the engine does not know.
    SoftReset,
    /// REP: text that is not in the batch.
    Repeated(Box<str>),
}

/// The bytes for attached terminals.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Forward {
    Prefix(usize),
    Owned(Vec<u8>),
}

/// One scanned batch: what to forward, what to tell others, and what to do to the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// What takes the place of the batch, which was no text as it is.
    whole: Option<Vec<u8>>,
    forward: Forward,
    /// The steps, in order.
    pub(crate) ops: Vec<Op>,
    signals: Vec<Signal>,
    queries: bool,
    switched: bool,
}

impl Scan {
    /// Whether the program switched between its screens or reset the terminal: viewers need a new
    /// picture, taken after the batch was applied. The sequences themselves are not forwarded.
    pub fn has_switched(&self) -> bool {
        self.switched
    }

    /// Whether the batch holds a question that [`super::Terminal::apply`] will answer.
    pub fn has_queries(&self) -> bool {
        self.queries
    }

    /// Returns the batch as text; `input` must be the scanned batch.
    pub(crate) fn whole<'a>(&'a self, input: &'a [u8]) -> &'a [u8] {
        self.whole.as_deref().unwrap_or(input)
    }

    /// Returns what attached terminals get: the batch as text, without queries, without the start of an
    /// unfinished sequence at its end, and with what the batch before had kept back.
    ///
    /// `input` must be the scanned batch; it is borrowed when nothing had to be cut out.
    pub fn forward<'a>(&'a self, input: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.forward {
            Forward::Prefix(len) => {
                let whole = self.whole(input);
                Cow::Borrowed(whole.get(..*len).unwrap_or(whole))
            }
            Forward::Owned(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// Whether the batch does nothing to the screen but print.
    pub(crate) fn is_text(&self) -> bool {
        self.ops.iter().all(|op| matches!(op, Op::Text(_)))
    }

    /// Returns what it prints, in order; `input` must be the scanned batch.
    pub(crate) fn texts<'a>(&'a self, input: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let whole = self.whole(input);
        self.ops.iter().filter_map(move |op| match op {
            Op::Text(range) => whole.get(range.clone()),
            _ => None,
        })
    }

    /// Returns what the program said, in order.
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }
}

/// Returns the last character of a text that takes up room: no control character, and no mark on another.
fn last_printed(mut text: &[u8]) -> Option<char> {
    while let Some(start) = text.iter().rposition(|byte| !matches!(byte, 0x80..=0xbf)) {
        let (before, last) = text.split_at(start);
        let c = std::str::from_utf8(last).ok()?.chars().next()?;
        if c.width().is_some_and(|width| width > 0) {
            return Some(c);
        }
        text = before;
    }
    None
}

/// Collects a [`Scan`].
#[derive(Debug, Default)]
pub(crate) struct ScanBuilder {
    kept: Vec<Range<usize>>,
    /// Bytes that are not in the batch, and before which of the kept ranges they come.
    added: Vec<(usize, Box<[u8]>)>,
    ops: Vec<Op>,
    signals: Vec<Signal>,
    queries: bool,
    switched: bool,
    /// How many of the steps were searched for what was printed last.
    searched: usize,
    /// Bytes that REP has printed.
    repeated: usize,
}

impl ScanBuilder {
    /// Notes that viewers need a new picture.
    pub(crate) fn switch(&mut self) {
        self.switched = true;
    }

    /// Returns a builder with room for so many steps.
    pub(crate) fn with_room(ops: usize) -> Self {
        Self { ops: Vec::with_capacity(ops), ..Self::default() }
    }

    /// Forwards these bytes of the batch; ranges come in order.
    pub(crate) fn keep(&mut self, range: Range<usize>) {
        match self.kept.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.kept.push(range),
        }
    }

    /// Forwards bytes that are not in the batch.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.added.push((self.kept.len(), bytes.into()));
        // What is kept next comes behind it, wherever it lies.
        self.kept.push(0..0);
    }

    /// Text for the screen and for viewers.
    pub(crate) fn text(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.keep(range.clone());
        match self.ops.last_mut() {
            Some(Op::Text(last)) if last.end == range.start => last.end = range.end,
            _ => self.ops.push(Op::Text(range)),
        }
    }

    /// An escape sequence for the screen and for viewers.
    pub(crate) fn sequence(&mut self, range: Range<usize>) {
        self.keep(range.clone());
        self.ops.push(Op::Sequence(range));
    }

    /// Returns the last character that was printed since this was asked last; `input` is the batch as text.
    pub(crate) fn last_printed(&mut self, input: &[u8]) -> Option<char> {
        let steps = self.ops.get(self.searched..).unwrap_or_default();
        self.searched = self.ops.len();
        steps.iter().rev().find_map(|op| match op {
            Op::Text(range) => last_printed(input.get(range.clone()).unwrap_or_default()),
            _ => None,
        })
    }

    /// Bytes that REP has printed.
    pub(crate) fn repeated(&self) -> usize {
        self.repeated
    }

    /// Prints text that is not in the batch.
    pub(crate) fn repeat(&mut self, text: &str) {
        self.repeated += text.len();
        self.add(text.as_bytes());
        self.op(Op::Repeated(text.into()));
    }

    /// Adds a step.
    pub(crate) fn op(&mut self, op: Op) {
        self.queries |= matches!(op, Op::Query(_));
        self.ops.push(op);
    }

    /// Adds a signal at its place among the steps.
    pub(crate) fn tell(&mut self, signal: Signal) {
        self.ops.push(Op::Tell(self.signals.len()));
        self.signals.push(signal);
    }

    /// Adds a signal; a bell only once a batch.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if signal != Signal::Bell || !self.signals.contains(&Signal::Bell) {
            self.signals.push(signal);
        }
    }

    /// Finishes the batch, or what takes its place.
    pub(crate) fn finish(self, whole: Option<Vec<u8>>, batch: &[u8]) -> Scan {
        let input = whole.as_deref().unwrap_or(batch);
        let forward = match (self.added.is_empty(), self.kept.as_slice()) {
            (true, []) => Forward::Prefix(0),
            (true, [only]) if only.start == 0 => Forward::Prefix(only.end),
            (_, kept) => {
                let mut bytes = Vec::new();
                let mut added = self.added.iter().peekable();
                for (at, range) in kept.iter().enumerate() {
                    while let Some((_, other)) = added.next_if(|(before, _)| *before <= at) {
                        bytes.extend_from_slice(other);
                    }
                    bytes.extend_from_slice(input.get(range.clone()).unwrap_or_default());
                }
                Forward::Owned(bytes)
            }
        };
        let Self { ops, signals, queries, switched, .. } = self;
        Scan { whole, forward, ops, signals, queries, switched }
    }
}
