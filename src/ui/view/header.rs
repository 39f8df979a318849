//! The first line: where we are, how many need a person, how it stands with the daemon.

use ratatui::{buffer::Buffer, text::Span};

use super::spending;
use crate::ui::{
    state::{Area, Connection, Geometry, Group, State},
    theme::{Role, Theme},
    widgets::{clip, piece, put, total},
};

/// From this width the header says why there is no daemon; else the line under it does.
const WHY_FROM: u16 = 100;

/// From this width the header says that all is well beside what was used.
const HEALTH_FROM: usize = 100;

/// Blanks between counts at least, and how many of them go before what was used.
const GAP: usize = 2;
const MOST_FIRST: usize = 3;
/// And where there is more room.
const MORE_FIRST: usize = 6;

/// What is counted, in this order, as long as there is room.
const COUNTED: [Group; 10] = [
    Group::NeedsYou,
    Group::Working,
    Group::Done,
    Group::Failed,
    Group::Running,
    Group::Idle,
    Group::Paused,
    Group::Starting,
    Group::Stopping,
    Group::Finished,
];

/// Draws the header and the line under it.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, areas: &Geometry) {
    // Among panes a message or a note stands at its end, and nothing of what it says may be under that.
    let others = [areas.prompt, state.notices_area(areas)];
    let mut others = others.into_iter().filter(|other| !other.is_empty());
    let other = others.find(|other| other.y == areas.header.y && !areas.header.is_empty());
    let taken = other.map_or(0, |other| other.width.min(areas.header.width));
    let is_shared = other.is_some();
    let area = Area { width: areas.header.width - taken, ..areas.header };
    let width = usize::from(area.width);
    let mut left = vec![piece(" stratavore", theme.style(Role::Strong))];
    let host = clip(&state.daemon.hostname, 24);
    if !host.is_empty() && width >= 60 {
        left.push(piece(format!(" · {host}"), theme.style(Role::Muted)));
    }
    if state.here.demo && width >= 40 {
        left.push(piece(" · demo", theme.style(Role::Warning)));
    }
    let mut right = health(state, theme, width);
    let is_well = state.is_current() && state.daemon.unwell.is_empty();
    // Who needs a person, what works and what is done goes before what it costs.
    let most = if width < 100 { MOST_FIRST } else { MORE_FIRST };
    let first = counts(state, theme, width, GAP, most);
    let name = if width < 60 { 0 } else { total(&left) };
    let room = width.saturating_sub(name + total(&first) + 3);
    let mut today = if is_shared { Vec::new() } else { spending::today(state, theme, room) };
    if is_well && !is_shared && !today.is_empty() && width >= HEALTH_FROM {
        // Both, if the sums keep their words; how the day went may give way to it.
        let beside = room.saturating_sub(total(&right) + 2);
        if let Some(sums) = spending::today_in_words(state, theme, beside) {
            today = sums;
        }
    }
    if is_well && (is_shared || (!today.is_empty() && total(&today) + total(&right) + 2 > room)) {
        // That all is well can wait.
        right.clear();
    }
    if total(&today) + total(&right) > room {
        // That something is not goes before figures.
        today.clear();
    }
    if !today.is_empty() && !right.is_empty() {
        today.push(piece("  ", theme.style(Role::Text)));
    }
    today.extend(right);
    let right = today;
    let mut room = width.saturating_sub(total(&right) + 3);
    if width < 60 {
        left.clear();
    }
    let gap = match width {
        0..60 => 1,
        60..100 => 2,
        _ => 4,
    };
    room = room.saturating_sub(total(&left));
    let counts = counts(state, theme, room, gap, COUNTED.len());
    left.extend(counts);
    let middle = width.saturating_sub(total(&left) + total(&right) + 1);
    left.push(piece(" ".repeat(middle), theme.style(Role::Text)));
    left.extend(right);
    put(buf, area, 0, left);
    rule(buf, theme, areas.rule);
    if let Connection::Lost(why) = &state.connection
        && areas.header.width < WHY_FROM
        && !areas.rule.is_empty()
    {
        // What to do is said where it has room.
        put(buf, areas.rule, 0, vec![piece(format!(" {why} "), theme.style(Role::Warning))]);
        return;
    }
    let label = state.filter_label();
    if !label.is_empty() && !areas.rule.is_empty() {
        let inner = Area { x: 1, width: areas.rule.width.saturating_sub(2), ..areas.rule };
        put(buf, inner, 0, vec![piece(label, theme.style(Role::Accent))]);
    }
}

/// Draws a line across an area.
pub(super) fn rule(buf: &mut Buffer, theme: Theme, area: Area) {
    let line = "─".repeat(usize::from(area.width));
    put(buf, area, 0, vec![piece(line, theme.style(Role::Rule))]);
}

/// The counts of the first so many groups that fit into so many columns.
fn counts(
    state: &State,
    theme: Theme,
    mut room: usize,
    gap: usize,
    most: usize,
) -> Vec<Span<'static>> {
    let counts = state.counts();
    // A sign that stands for another says nothing without the word.
    let is_short = state.size.0 < 60 && !theme.is_plain();
    let mut pieces = Vec::new();
    for group in COUNTED.into_iter().take(most) {
        let Some(count) = counts.get(&group) else { continue };
        let text = if is_short {
            format!("{}{count}", group.glyph())
        } else {
            format!("{count} {}", group.counted())
        };
        let before = " ".repeat(if pieces.is_empty() { gap } else { gap.min(3) });
        let needed = text.chars().count() + before.len();
        if needed > room {
            break;
        }
        room -= needed;
        let role = if state.is_current() { Theme::group(group) } else { Role::Muted };
        pieces.push(piece(before, theme.style(Role::Text)));
        pieces.push(piece(text, theme.style(role)));
    }
    pieces
}

/// How it stands with the daemon.
fn health(state: &State, theme: Theme, width: usize) -> Vec<Span<'static>> {
    let is_narrow = width < 60;
    let (text, role) = match &state.connection {
        Connection::Connecting => ("connecting…".to_owned(), Role::Muted),
        Connection::Lost(_) if width < usize::from(WHY_FROM) => {
            ("reconnecting…".to_owned(), Role::Warning)
        }
        Connection::Lost(why) => (format!("reconnecting… {}", clip(why, width / 2)), Role::Warning),
        Connection::Live if !state.daemon.unwell.is_empty() => {
            let unwell = clip(&state.daemon.unwell.join(", "), width / 3);
            (format!("! {unwell}"), Role::Warning)
        }
        Connection::Live if is_narrow => (String::new(), Role::Muted),
        Connection::Live if width < 100 => ("daemon ok".to_owned(), Role::Muted),
        Connection::Live => {
            let broker = state.daemon.parts.iter().find(|part| part.name == "broker");
            let broker =
                broker.map_or_else(String::new, |part| format!(" · broker {}", part.state));
            (format!("daemon ok · {}{broker}", state.daemon.database), Role::Muted)
        }
    };
    if text.is_empty() { Vec::new() } else { vec![piece(text + " ", theme.style(role))] }
}
