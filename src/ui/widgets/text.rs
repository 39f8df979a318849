//! Text cut and padded by the columns it takes, and lines put together from styled pieces.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::ui::state::Area;

/// Returns the columns a text takes.
pub(in crate::ui) fn width(text: &str) -> usize {
    text.width()
}

/// Returns the text cut to `columns`, with `…` at the end if something is missing.
pub(in crate::ui) fn clip(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > columns.saturating_sub(1) {
            break;
        }
        used += wide;
        kept.push(c);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// Returns the text cut to `columns` at its front, for paths, whose end says most.
pub(in crate::ui) fn clip_front(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut from = text.len();
    let mut used = 1;
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        from = at;
    }
    let kept = text.get(from..).unwrap_or_default();
    if columns > 0 { format!("…{kept}") } else { String::new() }
}

/// Returns a runner's name cut to `columns` in its middle: the number at its end tells it from others.
pub(in crate::ui) fn clip_name(name: &str, columns: usize) -> String {
    let number = name.rfind('-').and_then(|at| name.split_at_checked(at));
    match number {
        Some((front, number)) if name.width() > columns && number.width() + 4 <= columns => {
            // The dash itself may fall to the cut.
            clip(&format!("{front}--"), columns - number.width()) + number
        }
        _ => clip(name, columns),
    }
}

/// Returns a runner's name in exactly so many columns.
pub(in crate::ui) fn fit_name(name: &str, columns: usize) -> String {
    fit(&clip_name(name, columns), columns)
}

/// Returns the text in exactly so many columns, cut or filled at its end.
pub(in crate::ui) fn fit(text: &str, columns: usize) -> String {
    let text = clip(text, columns);
    let missing = columns.saturating_sub(text.width());
    text + &" ".repeat(missing)
}

/// Returns the text in exactly so many columns, filled at its front.
pub(in crate::ui) fn fit_right(text: &str, columns: usize) -> String {
    let text = clip(text, columns);
    " ".repeat(columns.saturating_sub(text.width())) + &text
}

/// Returns a styled piece.
pub(in crate::ui) fn piece(text: impl Into<String>, style: Style) -> Span<'static> {
    Span::styled(text.into(), style)
}

/// Writes a line of pieces into a row of an area; what does not fit ends in `…`.
pub(in crate::ui) fn put(buf: &mut Buffer, area: Area, row: u16, pieces: Vec<Span<'static>>) {
    let inside = area.y.saturating_add(row);
    if row >= area.height || inside >= buf.area.bottom() || area.x >= buf.area.right() {
        return;
    }
    let mut left = usize::from(area.width);
    let mut line = Vec::new();
    for piece in pieces {
        let wide = piece.content.width();
        if wide > left {
            line.push(Span::styled(clip(&piece.content, left), piece.style));
            break;
        }
        left -= wide;
        line.push(piece);
    }
    // What stood there before, such as a rule under its title, must not shine through.
    let columns = u16::try_from(total(&line)).unwrap_or(area.width).min(area.width);
    let under = Rect::new(area.x, inside, columns, 1).intersection(buf.area);
    buf.set_style(under, Style::reset());
    buf.set_line(area.x, inside, &Line::from(line), area.width);
}

/// Returns the columns pieces take together.
pub(in crate::ui) fn total(pieces: &[Span<'_>]) -> usize {
    pieces.iter().map(|piece| piece.content.width()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns() {
        assert_eq!(clip("日本語", 4), "日…");
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(clip("abc", 1), "…");
        assert_eq!(clip("abc", 0), "");
        assert_eq!(clip_front("~/src/shop", 6), "…/shop");
        assert_eq!(clip_front("abc", 0), "");
        assert_eq!(clip_name("a-really-long-name-12", 10), "a-real…-12");
        assert_eq!(clip_name("a-really-long-name-12", 20), "a-really-long-na…-12");
        assert_eq!(clip_name("日本語日本-3", 8), "日本…-3");
        assert_eq!(
            (clip_name("api-12", 6), clip_name("api-12", 5)),
            ("api-12".into(), "api-…".into())
        );
        assert_eq!(fit("日本", 3), "日…");
        assert_eq!(fit_right("4m", 4), "  4m");
    }
}
