//! The newest events: when, to which runner, what.

use chrono::Local;
use ratatui::buffer::Buffer;

use super::text::{fit, piece, put, width};
use crate::{
    domain::event::Event,
    ui::{
        state::{Area, Geometry, State},
        theme::{Role, Theme},
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
    let shown: Vec<&Event> =
        state.events.iter().rev().take(usize::from(areas.events.height)).collect();
    let name = shown.iter().map(|event| width(subject(event))).max().unwrap_or(0).clamp(6, 16);
    for (row, event) in (0..areas.events.height).zip(shown) {
        let time = event.timestamp.with_timezone(&Local).format(" %H:%M:%S  ").to_string();
        let (text, role) = told(event);
        let role = if state.is_current() { role } else { Role::Muted };
        let pieces = vec![
            piece(time, theme.style(Role::Muted)),
            piece(format!("{}  ", fit(subject(event), name)), theme.style(Role::Text)),
            piece(text, theme.style(role)),
        ];
        put(buf, areas.events, row, pieces);
    }
    if state.events.is_empty() {
        put(buf, areas.events, 0, vec![piece(" nothing yet", theme.style(Role::Muted))]);
    }
}

/// Whom it happened to.
fn subject(event: &Event) -> &str {
    match (event.runner.as_str(), event.project.as_str()) {
        ("", "") => &event.entity_type,
        ("", project) => project,
        (runner, _) => runner,
    }
}

/// What happened, in words.
fn told(event: &Event) -> (String, Role) {
    let field = |name: &str| event.data.get(name).and_then(|value| value.as_str()).unwrap_or("");
    let joined = |first: &str, second: &str| match second {
        "" => first.to_owned(),
        second => format!("{first}: {second}"),
    };
    match event.event_type.as_str() {
        "runner.activity" => match field("state") {
            "blocked" => {
                let what = if field("kind").is_empty() { "blocked" } else { field("kind") };
                (joined(what, field("message")), Role::Warning)
            }
            "error" => (joined("error", field("message")), Role::Failed),
            "done" => (joined("done", field("message")), Role::Done),
            state => (joined(state, field("message")), Role::Muted),
        },
        "runner.failed" => (joined("failed", field("reason")), Role::Failed),
        "runner.stopped" => ("ended".to_owned(), Role::Text),
        "runner.starting" => ("launching".to_owned(), Role::Muted),
        "project.created" => ("project registered".to_owned(), Role::Text),
        "project.deleted" => ("project removed".to_owned(), Role::Text),
        other => {
            let words = other.split_once('.').map_or(other, |(_, what)| what);
            (words.to_owned(), Role::Muted)
        }
    }
}
