//! The views that are lines to read: events, a runner's log, its changes and its evidence, the settings, the health of
//! the parts, usage, budgets, sessions, what was said in them, the inbox.
//!
//! Invariant: the cursor stands on a line that is shown, if there is any; while the end is followed
//! that is the last one.

use std::ops::Range;

use chrono::{Local, TimeDelta};
use uuid::Uuid;

use super::{ChangesView, LogView, State, TextLine, View, age_text, natural, wrap};
use crate::domain::{
    event::Event,
    event_text::{Mood, event_subject, event_text},
};

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

impl From<Mood> for Tone {
    fn from(mood: Mood) -> Self {
        match mood {
            Mood::Plain => Self::Plain,
            Mood::Muted => Self::Muted,
            Mood::Good => Self::Good,
            Mood::Warning => Self::Warning,
            Mood::Bad => Self::Bad,
        }
    }
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
    /// What stands out in the text, in bytes.
    pub(in crate::ui) marks: Vec<Range<usize>>,
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
    /// The text that is searched for among them.
    pub(in crate::ui) find: TextLine,
    /// The event under the cursor is shown whole, by its position.
    pub(in crate::ui) inspected: Option<u64>,
    /// The line of another page that is shown whole.
    pub(in crate::ui) whole: Option<Whole>,
    /// The conversation that is shown whole, by its id.
    pub(in crate::ui) session: Option<String>,
    /// The item of the inbox that is shown whole.
    pub(in crate::ui) item: Option<Uuid>,
}

/// A line that is shown whole, over as many lines as it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Whole {
    /// The line.
    pub(in crate::ui) line: Line,
    /// Where it stands.
    pub(in crate::ui) at: usize,
}

impl Page {
    /// Whether one thing is shown whole instead of all lines.
    pub(in crate::ui) fn is_whole(&self) -> bool {
        let one = self.session.is_some() || self.item.is_some();
        one || self.inspected.is_some() || self.whole.is_some()
    }
}

impl Line {
    pub(super) fn new(head: impl Into<String>, text: impl Into<String>, tone: Tone) -> Self {
        let (head, text) = (head.into(), text.into());
        Self { head, text, tail: String::new(), tone, marks: Vec::new() }
    }

    /// Whether it says a text; without capital letters either case counts.
    fn says(&self, needle: &str) -> bool {
        let any_case = !needle.chars().any(char::is_uppercase);
        let text = if any_case { &self.text.to_lowercase() } else { &self.text };
        !needle.is_empty() && text.contains(needle)
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
        let title = match self.view {
            View::Events if self.page.inspected.is_some() => "EVENT".to_owned(),
            View::Events => "EVENTS".to_owned(),
            View::Log => {
                let name = self.log.as_ref().map_or("", |log| log.name.as_str());
                format!("LOG of {name}")
            }
            View::Changes => self.changes_title(),
            View::Evidence => self.evidence_title(),
            View::Settings => "SETTINGS".to_owned(),
            View::Health => "HEALTH".to_owned(),
            View::Usage => self.usage_title(),
            View::Budgets => "BUDGETS".to_owned(),
            View::Sessions => self.sessions_title(),
            View::Found => self.found_title(),
            View::Conversation => self.conversation_title(),
            View::Inbox => self.inbox_title(),
            View::Dashboard | View::Panes => String::new(),
        };
        if self.page.whole.is_some() { format!("{title} · one line") } else { title }
    }

    /// The lines of the page that is shown, as far as they have the words that are searched.
    pub(in crate::ui) fn page_lines(&self) -> Vec<Line> {
        if let Some(Whole { line, .. }) = &self.page.whole {
            return self.wrapped(line);
        }
        let words = self.page_words();
        let lines = match self.view {
            View::Events => match self.inspected() {
                Some(event) => return whole(event).iter().flat_map(|l| self.wrapped(l)).collect(),
                None => self.events.iter().map(event_line).collect(),
            },
            View::Log => self.log.as_ref().map(LogView::lines).unwrap_or_default(),
            View::Changes => self.changes_lines().into_iter().map(|(line, _)| line).collect(),
            View::Evidence => self.evidence_lines(),
            View::Settings => self.settings_lines(),
            View::Health => self.health_lines(),
            View::Usage => self.usage_lines(),
            View::Budgets => self.budgets_lines(),
            View::Sessions => match &self.page.session {
                Some(id) => return self.session_lines(id),
                None => self.sessions_lines(),
            },
            View::Found => self.found_lines(),
            View::Conversation => self.conversation_lines(),
            View::Inbox => match self.page.item {
                Some(id) => return self.item_lines(id),
                None => self.inbox_lines(),
            },
            View::Dashboard | View::Panes => Vec::new(),
        };
        lines.into_iter().filter(|line| line.has(&words)).collect()
    }

    fn changes_title(&self) -> String {
        let Some(changes) = &self.changes else { return String::new() };
        match changes.opened() {
            Some(path) => {
                let path: String = path.chars().filter(|c| !c.is_control()).collect();
                format!("CHANGES of {} · {path}", changes.name)
            }
            None => format!("CHANGES of {}", changes.name),
        }
    }

    fn changes_lines(&self) -> Vec<(Line, Option<usize>)> {
        self.changes.as_ref().map(ChangesView::lines).unwrap_or_default()
    }

    /// Whether the view is one to search in, rather than to narrow.
    pub(in crate::ui) fn is_searched(&self) -> bool {
        matches!(self.view, View::Log | View::Changes | View::Conversation)
    }

    /// The changed file under the cursor.
    pub(in crate::ui) fn file_at_cursor(&self) -> Option<usize> {
        if self.view != View::Changes || self.page.is_whole() {
            return None;
        }
        let words = self.page_words();
        let lines = self.changes_lines().into_iter().filter(|(line, _)| line.has(&words));
        lines.map(|(_, file)| file).nth(self.page.at)?
    }

    /// The lines that stand above them and do not move: names of columns, bars.
    pub(in crate::ui) fn page_fixed(&self) -> Vec<Line> {
        let fixed = match self.view {
            _ if self.page.is_whole() => Vec::new(),
            View::Usage => self.usage_fixed(),
            View::Budgets => self.budgets_fixed(),
            View::Sessions => self.sessions_fixed(),
            View::Found => self.found_fixed(),
            View::Inbox => self.inbox_fixed(),
            _ => Vec::new(),
        };
        fixed.into_iter().skip_while(|line| line.text.is_empty()).collect()
    }

    /// What is said where there are no lines.
    pub(in crate::ui) fn page_empty(&self) -> Vec<String> {
        let search = self.page.search.text();
        match self.view {
            _ if !self.page.search.is_blank() => vec![format!("no line has `{search}`")],
            View::Usage => self.usage_empty(),
            View::Budgets => self.budgets_empty(),
            View::Sessions => self.sessions_empty(),
            View::Found => self.found_empty(),
            View::Conversation => self.conversation_empty(),
            View::Inbox => Self::inbox_empty(),
            _ => vec!["nothing yet".to_owned()],
        }
    }

    /// The lines of a page that has room for so many with its title and what stands above them.
    pub(in crate::ui) fn page_rows(&self, height: u16) -> usize {
        let above = 1 + self.page_fixed().len();
        usize::from(height).saturating_sub(above).max(1)
    }

    /// Whether a line has the words that are searched.
    pub(super) fn is_searched_for(&self, line: &Line) -> bool {
        line.has(&self.page_words())
    }

    fn page_words(&self) -> Vec<String> {
        let words = self.page.search.text().to_lowercase();
        words.split_whitespace().map(str::to_owned).collect()
    }

    /// Which of the lines that are shown say what is searched for.
    pub(in crate::ui) fn page_matches(&self) -> Vec<usize> {
        let needle = self.page.find.text();
        if self.page.find.is_blank() || self.page.is_whole() {
            return Vec::new();
        }
        let lines = self.page_lines().into_iter().enumerate();
        lines.filter(|(_, line)| line.says(needle)).map(|(at, _)| at).collect()
    }

    /// Keeps the reader's place when old lines of a view are forgotten.
    pub(in crate::ui) fn keep_place(&mut self, view: View, forgotten: &[Line]) {
        if self.view != view || self.page.inspected.is_some() {
            return;
        }
        let words = self.page_words();
        let count = forgotten.iter().filter(|line| line.has(&words)).count();
        if let Some(whole) = &mut self.page.whole {
            whole.at = whole.at.saturating_sub(count);
        } else {
            self.page.at = self.page.at.saturating_sub(count);
            self.page.top = self.page.top.saturating_sub(count);
        }
    }

    /// The event under the cursor.
    pub(in crate::ui) fn event_at_cursor(&self) -> Option<&Event> {
        let words = self.page_words();
        self.events.iter().filter(|event| event_line(event).has(&words)).nth(self.page.at)
    }

    fn inspected(&self) -> Option<&Event> {
        let position = self.page.inspected?;
        self.events.iter().find(|event| event.position == position)
    }

    /// A line with nothing cut off, over as many as it needs.
    fn wrapped(&self, line: &Line) -> Vec<Line> {
        let room = usize::from(self.size.0).saturating_sub(2);
        let parts = [
            (line.head.trim(), Tone::Heading),
            (line.text.as_str(), line.tone),
            (line.tail.as_str(), Tone::Muted),
        ];
        let has_head = !line.head.is_empty();
        // A blank line is one, too; only what belongs to nothing is left out.
        let parts = parts
            .into_iter()
            .enumerate()
            .filter(|(at, (text, _))| !text.is_empty() || (*at == 1 && !has_head));
        let lines = parts.flat_map(|(_, (text, tone))| {
            wrap(text, room).into_iter().map(move |text| Line::new("", text, tone))
        });
        lines.collect()
    }

    fn settings_lines(&self) -> Vec<Line> {
        let line = |(key, value, source): &(String, String, String)| {
            let (value, source) = self.in_force(key, value, source);
            let tone = if source == "default" { Tone::Muted } else { Tone::Plain };
            Line { tail: source, ..Line::new(key.clone(), value, tone) }
        };
        // There are many keys, and they have a list of their own.
        let (keys, others): (Vec<_>, Vec<_>) =
            self.config.iter().partition(|(key, ..)| key.starts_with("keys."));
        others.into_iter().chain(keys).map(line).collect()
    }

    /// A setting as it is now: the theme can be chosen without configuring it.
    fn in_force(&self, key: &str, value: &str, source: &str) -> (String, String) {
        let themes = &self.themes;
        let is_other =
            key == "dashboard.theme" && !themes.shown.is_empty() && themes.shown != value;
        match (is_other, &themes.set_in) {
            (false, _) => (value.to_owned(), source.to_owned()),
            (true, Some(_)) => (format!("{} until you leave", themes.shown), source.to_owned()),
            (true, None) if themes.is_chosen => {
                (themes.shown.clone(), "chosen in the dashboard".to_owned())
            }
            (true, None) => (themes.shown.clone(), source.to_owned()),
        }
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
            let tone = match part.state.as_str() {
                "ok" => Tone::Good,
                "degraded" => Tone::Warning,
                _ => Tone::Bad,
            };
            let text = match part.detail.as_str() {
                "" => part.state.clone(),
                detail => format!("{}: {detail}", part.state),
            };
            lines.push(Line::new(format!("  {}", part.name), text, tone));
        }
        lines.push(Line::new("supervisors", "", Tone::Heading));
        let live = self.runners.values().filter(|runner| runner.status.is_live());
        let mut live: Vec<_> = live.collect();
        live.sort_by(|a, b| natural(&a.name, &b.name).then(a.id.cmp(&b.id)));
        for runner in live {
            let (text, tone) = match runner.supervisor_pid {
                Some(pid) => (format!("pid {pid}, agent {}", told_pid(runner.pid)), Tone::Good),
                None => ("not known yet".to_owned(), Tone::Warning),
            };
            let adopted = if runner.adopted { ", adopted" } else { "" };
            let processes = match runner.processes {
                1 => "1 process".to_owned(),
                count => format!("{count} processes"),
            };
            let text = format!("{text}, {processes}{adopted}");
            lines.push(Line::new(format!("  {}", runner.name), text, tone));
        }
        lines
    }
}

fn told_pid(pid: Option<u32>) -> String {
    pid.map_or_else(|| "not started".to_owned(), |pid| format!("pid {pid}"))
}

/// An event in a line.
pub(in crate::ui) fn event_line(event: &Event) -> Line {
    let (text, mood) = event_text(event);
    let time = event.timestamp.with_timezone(&Local).format("%H:%M:%S");
    Line {
        tail: event.event_type.clone(),
        ..Line::new(format!("{time}  {}", event_subject(event)), text, mood.into())
    }
}

/// An event with everything in it.
fn whole(event: &Event) -> Vec<Line> {
    let text = serde_json::to_string_pretty(event).unwrap_or_default();
    text.lines().map(|line| Line::new("", line, Tone::Plain)).collect()
}
