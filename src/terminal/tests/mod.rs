//! Tests of the module as a whole: tables of features and answers, recorded agents, properties.

mod agents;
mod corpus;
mod engine;
mod frames;
mod hostile;
mod probes;
mod queries;
mod snapshots;
mod visible;

use crate::domain::size::TerminalSize;
use crate::terminal::{HistoryLimits, Signal, Terminal};

/// Recorded sessions of real agents, from their first to their last byte.
pub(crate) const CAPTURES: [(&str, &[u8]); 5] = [
    ("claude-7501", include_bytes!("../../../tests/fixtures/terminal/claude-7501.raw")),
    ("claude-kitty", include_bytes!("../../../tests/fixtures/terminal/claude-kitty.raw")),
    ("codex-7501", include_bytes!("../../../tests/fixtures/terminal/codex-7501.raw")),
    ("codex-kitty", include_bytes!("../../../tests/fixtures/terminal/codex-kitty.raw")),
    ("opencode", include_bytes!("../../../tests/fixtures/terminal/opencode-tmux.raw")),
];

/// What came of feeding a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fed {
    pub(crate) forwarded: Vec<u8>,
    pub(crate) replies: Vec<u8>,
    pub(crate) signals: Vec<Signal>,
}

pub(crate) fn terminal(cols: u16, rows: u16) -> Terminal {
    Terminal::new(TerminalSize::new(cols, rows), HistoryLimits::default())
}

/// Feeds one batch.
pub(crate) fn feed_batch(terminal: &mut Terminal, batch: &[u8], fed: &mut Fed) {
    let scan = terminal.scan(batch);
    fed.forwarded.extend_from_slice(&scan.forward(batch));
    fed.signals.extend_from_slice(scan.signals());
    terminal.apply(batch, &scan, &mut fed.replies);
}

/// Feeds a stream in batches of one size.
pub(crate) fn feed(terminal: &mut Terminal, bytes: &[u8], batch: usize) -> Fed {
    let mut fed = Fed::default();
    for piece in bytes.chunks(batch.max(1)) {
        feed_batch(terminal, piece, &mut fed);
    }
    fed
}

/// Feeds a string at once into a new 20×5 terminal.
pub(crate) fn shown(text: &str) -> Terminal {
    let mut terminal = terminal(20, 5);
    feed(&mut terminal, text.as_bytes(), usize::MAX);
    terminal
}

#[test]
fn terminals_may_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Terminal>();
    is_send::<crate::terminal::Mirror>();
    is_send::<crate::terminal::Pane>();
}
