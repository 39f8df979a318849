//! Prints a terminal's whole state into another terminal.
//!
//! Nothing is assumed about the viewer: every mode is first reset, then set. A full reset (RIS)
//! is never used, it would wipe the viewer's own scrollback. The viewer may have another size:
//! rows are placed one by one with wrapping off, so that a smaller one clips.

use std::io::Write as _;

use alacritty_terminal::grid::Cursor;
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::{Cell, Flags, Hyperlink};
use alacritty_terminal::vte::ansi::{CharsetIndex, NamedColor, StandardCharset};

use super::answers::cursor_style_number;
use super::cluster::{EMOJI_SELECTOR, JOINER, may_join};
use super::joining::has_strangers;
use super::line::{Line, is_blank, shows_background, visible_len};
use super::modes::{MouseEncoding, MouseMode};
use super::screen::Screen;
use super::style::{Style, Tint};

/// Undoes whatever a program or an earlier snapshot has set, on the screen that is shown.
///
/// The cursor is saved round the resets that would move it. Popping more keyboard flags than
/// were pushed resets them; only the stack of the screen shown is reached.
macro_rules! resets {
    () => {
        concat!(
            "\x1b7\x1b[?6l\x1b[r\x1b8",
            "\x1b[!p",
            "\x1b[?1;5;9;66;1000;1001;1002;1003;1004;1005;1006;1015;1016;2004;2031;2048l",
            "\x1b[?7;25;1007h\x1b[4;20l\x1b>",
            "\x1b(B\x1b)B\x1b*B\x1b+B\x0f",
            "\x1b[0m\x1b]8;;\x1b\\\x1b[0 q\x1b[<255u\x1b[=0;1u\x1b[>4;0m"
        )
    };
}

/// Leaves the alternate screen; on the primary one the cursor stays where it is.
macro_rules! leave_alternate {
    () => {
        "\x1b[<255u\x1b7\x1b[?1049l"
    };
}

/// Undoes changes of colours.
macro_rules! colors {
    () => {
        "\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\"
    };
}

/// Puts a user's terminal back after any program: see [`super::Terminal::restore_sequence`].
pub(crate) const RESTORE: &str = concat!("\x1b[?2026l", leave_alternate!(), resets!(), colors!());

/// Gives a viewer its own colours back.
const COLORS: &str = colors!();

const PREPARE: &str = concat!("\x1b[?2026h", leave_alternate!(), resets!());

/// Returns the bytes that bring any terminal to this screen.
pub(crate) fn snapshot(screen: &Screen, history: usize) -> Vec<u8> {
    let mut out = PREPARE.as_bytes().to_vec();
    out.extend_from_slice(b"\x1b[H\x1b[J");
    print_history(screen, history, &mut out);
    out.extend_from_slice(b"\x1b[?7l");
    if let Some(primary) = &screen.tracker.primary {
        for (row, line) in primary.rows.iter().enumerate() {
            if !line.text.is_empty() {
                put(&mut out, format_args!("\x1b[{};1H", row + 1));
                line.write_styled(&mut out);
            }
        }
        keyboard(screen.tracker.other_keyboard.entries(), &mut out);
        out.extend_from_slice(b"\x1b[?7h");
        let saved = screen.tracker.other_saved;
        origin(saved.origin, &mut out);
        place_at(&primary.cursor, 0, primary.edge.as_ref(), &mut out);
        shift(saved.charset, &mut out);
        out.extend_from_slice(b"\x1b[?1049h\x1b[?6l\x1b[?7l\x1b[0m\x1b]8;;\x1b\\");
        out.extend_from_slice(b"\x1b(B\x1b)B\x1b*B\x1b+B\x0f\x1b[H\x1b[J");
    }
    finish(screen, &mut out);
    out
}

/// Returns the bytes that draw the visible screen on a terminal whose alternate screen is ours.
///
/// It begins by ending whatever sequence a viewer that lagged may be in the middle of.
pub(crate) fn picture(screen: &Screen) -> Vec<u8> {
    let mut out =
        concat!("\x1b\\\x1b[?2026h", resets!(), "\x1b[H\x1b[2J\x1b[?7l").as_bytes().to_vec();
    finish(screen, &mut out);
    out
}

/// Draws the visible screen, wrapping being off, and sets everything that goes with it.
fn finish(screen: &Screen, out: &mut Vec<u8>) {
    draw(screen, out);
    out.extend_from_slice(b"\x1b[?7h");
    keyboard(screen.tracker.keyboard.entries(), out);
    tabs(screen, out);
    cursors(screen, out);
    modes(screen, out);
    surroundings(screen, out);
    out.extend_from_slice(b"\x1b[?2026l");
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
}

/// Prints the newest rows of the history and scrolls them off.
fn print_history(screen: &Screen, history: usize, out: &mut Vec<u8>) {
    let count = history.min(screen.ring.len());
    if count == 0 {
        return;
    }
    screen.ring.read(screen.ring.len() - count, count, &mut |_, line: Line| {
        line.write_styled(out);
        // Joined rows wrap by themselves, at the viewer's width.
        if !line.wrapped {
            out.extend_from_slice(b"\r\n");
        }
        true
    });
    let rows = usize::from(screen.size.rows());
    put(out, format_args!("\r\x1b[{rows};1H"));
    out.extend(std::iter::repeat_n(b'\n', rows.min(count)));
    out.extend_from_slice(b"\x1b[H\x1b[J");
}

/// Changes style and link as little as needed while cells are printed.
#[derive(Default)]
struct Pen {
    style: Style,
    link: Option<Hyperlink>,
}

impl Pen {
    fn put(&mut self, cell: &Cell, out: &mut Vec<u8>) {
        // What a program gave a blank beside its background nobody sees, and it may be gone from one that was
        // erased: a picture says what is seen.
        let style = if shows_background(cell) {
            self.style.on_blank(Tint::of(cell.bg))
        } else {
            Style::of(cell)
        };
        let link = if is_blank(cell) { self.link.clone() } else { cell.hyperlink() };
        self.wear(style, link, out);
        out.extend_from_slice(shown(cell).encode_utf8(&mut [0; 4]).as_bytes());
        for mark in cell.zerowidth().unwrap_or_default() {
            out.extend_from_slice(mark.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    /// Takes over the cell's style and link.
    fn take(&mut self, cell: &Cell, out: &mut Vec<u8>) {
        self.wear(Style::of(cell), cell.hyperlink(), out);
    }

    fn wear(&mut self, style: Style, link: Option<Hyperlink>, out: &mut Vec<u8>) {
        if style != self.style {
            style.write_sgr(out);
            self.style = style;
        }
        if link != self.link {
            match &link {
                Some(link) => {
                    put(out, format_args!("\x1b]8;id={};{}\x1b\\", link.id(), link.uri()));
                }
                None => out.extend_from_slice(b"\x1b]8;;\x1b\\"),
            }
            self.link = link;
        }
    }
}

fn draw(screen: &Screen, out: &mut Vec<u8>) {
    let mut pen = Pen::default();
    for row in 0..usize::from(screen.size.rows()) {
        let cells = screen.row(row);
        let len = visible_len(cells);
        if len == 0 {
            continue;
        }
        put(out, format_args!("\x1b[{};1H", row + 1));
        let cells = cells.get(..len).unwrap_or_default();
        if has_strangers(cells) {
            draw_backwards(cells, row, &mut pen, out);
            continue;
        }
        for (col, cell) in cells.iter().enumerate() {
            if cell.flags.contains(Flags::WIDE_CHAR_SPACER) {
                continue;
            }
            pen.put(cell, out);
            // Terminals disagree on how wide a sequence is; what follows must not move.
            let next = col + if cell.flags.contains(Flags::WIDE_CHAR) { 2 } else { 1 };
            let marks = cell.zerowidth().unwrap_or_default();
            if next < len && marks.iter().any(|mark| is_ambiguous(*mark)) {
                put(out, format_args!("\x1b[{};{}H", row + 1, next + 1));
            }
        }
    }
    pen.take(&Cell::default(), out);
}

/// Draws a row in which a character would be joined to the one before it, from the right.
fn draw_backwards(cells: &[Cell], row: usize, pen: &mut Pen, out: &mut Vec<u8>) {
    for (col, cell) in cells.iter().enumerate().rev() {
        if !cell.flags.contains(Flags::WIDE_CHAR_SPACER) {
            put(out, format_args!("\x1b[{};{}H", row + 1, col + 1));
            pen.put(cell, out);
        }
    }
}

/// Whether terminals disagree on the width of a character with this one behind it.
fn is_ambiguous(mark: char) -> bool {
    matches!(mark, JOINER | EMOJI_SELECTOR) || may_join(mark)
}

fn keyboard(entries: &[u8], out: &mut Vec<u8>) {
    let mut entries = entries.iter();
    if let Some(base) = entries.next() {
        put(out, format_args!("\x1b[<255u\x1b[={base};1u"));
    }
    for flags in entries {
        put(out, format_args!("\x1b[>{flags}u"));
    }
}

fn tabs(screen: &Screen, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b[?5W");
    if screen.tracker.has_default_tabs() {
        return;
    }
    out.extend_from_slice(b"\x1b[3g");
    for (col, tab) in screen.tracker.tabs.iter().enumerate() {
        if *tab {
            put(out, format_args!("\x1b[1;{}H\x1bH", col + 1));
        }
    }
}

/// Moves to a cursor and takes over what it prints with; its row counts from `top`.
fn place(screen: &Screen, cursor: &Cursor<Cell>, top: usize, out: &mut Vec<u8>) {
    place_at(cursor, top, screen.edge(cursor).as_ref(), out);
}

/// The same, behind the cell that it has just filled at the right edge, if it has: to print that once
/// more is the only way to get a cursor there.
fn place_at(cursor: &Cursor<Cell>, top: usize, edge: Option<&(usize, Cell)>, out: &mut Vec<u8>) {
    let row = usize::try_from(cursor.point.line.0).unwrap_or(0).saturating_sub(top) + 1;
    let col = edge.map_or(cursor.point.column.0, |(col, _)| *col) + 1;
    put(out, format_args!("\x1b[{row};{col}H"));
    if let Some((_, cell)) = edge {
        out.extend_from_slice(b"\x1b[0m");
        let mut pen = Pen::default();
        pen.put(cell, out);
        pen.take(&Cell::default(), out);
    }
    dress(cursor, out);
}

/// Takes over style, link and character sets of a cursor.
fn dress(cursor: &Cursor<Cell>, out: &mut Vec<u8>) {
    let plain = Pen { style: Style { underline: u8::MAX, ..Style::default() }, link: None };
    { plain }.take(&cursor.template, out);
    if cursor.template.hyperlink().is_none() {
        out.extend_from_slice(b"\x1b]8;;\x1b\\");
    }
    for (index, name) in [
        (CharsetIndex::G0, b'('),
        (CharsetIndex::G1, b')'),
        (CharsetIndex::G2, b'*'),
        (CharsetIndex::G3, b'+'),
    ] {
        let graphics = cursor.charsets[index] != StandardCharset::Ascii;
        out.extend_from_slice(&[0x1b, name, if graphics { b'0' } else { b'B' }]);
    }
}

fn cursors(screen: &Screen, out: &mut Vec<u8>) {
    let grid = screen.term.grid();
    // Before the scroll region: it may have been saved outside of the one that is set by now.
    let saved = screen.tracker.saved;
    origin(saved.origin, out);
    place(screen, &grid.saved_cursor, 0, out);
    shift(saved.charset, out);
    out.extend_from_slice(b"\x1b7\x0f\x1b[0m\x1b]8;;\x1b\\\x1b(B");
    let (top, bottom) = screen.tracker.region;
    if (top, bottom) != (0, usize::from(screen.size.rows())) {
        put(out, format_args!("\x1b[{};{bottom}r", top + 1));
    }
    let now = screen.has(TermMode::ORIGIN);
    origin(now, out);
    place(screen, &grid.cursor, if now { top } else { 0 }, out);
    shift(screen.tracker.charset, out);
}

/// Lets places count from the scroll region, or no longer.
fn origin(on: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if on { b"\x1b[?6h" } else { b"\x1b[?6l" });
}

/// Takes the other character set into use.
fn shift(charset: CharsetIndex, out: &mut Vec<u8>) {
    if charset == CharsetIndex::G1 {
        out.push(b'\x0e');
    }
}

/// The character that a cell shows.
fn shown(cell: &Cell) -> char {
    if cell.c.is_control() { ' ' } else { cell.c }
}

fn modes(screen: &Screen, out: &mut Vec<u8>) {
    for (flag, set) in [
        (TermMode::INSERT, "\x1b[4h"),
        (TermMode::LINE_FEED_NEW_LINE, "\x1b[20h"),
        (TermMode::APP_CURSOR, "\x1b[?1h"),
        (TermMode::APP_KEYPAD, "\x1b="),
        (TermMode::FOCUS_IN_OUT, "\x1b[?1004h"),
        (TermMode::BRACKETED_PASTE, "\x1b[?2004h"),
    ] {
        if screen.has(flag) {
            out.extend_from_slice(set.as_bytes());
        }
    }
    for (flag, reset) in [
        (TermMode::LINE_WRAP, "\x1b[?7l"),
        (TermMode::ALTERNATE_SCROLL, "\x1b[?1007l"),
        (TermMode::SHOW_CURSOR, "\x1b[?25l"),
    ] {
        if !screen.has(flag) {
            out.extend_from_slice(reset.as_bytes());
        }
    }
    if screen.tracker.inverted {
        out.extend_from_slice(b"\x1b[?5h");
    }
    out.extend_from_slice(match screen.tracker.mouse {
        MouseMode::None => b"",
        MouseMode::X10 => b"\x1b[?9h",
        MouseMode::Click => b"\x1b[?1000h",
        MouseMode::Drag => b"\x1b[?1002h",
        MouseMode::Motion => b"\x1b[?1003h",
    });
    out.extend_from_slice(match screen.tracker.mouse_encoding {
        MouseEncoding::Default => b"",
        MouseEncoding::Utf8 => b"\x1b[?1005h",
        MouseEncoding::Sgr => b"\x1b[?1006h",
        MouseEncoding::SgrPixels => b"\x1b[?1016h",
    });
    put(out, format_args!("\x1b[{} q", cursor_style_number(screen)));
    put(out, format_args!("\x1b[>4;{}m", screen.tracker.modify_other_keys));
}

/// Title, directory and changed colours.
fn surroundings(screen: &Screen, out: &mut Vec<u8>) {
    if screen.tracker.titled {
        put(out, format_args!("\x1b]2;{}\x1b\\", screen.tracker.title));
    }
    if let Some(cwd) = &screen.tracker.cwd {
        out.extend_from_slice(b"\x1b]7;file://");
        for byte in cwd.bytes() {
            let plain = byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
            if plain {
                out.push(byte);
            } else {
                put(out, format_args!("%{byte:02X}"));
            }
        }
        out.extend_from_slice(b"\x1b\\");
    }
    if screen.tracker.recolored {
        out.extend_from_slice(COLORS.as_bytes());
    }
    let colors = screen.term.colors();
    for index in 0..256usize {
        if let Some(color) = colors[index] {
            put(out, format_args!("\x1b]4;{index};{color}\x1b\\"));
        }
    }
    for (code, role) in
        [(10, NamedColor::Foreground), (11, NamedColor::Background), (12, NamedColor::Cursor)]
    {
        if let Some(color) = colors[role] {
            put(out, format_args!("\x1b]{code};{color}\x1b\\"));
        }
    }
}
