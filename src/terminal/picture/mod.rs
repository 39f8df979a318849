//! A screen as a picture: for people who are far from any terminal.
//!
//! Letters are those of Noto Sans Mono, in two weights and one size; what a terminal is drawn with
//! (lines, blocks, dots, arrows) is drawn here, so that it joins; of what is left an empty box says
//! that something stands there. Invariant: any screen has a picture of bounded size.

mod glyph;
mod png;

use self::glyph::{HEIGHT, WIDTH};
use super::vt::Decoder;
use crate::domain::size::TerminalSize;

/// Rows and columns that are drawn at most.
const MOST_ROWS: u16 = 100;
const MOST_COLS: u16 = 250;

/// Around the screen.
const MARGIN: usize = 10;

/// A colour.
pub(super) type Rgb = [u8; 3];

/// What a terminal has without a colour of its own.
const FOREGROUND: Rgb = [0xd8, 0xde, 0xe9];
const BACKGROUND: Rgb = [0x16, 0x1a, 0x21];

/// The sixteen colours by name.
const NAMED: [Rgb; 16] = [
    [0x2e, 0x34, 0x40],
    [0xe0, 0x6c, 0x75],
    [0x98, 0xc3, 0x79],
    [0xe5, 0xc0, 0x7b],
    [0x61, 0xaf, 0xef],
    [0xc6, 0x78, 0xdd],
    [0x56, 0xb6, 0xc2],
    [0xc8, 0xcd, 0xd5],
    [0x7a, 0x82, 0x90],
    [0xff, 0x7b, 0x85],
    [0xb5, 0xe8, 0x90],
    [0xff, 0xd7, 0x8a],
    [0x7c, 0xc4, 0xff],
    [0xdd, 0x94, 0xf2],
    [0x6f, 0xd3, 0xdf],
    [0xff, 0xff, 0xff],
];

/// Returns what a frame shows that repaints everything, as PNG.
pub fn picture(frame: &[u8], size: TerminalSize) -> Vec<u8> {
    let mut decoder = Decoder::new(size);
    decoder.process(frame);
    let screen = decoder.screen();
    let cols = size.cols().min(MOST_COLS);
    // What was written last is what counts.
    let used = (0..size.rows()).rev().find(|row| {
        (0..cols).any(|col| {
            let cell = screen.cell(*row, col);
            cell.is_some_and(|cell| !cell.contents().trim().is_empty())
        })
    });
    let last = used.map_or(1, |row| row + 1);
    let first = last.saturating_sub(MOST_ROWS);
    let mut canvas = Canvas::new(usize::from(cols), usize::from(last - first));
    let cursor = (!screen.hide_cursor()).then(|| screen.cursor_position());
    for row in first..last {
        for col in 0..cols {
            let Some(cell) = screen.cell(row, col) else { continue };
            if cell.is_wide_continuation() {
                continue;
            }
            let (mut fg, mut bg) =
                (colour(cell.fgcolor(), FOREGROUND), colour(cell.bgcolor(), BACKGROUND));
            if cell.inverse() != (cursor == Some((row, col))) {
                (fg, bg) = (bg, fg);
            }
            if cell.dim() {
                fg = mix(bg, fg, 150);
            }
            let wide = if cell.is_wide() { 2 } else { 1 };
            let place = (usize::from(col) * WIDTH, usize::from(row - first) * HEIGHT);
            canvas.fill(place, (WIDTH * wide, HEIGHT), bg);
            let c = cell.contents().chars().next().unwrap_or(' ');
            glyph::draw(c, cell.bold(), wide, |x, y, weight| {
                canvas.put((place.0 + x, place.1 + y), mix(bg, fg, weight));
            });
            if cell.underline() {
                canvas.fill((place.0, place.1 + HEIGHT - 2), (WIDTH * wide, 1), fg);
            }
        }
    }
    png::encode(canvas.width, canvas.height, &canvas.pixels)
}

struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    fn new(cols: usize, rows: usize) -> Self {
        let (width, height) = (cols * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN);
        Self { width, height, pixels: BACKGROUND.repeat(width * height) }
    }

    /// Colours a pixel; the margin has no coordinates.
    fn put(&mut self, (x, y): (usize, usize), colour: Rgb) {
        if x + MARGIN >= self.width || y + MARGIN >= self.height {
            return;
        }
        let at = ((y + MARGIN) * self.width + x + MARGIN) * 3;
        if let Some(pixel) = self.pixels.get_mut(at..at + 3) {
            pixel.copy_from_slice(&colour);
        }
    }

    fn fill(&mut self, (left, top): (usize, usize), (width, height): (usize, usize), colour: Rgb) {
        for y in top..top + height {
            for x in left..left + width {
                self.put((x, y), colour);
            }
        }
    }
}

/// Returns a colour so far from the first to the second, 0…255.
fn mix(from: Rgb, to: Rgb, weight: u8) -> Rgb {
    let weight = u16::from(weight);
    let part = |a: u8, b: u8| {
        let sum = u16::from(a) * (255 - weight) + u16::from(b) * weight;
        u8::try_from(sum / 255).unwrap_or(u8::MAX)
    };
    let mut mixed = from;
    mixed.iter_mut().zip(to).for_each(|(part_of, to)| *part_of = part(*part_of, to));
    mixed
}

fn colour(colour: vt100::Color, default: Rgb) -> Rgb {
    match colour {
        vt100::Color::Default => default,
        vt100::Color::Rgb(r, g, b) => [r, g, b],
        vt100::Color::Idx(index) => match index {
            0..16 => NAMED.get(usize::from(index)).copied().unwrap_or(default),
            16..232 => {
                let level = |step: u8| if step == 0 { 0 } else { 55 + step * 40 };
                let cube = index - 16;
                [level(cube / 36), level(cube / 6 % 6), level(cube % 6)]
            }
            232.. => [8 + (index - 232) * 10; 3],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the size that a PNG has by its own word.
    fn size_of(png: &[u8]) -> (u32, u32) {
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        (number(16), number(20))
    }

    #[test]
    fn any_screen_has_a_picture_of_its_size() {
        let frame = "\x1bc\x1b[31mred\x1b[m ┌─┐ █ ⠋ 日本 ❯ é\r\nsecond\x1b[7m inverse";
        let png = picture(frame.as_bytes(), TerminalSize::new(80, 24));
        let (width, height) = size_of(&png);
        assert_eq!(width as usize, 80 * WIDTH + 2 * MARGIN);
        assert_eq!(height as usize, 2 * HEIGHT + 2 * MARGIN);
        let empty = picture(b"", TerminalSize::new(1, 1));
        assert!(size_of(&empty).0 > 0);
        let giant = picture(&b"x\r\n".repeat(500), TerminalSize::new(1000, 500));
        let (width, height) = size_of(&giant);
        assert!(width as usize <= usize::from(MOST_COLS) * WIDTH + 2 * MARGIN);
        assert!(height as usize <= usize::from(MOST_ROWS) * HEIGHT + 2 * MARGIN);
    }

    #[test]
    fn letters_leave_their_colour() {
        let png = picture(b"\x1b[38;2;255;0;0m###", TerminalSize::new(10, 1));
        let pixels = png::tests::decode(&png);
        // The font's strokes are thin: hardly a pixel is all of a colour.
        let is_red = |pixel: &[u8]| pixel[0] > 150 && pixel[1] < 60 && pixel[2] < 60;
        assert!(pixels.chunks(3).any(is_red));
        let blank = png::tests::decode(&picture(b" ", TerminalSize::new(10, 1)));
        assert!(!blank.chunks(3).any(is_red));
    }
}
