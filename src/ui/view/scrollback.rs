//! What a runner showed before, with what was found and what is selected in it.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::{Modifier, Style},
};

use super::rect;
use crate::ui::{
    state::{Area, Scrollback},
    theme::{Role, Theme},
};

/// Draws the lines and returns where the keys are in them, if that is seen.
pub(super) fn draw(
    buf: &mut Buffer,
    theme: Theme,
    area: Area,
    past: &Scrollback,
) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    let window = past.window(area.height);
    window.render(rect(area), past.left, buf);
    let top = past.top(area.height);
    let at = past.cursor;
    let found = theme.style(Role::Needs).add_modifier(Modifier::UNDERLINED);
    let here = theme.style(Role::Needs).add_modifier(Modifier::REVERSED);
    let selected = Style::new().add_modifier(Modifier::REVERSED);
    for row in 0..area.height {
        let line = top + i64::from(row);
        if let Some(search) = &past.search {
            let style = if at.is_some_and(|at| at.line == line) { here } else { found };
            for columns in window.find(row, &search.needle) {
                mark(buf, area, past.left, (row, columns), style);
            }
        }
        if let Some(columns) = past.selected_in(line) {
            mark(buf, area, past.left, (row, columns), selected);
        }
    }
    let at = at?;
    let row = u16::try_from(at.line - top).ok().filter(|row| *row < area.height)?;
    let col = at.col.checked_sub(past.left).filter(|col| *col < area.width)?;
    Some(Position { x: area.x + col, y: area.y + row })
}

fn mark(
    buf: &mut Buffer,
    area: Area,
    left: u16,
    (row, (from, to)): (u16, (u16, u16)),
    style: Style,
) {
    let from = from.saturating_sub(left).min(area.width);
    let to = to.saturating_sub(left).min(area.width);
    // What is marked may be left over from a line that was longer.
    let cells = Rect::new(area.x + from, area.y + row, to.saturating_sub(from), 1);
    buf.set_style(cells.intersection(buf.area), style);
}

/// Says which line of how many is the first shown: ` history 1,204/10,000 `.
pub(super) fn position(past: &Scrollback, height: u16) -> String {
    if !past.is_known() {
        return " history … ".to_owned();
    }
    let all = past.held();
    let top = past.top(height);
    let at = all.saturating_add_signed(top).saturating_add(1);
    let place = if top >= 0 {
        " held still".to_owned()
    } else {
        format!(" history {}/{}", grouped(at), grouped(all))
    };
    let found = past.search.as_ref().and_then(|search| search.lines.as_ref()).map(Vec::len);
    match found {
        Some(1) => format!("{place} · 1 match "),
        Some(count) => format!("{place} · {} matches ", grouped(count as u64)),
        None => place + " ",
    }
}

/// Writes a number with a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn large_numbers_are_readable() {
        let texts = [0, 999, 1204, 10_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,204", "10,000", "1,234,567"]);
    }
}
