//! Cells drawn with ASCII alone, for screen readers and fonts that lack the signs.

use ratatui::{
    buffer::Cell,
    style::{Color, Style},
};

/// Our signs and what stands for them.
const PLAIN: &[(&str, &str)] = &[
    ("─", "-"),
    ("━", "="),
    ("│", "|"),
    ("┃", "|"),
    ("▌", ">"),
    ("●", "*"),
    ("✓", "+"),
    ("◌", "~"),
    ("○", "o"),
    ("‖", "="),
    ("×", "x"),
    ("·", "-"),
    ("▸", ">"),
    ("❯", ">"),
    ("↓", "v"),
    ("↑", "^"),
    ("←", "<"),
    ("→", ">"),
    ("…", "~"),
    ("⏎", "E"),
    ("⎇", "@"),
    ("▓", "#"),
    ("░", "."),
    ("▰", "#"),
    ("▱", "."),
    ("≥", ">"),
    ("▁", "_"),
    ("▂", "_"),
    ("▃", "-"),
    ("▄", "-"),
    ("▅", "="),
    ("▆", "="),
    ("▇", "#"),
    ("█", "#"),
];

/// Replaces a sign of ours; corners and joints of lines become `+`.
pub(super) fn draw(cell: &mut Cell) {
    let symbol = cell.symbol();
    if symbol.is_ascii() {
        return;
    }
    if let Some((_, plain)) = PLAIN.iter().find(|(sign, _)| *sign == symbol) {
        cell.set_symbol(plain);
    } else if symbol.chars().all(|c| ('\u{2500}'..='\u{257f}').contains(&c)) {
        cell.set_symbol("+");
    }
}

/// Returns of a background's style what a cell has not.
pub(super) fn missing(cell: &Cell, background: Style) -> Style {
    let mut style = Style::new();
    style.bg = background.bg.filter(|_| cell.bg == Color::Reset);
    style.fg = background.fg.filter(|_| cell.fg == Color::Reset);
    style
}
