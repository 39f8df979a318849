//! The views that are lines to read, with the cursor's line marked.

use std::ops::Range;

use ratatui::{
    buffer::Buffer,
    style::{Modifier, Style},
    text::Span,
};

use crate::ui::{
    state::{Area, Line, State, Tone, View, counted, wrap},
    theme::{Role, Theme},
    widgets::{clip_front, fit, piece, put, width},
};

/// Columns of what stands at the right edge.
const TAIL: usize = 36;
/// Less of it says nothing.
const LEAST_TAIL: usize = 7;

/// The role of a tone.
pub(super) fn role(tone: Tone) -> Role {
    match tone {
        Tone::Plain => Role::Text,
        Tone::Muted => Role::Muted,
        Tone::Heading => Role::Strong,
        Tone::Good => Role::Done,
        Tone::Warning => Role::Warning,
        Tone::Bad => Role::Failed,
    }
}

/// Draws the page that is shown.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, area: Area) {
    let lines = state.page_lines();
    let count = lines.len();
    let mut title = vec![piece(format!(" {}", state.page_title()), theme.style(Role::Strong))];
    let search = state.page.search.text();
    let found = match (state.page.is_whole(), state.page.search.is_blank()) {
        // Of one thing nobody counts the lines, and it was not searched.
        (true, _) => String::new(),
        (false, true) if count == 0 => String::new(),
        (false, true) if matches!(state.view, View::Evidence | View::Conversation) => String::new(),
        (false, true) if state.view == View::Inbox => format!("   {count} open"),
        (false, true) if state.view == View::Found => format!("   {count} found"),
        (false, true) => format!("   {}", counted(count, "line")),
        (false, false) => format!("   {} with `{search}`", counted(count, "line")),
    };
    title.push(piece(found, theme.style(Role::Muted)));
    if !state.page.find.is_blank() && !state.page.is_whole() {
        let matches = state.page_matches();
        let at = matches.iter().filter(|found| **found <= state.page.at).count();
        let text = format!("   {at} of {} with `{}`", matches.len(), state.page.find.text());
        title.push(piece(text, theme.style(Role::Accent)));
    }
    if state.page.follows {
        title.push(piece("   following", theme.style(Role::Accent)));
    }
    put(buf, area, 0, title);
    let fixed = state.page_fixed();
    let above = u16::try_from(fixed.len()).unwrap_or(u16::MAX);
    for (row, line) in (1..area.height).zip(fixed.iter().filter(|_| count > 0 || above > 1)) {
        let pieces = vec![piece(format!(" {}", line.text), theme.style(role(line.tone)))];
        put(buf, area, row, pieces);
    }
    let first = above.saturating_add(1);
    let head = lines.iter().map(|line| width(&line.head)).max().unwrap_or(0);
    let head = head.min(usize::from(area.width) / 2);
    let shown = lines.iter().enumerate().skip(state.page.top);
    for (row, (at, line)) in (first..area.height).zip(shown) {
        draw_line(
            buf,
            state,
            theme,
            Area { y: area.y + row, height: 1, ..area },
            line,
            (head, at == state.page.at),
        );
    }
    if count == 0 {
        let room = usize::from(area.width).saturating_sub(3);
        let texts = state.page_empty().into_iter().flat_map(|text| wrap(&text, room));
        for (row, text) in (1..area.height).zip(texts) {
            put(buf, area, row, vec![piece(format!("  {text}"), theme.style(Role::Muted))]);
        }
    }
}

/// Draws a line; of a setting it matters everywhere where it is from.
fn draw_line(
    buf: &mut Buffer,
    state: &State,
    theme: Theme,
    area: Area,
    line: &Line,
    (head, is_under): (usize, bool),
) {
    let (needle, is_setting) = (state.page.find.text(), state.view == View::Settings);
    let mark = if is_under { "▌" } else { " " };
    let mut pieces = vec![piece(mark, theme.style(Role::Accent))];
    if head > 0 {
        let heading = if line.tone == Tone::Heading { Role::Strong } else { Role::Muted };
        pieces.push(piece(format!("{}  ", fit(&line.head, head)), theme.style(heading)));
    }
    let left = usize::from(area.width).saturating_sub(3 + head);
    // What matters least goes first where it is narrow.
    let most = match left {
        60.. if is_setting => TAIL,
        60.. => left.saturating_sub(width(&line.text) + 2).min(TAIL),
        _ if is_setting => left.saturating_sub(width(&line.text) + 2).min(TAIL),
        _ => 0,
    };
    let is_cut = !is_setting && most < width(&line.tail);
    let is_left_out = most < LEAST_TAIL || is_cut;
    let tail = if is_left_out { String::new() } else { clip_front(&line.tail, most) };
    let room = left.saturating_sub(width(&tail) + 2);
    let text = if tail.is_empty() { line.text.clone() } else { fit(&line.text, room) };
    let (plain, found) = (theme.style(role(line.tone)), theme.style(Role::Needs));
    pieces.extend(marked(&text, &marks(&text, needle, line), plain, found));
    if !tail.is_empty() {
        pieces.push(piece(format!("  {tail}"), theme.style(Role::Muted)));
    }
    put(buf, area, 0, pieces);
}

/// What stands out in a text: what is searched for in it, and what stands out of itself.
fn marks(text: &str, needle: &str, line: &Line) -> Vec<Range<usize>> {
    let any_case = !needle.chars().any(char::is_uppercase);
    let folded = if any_case { text.to_lowercase() } else { text.to_owned() };
    let mut marks = line.marks.clone();
    // Few letters are longer in lower case; where one is, nothing is marked.
    if !needle.trim().is_empty() && folded.len() == text.len() {
        let found = folded.match_indices(needle);
        marks.extend(found.map(|(at, matched)| at..at + matched.len()));
        marks.sort_unstable_by_key(|mark| mark.start);
    }
    marks
}

/// Divides a text so that what stands out is marked; what was cut off of it is not there.
fn marked(text: &str, marks: &[Range<usize>], plain: Style, found: Style) -> Vec<Span<'static>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for mark in marks {
        let (Some(before), Some(is)) = (text.get(from..mark.start), text.get(mark.clone())) else {
            continue;
        };
        pieces.push(piece(before.to_owned(), plain));
        pieces.push(piece(is.to_owned(), found.add_modifier(Modifier::UNDERLINED)));
        from = mark.end;
    }
    pieces.push(piece(text.get(from..).unwrap_or_default().to_owned(), plain));
    pieces
}
