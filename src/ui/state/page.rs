//! The views that are lines to read: events, a runner's log, the settings, the health of the parts.
//!
//! Invariant: the cursor stands on a line that is shown, if there is any; while the end is followed
//! that is the last one.

use chrono::{Local, TimeDelta};

use super::{LogView, State, TextLine, View, age_text, event_subject, event_text};
use crate::domain::event::Event;

/// What a line is like, for who draws it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum Tone {
    /// Ordinary.
    Plain,
    /// Of less matter.
    Muted,
    /// A heading.
    Heading,
    /// As it should be.
    Good,
    /// Not as it should be.
    Warning,
    /// Failed.
    Bad,
}

/// A line of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Line {
    /// What stands in front: a time, a name. Those of a page are equally wide.
    pub(in crate::ui) head: String,
    /// What it says.
    pub(in crate::ui) text: String,
    /// Where that is from; at the right edge.
    pub(in crate::ui) tail: String,
    /// What it is like.
    pub(in crate::ui) tone: Tone,
}

/// Where the user is in a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ui) struct Page {
    /// The line under the cursor.
    pub(in crate::ui) at: usize,
    /// The first line that is shown.
    pub(in crate::ui) top: usize,
    /// The end is followed.
    pub(in crate::ui) follows: bool,
    /// Only lines with these words are shown.
    pub(in crate::ui) search: TextLine,
    /// The event under the cursor is shown whole, by its position.
    pub(in crate::ui) inspected: Option<u64>,
}

impl Line {
    fn new(head: impl Into<String>, text: impl Into<String>, tone: Tone) -> Self {
        Self { head: head.into(), text: text.into(), tail: String::new(), tone }
    }

    fn has(&self, words: &[String]) -> bool {
        let all = format!("{} {} {}", self.head, self.text, self.tail).to_lowercase();
        words.iter().all(|word| all.contains(word.as_str()))
    }
}

impl State {
    /// Whether a page is shown.
    pub(in crate::ui) fn is_page(&self) -> bool {
        !matches!(self.view, View::Dashboard | View::Panes)
    }

    /// The heading of the page that is shown.
    pub(in crate::ui) fn page_title(&self) -> String {
        match self.view {
            View::Events if self.page.inspected.is_some() => "EVENT".to_owned(),
            View::Events => "EVENTS".to_owned(),
            View::Log => {
                let name = self.log.as_ref().map_or("", |log| log.name.as_str());
                format!("LOG of {name}")
            }
            View::Settings => "SETTINGS".to_owned(),
            View::Health => "HEALTH".to_owned(),
            View::Dashboard | View::Panes => String::new(),
        }
    }

    /// The lines of the page that is shown, as far as they have the words that are searched.
    pub(in crate::ui) fn page_lines(&self) -> Vec<Line> {
        let words = self.page.search.text().to_lowercase();
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let lines = match self.view {
            View::Events => match self.inspected() {
                Some(event) => return whole(event),
                None => self.events.iter().map(event_line).collect(),
            },
            View::Log => self.log.as_ref().map(LogView::lines).unwrap_or_default(),
            View::Settings => self.settings_lines(),
            View::Health => self.health_lines(),
            View::Dashboard | View::Panes => Vec::new(),
        };
        lines.into_iter().filter(|line| line.has(&words)).collect()
    }

    /// The event under the cursor.
    pub(in crate::ui) fn event_at_cursor(&self) -> Option<&Event> {
        let words = self.page.search.text().to_lowercase();
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        self.events.iter().filter(|event| event_line(event).has(&words)).nth(self.page.at)
    }

    fn inspected(&self) -> Option<&Event> {
        let position = self.page.inspected?;
        self.events.iter().find(|event| event.position == position)
    }

    fn settings_lines(&self) -> Vec<Line> {
        let line = |(key, value, source): &(String, String, String)| Line {
            tail: source.clone(),
            ..Line::new(
                key.clone(),
                value.clone(),
                if source == "default" { Tone::Muted } else { Tone::Plain },
            )
        };
        self.config.iter().map(line).collect()
    }

    fn health_lines(&self) -> Vec<Line> {
        let daemon = &self.daemon;
        let uptime = daemon
            .started_at
            .map_or_else(String::new, |at| age_text((self.now - at).max(TimeDelta::zero())));
        let mut lines = vec![Line::new("daemon", "", Tone::Heading)];
        let connection = match &self.connection {
            super::Connection::Live => ("connected".to_owned(), Tone::Good),
            super::Connection::Connecting => ("connecting".to_owned(), Tone::Muted),
            super::Connection::Lost(why) => (format!("lost: {why}"), Tone::Bad),
        };
        lines.push(Line::new("  connection", connection.0, connection.1));
        for (name, value) in [
            ("  version", daemon.version.clone()),
            ("  process", format!("pid {}", daemon.pid)),
            ("  running for", uptime),
            ("  memory", format!("{} M", daemon.memory_kb / 1024)),
            ("  database", daemon.database.clone()),
            ("  directory", daemon.root.clone()),
        ] {
            lines.push(Line::new(name, value, Tone::Plain));
        }
        lines.push(Line::new("parts", "", Tone::Heading));
        for part in &daemon.parts {
            let tone = if part.state == "ok" { Tone::Good } else { Tone::Bad };
            let text = match part.detail.as_str() {
                "" => part.state.clone(),
                detail => format!("{}: {detail}", part.state),
            };
            lines.push(Line::new(format!("  {}", part.name), text, tone));
        }
        lines.push(Line::new("supervisors", "", Tone::Heading));
        let live = self.runners.values().filter(|runner| runner.status.is_live());
        for runner in live {
            let (text, tone) = match runner.supervisor_pid {
                Some(pid) => (format!("pid {pid}, agent {}", told_pid(runner.pid)), Tone::Good),
                None => ("not known yet".to_owned(), Tone::Warning),
            };
            let adopted = if runner.adopted { ", adopted" } else { "" };
            let processes = runner.processes;
            let text = format!("{text}, {processes} processes{adopted}");
            lines.push(Line::new(format!("  {}", runner.name), text, tone));
        }
        lines
    }
}

fn told_pid(pid: Option<u32>) -> String {
    pid.map_or_else(|| "not started".to_owned(), |pid| format!("pid {pid}"))
}

fn event_line(event: &Event) -> Line {
    let (text, tone) = event_text(event);
    let time = event.timestamp.with_timezone(&Local).format("%H:%M:%S");
    Line {
        tail: event.event_type.clone(),
        ..Line::new(format!("{time}  {}", event_subject(event)), text, tone)
    }
}

/// An event with everything in it.
fn whole(event: &Event) -> Vec<Line> {
    let text = serde_json::to_string_pretty(event).unwrap_or_default();
    text.lines().map(|line| Line::new("", line, Tone::Plain)).collect()
}
