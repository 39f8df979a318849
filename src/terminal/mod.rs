//! Bytes in, screen out: everything Stratavore knows about terminals.
//!
//! A [`Terminal`] is fed what a program writes to its PTY. It keeps the screen, a compressed
//! history and the input modes, answers the program's queries, and can print itself into any
//! other terminal. This module does no I/O, knows no clock and starts no thread; the supervisor
//! owns the PTY, the daemon and the dashboard own the viewers.
//!
//! ```text
//! PTY output ─ scan ─┬─ forward ─────────▶ attached terminals (complete sequences, no queries)
//!                    ├─ signals ─────────▶ title, status, bell, directory, notifications
//!                    └─ apply ─ engine ──▶ screen, history ─┬─ snapshot ─▶ attach
//!                          └─ replies ───▶ PTY input        └─ frames ───▶ mirror ─▶ panes
//! ```
//!
//! Invariant: no input, however hostile, makes this module panic or hold more memory than its
//! limits allow. What leaves through `forward` always ends between two sequences and between two
//! characters, so a viewer may join after any batch.

mod answers;
mod bulk;
mod clip;
mod cluster;
mod deferred;
mod engine;
mod filter;
mod frames;
mod handler;
mod joining;
pub mod keys;
mod leave;
mod lexer;
mod line;
mod mirror;
mod modes;
mod osc;
mod pane;
pub mod paste;
mod picture;
mod query;
mod reports;
mod ring;
mod saved;
mod scan;
mod scanner;
mod screen;
mod sgr;
mod snapshot;
mod still;
mod style;
mod term;
mod tracker;
mod vt;
mod whole;

#[cfg(test)]
mod tests;

pub use clip::ClippedView;
pub use deferred::Deferred;
pub use filter::InputFilter;
pub use frames::FrameEncoder;
pub use leave::{LeaveKey, Typed};
pub use mirror::{Mirror, MirrorState};
pub use modes::{Modes, MouseEncoding, MouseMode};
pub use pane::Pane;
pub use picture::picture;
pub use scan::{Scan, Signal};
pub use still::Still;
pub use term::Terminal;

/// How much history a [`Terminal`] keeps; whichever limit is reached first drops the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Rows, as they were on the screen when they scrolled off.
    pub lines: usize,
    /// Bytes of memory, counted compressed.
    pub bytes: usize,
}

impl Default for HistoryLimits {
    /// 10 000 rows and 1 MiB: what fits the memory budget of an idle runner.
    fn default() -> Self {
        Self { lines: 10_000, bytes: 1 << 20 }
    }
}
