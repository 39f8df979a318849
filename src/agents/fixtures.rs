//! Screens of agents of which it is known what the agent was at: what every rule is tried on.
//!
//! Some are bundled; those that a user's corrections have kept are beside them. A fixture is a file a
//! person can read, edit and send to us.

use std::{fmt::Write as _, sync::OnceLock};

use serde::{Deserialize, Serialize};

use crate::domain::{
    activity::ActivityState,
    correction::{Screenshot, Truth},
};

/// The format of the files that is understood.
const FORMAT: u32 = 1;

/// Names the bundled files and takes them in.
macro_rules! bundled {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../assets/screens/fixtures/", $name, ".toml")))),+]
    };
}

/// The bundled files, with their names; seen with Claude Code 2.1.332, Codex 0.171.0,
/// Copilot 1.0.102, Gemini CLI 0.61.0, opencode 1.18.33 and Qwen Code 0.24.4; some in god mode, whose line
/// stands on screens of every state.
const BUNDLED: &[(&str, &str)] = bundled![
    "claude/blocked-permission-1",
    "claude/blocked-trust-1",
    "claude/idle-1",
    "claude/idle-2",
    "claude/idle-3",
    "claude/idle-4",
    "claude/working-1",
    "claude/working-2",
    "claude/working-3",
    "codex/blocked-auth-1",
    "codex/blocked-permission-1",
    "codex/idle-1",
    "codex/idle-2",
    "codex/working-1",
    "codex/working-2",
    "copilot/blocked-auth-1",
    "copilot/blocked-permission-1",
    "copilot/idle-1",
    "copilot/idle-2",
    "copilot/idle-3",
    "copilot/working-1",
    "copilot/working-2",
    "copilot/working-3",
    "gemini/blocked-auth-1",
    "gemini/error-1",
    "gemini/idle-1",
    "gemini/working-1",
    "opencode/idle-1",
    "opencode/working-1",
    "qwen/blocked-auth-1",
    "qwen/blocked-permission-1",
    "qwen/blocked-question-1",
    "qwen/error-1",
    "qwen/idle-1",
    "qwen/idle-2",
    "qwen/idle-3",
    "qwen/working-1",
    "qwen/working-2",
];

/// A screen and what the agent was at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixture {
    /// Its file's name, for people.
    pub name: String,
    /// The agent, or any other program.
    pub agent: String,
    /// What it was at.
    pub truth: Truth,
    /// The terminal.
    pub looked: Screenshot,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    agent: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default)]
    title: String,
    screen: String,
}

impl Fixture {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        if file.version != FORMAT {
            return Err(format!("version {} is not understood, only {FORMAT}", file.version));
        }
        let truth = Truth::parse(&file.state, file.kind.as_deref().unwrap_or_default());
        Ok(Self {
            name: name.to_owned(),
            agent: file.agent,
            truth: truth.map_err(|failure| failure.message)?,
            looked: Screenshot {
                title: file.title,
                lines: file.screen.lines().map(str::to_owned).collect(),
            },
        })
    }

    /// Returns what stands in its file: a row of the screen a line.
    pub fn text(&self) -> String {
        let string = |text: &str| quoted(text);
        let kind = self.truth.kind.as_ref().map(|kind| format!("kind = {}\n", string(kind)));
        let rows: Vec<&str> = self.looked.lines.iter().map(|line| line.trim_end()).collect();
        let last = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |at| at + 1);
        let screen: Vec<String> = rows.iter().take(last).map(|row| escaped(row)).collect();
        format!(
            "version = {FORMAT}\nagent = {}\nstate = {}\n{}title = {}\nscreen = \"\"\"\n{}\n\"\"\"\n",
            string(&self.agent),
            string(self.truth.state.as_str()),
            kind.unwrap_or_default(),
            string(&self.looked.title),
            screen.join("\n"),
        )
    }

    /// Returns the bundled ones of a program.
    pub fn bundled(agent: &str) -> impl Iterator<Item = &'static Self> {
        static ALL: OnceLock<Vec<Fixture>> = OnceLock::new();
        // A test holds that every one of them can be read.
        let all = ALL.get_or_init(|| {
            BUNDLED.iter().filter_map(|(name, text)| Self::parse(name, text).ok()).collect()
        });
        let agent = agent.to_owned();
        all.iter().filter(move |fixture| fixture.agent == agent)
    }

    /// Whether it shows another state than this; why an agent is blocked counts, too.
    pub fn is_other(&self, truth: &Truth) -> bool {
        self.truth != *truth
    }

    /// The name of a file for it, without number and ending.
    pub fn stem(&self) -> String {
        match (&self.truth.kind, self.truth.state) {
            (Some(kind), ActivityState::Blocked) => format!("blocked-{kind}"),
            (_, state) => state.as_str().to_owned(),
        }
    }
}

/// A text as TOML writes it on one line.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Escapes what must not stand in a string of TOML as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\t' => out.push_str("\\t"),
            letter if letter.is_control() => {
                // A string takes everything.
                write!(out, "\\u{:04X}", u32::from(letter)).ok();
            }
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agents::screens::{On, Rules, tail},
        domain::{
            activity::{ActivitySource, INTERRUPTED},
            agent::Agent,
            evidence::{Evidence, Word},
        },
    };
    use chrono::DateTime;

    #[test]
    fn every_bundled_screen_is_read_as_what_it_was() {
        for (name, text) in BUNDLED {
            let fixture = Fixture::parse(name, text).unwrap_or_else(|why| panic!("{name}: {why}"));
            let rules = Rules::bundled(Agent::of(&fixture.agent).unwrap()).unwrap();
            let mut evidence = Evidence::default();
            let at = DateTime::UNIX_EPOCH;
            for (source, seen) in [
                (ActivitySource::Screen, rules.look(On::Screen, &tail(&fixture.looked.lines))),
                (ActivitySource::Title, rules.look(On::Title, &fixture.looked.title)),
            ] {
                let word = seen.map(|seen| Word::new((seen.state, seen.kind, None), at));
                evidence.note(source, word);
            }
            let author = evidence.author(at);
            let seen = author.and_then(|source| evidence.words.remove(&source));
            let seen = seen.unwrap_or_else(|| panic!("{name}: no rule tells anything"));
            // That a turn was broken off is no kind that a person can say.
            let is_off =
                seen.state == ActivityState::Idle && seen.kind.as_deref() == Some(INTERRUPTED);
            let kind = seen.kind.filter(|_| !is_off);
            assert_eq!((seen.state, kind), (fixture.truth.state, fixture.truth.kind), "{name}");
            assert_eq!(is_off, name == &"qwen/idle-2", "{name}");
        }
        assert!(Fixture::bundled("claude").count() >= 4);
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let fixture = Fixture {
            name: "x".to_owned(),
            agent: "own \"tool\"".to_owned(),
            truth: Truth::parse("blocked", "trust").unwrap(),
            looked: Screenshot {
                title: "a\tb\u{1b}".to_owned(),
                lines: ["│ C:\\ \"\"\"quoted\"\"\" │", "", "❯ 1. Yes"].map(str::to_owned).to_vec(),
            },
        };
        assert_eq!(Fixture::parse("x", &fixture.text()), Ok(fixture.clone()));
        assert_eq!(fixture.stem(), "blocked-trust");
        assert!(Fixture::parse("x", "version = 1").is_err());
    }
}
