//! A screen as SVG: a rectangle for each stretch of background, a text for each stretch of one look.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

/// A cell in pixels, and its letters.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 18.0;
const FONT: f32 = 14.0;
/// From the top of a cell to the base line of its letters.
const BASE: f32 = 13.5;
/// Around the screen.
const MARGIN: f32 = 12.0;

const BACKGROUND: (u8, u8, u8) = (0x16, 0x18, 0x1d);
const FOREGROUND: (u8, u8, u8) = (0xd6, 0xd9, 0xde);

/// The first sixteen colours.
const PALETTE: [(u8, u8, u8); 16] = [
    (0x2a, 0x2e, 0x36),
    (0xe0, 0x6c, 0x75),
    (0x8f, 0xc9, 0x78),
    (0xe5, 0xc0, 0x7b),
    (0x6c, 0xac, 0xf0),
    (0xc6, 0x84, 0xdd),
    (0x5c, 0xc0, 0xcc),
    (0xc5, 0xc9, 0xd0),
    (0x6a, 0x71, 0x7d),
    (0xf0, 0x85, 0x8d),
    (0xa9, 0xdc, 0x93),
    (0xf2, 0xd3, 0x96),
    (0x8c, 0xc2, 0xfa),
    (0xd8, 0x9f, 0xec),
    (0x7f, 0xd6, 0xe0),
    (0xf2, 0xf4, 0xf7),
];

/// How a cell looks.
#[derive(Clone, Copy, PartialEq)]
struct Look {
    ink: (u8, u8, u8),
    paper: (u8, u8, u8),
    is_bold: bool,
    is_italic: bool,
    is_underlined: bool,
}

/// Draws a screen.
pub(crate) fn draw(screen: &Screen) -> String {
    let (rows, columns) = size(screen);
    let (width, height) =
        (f32::from(columns) * WIDTH + 2.0 * MARGIN, f32::from(rows) * HEIGHT + 2.0 * MARGIN);
    let mut out = String::new();
    // Writing to a string cannot fail.
    write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"ui-monospace, 'JetBrains Mono', \
         'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"{FONT}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n",
        hex(BACKGROUND)
    )
    .ok();
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            column += stretch(screen, row, column, &mut out);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Draws the cells from here that look alike; returns how many columns they take.
fn stretch(screen: &Screen, row: u16, column: u16, out: &mut String) -> u16 {
    let (_, columns) = size(screen);
    let look = look_at(screen, row, column);
    let mut text = String::new();
    let mut length = 0;
    while column + length < columns && look_at(screen, row, column + length) == look {
        let cell = screen.cell(row, column + length);
        let shown = cell.map(Cell::contents).filter(|shown| !shown.is_empty()).unwrap_or(" ");
        let wide = cell.is_some_and(Cell::is_wide);
        // What is not a letter is drawn alone: fonts differ most in the width of those.
        let alone = wide || !shown.is_ascii();
        if alone && length > 0 {
            break;
        }
        text.push_str(shown);
        length += if wide { 2 } else { 1 };
        if alone {
            break;
        }
    }
    let (x, y) = (MARGIN + f32::from(column) * WIDTH, MARGIN + f32::from(row) * HEIGHT);
    let width = f32::from(length) * WIDTH;
    if look.paper != BACKGROUND {
        let paper = hex(look.paper);
        writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{HEIGHT}\" fill=\"{paper}\"/>"
        )
        .ok();
    }
    let trimmed = text.trim_end();
    if trimmed.is_empty() {
        return length;
    }
    let lead = text.len() - text.trim_start().len();
    let (shown, x) = (trimmed.trim_start(), x + offset(lead));
    let mut style = String::new();
    for (is, attribute) in [
        (look.is_bold, " font-weight=\"bold\""),
        (look.is_italic, " font-style=\"italic\""),
        (look.is_underlined, " text-decoration=\"underline\""),
    ] {
        style.push_str(if is { attribute } else { "" });
    }
    let width = if shown.is_ascii() { offset(shown.len()) } else { width };
    let escaped = shown.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{}\"{style} textLength=\"{width:.1}\" \
         lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\">{escaped}</text>",
        y + BASE,
        hex(look.ink)
    )
    .ok();
    length
}

/// Rows and columns.
fn size(screen: &Screen) -> (u16, u16) {
    let (rows, columns) = screen.size();
    (rows.get(), columns.get())
}

/// The width of so many cells.
fn offset(cells: usize) -> f32 {
    f32::from(u16::try_from(cells).unwrap_or(u16::MAX)) * WIDTH
}

fn look_at(screen: &Screen, row: u16, column: u16) -> Look {
    let plain = Look {
        ink: FOREGROUND,
        paper: BACKGROUND,
        is_bold: false,
        is_italic: false,
        is_underlined: false,
    };
    let Some(cell) = screen.cell(row, column) else { return plain };
    let (mut ink, mut paper) = (rgb(cell.fgcolor(), FOREGROUND), rgb(cell.bgcolor(), BACKGROUND));
    if cell.inverse() {
        std::mem::swap(&mut ink, &mut paper);
    }
    if cell.dim() {
        ink = between(ink, paper);
    }
    Look {
        ink,
        paper,
        is_bold: cell.bold(),
        is_italic: cell.italic(),
        is_underlined: cell.underline(),
    }
}

/// Two parts of the first colour and one of the second.
fn between(one: (u8, u8, u8), other: (u8, u8, u8)) -> (u8, u8, u8) {
    let mix = |a: u8, b: u8| u8::try_from((u16::from(a) * 5 + u16::from(b) * 4) / 9).unwrap_or(a);
    (mix(one.0, other.0), mix(one.1, other.1), mix(one.2, other.2))
}

fn rgb(color: Color, default: (u8, u8, u8)) -> (u8, u8, u8) {
    let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    match color {
        Color::Default => default,
        Color::Rgb(r, g, b) => (r, g, b),
        Color::Idx(index @ 0..16) => PALETTE.get(usize::from(index)).copied().unwrap_or(default),
        Color::Idx(index @ 16..232) => {
            let index = index - 16;
            (level(index / 36), level(index / 6 % 6), level(index % 6))
        }
        Color::Idx(index) => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}

fn hex((r, g, b): (u8, u8, u8)) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
