//! The view of what was found in all conversations: a line for each message that says it.
//!
//! Invariant: an answer to another question than the one that is shown is left aside.

use chrono::TimeDelta;
use unicode_width::UnicodeWidthStr as _;

use super::{
    Line, Page, State, Tone, View, age_text,
    sessions::one_line,
    table::{Column, table},
    wrap,
};
use crate::domain::{
    failure::Failure,
    session::{Hit, SearchFilter},
    snippet::Snippet,
};

/// Messages that are read: whoever finds more asks with more words.
const MOST_HITS: u32 = 200;

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct SearchAsk {
    /// As it was typed.
    pub(in crate::ui) text: String,
    /// The project whose conversations are searched; empty for all.
    pub(in crate::ui) project: String,
}

impl SearchAsk {
    /// Returns it in the daemon's terms.
    pub(in crate::ui) fn filter(&self) -> SearchFilter {
        SearchFilter {
            words: SearchFilter::words(&self.text),
            project: self.project.clone(),
            limit: MOST_HITS,
            ..SearchFilter::default()
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct FoundView {
    /// What is searched for.
    pub(in crate::ui) ask: SearchAsk,
    /// What was found, the newest first, or why nobody knows; `None` before the answer.
    read: Option<Result<Vec<Hit>, String>>,
    /// Where the user came from.
    pub(in crate::ui) before: (View, Page),
}

impl FoundView {
    /// Returns one that has no answer yet.
    pub(in crate::ui) fn new(ask: SearchAsk, before: (View, Page)) -> Self {
        Self { ask, read: None, before }
    }

    /// Takes in an answer; whether it is one to what is asked.
    pub(in crate::ui) fn learn(
        &mut self,
        ask: &SearchAsk,
        read: Result<Vec<Hit>, Failure>,
    ) -> bool {
        let is_answer = *ask == self.ask;
        if is_answer {
            self.read = Some(read.map_err(|failure| failure.in_a_line()));
        }
        is_answer
    }

    fn hits(&self) -> &[Hit] {
        match &self.read {
            Some(Ok(hits)) => hits,
            _ => &[],
        }
    }
}

impl State {
    /// The heading of the view.
    pub(super) fn found_title(&self) -> String {
        let Some(ask) = self.found.as_ref().map(|found| &found.ask) else { return String::new() };
        let whose = if ask.project.is_empty() { "" } else { " of " };
        format!("CONVERSATIONS{whose}{} with `{}`", ask.project, ask.text.trim())
    }

    /// The names of the columns.
    pub(super) fn found_fixed(&self) -> Vec<Line> {
        vec![Line::new("", self.found_table().0, Tone::Muted)]
    }

    /// A line for each message.
    pub(super) fn found_lines(&self) -> Vec<Line> {
        self.found_table().1
    }

    /// The message under the cursor.
    pub(in crate::ui) fn hit_at_cursor(&self) -> Option<&Hit> {
        let lines = self.found_lines().into_iter().zip(self.hits());
        let mut shown = lines.filter(|(line, _)| self.is_searched_for(line));
        shown.nth(self.page.at).map(|(_, hit)| hit)
    }

    fn hits(&self) -> &[Hit] {
        self.found.as_ref().map_or(&[], |found| found.hits())
    }

    fn found_table(&self) -> (String, Vec<Line>) {
        let hits = self.hits();
        let cells = |cell: &dyn Fn(&Hit) -> String| hits.iter().map(cell).collect();
        let snippets: Vec<_> = hits.iter().map(|hit| Snippet::of(&hit.snippet)).collect();
        let columns = vec![
            Column::text("project", 2, cells(&|hit| hit.project.chars().take(20).collect())),
            Column::text("agent", 4, cells(&|hit| hit.agent.clone())),
            Column::text("session", 5, cells(&|hit| hit.session.chars().take(8).collect())),
            Column::figures(
                "when",
                1,
                cells(&|hit| age_text((self.now - hit.at).max(TimeDelta::zero()))),
            ),
            Column::text("who", 3, cells(&|hit| hit.role.clone())),
            Column::text("said", 0, snippets.iter().map(|said| said.text.clone()).collect()),
        ];
        let room = usize::from(self.size.0).saturating_sub(3);
        let (heads, lines) = table(columns, room);
        let line = |(text, said): (String, Snippet)| {
            let before = text.len().saturating_sub(said.text.len());
            let head = text.get(..before).unwrap_or_default();
            let Snippet { text: said, marks } = said.within(room.saturating_sub(head.width()));
            let moved = marks.into_iter().map(|at| at.start + before..at.end + before);
            Line { marks: moved.collect(), ..Line::new("", format!("{head}{said}"), Tone::Plain) }
        };
        (heads, lines.into_iter().zip(snippets).map(line).collect())
    }

    /// What the conversation is called in which something was found.
    pub(in crate::ui) fn name_of_hit(hit: &Hit) -> String {
        let about = if hit.summary.is_empty() { &hit.first_prompt } else { &hit.summary };
        let about = one_line(about);
        if about.is_empty() { hit.session.clone() } else { about }
    }

    /// What is said where nothing is.
    pub(super) fn found_empty(&self) -> Vec<String> {
        let room = usize::from(self.size.0).saturating_sub(3);
        match self.found.as_ref().and_then(|found| found.read.as_ref()) {
            None => vec!["searching …".to_owned()],
            Some(Err(why)) => wrap(&format!("failed to search: {why}"), room),
            Some(Ok(_)) => {
                let how = "a message is found that has all of the words, in any order; those in \"quotes\" side by side";
                let mut lines = vec!["nobody has said that".to_owned()];
                lines.extend(wrap(how, room));
                lines
            }
        }
    }
}
