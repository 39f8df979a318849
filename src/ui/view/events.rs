//! The newest events: when, to which runner, what.

use chrono::Local;
use ratatui::buffer::Buffer;

use super::page::role;
use crate::{
    domain::{
        event::Event,
        event_text::{event_subject, event_text, is_echo},
    },
    ui::{
        state::{Area, Geometry, State},
        theme::{Role, Theme},
        widgets::{fit_name, piece, put, width},
    },
};

/// Draws the events and the line above them.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, areas: &Geometry) {
    if areas.events.is_empty() {
        return;
    }
    super::header::rule(buf, theme, areas.events_rule);
    let rule = areas.events_rule;
    let label = Area { x: rule.x + 1, width: rule.width.saturating_sub(1), ..rule };
    put(buf, label, 0, vec![piece(" EVENTS ", theme.style(Role::Muted))]);
    let news = state.events.iter().rev().filter(|event| !is_echo(event));
    let shown: Vec<&Event> = news.take(usize::from(areas.events.height)).collect();
    let name =
        shown.iter().map(|event| width(event_subject(event))).max().unwrap_or(0).clamp(6, 16);
    for (row, event) in (0..areas.events.height).zip(shown) {
        let time = event.timestamp.with_timezone(&Local).format(" %H:%M:%S  ").to_string();
        let (text, mood) = event_text(event);
        let role = role(mood.into());
        let role = if state.is_current() { role } else { Role::Muted };
        let pieces = vec![
            piece(time, theme.style(Role::Muted)),
            piece(format!("{}  ", fit_name(event_subject(event), name)), theme.style(Role::Text)),
            piece(text, theme.style(role)),
        ];
        put(buf, areas.text_of(areas.events), row, pieces);
    }
    if state.events.is_empty() {
        put(buf, areas.events, 0, vec![piece(" nothing yet", theme.style(Role::Muted))]);
    }
}
