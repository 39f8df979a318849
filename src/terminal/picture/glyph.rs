//! The shapes of characters: letters from the font, what terminals draw with by rule.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// Pixels of a cell.
pub(super) const HEIGHT: usize = 20;
pub(super) const WIDTH: usize = get_raster_width(FontWeight::Regular, RasterHeight::Size20);

/// Characters that another one stands for.
const LIKE: &[(&str, char)] = &[
    ("❯›»▸▶►⟩", '>'),
    ("❮‹«◂◀◄⟨", '<'),
    ("–—‒―‐‑−⁻", '-'),
    ("‘’‚‛′", '\''),
    ("“”„‟″", '"'),
    ("✻✽✶✢✳✷✸✹✺⁎∗⚹", '*'),
    ("×✗✘✖✕╳", 'x'),
    ("⎿", '└'),
    ("⏵", '>'),
    ("∙‧⋅", '·'),
];

/// Says to `put` how strongly each pixel of a character is covered, 1…255.
pub(super) fn draw(c: char, bold: bool, wide: usize, mut put: impl FnMut(usize, usize, u8)) {
    let like = LIKE.iter().find(|(all, _)| all.contains(c)).map_or(c, |(_, like)| *like);
    if like.is_whitespace() || like.is_control() {
        return;
    }
    let weight = if bold { FontWeight::Bold } else { FontWeight::Regular };
    if let Some(raster) = get_raster(like, weight, RasterHeight::Size20) {
        for (y, row) in raster.rows().enumerate() {
            for (x, cover) in row.iter().enumerate().filter(|(_, cover)| **cover > 0) {
                put(x, y, *cover);
            }
        }
        return;
    }
    let mut solid = |x: usize, y: usize| put(x, y, 255);
    let drawn = lines(like, &mut solid)
        || blocks(like, &mut solid)
        || braille(like, &mut solid)
        || shapes(like, &mut solid);
    if !drawn {
        let right = WIDTH * wide - 2;
        for y in 4..HEIGHT - 4 {
            for x in 1..=right {
                if y == 4 || y == HEIGHT - 5 || x == 1 || x == right {
                    put(x, y, 120);
                }
            }
        }
    }
}

/// How thick each arm of a line is: left, right, up, down; 2 is heavy, 3 double.
fn arms(c: char) -> Option<[u8; 4]> {
    Some(match c {
        '─' | '╌' | '┄' | '┈' => [1, 1, 0, 0],
        '━' | '╍' | '┅' | '┉' => [2, 2, 0, 0],
        '│' | '╎' | '┆' | '┊' => [0, 0, 1, 1],
        '┃' | '╏' | '┇' | '┋' => [0, 0, 2, 2],
        '┌' | '╭' => [0, 1, 0, 1],
        '┐' | '╮' => [1, 0, 0, 1],
        '└' | '╰' => [0, 1, 1, 0],
        '┘' | '╯' => [1, 0, 1, 0],
        '├' => [0, 1, 1, 1],
        '┤' => [1, 0, 1, 1],
        '┬' => [1, 1, 0, 1],
        '┴' => [1, 1, 1, 0],
        '┼' => [1, 1, 1, 1],
        '┏' => [0, 2, 0, 2],
        '┓' => [2, 0, 0, 2],
        '┗' => [0, 2, 2, 0],
        '┛' => [2, 0, 2, 0],
        '┣' => [0, 2, 2, 2],
        '┫' => [2, 0, 2, 2],
        '┳' => [2, 2, 0, 2],
        '┻' => [2, 2, 2, 0],
        '╋' => [2, 2, 2, 2],
        '═' => [3, 3, 0, 0],
        '║' => [0, 0, 3, 3],
        '╔' => [0, 3, 0, 3],
        '╗' => [3, 0, 0, 3],
        '╚' => [0, 3, 3, 0],
        '╝' => [3, 0, 3, 0],
        '╠' => [0, 3, 3, 3],
        '╣' => [3, 0, 3, 3],
        '╦' => [3, 3, 0, 3],
        '╩' => [3, 3, 3, 0],
        '╬' => [3, 3, 3, 3],
        '╴' => [1, 0, 0, 0],
        '╶' => [0, 1, 0, 0],
        '╵' => [0, 0, 1, 0],
        '╷' => [0, 0, 0, 1],
        '╸' => [2, 0, 0, 0],
        '╺' => [0, 2, 0, 0],
        _ => return None,
    })
}

fn lines(c: char, put: &mut impl FnMut(usize, usize)) -> bool {
    let Some([left, right, up, down]) = arms(c) else { return false };
    let (middle, centre) = (WIDTH / 2, HEIGHT / 2);
    // Where a line of this kind runs beside the middle.
    let tracks = |thick: u8| -> &'static [isize] {
        match thick {
            1 => &[0],
            2 => &[0, 1],
            _ => &[-2, 2],
        }
    };
    for (thick, from, to) in [(left, 0, middle + 1), (right, middle, WIDTH)] {
        for track in tracks(thick).iter().filter(|_| thick > 0) {
            let y = centre.saturating_add_signed(*track);
            (from..to).for_each(|x| put(x, y));
        }
    }
    for (thick, from, to) in [(up, 0, centre + 1), (down, centre, HEIGHT)] {
        for track in tracks(thick).iter().filter(|_| thick > 0) {
            let x = middle.saturating_add_signed(*track);
            (from..to).for_each(|y| put(x, y));
        }
    }
    true
}

fn blocks(c: char, put: &mut impl FnMut(usize, usize)) -> bool {
    let code = u32::from(c);
    let (half_x, half_y) = (WIDTH / 2, HEIGHT / 2);
    let eighth = |n: u32, of: usize| of * n as usize / 8;
    let is_on: Box<dyn Fn(usize, usize) -> bool> = match code {
        0x2580 => Box::new(move |_, y| y < half_y),
        0x2581..=0x2588 => {
            let height = eighth(code - 0x2580, HEIGHT);
            Box::new(move |_, y| y >= HEIGHT - height)
        }
        0x2589..=0x258f => {
            let width = eighth(0x2590 - code, WIDTH);
            Box::new(move |x, _| x < width)
        }
        0x2590 => Box::new(move |x, _| x >= half_x),
        0x2591 => Box::new(|x, y| x % 2 == 0 && (y + x / 2) % 2 == 0),
        0x2592 => Box::new(|x, y| (x + y) % 2 == 0),
        0x2593 => Box::new(|x, y| x % 2 == 1 || (y + x / 2) % 2 == 1),
        0x2594 => Box::new(|_, y| y < HEIGHT / 8),
        0x2595 => Box::new(|x, _| x >= WIDTH - 1),
        0x2596..=0x259f => {
            // Quarters as bits: upper left, upper right, lower left, lower right.
            let bits = [4, 8, 1, 13, 9, 7, 11, 2, 6, 14];
            let bits = bits.get(code as usize - 0x2596).copied().unwrap_or(0_u8);
            Box::new(move |x, y| {
                let quarter = usize::from(x >= half_x) + 2 * usize::from(y >= half_y);
                bits & (1 << quarter) != 0
            })
        }
        _ => return false,
    };
    for y in 0..HEIGHT {
        (0..WIDTH).filter(|x| is_on(*x, y)).for_each(|x| put(x, y));
    }
    true
}

fn braille(c: char, put: &mut impl FnMut(usize, usize)) -> bool {
    let code = u32::from(c);
    if !(0x2800..0x2900).contains(&code) {
        return false;
    }
    // Bit by bit: three rows on the left, three on the right, then the fourth row.
    let places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
    for (bit, (col, row)) in places.into_iter().enumerate() {
        if code & (1 << bit) != 0 {
            let (x, y) = (2 + col * (WIDTH / 2), 3 + row * (HEIGHT / 5));
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                put(x + dx, y + dy);
            }
        }
    }
    true
}

/// Dots, squares, arrows and marks, as bits of a small raster in the middle of the cell.
fn shapes(c: char, put: &mut impl FnMut(usize, usize)) -> bool {
    let rows: [u8; 9] = match c {
        '●' | '⏺' | '⬤' => [0, 0x1c, 0x3e, 0x7f, 0x7f, 0x7f, 0x3e, 0x1c, 0],
        '○' | '◯' => [0, 0x1c, 0x22, 0x41, 0x41, 0x41, 0x22, 0x1c, 0],
        '◉' | '◎' => [0, 0x1c, 0x22, 0x49, 0x5d, 0x49, 0x22, 0x1c, 0],
        '•' => [0, 0, 0, 0x1c, 0x3e, 0x3e, 0x1c, 0, 0],
        '■' | '◼' | '▪' => [0, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0],
        '□' | '☐' | '◻' => [0, 0x7f, 0x41, 0x41, 0x41, 0x41, 0x41, 0x7f, 0],
        '☑' => [0, 0x7f, 0x43, 0x45, 0x49, 0x69, 0x51, 0x7f, 0],
        '☒' => [0, 0x7f, 0x63, 0x55, 0x49, 0x55, 0x63, 0x7f, 0],
        '✓' | '✔' => [0x01, 0x03, 0x02, 0x06, 0x04, 0x4c, 0x68, 0x38, 0x10],
        '→' | '➜' | '⇒' => [0, 0x08, 0x04, 0x02, 0x7f, 0x02, 0x04, 0x08, 0],
        '←' | '⇐' => [0, 0x08, 0x10, 0x20, 0x7f, 0x20, 0x10, 0x08, 0],
        '↑' => [0x08, 0x1c, 0x2a, 0x49, 0x08, 0x08, 0x08, 0x08, 0x08],
        '↓' => [0x08, 0x08, 0x08, 0x08, 0x08, 0x49, 0x2a, 0x1c, 0x08],
        '▲' | '△' => [0, 0x08, 0x08, 0x1c, 0x1c, 0x3e, 0x3e, 0x7f, 0],
        '▼' | '▽' | '▾' => [0, 0x7f, 0x3e, 0x3e, 0x1c, 0x1c, 0x08, 0x08, 0],
        '◆' | '◇' => [0x08, 0x1c, 0x3e, 0x7f, 0x7f, 0x3e, 0x1c, 0x08, 0],
        '…' => [0, 0, 0, 0, 0, 0, 0x49, 0x49, 0],
        '⚠' => [0x08, 0x14, 0x14, 0x2a, 0x2a, 0x41, 0x49, 0x7f, 0],
        '⏎' | '↵' => [0, 0x01, 0x01, 0x11, 0x21, 0x7f, 0x20, 0x10, 0],
        _ => return false,
    };
    let left = (WIDTH - 7) / 2;
    for (y, bits) in rows.into_iter().enumerate() {
        for x in (0..7).filter(|x| bits & (0x40 >> x) != 0) {
            put(left + x, 6 + y);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(c: char) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        draw(c, false, 1, |x, y, _| all.push((x, y)));
        all
    }

    #[test]
    fn everything_stays_in_its_cell() {
        for code in (0x20..0x3000).chain(0xf000..0x10000) {
            let Some(c) = char::from_u32(code) else { continue };
            let outside = pixels(c).into_iter().find(|(x, y)| *x >= WIDTH || *y >= HEIGHT);
            assert_eq!(outside, None, "U+{code:04x}");
        }
    }

    #[test]
    fn lines_reach_the_edges_so_that_they_join() {
        let touches = |c, edge: fn(&(usize, usize)) -> bool| pixels(c).iter().any(edge);
        assert!(touches('─', |(x, _)| *x == 0) && touches('─', |(x, _)| *x == WIDTH - 1));
        assert!(touches('│', |(_, y)| *y == 0) && touches('│', |(_, y)| *y == HEIGHT - 1));
        assert!(!touches('┌', |(x, _)| *x == 0) && touches('┌', |(_, y)| *y == HEIGHT - 1));
        assert_eq!(pixels('█').len(), WIDTH * HEIGHT);
        assert_eq!(pixels(' '), []);
        assert_ne!(pixels('日'), []);
    }
}
