//! Frames: the visible screen as a stream of differences, for panes and remote viewers.
//!
//! Only a small part of ANSI is used, the part vt100 decodes without loss: CUP, SGR with `;`,
//! EL, text, RIS before a full frame, cursor visibility, input modes, the title, and one private
//! command for the modes vt100 does not know. Curly underlines become plain ones, struck and
//! blinking text is plain, hidden text blank, of joined emoji the first is shown. A frame that begins
//! with RIS needs no other.

use std::io::Write as _;

use super::cluster::glyphs;
use super::line::{Line, LineEncoder};
use super::modes::{Modes, MouseEncoding, MouseMode};
use super::style::Style;
use super::term::Terminal;
use super::vt;
use crate::domain::size::TerminalSize;

/// A row without text as the [`LineEncoder`] writes it.
const BLANK_ROW: [u8; 2] = [0, 0];

/// Makes the frames of one subscriber and remembers what it has sent.
///
/// A row is kept in the history's compact form, so an encoder costs a few kilobytes.
#[derive(Debug, Default)]
pub struct FrameEncoder {
    sent: Option<Sent>,
    encoder: LineEncoder,
}

#[derive(Debug)]
struct Sent {
    size: TerminalSize,
    rows: Vec<Vec<u8>>,
    cursor: (u16, u16),
    modes: Modes,
    title: String,
}

impl FrameEncoder {
    /// Returns an encoder whose first frame is a full one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what was sent: the next frame is a full one.
    pub fn reset(&mut self) {
        self.sent = None;
    }

    /// Returns the frame that brings a viewer from the last one to the screen as it is now, or
    /// `None` when nothing has changed.
    pub fn encode(&mut self, terminal: &Terminal) -> Option<Vec<u8>> {
        let size = terminal.size();
        let mut out = Vec::new();
        let same_size =
            |sent: &Sent| (sent.size.cols(), sent.size.rows()) == (size.cols(), size.rows());
        let mut sent = self.sent.take().filter(same_size).unwrap_or_else(|| {
            out.extend_from_slice(b"\x1bc");
            Sent {
                size,
                rows: vec![BLANK_ROW.to_vec(); usize::from(size.rows())],
                cursor: (0, 0),
                modes: Modes { cursor_visible: true, ..Modes::default() },
                title: String::new(),
            }
        });
        let full = !out.is_empty();
        self.rows(terminal, &mut sent, &mut out);
        let drawn = !out.is_empty();
        let cursor = terminal.cursor();
        if drawn || cursor != sent.cursor {
            put(&mut out, format_args!("\x1b[{};{}H", cursor.0 + 1, cursor.1 + 1));
        }
        let modes = terminal.modes();
        encode_modes(&sent.modes, &modes, full, &mut out);
        if full || terminal.title() != sent.title {
            vt::encode_title(terminal.title(), &mut out);
            terminal.title().clone_into(&mut sent.title);
        }
        sent.cursor = cursor;
        sent.modes = modes;
        self.sent = Some(sent);
        (!out.is_empty()).then_some(out)
    }

    fn rows(&mut self, terminal: &Terminal, sent: &mut Sent, out: &mut Vec<u8>) {
        let mut now = Vec::new();
        for (row, before) in sent.rows.iter_mut().enumerate() {
            now.clear();
            self.encoder.encode(terminal.screen().row(row), &mut now);
            if now == *before {
                continue;
            }
            let old = Line::decode(&mut before.as_slice()).unwrap_or_default();
            let new = Line::decode(&mut now.as_slice()).unwrap_or_default();
            encode_row(row, &old, &new, usize::from(sent.size.cols()), out);
            before.clone_from(&now);
        }
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
}

/// Returns how many leading cells two rows share, and the column after them.
fn common_start(old: &Line, new: &Line) -> (usize, usize) {
    let pairs = glyphs(old).zip(glyphs(new)).take_while(|(before, after)| before == after);
    pairs.fold((0, 0), |(count, column), (glyph, _)| (count + 1, column + glyph.width))
}

fn encode_row(row: usize, old: &Line, new: &Line, cols: usize, out: &mut Vec<u8>) {
    let (shared, column) = common_start(old, new);
    let old_end: usize = glyphs(old).map(|glyph| glyph.width).sum();
    let mut col = column;
    let mut style = Style::default();
    if column < cols {
        put(out, format_args!("\x1b[{};{}H", row + 1, column + 1));
    }
    for glyph in glyphs(new).skip(shared) {
        if col + glyph.width > cols {
            break;
        }
        if glyph.style != style {
            glyph.style.write_sgr(out);
            style = glyph.style;
        }
        glyph.write(out);
        col += glyph.width;
    }
    if style != Style::default() {
        out.extend_from_slice(b"\x1b[m");
    }
    if col < old_end && col < cols {
        out.extend_from_slice(b"\x1b[K");
    }
}

fn encode_modes(before: &Modes, now: &Modes, full: bool, out: &mut Vec<u8>) {
    for (was, is, mode) in [
        (before.app_cursor, now.app_cursor, 1),
        (before.bracketed_paste, now.bracketed_paste, 2004),
        (before.cursor_visible, now.cursor_visible, 25),
    ] {
        if was != is {
            put(out, format_args!("\x1b[?{mode}{}", if is { 'h' } else { 'l' }));
        }
    }
    if before.app_keypad != now.app_keypad {
        out.extend_from_slice(if now.app_keypad { b"\x1b=" } else { b"\x1b>" });
    }
    let mouse = |mode: MouseMode| match mode {
        MouseMode::None => None,
        MouseMode::X10 => Some(9),
        MouseMode::Click => Some(1000),
        MouseMode::Drag => Some(1002),
        MouseMode::Motion => Some(1003),
    };
    let encoding = |encoding: MouseEncoding| match encoding {
        MouseEncoding::Default => None,
        MouseEncoding::Utf8 => Some(1005),
        // A pane knows cells, not pixels.
        MouseEncoding::Sgr | MouseEncoding::SgrPixels => Some(1006),
    };
    encode_choice(mouse(before.mouse), mouse(now.mouse), out);
    encode_choice(encoding(before.mouse_encoding), encoding(now.mouse_encoding), out);
    let extras =
        |modes: &Modes| (modes.kitty_flags, modes.alternate, modes.focus, modes.alternate_scroll);
    if full || extras(before) != extras(now) {
        vt::encode_extras(now, out);
    }
}

fn encode_choice(before: Option<u16>, now: Option<u16>, out: &mut Vec<u8>) {
    if before == now {
        return;
    }
    if let Some(mode) = before {
        put(out, format_args!("\x1b[?{mode}l"));
    }
    if let Some(mode) = now {
        put(out, format_args!("\x1b[?{mode}h"));
    }
}
