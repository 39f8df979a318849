//! A copy of a screen built from frames, from which others are brought up to date.
//!
//! The daemon keeps one for each watched runner: the supervisor sends every frame once, and
//! slower subscribers get the difference to what they saw last.

use super::vt::{self, Decoder, Sink};
use crate::domain::size::TerminalSize;

/// A screen built from frames.
pub struct Mirror {
    decoder: Decoder,
    size: TerminalSize,
}

/// What a mirror showed at one moment; about 32 bytes for each cell.
#[derive(Clone)]
pub struct MirrorState {
    screen: vt100::Screen,
    sink: Sink,
}

impl Mirror {
    /// Returns an empty mirror.
    pub fn new(size: TerminalSize) -> Self {
        Self { decoder: Decoder::new(size), size }
    }

    /// Applies one frame.
    pub fn feed(&mut self, frame: &[u8]) {
        self.decoder.process(frame);
    }

    /// Changes the size; the next frame of an encoder after a resize is a full one.
    pub fn resize(&mut self, size: TerminalSize) {
        self.decoder.resize(size);
        self.size = size;
    }

    /// The size.
    pub fn size(&self) -> TerminalSize {
        self.size
    }

    /// The window title.
    pub fn title(&self) -> &str {
        &self.decoder.callbacks().title
    }

    /// Returns the frame that shows everything, whatever was shown before.
    pub fn full(&self) -> Vec<u8> {
        let mut out = b"\x1bc".to_vec();
        out.extend_from_slice(self.decoder.screen().state_formatted().as_bytes());
        let sink = self.decoder.callbacks();
        vt::encode_extras(&sink.extras, &mut out);
        vt::encode_title(&sink.title, &mut out);
        out
    }

    /// Returns what is shown now, to compare with later.
    pub fn snapshot(&self) -> MirrorState {
        MirrorState {
            screen: self.decoder.screen().clone(),
            sink: self.decoder.callbacks().clone(),
        }
    }

    /// Returns the frame from an earlier state to now, empty if nothing has changed; a full one
    /// if the size has.
    pub fn diff(&self, since: &MirrorState) -> Vec<u8> {
        let screen = self.decoder.screen();
        if screen.size() != since.screen.size() {
            return self.full();
        }
        let mut out = screen.state_diff(&since.screen).into_bytes();
        let sink = self.decoder.callbacks();
        if sink.extras != since.sink.extras {
            vt::encode_extras(&sink.extras, &mut out);
        }
        if sink.title != since.sink.title {
            vt::encode_title(&sink.title, &mut out);
        }
        out
    }

    /// Returns the rows without trailing blanks.
    pub fn text(&self) -> Vec<String> {
        let rows = self.decoder.screen().rows(0, self.size.cols());
        rows.map(|row| row.trim_end_matches(' ').to_owned()).collect()
    }
}
