//! A pane of the dashboard: frames in, cells of a ratatui buffer out.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::Widget;
use ref_cast::RefCast;
use tui_term::widget::{Cell as PaneCell, Cursor, PseudoTerminal, Screen as PaneScreen};

use super::modes::Modes;
use super::vt::{self, Decoder};
use crate::domain::size::TerminalSize;

/// The screen of one runner as the dashboard shows it.
pub struct Pane {
    decoder: Decoder,
    size: TerminalSize,
}

impl Pane {
    /// Returns an empty pane.
    pub fn new(size: TerminalSize) -> Self {
        Self { decoder: Decoder::new(size), size }
    }

    /// Applies a frame.
    pub fn feed(&mut self, frame: &[u8]) {
        self.decoder.process(frame);
    }

    /// Changes the size of the runner's screen, not of the area it is drawn in.
    pub fn resize(&mut self, size: TerminalSize) {
        self.decoder.resize(size);
        self.size = size;
    }

    /// The size of the runner's screen.
    pub fn size(&self) -> TerminalSize {
        self.size
    }

    /// The window title.
    pub fn title(&self) -> &str {
        &self.decoder.callbacks().title
    }

    /// The cursor's row and column, from 0, `None` while it is hidden.
    pub fn cursor(&self) -> Option<(u16, u16)> {
        let screen = self.decoder.screen();
        (!screen.hide_cursor()).then(|| screen.cursor_position())
    }

    /// The input modes, for [`super::keys`].
    pub fn modes(&self) -> Modes {
        vt::modes(&self.decoder)
    }

    /// Draws the part that fits and returns where in the buffer the cursor is, if it is shown.
    ///
    /// Which part that is, says [`Self::origin`].
    pub fn render(&self, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return None;
        }
        let (top, left) = self.origin(area.width, area.height);
        draw_screen(self.decoder.screen(), (top, left), area, buf);
        self.cursor().and_then(|(row, col)| {
            let x = area.x.checked_add(col.checked_sub(left)?)?;
            let y = area.y.checked_add(row.checked_sub(top)?)?;
            Some(Position { x, y }).filter(|at| area.contains(*at))
        })
    }

    /// Returns the row and column of the screen that an area of this size shows first.
    ///
    /// In an area lower than the screen the last rows used are shown, the cursor's among them; in a
    /// narrower one the left edge, unless the cursor would not be seen.
    pub fn origin(&self, width: u16, height: u16) -> (u16, u16) {
        let top = if height < self.size.rows() {
            let (cursor_row, _) = self.decoder.screen().cursor_position();
            first_shown(cursor_row, self.last_used_row(), self.size.rows(), height)
        } else {
            0
        };
        let left = self.cursor().map_or(0, |(_, col)| col.saturating_sub(width.saturating_sub(1)));
        (top, left)
    }

    /// Whether an area of this size shows everything that the screen says: only blanks and lines that
    /// are drawn lie outside.
    pub fn is_shown_whole(&self, width: u16, height: u16) -> bool {
        let (top, left) = self.origin(width, height);
        let screen = self.decoder.screen();
        let says = |row: u16, col: u16| {
            let shown = screen.cell(row, col).map(vt100::Cell::contents).unwrap_or_default();
            shown.chars().any(|c| !c.is_whitespace() && !('\u{2500}'..='\u{259f}').contains(&c))
        };
        let is_cut = |row: u16, col: u16| {
            let (below, right) = (top.saturating_add(height), left.saturating_add(width));
            !(top..below).contains(&row) || !(left..right).contains(&col)
        };
        let mut cells = (0..self.size.rows())
            .flat_map(|row| (0..self.size.cols()).map(move |col| (row, col)))
            .filter(|(row, col)| is_cut(*row, *col));
        !cells.any(|(row, col)| says(row, col))
    }

    /// Whether every piece of a text stands on the screen, wrapped or in a frame as it may be: pieces end
    /// at brackets, colons and dots between words, of which programs make layout.
    pub fn says(&self, text: &str) -> bool {
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        let shown = letters(&self.decoder.screen().contents());
        text.split(['(', ')', ':', '·', '\n']).all(|piece| shown.contains(&letters(piece)))
    }

    /// Returns the rows with their colours, as [`super::Still`] reads them.
    pub fn styled_rows(&self) -> Vec<String> {
        self.decoder.screen().rows_formatted(0, self.size.cols()).collect()
    }

    /// The cells: first character, looks as an SGR sequence, whether it is wide.
    #[cfg(test)]
    pub(crate) fn cells(&self) -> Vec<Vec<(char, String, bool)>> {
        use super::style::{BOLD, DIM, INVERSE, ITALIC, Style, Tint};
        let tint = |color| match color {
            vt100::Color::Default => Tint::Default,
            vt100::Color::Idx(index) => Tint::Indexed(index),
            vt100::Color::Rgb(r, g, b) => Tint::Rgb(r, g, b),
        };
        let cell = |cell: &vt100::Cell| {
            let c = cell.contents().chars().next().unwrap_or(' ');
            let attrs = [
                (cell.bold(), BOLD),
                (cell.dim(), DIM),
                (cell.italic(), ITALIC),
                (cell.inverse(), INVERSE),
            ];
            let mut style = Style {
                fg: tint(cell.fgcolor()),
                bg: tint(cell.bgcolor()),
                attrs: attrs.iter().filter(|(on, _)| *on).map(|(_, attr)| attr).sum(),
                underline: u8::from(cell.underline()),
                ..Style::default()
            };
            if c == ' ' && !cell.inverse() && !cell.underline() {
                style = Style { bg: style.bg, ..Style::default() };
            }
            let mut sgr = Vec::new();
            style.write_sgr(&mut sgr);
            (c, String::from_utf8_lossy(&sgr).into_owned(), cell.is_wide())
        };
        let screen = self.decoder.screen();
        let row =
            |row| (0..self.size.cols()).filter_map(|col| screen.cell(row, col)).map(cell).collect();
        (0..self.size.rows()).map(row).collect()
    }

    /// The last row that shows something.
    fn last_used_row(&self) -> u16 {
        let screen = self.decoder.screen();
        let is_used = |row: &u16| {
            let mut cells = (0..self.size.cols()).filter_map(|col| screen.cell(*row, col));
            cells.any(vt100::Cell::has_contents)
        };
        (0..self.size.rows()).rev().find(is_used).unwrap_or(0)
    }
}

/// Draws the part of a screen that begins at a row and a column.
pub(super) fn draw_screen(
    screen: &vt100::Screen,
    (top, left): (u16, u16),
    area: Rect,
    buf: &mut Buffer,
) {
    let view = View { screen, top, left, width: area.width };
    let cursor = Cursor::default().visibility(false);
    PseudoTerminal::new(&view).cursor(cursor).render(area, buf);
}

/// Returns the first row to show: the cursor's must be among them, else as low as is used.
fn first_shown(cursor: u16, used: u16, rows: u16, height: u16) -> u16 {
    let lowest = used.max(cursor).min(rows.saturating_sub(1));
    let top = (lowest + 1).saturating_sub(height);
    top.min(cursor)
}

/// A window onto the screen.
struct View<'a> {
    screen: &'a vt100::Screen,
    top: u16,
    left: u16,
    width: u16,
}

impl PaneScreen for View<'_> {
    type C = ViewCell;

    fn cell(&self, row: u16, col: u16) -> Option<&ViewCell> {
        let row = row.checked_add(self.top)?;
        let at = col.checked_add(self.left)?;
        let cell = self.screen.cell(row, at)?;
        // Half of a wide character is nothing.
        let is_cut = cell.is_wide() && col + 1 >= self.width;
        (!is_cut).then(|| ViewCell::ref_cast(cell))
    }

    fn hide_cursor(&self) -> bool {
        true
    }

    fn cursor_position(&self) -> (u16, u16) {
        (0, 0)
    }
}

/// A cell of the decoder, to be drawn by tui-term.
#[derive(RefCast)]
#[repr(transparent)]
struct ViewCell(vt100::Cell);

impl PaneCell for ViewCell {
    fn has_contents(&self) -> bool {
        self.0.has_contents()
    }

    fn apply(&self, cell: &mut ratatui::buffer::Cell) {
        // The second half of a wide character must stay empty, or it would push the row.
        if self.0.is_wide_continuation() {
            cell.set_symbol(" ");
        } else if self.0.has_contents() {
            cell.set_symbol(self.0.contents());
        } else {
            cell.set_symbol(" ");
        }
        let mut modifier = Modifier::empty();
        modifier.set(Modifier::BOLD, self.0.bold());
        modifier.set(Modifier::DIM, self.0.dim());
        modifier.set(Modifier::ITALIC, self.0.italic());
        modifier.set(Modifier::UNDERLINED, self.0.underline());
        modifier.set(Modifier::REVERSED, self.0.inverse());
        let style = Style::reset().fg(color(self.0.fgcolor())).bg(color(self.0.bgcolor()));
        cell.set_style(style.add_modifier(modifier));
    }
}

/// The agent's own colours pass through unchanged; they are no part of the dashboard's theme.
#[expect(clippy::disallowed_methods, reason = "these are the agent's colours, not ours")]
fn color(color: vt100::Color) -> Color {
    match color {
        vt100::Color::Default => Color::Reset,
        vt100::Color::Idx(index) => Color::Indexed(index),
        vt100::Color::Rgb(r, g, b) => Color::Rgb(r, g, b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(pane: &Pane, width: u16, height: u16) -> (Vec<String>, Option<Position>) {
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        let cursor = pane.render(area, &mut buf);
        let row = |y| (0..width).map(|x| buf[(x, y)].symbol().to_owned()).collect::<String>();
        ((0..height).map(row).collect(), cursor)
    }

    #[test]
    fn a_small_area_shows_the_rows_with_the_cursor() {
        let mut pane = Pane::new(TerminalSize::new(10, 6));
        pane.feed(b"one\r\ntwo\r\nthree\r\nfour");
        let (rows, cursor) = drawn(&pane, 5, 2);
        assert_eq!(rows, ["three", "four "]);
        assert_eq!(cursor, Some(Position { x: 4, y: 1 }));
        pane.feed(b"\x1b[H");
        let (rows, cursor) = drawn(&pane, 5, 2);
        assert_eq!(rows, ["one  ", "two  "]);
        assert_eq!(cursor, Some(Position { x: 0, y: 0 }));
    }

    #[test]
    fn what_is_cut_is_known() {
        let mut pane = Pane::new(TerminalSize::new(10, 6));
        pane.feed("one\r\ntwo ──────\r\n".as_bytes());
        assert!(pane.is_shown_whole(10, 6) && pane.is_shown_whole(4, 3));
        assert!(!pane.is_shown_whole(2, 6) && !pane.is_shown_whole(10, 2));
    }

    #[test]
    fn areas_outside_the_buffer_are_ignored() {
        let pane = Pane::new(TerminalSize::new(10, 6));
        let mut buf = Buffer::empty(Rect::new(0, 0, 4, 4));
        assert_eq!(pane.render(Rect::new(9, 9, 5, 5), &mut buf), None);
        assert!(pane.render(Rect::new(2, 2, 50, 50), &mut buf).is_some());
    }

    #[test]
    fn the_modes_that_vt100_lacks_arrive() {
        let mut pane = Pane::new(TerminalSize::new(10, 6));
        pane.feed(b"\x1b]7950;5;110\x07\x1b]2;t\x07\x1b[?25l\x1b[?1002h\x1b[?1006h");
        let modes = pane.modes();
        assert_eq!((modes.kitty_flags, modes.alternate, modes.focus), (5, true, true));
        assert!(!modes.alternate_scroll && !modes.cursor_visible);
        assert_eq!((pane.title(), pane.cursor()), ("t", None));
    }
}
