//! The decoder of frames: a vt100 screen, with the title and modes that vt100 does not keep.

use std::num::NonZeroU16;

use super::cluster::EMOJI_SELECTOR;
use super::modes::{Modes, MouseEncoding, MouseMode};
use super::whole::Whole;
use crate::domain::size::TerminalSize;

/// The private command that carries modes vt100 has no notion of; see [`encode_extras`].
pub(crate) const EXTRAS: &str = "7950";

/// What the decoder learns beside the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sink {
    /// The window title.
    pub(crate) title: String,
    /// Only the fields vt100 lacks are meaningful.
    pub(crate) extras: Modes,
}

impl vt100::Callbacks for Sink {
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.title = String::from_utf8_lossy(title).into_owned();
    }

    fn unhandled_osc(&mut self, _: &mut vt100::Screen, params: &[&[u8]]) {
        if let [code, kitty, [alternate, focus, scroll]] = params
            && *code == EXTRAS.as_bytes()
        {
            let kitty = std::str::from_utf8(kitty).ok().and_then(|text| text.parse().ok());
            self.extras.kitty_flags = kitty.unwrap_or(0);
            self.extras.alternate = *alternate == b'1';
            self.extras.focus = *focus == b'1';
            self.extras.alternate_scroll = *scroll == b'1';
        }
    }
}

/// A screen that understands frames.
pub(crate) struct Decoder {
    parser: vt100::Parser<Sink>,
    whole: Whole,
}

impl Decoder {
    /// Returns an empty one.
    pub(crate) fn new(size: TerminalSize) -> Self {
        let (rows, cols) = dimensions(size);
        let parser = vt100::Parser::new_with_callbacks(rows, cols, 0, Sink::default());
        Self { parser, whole: Whole::default() }
    }

    /// Applies one frame.
    pub(crate) fn process(&mut self, frame: &[u8]) {
        let whole = self.whole.take(frame);
        let mut rest = whole.as_deref().unwrap_or(frame);
        let mut selector = [0; 4];
        let selector = EMOJI_SELECTOR.encode_utf8(&mut selector).as_bytes();
        while let Some(at) = memchr::memmem::find(rest, selector) {
            let (before, after) = rest.split_at(at);
            self.parser.process(before);
            // Behind a character in the last column it would have vt100 0.18 scroll while it draws, and
            // then panic. No room is left there for what it widens.
            if self.screen().cursor_position().1 < self.screen().size().1.get() {
                self.parser.process(selector);
            }
            rest = after.get(selector.len()..).unwrap_or_default();
        }
        self.parser.process(rest);
    }

    /// Changes the size.
    pub(crate) fn resize(&mut self, size: TerminalSize) {
        let (rows, cols) = dimensions(size);
        self.parser.screen_mut().set_size(rows, cols);
    }

    /// What is shown.
    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// The title and the modes that vt100 does not keep.
    pub(crate) fn callbacks(&self) -> &Sink {
        self.parser.callbacks()
    }
}

/// The size in the decoder's terms.
fn dimensions(size: TerminalSize) -> (NonZeroU16, NonZeroU16) {
    let positive = |n| NonZeroU16::new(n).unwrap_or(NonZeroU16::MIN);
    (positive(size.rows()), positive(size.cols()))
}

/// The modes of a decoded screen.
pub(crate) fn modes(decoder: &Decoder) -> Modes {
    let screen = decoder.screen();
    Modes {
        app_cursor: screen.application_cursor(),
        app_keypad: screen.application_keypad(),
        bracketed_paste: screen.bracketed_paste(),
        cursor_visible: !screen.hide_cursor(),
        mouse: match screen.mouse_protocol_mode() {
            vt100::MouseProtocolMode::None => MouseMode::None,
            vt100::MouseProtocolMode::Press => MouseMode::X10,
            vt100::MouseProtocolMode::PressRelease => MouseMode::Click,
            vt100::MouseProtocolMode::ButtonMotion => MouseMode::Drag,
            vt100::MouseProtocolMode::AnyMotion => MouseMode::Motion,
        },
        mouse_encoding: match screen.mouse_protocol_encoding() {
            vt100::MouseProtocolEncoding::Default => MouseEncoding::Default,
            vt100::MouseProtocolEncoding::Utf8 => MouseEncoding::Utf8,
            vt100::MouseProtocolEncoding::Sgr => MouseEncoding::Sgr,
        },
        ..decoder.callbacks().extras
    }
}

/// Appends the private command that carries the modes vt100 lacks.
pub(crate) fn encode_extras(modes: &Modes, out: &mut Vec<u8>) {
    let bit = |on: bool| if on { '1' } else { '0' };
    let bits = [modes.alternate, modes.focus, modes.alternate_scroll].map(bit);
    let bits: String = bits.iter().collect();
    out.extend_from_slice(format!("\x1b]{EXTRAS};{};{bits}\x07", modes.kitty_flags).as_bytes());
}

/// Appends the command that sets the title.
pub(crate) fn encode_title(title: &str, out: &mut Vec<u8>) {
    // The decoder takes a title with `;` for an unknown command.
    let title = title.replace(';', ",");
    out.extend_from_slice(format!("\x1b]2;{title}\x07").as_bytes());
}
