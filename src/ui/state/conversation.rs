//! The view of what was said in a conversation: who, when and what, as it is read from the daemon, which
//! has taken secrets out.
//!
//! Invariant: at most [`MOST`] bytes are kept: the newest, or those around the message that was looked for.

use std::collections::VecDeque;

use chrono::{DateTime, Local, Utc};

use super::{Line, Page, State, Tone, View, plain::plain, wrap};
use crate::domain::{
    session::{Hit, Utterance},
    snippet::Snippet,
};

/// Text that is kept, in bytes.
const MOST: usize = 2 << 20;

/// Columns of the heading for what else stands in it, and the least that what it is about has.
const BESIDE: usize = 44;
const LEAST: usize = 8;

/// Of one message, in bytes: some are files that were pasted.
const MOST_OF_ONE: usize = 64 << 10;

/// A message that was found, to be gone to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Target {
    at: DateTime<Utc>,
    role: String,
    /// The words of it that were found first.
    words: String,
}

impl Target {
    /// Returns what leads to a message that was found.
    pub(in crate::ui) fn new(hit: &Hit) -> Self {
        let Snippet { text, marks } = Snippet::of(&hit.snippet);
        let first = marks.into_iter().next().and_then(|at| text.get(at).map(str::to_lowercase));
        Self { at: hit.at, role: hit.role.clone(), words: first.unwrap_or_default() }
    }

    /// What is searched for in the conversation, in small letters.
    pub(in crate::ui) fn words(&self) -> &str {
        &self.words
    }

    /// Whether it is this message: agents that write no times have only the words.
    fn is(&self, said: &Utterance) -> bool {
        let has_words = || said.text.to_lowercase().contains(&self.words);
        match said.at {
            Some(at) => {
                at.timestamp_micros() == self.at.timestamp_micros() && said.role == self.role
            }
            None => said.role == self.role && has_words(),
        }
    }
}

/// A message as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    said: Utterance,
    lines: Vec<Line>,
}

/// How reading it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// At its end.
    Whole,
    /// Before it: what was looked for would have had to go for more.
    Full,
    /// By this.
    Failed(String),
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct ConversationView {
    /// The session's id.
    pub(in crate::ui) id: String,
    /// Which reading this is.
    pub(in crate::ui) reading: u64,
    /// What it is about.
    pub(in crate::ui) about: String,
    /// The message that is looked for.
    pub(in crate::ui) target: Option<Target>,
    /// It was gone to.
    has_arrived: bool,
    /// Where the user came from.
    pub(in crate::ui) before: (View, Page),
    said: VecDeque<Said>,
    /// Where in it the message is that was looked for.
    place: Option<usize>,
    /// Bytes in it.
    size: usize,
    /// Messages that had to go.
    forgotten: usize,
    end: Option<End>,
    /// The columns that the lines are made for.
    columns: usize,
}

impl ConversationView {
    /// Returns one that nothing was read of, for so many columns.
    pub(in crate::ui) fn new(
        (id, reading): (String, u64),
        about: String,
        target: Option<Target>,
        before: (View, Page),
        columns: usize,
    ) -> Self {
        Self {
            id,
            reading,
            about,
            target,
            has_arrived: false,
            before,
            said: VecDeque::new(),
            place: None,
            size: 0,
            forgotten: 0,
            end: None,
            columns,
        }
    }

    /// Whether more is to come.
    pub(in crate::ui) fn is_read_on(&self) -> bool {
        self.end.is_none()
    }

    /// Takes in what was said next; returns how many of the first lines had to go for it.
    pub(in crate::ui) fn take(&mut self, more: Vec<Utterance>) -> usize {
        let mut gone = 0;
        for mut said in more.into_iter().take_while(|_| self.end.is_none()) {
            if said.text.len() > MOST_OF_ONE {
                said.text.truncate(said.text.floor_char_boundary(MOST_OF_ONE));
                said.text += "\n(cut off here)";
            }
            let size = said.text.len();
            while self.size + size > MOST {
                match self.place {
                    // What was looked for is first by now.
                    Some(0) => {
                        self.end = Some(End::Full);
                        return gone;
                    }
                    Some(place) => self.place = Some(place - 1),
                    None => {}
                }
                let Some(first) = self.said.pop_front() else { break };
                self.size -= first.said.text.len();
                self.forgotten += 1;
                // The first line tells of what is gone, and is there from then on.
                gone += first.lines.len() - usize::from(self.forgotten == 1);
            }
            if self.target.as_ref().is_some_and(|target| target.is(&said)) && self.place.is_none() {
                self.place = Some(self.said.len());
            }
            self.size += size;
            let lines = lines(&said, self.columns);
            self.said.push_back(Said { said, lines });
        }
        gone
    }

    /// Notes that nothing more comes, and why if that is before its end.
    pub(in crate::ui) fn finish(&mut self, went: Result<(), String>) {
        let end = went.map_or_else(End::Failed, |()| End::Whole);
        self.end.get_or_insert(end);
    }

    /// Makes the lines anew for so many columns; returns where what a line says stands now, about.
    pub(in crate::ui) fn rewrap(&mut self, columns: usize, at: usize) -> usize {
        if self.columns == columns {
            return at;
        }
        self.columns = columns;
        let first = self.first().len();
        let (mut old, mut new, mut to) = (first, first, None);
        for Said { said, lines: shown } in &mut self.said {
            let before = shown.len();
            *shown = lines(said, columns);
            if (old..old + before).contains(&at) {
                to = Some(new + (at - old).min(shown.len().saturating_sub(1)));
            }
            (old, new) = (old + before, new + shown.len());
        }
        to.unwrap_or(if at < first { at } else { new })
    }

    /// The line of the message that is looked for, once, when it is there.
    pub(in crate::ui) fn arrive(&mut self) -> Option<usize> {
        let line = self.line_of_target().filter(|_| !self.has_arrived);
        self.has_arrived |= line.is_some();
        line
    }

    /// Why what was looked for is not there, once all was read.
    pub(in crate::ui) fn why_not_there(&self) -> Option<&'static str> {
        let target = self.target.as_ref().filter(|_| self.end == Some(End::Whole))?;
        let why = match (self.place, target.role.as_str()) {
            (Some(_), _) => return None,
            (None, "subagent") => {
                "a subagent said it: its words are not in the conversation itself"
            }
            _ => "it is not in the conversation's transcript any more",
        };
        Some(why)
    }

    /// The line of the message that is looked for: the one with the words.
    fn line_of_target(&self) -> Option<usize> {
        let place = self.place?;
        let words = &self.target.as_ref()?.words;
        let before: usize = self.said.iter().take(place).map(|it| it.lines.len()).sum();
        let shown = &self.said.get(place)?.lines;
        let within = shown.iter().position(|line| line.text.to_lowercase().contains(words));
        Some(self.first().len() + before + within.unwrap_or(0))
    }

    /// What stands before all messages.
    fn first(&self) -> Vec<Line> {
        let text = match self.forgotten {
            0 => return Vec::new(),
            1 => "(one message before this is left out)".to_owned(),
            count => format!("({count} messages before this are left out)"),
        };
        vec![Line::new("", text, Tone::Muted)]
    }

    /// All lines.
    fn lines(&self) -> Vec<Line> {
        let mut all = self.first();
        all.extend(self.said.iter().flat_map(|it| &it.lines).cloned());
        let end = match &self.end {
            _ if all.is_empty() => return all,
            None => "reading on …".to_owned(),
            Some(End::Whole) => {
                // What stands between two messages does not stand behind the last.
                all.pop_if(|line| line.text.is_empty());
                return all;
            }
            Some(End::Full) => {
                let id: String = self.id.chars().take(13).collect();
                format!("(more follows; stratavore sessions export {id} has all of it)")
            }
            Some(End::Failed(why)) => format!("failed to read on: {why}"),
        };
        let tone =
            if matches!(self.end, Some(End::Failed(_))) { Tone::Warning } else { Tone::Muted };
        all.extend(wrap(&end, self.columns).into_iter().map(|text| Line::new("", text, tone)));
        all
    }

    /// What is said where nothing was.
    fn empty(&self) -> Vec<String> {
        match &self.end {
            None => vec!["reading …".to_owned()],
            Some(End::Failed(why)) => {
                wrap(&format!("failed to read it: {why}"), self.columns.saturating_sub(1))
            }
            Some(_) => vec!["nothing was said in it yet".to_owned()],
        }
    }
}

/// A message as lines: who and when, and what.
fn lines(said: &Utterance, columns: usize) -> Vec<Line> {
    let at = said.at.map(|at| at.with_timezone(&Local).format("  %m-%d %H:%M:%S").to_string());
    let heading = format!("{}{}", said.role, at.unwrap_or_default());
    let mut lines = vec![Line::new("", heading, Tone::Heading)];
    for text in said.text.trim_end().lines() {
        let text = plain(text, MOST_OF_ONE);
        lines.extend(wrap(&text, columns).into_iter().map(|text| Line::new("", text, Tone::Plain)));
    }
    lines.push(Line::new("", "", Tone::Plain));
    lines
}

impl State {
    /// The columns of a line of a conversation.
    pub(in crate::ui) fn conversation_columns(&self) -> usize {
        usize::from(self.size.0).saturating_sub(3).max(1)
    }

    /// The heading of the view.
    pub(super) fn conversation_title(&self) -> String {
        let about = self.conversation.as_ref().map_or("", |it| it.about.as_str());
        let room = usize::from(self.size.0).saturating_sub(BESIDE).max(LEAST);
        let mut lines = wrap(about, room).into_iter();
        let first = lines.next().unwrap_or_default();
        let sign = if lines.next().is_some() { "…" } else { "" };
        format!("CONVERSATION · {first}{sign}")
    }

    /// Its lines.
    pub(super) fn conversation_lines(&self) -> Vec<Line> {
        self.conversation.as_ref().map(|it| it.lines()).unwrap_or_default()
    }

    /// What is said where there are none.
    pub(super) fn conversation_empty(&self) -> Vec<String> {
        self.conversation.as_ref().map(|it| it.empty()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(second: i64, role: &str, text: &str) -> Utterance {
        let at = DateTime::from_timestamp(1_800_000_000 + second, 0);
        Utterance { role: role.to_owned(), at, text: text.to_owned() }
    }

    fn view(target: Option<Target>) -> ConversationView {
        let before = (View::Sessions, Page::default());
        let which = ("0f0e0d0c".to_owned(), 1);
        ConversationView::new(which, "it".to_owned(), target, before, 20)
    }

    fn target(second: i64, words: &str) -> Target {
        let at = said(second, "", "").at.unwrap();
        Target { at, role: "assistant".to_owned(), words: words.to_owned() }
    }

    #[test]
    fn the_newest_is_kept_and_told_what_is_not() {
        let mut view = view(None);
        let long = format!("{}\n", "x".repeat(19)).repeat(MOST_OF_ONE / 20);
        assert_eq!(view.take(vec![said(0, "user", "first\x1b[31m")]), 0);
        assert_eq!(view.lines()[1].text, "first·[31m");
        let mut gone = 0;
        for second in 1..=40 {
            gone += view.take(vec![said(second, "assistant", &long)]);
        }
        view.finish(Ok(()));
        assert!(view.size <= MOST && gone > 3);
        let lines = view.lines();
        assert_eq!(
            lines[0].text,
            format!("({} messages before this are left out)", view.forgotten)
        );
        assert_eq!(view.said.back().unwrap().said.at, said(40, "", "").at);
        let one = "y".repeat(2 * MOST_OF_ONE);
        view.end = None;
        view.take(vec![said(50, "user", &one)]);
        assert!(view.lines().iter().any(|line| line.text == "(cut off here)"));
    }

    #[test]
    fn what_is_looked_for_is_not_given_up_for_what_follows() {
        let mut view = view(Some(target(3, "needle")));
        let long = format!("{}\n", "x".repeat(19)).repeat(MOST_OF_ONE / 20);
        for second in 0..100 {
            let text = if second == 3 { "a\nb\nthe Needle is here" } else { &long };
            view.take(vec![said(second, "assistant", text)]);
        }
        let at = view.line_of_target().unwrap();
        assert_eq!(view.lines()[at].text, "the Needle is here");
        assert!(!view.is_read_on());
        assert!(view.lines().last().unwrap().text.contains("all of it"), "{:?}", view.end);
        assert_eq!(view.rewrap(20, at), at);
        let now = view.rewrap(12, at);
        let is_near = |text: &str| text == "b" || text.starts_with("the Needle");
        assert!(is_near(&view.lines()[now].text), "{}", view.lines()[now].text);
        assert_eq!(view.lines()[view.line_of_target().unwrap()].text, "the Needle");
        assert_eq!((view.arrive().is_some(), view.arrive()), (true, None));
    }

    #[test]
    fn a_message_is_known_by_its_time_or_else_by_its_words() {
        let target = target(3, "needle");
        assert!(target.is(&said(3, "assistant", "anything")));
        assert!(!target.is(&said(3, "user", "needle")));
        assert!(!target.is(&said(4, "assistant", "needle")));
        let timeless = |text: &str| Utterance { at: None, ..said(0, "assistant", text) };
        assert!(target.is(&timeless("the Needle")) && !target.is(&timeless("the thread")));
    }
}
