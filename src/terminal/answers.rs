//! Answers to a program's questions, from our own state.
//!
//! Nothing a program wrote is ever echoed back unchecked: an answer is typed into the program,
//! and a crafted one would be typed into the shell that comes after it.

use std::io::Write as _;

use alacritty_terminal::term::TermMode;
use alacritty_terminal::vte::ansi::{CursorShape, NamedColor};

use super::modes::{MouseEncoding, MouseMode};
use super::query::Query;
use super::reports::hex_byte;
use super::screen::Screen;
use super::style::Style;

/// VT220 with ANSI colour. No 4, there is no sixel; no 52, the clipboard cannot be read.
const PRIMARY: &[u8] = b"\x1b[?62;22c";
/// What programs see as the terminal's name; some choose features by it.
const NAME: &str = concat!("stratavore(", env!("CARGO_PKG_VERSION"), ")");
/// Cell size assumed while the viewer's is unknown, so that programs do not divide by zero.
const CELL_PIXELS: (u32, u32) = (8, 16);

/// The viewer's default colours, for programs that adapt to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DefaultColors {
    /// Text.
    pub(crate) foreground: (u8, u8, u8),
    /// Behind it.
    pub(crate) background: (u8, u8, u8),
}

impl Default for DefaultColors {
    /// Light grey on nearly black: most programmers' terminals are dark.
    fn default() -> Self {
        Self { foreground: (0xd0, 0xd0, 0xd0), background: (0x10, 0x10, 0x10) }
    }
}

impl DefaultColors {
    fn is_dark(self) -> bool {
        let (r, g, b) = self.background;
        // Rec. 601 weights, in thousandths.
        u32::from(r) * 299 + u32::from(g) * 587 + u32::from(b) * 114 < 128_000
    }
}

/// Appends the answer to one question, or nothing where silence is the answer.
pub(crate) fn answer(screen: &Screen, colors: DefaultColors, query: &Query, out: &mut Vec<u8>) {
    match query {
        Query::PrimaryAttributes => out.extend_from_slice(PRIMARY),
        Query::SecondaryAttributes => out.extend_from_slice(b"\x1b[>1;10;0c"),
        Query::TertiaryAttributes => out.extend_from_slice(b"\x1bP!|00000000\x1b\\"),
        Query::Version => put(out, format_args!("\x1bP>|{NAME}\x1b\\")),
        Query::Status => out.extend_from_slice(b"\x1b[0n"),
        Query::CursorPosition(private) => cursor_position(screen, *private, out),
        Query::ColorScheme => {
            put(out, format_args!("\x1b[?997;{}n", if colors.is_dark() { 1 } else { 2 }));
        }
        Query::AnsiMode(mode) => {
            let state = ansi_mode(screen, *mode);
            put(out, format_args!("\x1b[{mode};{state}$y"));
        }
        Query::PrivateMode(mode) => {
            let state = private_mode(screen, *mode);
            put(out, format_args!("\x1b[?{mode};{state}$y"));
        }
        Query::KittyFlags => put(out, format_args!("\x1b[?{}u", screen.tracker.keyboard.flags())),
        Query::ModifyOtherKeys => {
            put(out, format_args!("\x1b[>4;{}m", screen.tracker.modify_other_keys));
        }
        Query::WindowSize(what) => window_size(screen, *what, out),
        Query::Palette(indexes, bell) => {
            for index in indexes {
                let color = palette(screen, *index);
                put(out, format_args!("\x1b]4;{index};"));
                put_color(color, *bell, out);
            }
        }
        Query::DynamicColors(codes, bell) => {
            for code in codes {
                let Some(color) = dynamic_color(screen, colors, *code) else {
                    continue;
                };
                put(out, format_args!("\x1b]{code};"));
                put_color(color, *bell, out);
            }
        }
        Query::Clipboard(selection, bell) => clipboard(selection, *bell, out),
        Query::Capabilities(names) => {
            for name in names {
                capability(name, out);
            }
        }
        Query::Setting(setting) => self::setting(screen, setting, out),
        Query::ProgramStatus(bell) => {
            out.extend_from_slice(b"\x1b]7501;?");
            terminate(*bell, out);
        }
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
}

fn terminate(bell: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if bell { b"\x07" } else { b"\x1b\\" });
}

fn put_color((r, g, b): (u8, u8, u8), bell: bool, out: &mut Vec<u8>) {
    put(out, format_args!("rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}"));
    terminate(bell, out);
}

fn cursor_position(screen: &Screen, private: bool, out: &mut Vec<u8>) {
    let (row, col) = screen.cursor();
    let top = if screen.has(TermMode::ORIGIN) { screen.tracker.region.0 } else { 0 };
    let (row, col) = (row.saturating_sub(top) + 1, col + 1);
    let mark = if private { "?" } else { "" };
    put(out, format_args!("\x1b[{mark}{row};{col}R"));
}

/// The state of a mode as DECRPM says it: 0 unknown, 1 set, 2 reset.
fn state(on: bool) -> u8 {
    if on { 1 } else { 2 }
}

fn ansi_mode(screen: &Screen, mode: u16) -> u8 {
    match mode {
        4 => state(screen.has(TermMode::INSERT)),
        20 => state(screen.has(TermMode::LINE_FEED_NEW_LINE)),
        _ => 0,
    }
}

fn private_mode(screen: &Screen, mode: u16) -> u8 {
    let tracker = &screen.tracker;
    let flag = match mode {
        1 => TermMode::APP_CURSOR,
        6 => TermMode::ORIGIN,
        7 => TermMode::LINE_WRAP,
        25 => TermMode::SHOW_CURSOR,
        47 | 1047 | 1049 => TermMode::ALT_SCREEN,
        66 => TermMode::APP_KEYPAD,
        1004 => TermMode::FOCUS_IN_OUT,
        1007 => TermMode::ALTERNATE_SCROLL,
        2004 => TermMode::BRACKETED_PASTE,
        5 => return state(tracker.inverted),
        9 => return state(tracker.mouse == MouseMode::X10),
        12 => return state(tracker.cursor_style.is_some_and(|style| style.blinking)),
        1000 => return state(tracker.mouse == MouseMode::Click),
        1002 => return state(tracker.mouse == MouseMode::Drag),
        1003 => return state(tracker.mouse == MouseMode::Motion),
        1005 => return state(tracker.mouse_encoding == MouseEncoding::Utf8),
        1006 => return state(tracker.mouse_encoding == MouseEncoding::Sgr),
        1016 => return state(tracker.mouse_encoding == MouseEncoding::SgrPixels),
        1048 => return 1,
        2026 => return state(tracker.sync),
        _ => return 0,
    };
    state(screen.has(flag))
}

fn window_size(screen: &Screen, what: u16, out: &mut Vec<u8>) {
    let size = screen.size;
    let (cols, rows) = (u32::from(size.cols()), u32::from(size.rows()));
    let pixels = |all: u16, cells: u32, cell: u32| {
        if all == 0 { cells * cell } else { u32::from(all) }
    };
    let width = pixels(size.x_pixels(), cols, CELL_PIXELS.0);
    let height = pixels(size.y_pixels(), rows, CELL_PIXELS.1);
    match what {
        14 => put(out, format_args!("\x1b[4;{height};{width}t")),
        16 => put(out, format_args!("\x1b[6;{};{}t", height / rows, width / cols)),
        _ => put(out, format_args!("\x1b[8;{rows};{cols}t")),
    }
}

fn overridden(screen: &Screen, index: usize) -> Option<(u8, u8, u8)> {
    screen.term.colors()[index].map(|color| (color.r, color.g, color.b))
}

fn palette(screen: &Screen, index: u8) -> (u8, u8, u8) {
    /// The colours of xterm, which programs expect when they cannot ask.
    const BASE: [(u8, u8, u8); 16] = [
        (0x00, 0x00, 0x00),
        (0xcd, 0x00, 0x00),
        (0x00, 0xcd, 0x00),
        (0xcd, 0xcd, 0x00),
        (0x00, 0x00, 0xee),
        (0xcd, 0x00, 0xcd),
        (0x00, 0xcd, 0xcd),
        (0xe5, 0xe5, 0xe5),
        (0x7f, 0x7f, 0x7f),
        (0xff, 0x00, 0x00),
        (0x00, 0xff, 0x00),
        (0xff, 0xff, 0x00),
        (0x5c, 0x5c, 0xff),
        (0xff, 0x00, 0xff),
        (0x00, 0xff, 0xff),
        (0xff, 0xff, 0xff),
    ];
    if let Some(color) = overridden(screen, usize::from(index)) {
        return color;
    }
    if let Some(color) = BASE.get(usize::from(index)) {
        return *color;
    }
    if index >= 232 {
        let grey = 8 + (index - 232) * 10;
        return (grey, grey, grey);
    }
    let cube = index - 16;
    let level = |part: u8| if part == 0 { 0 } else { 55 + part * 40 };
    (level(cube / 36), level(cube / 6 % 6), level(cube % 6))
}

fn dynamic_color(screen: &Screen, colors: DefaultColors, code: u8) -> Option<(u8, u8, u8)> {
    let (role, default) = match code {
        10 => (NamedColor::Foreground, colors.foreground),
        11 => (NamedColor::Background, colors.background),
        12 => (NamedColor::Cursor, colors.foreground),
        _ => return None,
    };
    Some(overridden(screen, role as usize).unwrap_or(default))
}

/// An empty clipboard: reading it is denied, and silence would make programs wait.
fn clipboard(selection: &[u8], bell: bool, out: &mut Vec<u8>) {
    let known = |byte: &&u8| b"cpqs01234567".contains(byte);
    out.extend_from_slice(b"\x1b]52;");
    out.extend(selection.iter().filter(known));
    out.push(b';');
    terminate(bell, out);
}

fn capability(name: &[u8], out: &mut Vec<u8>) {
    /// A terminfo name in hexadecimal is never longer.
    const MOST_DIGITS: usize = 64;
    let decoded: Option<Vec<u8>> = name.chunks(2).map(hex_byte).collect();
    let Some(decoded) =
        decoded.filter(|_| name.len() <= MOST_DIGITS && name.len().is_multiple_of(2))
    else {
        out.extend_from_slice(b"\x1bP0+r\x1b\\");
        return;
    };
    let value = match decoded.as_slice() {
        b"TN" | b"name" => "xterm-256color",
        b"Co" | b"colors" => "256",
        b"RGB" => "8/8/8",
        b"Tc" | b"Su" | b"fullkbd" => "",
        b"Smulx" => "\x1b[4:%p1%dm",
        b"Ms" => "\x1b]52;%p1%s;%p2%s\x1b\\",
        b"Ss" => "\x1b[%p1%d q",
        b"Se" => "\x1b[0 q",
        b"Sync" => "\x1b[?2026%?%p1%{1}%-%tl%eh%;",
        _ => {
            put(out, format_args!("\x1bP0+r{}\x1b\\", String::from_utf8_lossy(name)));
            return;
        }
    };
    put(out, format_args!("\x1bP1+r{}", String::from_utf8_lossy(name)));
    if !value.is_empty() {
        out.push(b'=');
    }
    for byte in value.bytes() {
        put(out, format_args!("{byte:02X}"));
    }
    out.extend_from_slice(b"\x1b\\");
}

fn setting(screen: &Screen, setting: &[u8], out: &mut Vec<u8>) {
    let mut value = Vec::new();
    match setting {
        b"m" => {
            Style::of(&screen.term.grid().cursor.template).write_sgr(&mut value);
            value.drain(..2);
        }
        b"r" => {
            let (top, bottom) = screen.tracker.region;
            put(&mut value, format_args!("{};{bottom}r", top + 1));
        }
        b" q" => put(&mut value, format_args!("{} q", cursor_style_number(screen))),
        b"\"p" => value.extend_from_slice(b"62;1\"p"),
        b"\"q" => value.extend_from_slice(b"0\"q"),
        _ => {
            out.extend_from_slice(b"\x1bP0$r\x1b\\");
            return;
        }
    }
    out.extend_from_slice(b"\x1bP1$r");
    out.extend_from_slice(&value);
    out.extend_from_slice(b"\x1b\\");
}

/// The parameter of DECSCUSR that selects the cursor in use.
pub(crate) fn cursor_style_number(screen: &Screen) -> u8 {
    let Some(style) = screen.tracker.cursor_style else {
        return 0;
    };
    let steady = match style.shape {
        CursorShape::Underline => 4,
        CursorShape::Beam => 6,
        _ => 2,
    };
    steady - u8::from(style.blinking)
}
