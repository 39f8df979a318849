//! The view of why a runner's state is what it is: what every source said last, and who is believed.

use chrono::TimeDelta;

use super::{Line, State, Tone, age_text, wrap};
use crate::domain::{
    activity::{Activity, ActivitySource},
    evidence::{Explanation, Word},
    id::RunnerId,
};

/// Every source, the best first.
const SOURCES: [(ActivitySource, &str); 7] = [
    (ActivitySource::Taught, "its screen, by a rule that you have taught"),
    (ActivitySource::Osc7501, "its own report"),
    (ActivitySource::Api, "its control interface"),
    (ActivitySource::Hook, "its hooks"),
    (ActivitySource::File, "the file of its state"),
    (ActivitySource::Title, "its window title"),
    (ActivitySource::Screen, "its screen"),
];

/// What is known of it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ui) struct EvidenceView {
    /// Whose.
    pub(in crate::ui) id: RunnerId,
    /// Its name.
    pub(in crate::ui) name: String,
    /// What was said, or why nobody knows; `None` until it was read.
    pub(in crate::ui) told: Option<Result<Box<Explanation>, String>>,
    /// What the runner was at, and in which run, when that was asked for.
    pub(in crate::ui) asked: Option<(Activity, u32)>,
}

impl State {
    /// The heading of the view.
    pub(super) fn evidence_title(&self) -> String {
        let name = self.evidence.as_ref().map_or("", |evidence| evidence.name.as_str());
        format!("WHY {name} IS WHAT IT IS")
    }

    /// The state with its author, and a line for each source.
    pub(super) fn evidence_lines(&self) -> Vec<Line> {
        let told = match self.evidence.as_ref().and_then(|evidence| evidence.told.as_ref()) {
            None => return vec![Line::new("", "reading …", Tone::Muted)],
            Some(Err(why)) => return vec![Line::new("", why.clone(), Tone::Bad)],
            Some(Ok(told)) => told,
        };
        let runner = &told.runner;
        let activity = &runner.activity;
        let why: Vec<&str> =
            activity.kind.iter().chain(&activity.message).map(String::as_str).collect();
        let author = match told.author {
            _ if !runner.status.is_live() => "it has ended; this was said before".to_owned(),
            Some(author) => format!("{} is believed", author.as_str()),
            None => "no source has said anything yet".to_owned(),
        };
        let mut lines = vec![
            Line::new("state", activity.state.as_str(), Tone::Heading),
            Line::new("because", author, Tone::Plain),
        ];
        if !why.is_empty() {
            lines.push(Line::new("for", one_line(&why.join(": ")), Tone::Plain));
        }
        let room = usize::from(self.size.0).saturating_sub(14).max(16);
        if let Some(why) = runner.held_by().filter(|_| runner.status.is_live()) {
            let text = format!("its prompts are held: {}", one_line(&why));
            let all = wrap(&text, room).into_iter().enumerate();
            lines.extend(all.map(|(at, text)| {
                Line::new(if at == 0 { "held" } else { "" }, text, Tone::Warning)
            }));
        }
        lines.push(Line::new("", "", Tone::Plain));
        for (source, about) in SOURCES {
            let said = told.words.iter().find(|(known, _)| *known == source);
            let mark = if told.author == Some(source) { "▸" } else { " " };
            let (text, tone) = match said {
                Some((_, word)) => (
                    format!("{} · {}", self.said(word), about),
                    if told.author == Some(source) { Tone::Good } else { Tone::Plain },
                ),
                None => (format!("nothing · {about}"), Tone::Muted),
            };
            lines.push(Line::new(format!("{mark} {}", source.as_str()), text, tone));
            if said.is_some()
                && let Some(pattern) = told.rule_of(source)
            {
                let text = format!("its rule looks for `{pattern}`");
                let all = wrap(&one_line(&text), room).into_iter();
                lines.extend(all.map(|text| Line::new("", text, Tone::Muted)));
            }
        }
        lines.push(Line::new("", "", Tone::Plain));
        let order = "the first of these that has spoken is believed; the title and the screen overrule \
             a hook that has been silent for a while, since no hook tells of Esc";
        lines.extend(wrap(order, room).into_iter().map(|text| Line::new("", text, Tone::Muted)));
        lines
    }

    fn said(&self, word: &Word) -> String {
        let why: Vec<&str> = word.kind.iter().chain(&word.message).map(String::as_str).collect();
        let age = age_text((self.now - word.at).max(TimeDelta::zero()));
        let state = word.state.as_str();
        if why.is_empty() {
            return format!("{state} for {age}");
        }
        format!("{state} for {age}: {}", one_line(&why.join(": ")))
    }
}

/// What agents say may contain anything.
fn one_line(text: &str) -> String {
    let shown = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().map(shown).collect()
}
