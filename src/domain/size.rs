//! The size of a terminal, always within the bounds the screen model can afford.
//!
//! Invariant: a [`TerminalSize`] has 2…500 rows and 2…1000 columns, whatever was asked for. A
//! 10000×10000 grid takes gigabytes, and one-cell grids panic in several emulators, so the clamp
//! sits in the type and not at its users.

use serde::{Deserialize, Serialize};

/// Smallest and largest number of rows a screen may have.
pub const ROWS: std::ops::RangeInclusive<u16> = 2..=500;
/// Smallest and largest number of columns a screen may have.
pub const COLS: std::ops::RangeInclusive<u16> = 2..=1000;

/// A terminal's size in cells and, where known, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TerminalSize {
    cols: u16,
    rows: u16,
    x_pixels: u16,
    y_pixels: u16,
}

impl TerminalSize {
    /// Returns the size nearest to what was asked for that lies within the bounds.
    pub fn new(cols: u16, rows: u16) -> Self {
        Self {
            cols: cols.clamp(*COLS.start(), *COLS.end()),
            rows: rows.clamp(*ROWS.start(), *ROWS.end()),
            x_pixels: 0,
            y_pixels: 0,
        }
    }

    /// Returns the same size with the whole screen's width and height in pixels, 0 when unknown.
    #[must_use]
    pub fn with_pixels(mut self, x_pixels: u16, y_pixels: u16) -> Self {
        self.x_pixels = x_pixels;
        self.y_pixels = y_pixels;
        self
    }

    /// Columns, 2…1000.
    pub fn cols(self) -> u16 {
        self.cols
    }

    /// Rows, 2…500.
    pub fn rows(self) -> u16 {
        self.rows
    }

    /// Width of the whole screen in pixels, 0 when unknown.
    pub fn x_pixels(self) -> u16 {
        self.x_pixels
    }

    /// Height of the whole screen in pixels, 0 when unknown.
    pub fn y_pixels(self) -> u16 {
        self.y_pixels
    }
}

impl Default for TerminalSize {
    /// 80×24, what every program expects of a terminal that did not say otherwise.
    fn default() -> Self {
        Self::new(80, 24)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_clamped() {
        for (asked, got) in
            [((0, 0), (2, 2)), ((1, 1), (2, 2)), ((u16::MAX, u16::MAX), (1000, 500))]
        {
            let size = TerminalSize::new(asked.0, asked.1);
            assert_eq!((size.cols(), size.rows()), got);
        }
    }
}
