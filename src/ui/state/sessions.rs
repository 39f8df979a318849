//! The view of the agents' conversations: a line each, and everything of one.

use chrono::{DateTime, Local, Utc};

use super::{
    Line, State, Tone, View, age_text,
    table::{Column, table},
    wrap,
};
use crate::domain::{
    amount::{cost_without, marked, tokens},
    session::Session,
};

/// Columns of what stands before a fact about one of them.
const HEAD: usize = 14;

impl State {
    /// The heading of the view.
    pub(super) fn sessions_title(&self) -> String {
        match (&self.page.session, self.spending.ask.project.as_str()) {
            (Some(_), _) => "SESSION".to_owned(),
            (None, "") => "SESSIONS".to_owned(),
            (None, project) => format!("SESSIONS of {project}"),
        }
    }

    /// The names of the columns.
    pub(super) fn sessions_fixed(&self) -> Vec<Line> {
        match &self.page.session {
            Some(_) => Vec::new(),
            None => vec![Line::new("", self.sessions_table().0, Tone::Muted)],
        }
    }

    /// A line for each conversation.
    pub(super) fn sessions_lines(&self) -> Vec<Line> {
        let lines = self.sessions_table().1.into_iter().zip(self.sessions());
        let line = |(text, session): (String, &Session)| {
            let tone = if session.ended_at.is_none() { Tone::Plain } else { Tone::Muted };
            Line::new("", text, tone)
        };
        lines.map(line).collect()
    }

    /// Everything that is known of the one that is shown whole.
    pub(super) fn session_lines(&self, id: &str) -> Vec<Line> {
        let Some(session) = self.sessions().iter().find(|session| session.id == id) else {
            return vec![Line::new("", "it is not among the newest any more", Tone::Muted)];
        };
        let figures = |figure: &str| marked(figure, session.quality);
        let runner = self.runners.values().find(|r| r.id.to_string() == session.runner_id);
        let fields = [
            ("session", session.id.clone()),
            ("agent", session.agent.clone()),
            ("project", session.project.clone()),
            ("runner", runner.map_or(session.runner_id.clone(), |runner| runner.name.clone())),
            ("directory", session.cwd.clone()),
            ("model", session.model.clone()),
            ("state", session.state().to_owned()),
            ("began", format!("{} ({})", time(session.started_at), session.origin)),
            ("came from", session.resumed_from.clone().unwrap_or_default()),
            ("last message", session.last_message_at.map(time).unwrap_or_default()),
            ("ended", session.ended_at.map(time).unwrap_or_default()),
            ("messages", session.message_count.to_string()),
            ("tokens", figures(&tokens(session.tokens_used))),
            ("cost", cost(session)),
            ("figures", session.quality.as_str().to_owned()),
            ("transcript", session.transcript.clone()),
            ("first prompt", one_line(&session.first_prompt)),
            ("summary", one_line(&session.summary)),
        ];
        let room = usize::from(self.size.0).saturating_sub(HEAD + 4).max(8);
        let mut lines = Vec::new();
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            for (row, text) in wrap(&value, room).into_iter().enumerate() {
                lines.push(Line::new(if row == 0 { name } else { "" }, text, Tone::Plain));
            }
        }
        lines
    }

    /// The conversation under the cursor.
    pub(in crate::ui) fn session_at_cursor(&self) -> Option<String> {
        let lines = self.sessions_lines().into_iter().zip(self.sessions());
        let mut shown = lines.filter(|(line, _)| self.is_searched_for(line));
        shown.nth(self.page.at).map(|(_, session)| session.id.clone())
    }

    /// The conversation that is shown, or under the cursor.
    pub(in crate::ui) fn meant_session(&self) -> Option<String> {
        match self.view {
            View::Sessions => self.page.session.clone().or_else(|| self.session_at_cursor()),
            View::Found => self.hit_at_cursor().map(|hit| hit.session.clone()),
            View::Conversation => self.conversation.as_ref().map(|it| it.id.clone()),
            _ => None,
        }
    }

    /// What a conversation is called, as far as that is known.
    pub(in crate::ui) fn name_of_session(&self, id: &str) -> String {
        let known = self.sessions().iter().find(|session| session.id == id);
        known.map_or_else(|| id.to_owned(), name)
    }

    /// Whether it is known that nothing was said in a conversation.
    pub(in crate::ui) fn is_empty_session(&self, id: &str) -> bool {
        self.sessions().iter().any(|session| session.id == id && !session.has_begun())
    }

    /// The line of a conversation among those that are shown.
    pub(in crate::ui) fn line_of_session(&self, id: &str) -> Option<usize> {
        let lines = self.sessions_lines().into_iter().zip(self.sessions());
        let mut shown = lines.filter(|(line, _)| self.is_searched_for(line));
        shown.position(|(_, session)| session.id == id)
    }

    fn sessions_table(&self) -> (String, Vec<String>) {
        let all = self.sessions();
        let cells = |cell: &dyn Fn(&Session) -> String| all.iter().map(cell).collect();
        let columns = vec![
            Column::text("project", 2, cells(&|session| short(&session.project))),
            Column::text("agent", 4, cells(&|session| session.agent.clone())),
            Column::figures(
                "when",
                1,
                cells(&|session| {
                    let last = session.last_message_at.unwrap_or(session.started_at);
                    age_text((self.now - last).max(chrono::TimeDelta::zero()))
                }),
            ),
            Column::figures("messages", 7, cells(&|session| session.message_count.to_string())),
            Column::figures(
                "tokens",
                5,
                cells(&|session| marked(&tokens(session.tokens_used), session.quality)),
            ),
            Column::figures("cost", 6, cells(&cost)),
            Column::text("state", 3, cells(&|session| session.state().to_owned())),
            Column::text("first prompt", 0, cells(&|session| about(session))),
        ];
        table(columns, usize::from(self.size.0).saturating_sub(3))
    }

    /// The newest conversations that were read, of whichever project.
    pub(super) fn newest_sessions(&self) -> &[Session] {
        self.spending.spent.sessions.as_ref().map_or(&[], |(_, sessions)| sessions.as_slice())
    }

    fn sessions(&self) -> &[Session] {
        self.known_sessions().unwrap_or_default()
    }

    fn known_sessions(&self) -> Option<&[Session]> {
        let known = self.spending.spent.sessions.as_ref();
        let known = known.filter(|(project, _)| *project == self.spending.ask.project);
        known.map(|(_, sessions)| sessions.as_slice())
    }

    /// What is said where there is none.
    pub(super) fn sessions_empty(&self) -> Vec<String> {
        if self.known_sessions().is_none() {
            return vec!["reading …".to_owned()];
        }
        vec![
            "no conversation is known yet".to_owned(),
            "each one that an agent begins is listed here, also when its runner is gone".to_owned(),
        ]
    }
}

fn cost(session: &Session) -> String {
    cost_without(session.unpriced, session.cost, session.quality)
}

fn short(name: &str) -> String {
    name.chars().take(20).collect()
}

fn time(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%m-%d %H:%M:%S").to_string()
}

/// What a conversation is called: what it is about, or its id.
pub(super) fn name(session: &Session) -> String {
    let about = about(session);
    if about.is_empty() { session.id.clone() } else { about }
}

/// What it is about, as far as anybody said: its summary may be known when no prompt is.
fn about(session: &Session) -> String {
    let text = match session.first_prompt.trim() {
        "" => &session.summary,
        prompt => prompt,
    };
    one_line(text)
}

/// Prompts come from agents: what would break the line is left out.
pub(super) fn one_line(text: &str) -> String {
    let shown = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().map(shown).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}
