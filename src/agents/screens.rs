//! What an agent is at, told by its title and its screen: rules as data, one file an agent.
//!
//! The last resort, for agents that do not report and for dialogs that come before they do. The files
//! are bundled; one of the user's takes the place of ours, or, with `adds = true`, goes before it: the
//! rules that a person has taught are such. Invariant: the first rule that matches decides, and no
//! pattern takes longer than linear time.

use std::{collections::HashMap, sync::OnceLock};

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::domain::{activity::ActivityState, agent::Agent};

/// Lines of the screen that are looked at, from below, empty ones left out.
pub const LINES: usize = 15;

/// What a compiled pattern may take, in bytes.
const LARGEST_PATTERN: usize = 1 << 20;

/// The format of the files that is understood.
const FORMAT: u32 = 1;

/// The bundled files.
const BUNDLED: [(Agent, &str); 7] = [
    (Agent::Claude, include_str!("../../assets/screens/claude.toml")),
    (Agent::Codex, include_str!("../../assets/screens/codex.toml")),
    (Agent::Gemini, include_str!("../../assets/screens/gemini.toml")),
    (Agent::Opencode, include_str!("../../assets/screens/opencode.toml")),
    (Agent::Qwen, include_str!("../../assets/screens/qwen.toml")),
    (Agent::Copilot, include_str!("../../assets/screens/copilot.toml")),
    (Agent::Aider, include_str!("../../assets/screens/aider.toml")),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    agent: String,
    #[serde(default)]
    adds: bool,
    #[serde(default, rename = "rule")]
    rules: Vec<Line>,
    draft: Option<DraftLine>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DraftLine {
    pattern: String,
    unless: Option<String>,
    key: String,
    #[serde(default)]
    ghosts: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    on: On,
    state: String,
    kind: Option<String>,
    pattern: String,
    #[serde(default)]
    also: Vec<String>,
    unless: Option<String>,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// The terminal's title.
    Title,
    /// The last lines of the screen.
    Screen,
}

#[derive(Debug)]
struct Rule {
    on: On,
    state: ActivityState,
    kind: Option<String>,
    pattern: Regex,
    /// These must match, too.
    also: Vec<Regex>,
    /// This must not.
    unless: Option<Regex>,
}

impl Rule {
    fn matches(&self, on: On, text: &str) -> bool {
        self.on == on
            && self.pattern.is_match(text)
            && self.also.iter().all(|also| also.is_match(text))
            && !self.unless.as_ref().is_some_and(|unless| unless.is_match(text))
    }
}

/// How a text that stands in the input box is seen, and taken out.
#[derive(Debug)]
struct Draft {
    /// Matches the box with the text in it.
    pattern: Regex,
    unless: Option<Regex>,
    /// The key that takes a part of it out.
    key: String,
    /// What is seen in the box may be a suggestion, which no key takes out and any text takes the place of.
    ghosts: bool,
}

/// A text that is seen in an input box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drafted {
    /// It, with its box.
    pub text: String,
    /// The keys that take it out, where the cursor is at its end.
    pub keys: Vec<u8>,
    /// It may be no more than a suggestion.
    pub may_be_ghost: bool,
}

/// The rules of one agent.
#[derive(Debug)]
pub struct Rules {
    agent: String,
    adds: bool,
    all: Vec<Rule>,
    draft: Option<Draft>,
}

/// What a rule told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The state.
    pub state: ActivityState,
    /// Why, for a blocked agent.
    pub kind: Option<String>,
}

impl Rules {
    /// Reads a file of rules.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it, and in which rule.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        if file.version != FORMAT {
            return Err(format!("version {} is not understood, only {FORMAT}", file.version));
        }
        let rules = file.rules.into_iter().enumerate().map(|(index, line)| {
            let wrong = |what: String| format!("rule {}: {what}", index + 1);
            let state = ActivityState::parse(&line.state)
                .ok_or_else(|| wrong(format!("`{}` is no state", line.state)))?;
            let compiled = |text: &String| compile(text).map_err(wrong);
            Ok(Rule {
                on: line.on,
                state,
                kind: line.kind,
                pattern: compiled(&line.pattern)?,
                also: line.also.iter().map(compiled).collect::<Result<_, String>>()?,
                unless: line.unless.as_ref().map(compiled).transpose()?,
            })
        });
        let rules = rules.collect::<Result<_, String>>()?;
        let draft = file.draft.map(|line| {
            let compiled = |text: &String| compile(text).map_err(|what| format!("draft: {what}"));
            let (pattern, unless) = (compiled(&line.pattern)?, line.unless.as_ref());
            Ok::<_, String>(Draft {
                pattern,
                unless: unless.map(compiled).transpose()?,
                key: line.key,
                ghosts: line.ghosts,
            })
        });
        let draft = draft.transpose()?;
        Ok(Self { agent: file.agent, adds: file.adds, all: rules, draft })
    }

    /// The program that it is for: an agent's name, or that of any other program.
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// Whether they go before other rules of the same agent instead of taking their place.
    pub fn adds(&self) -> bool {
        self.adds
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Returns the bundled rules of an agent.
    pub fn bundled(agent: Agent) -> Option<&'static Self> {
        static ALL: OnceLock<HashMap<Agent, Rules>> = OnceLock::new();
        let all = ALL.get_or_init(|| {
            let parsed = BUNDLED.iter().map(|(agent, text)| (*agent, Self::parse(text)));
            // A test holds that every one of them can be read.
            parsed.filter_map(|(agent, rules)| Some((agent, rules.ok()?))).collect()
        });
        all.get(&agent)
    }

    /// Whether there is a rule by which a screen tells that the agent rests: that its input box is there.
    pub fn know_rest(&self) -> bool {
        let is_rest = |rule: &Rule| rule.on == On::Screen && rule.state == ActivityState::Idle;
        self.all.iter().any(is_rest)
    }

    /// Whether they tell a text in the input box.
    pub fn know_drafts(&self) -> bool {
        self.draft.is_some()
    }

    /// Returns the text in the input box; `None` where none is seen in it.
    pub fn draft(&self, screen: &str) -> Option<Drafted> {
        let draft = self.draft.as_ref()?;
        let found = draft.pattern.find_iter(screen).last()?.as_str();
        let is_other = draft.unless.as_ref().is_some_and(|unless| unless.is_match(found));
        // Each row has its beginning and its break.
        (!is_other).then(|| Drafted {
            text: found.to_owned(),
            keys: draft.key.repeat(found.lines().count() * 2).into_bytes(),
            may_be_ghost: draft.ghosts,
        })
    }

    /// Returns what a title or a screen tells; `None` where no rule matches.
    pub fn look(&self, on: On, text: &str) -> Option<Seen> {
        let rule = self.matching(on, text)?;
        Some(Seen { state: rule.state, kind: rule.kind.clone() })
    }

    /// Returns the pattern of the rule by which [`Rules::look`] tells.
    pub fn pattern(&self, on: On, text: &str) -> Option<&str> {
        Some(self.matching(on, text)?.pattern.as_str())
    }

    fn matching(&self, on: On, text: &str) -> Option<&Rule> {
        self.all.iter().find(|rule| rule.matches(on, text))
    }
}

/// Compiles a pattern that takes bounded room.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(LARGEST_PATTERN).build();
    built.map_err(|error| error.to_string())
}

/// The part of a screen that is looked at.
pub fn tail<T: AsRef<str>>(lines: &[T]) -> String {
    let filled: Vec<_> =
        lines.iter().map(|line| line.as_ref().trim_end()).filter(|line| !line.is_empty()).collect();
    filled.get(filled.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_file_is_read() {
        for (agent, text) in BUNDLED {
            let rules = Rules::parse(text).unwrap_or_else(|error| panic!("{agent:?}: {error}"));
            assert_eq!(Agent::of(&rules.agent), Some(agent));
            assert!(Rules::bundled(agent).is_some());
        }
    }

    #[test]
    fn titles_and_dialogs_are_understood() {
        use ActivityState::{Blocked, Idle, Working};
        let look = |agent, on, text: &str| {
            let seen = Rules::bundled(agent).unwrap().look(on, text);
            seen.map(|seen| (seen.state, seen.kind.unwrap_or_default()))
        };
        for (agent, on, text, state, kind) in [
            (Agent::Gemini, On::Title, "◇  Ready (a)", Idle, ""),
            (Agent::Gemini, On::Title, "✦  Working… (a)", Working, ""),
            (Agent::Gemini, On::Title, "✋  Action Required (a)", Blocked, "permission"),
            (Agent::Gemini, On::Screen, "● 1. Trust folder (a)", Blocked, "trust"),
            (Agent::Claude, On::Screen, "❯ 1. Yes, I trust this folder", Blocked, "trust"),
            (Agent::Claude, On::Title, "◐ Fix it", Working, ""),
            (Agent::Codex, On::Title, "⠹ a", Working, ""),
            (Agent::Codex, On::Title, "[ ! ] Action Required | a", Blocked, "permission"),
            (Agent::Opencode, On::Screen, "△ Permission required", Blocked, "permission"),
            (Agent::Opencode, On::Screen, "esc interrupt   ctrl+p commands", Working, ""),
            (Agent::Opencode, On::Screen, "ctrl+p commands", Idle, ""),
        ] {
            assert_eq!(look(agent, on, text), Some((state, kind.to_owned())), "{text}");
        }
        assert_eq!(look(Agent::Claude, On::Title, "✳ Fix it"), None);
        // aider writes line by line: what was asked and answered stays above.
        let answered = "new in this version? (Y)es/(N)o [Yes]: n\n──────\n>";
        for (screen, state, kind) in [
            ("Would you like to see what's\nnew? (Y)es/(N)o [Yes]:", Blocked, "permission"),
            ("Would you like to see it? (Y)es/(N)o\n[Yes]: n", Blocked, "permission"),
            (answered, Idle, ""),
            (&format!("{answered} fix th"), Idle, ""),
            (&format!("{answered} fix\nWaiting for openai/gpt ░█"), Working, ""),
            (&format!("{answered} fix\n\nIt is"), Working, ""),
            (&format!("{answered} fix\nEdit? (Y)es/(N)o [Yes]:"), Blocked, "permission"),
            (&format!("{answered} fix\nEdit? (Y)es/(N)o [Yes]: y\nApplied"), Working, ""),
            (&format!("{answered} fix\n\nIt is done.\n──────\narchitect>"), Idle, ""),
        ] {
            let seen = look(Agent::Aider, On::Screen, screen);
            assert_eq!(seen, Some((state, kind.to_owned())), "{screen}");
        }
        let cancelled = "✦ word1\nℹ Request cancelled.\n───\n >   Type your message";
        for (agent, screen, kind) in [
            (Agent::Gemini, cancelled, "interrupted"),
            (Agent::Gemini, &cancelled.replace("───", " > Go on\n✦ Done"), ""),
            (Agent::Qwen, "  > a\n  ●\u{fe0e} Request cancelled.\n────\n> a\n────", "interrupted"),
            (
                Agent::Qwen,
                "  ●\u{fe0e} Request cancelled.\n  > a\n  ◆ Done\n>   Type your message",
                "",
            ),
        ] {
            assert_eq!(look(agent, On::Screen, screen), Some((Idle, kind.to_owned())), "{screen}");
        }
        let line = "─".repeat(40);
        let esc = format!("  ⎿  Interrupted · What should Claude do instead?\n{line}\n❯\n{line}");
        let broken_off = Some((Idle, "interrupted".to_owned()));
        assert_eq!(look(Agent::Claude, On::Screen, &esc), broken_off);
        let declined = format!("● User declined to answer questions\n{line}\n❯\n{line}");
        assert_eq!(look(Agent::Claude, On::Screen, &declined), broken_off);
        let failed = format!("  ⎿  API Error: 400 {{\"a\":\n     1}}\n{line}\n❯\n{line}");
        let error = Some((ActivityState::Error, String::new()));
        assert_eq!(look(Agent::Claude, On::Screen, &failed), error);
        let mended = failed.replace("1}", "1}\n❯ again\n● ok");
        assert_eq!(look(Agent::Claude, On::Screen, &mended), Some((Idle, String::new())));
        let next = esc.replace("do instead?\n", "do instead?\n❯ Go on\n● Done.\n");
        assert_eq!(look(Agent::Claude, On::Screen, &next), Some((Idle, String::new())));
    }

    #[test]
    fn a_text_in_an_input_box_is_seen() {
        let rules = Rules::bundled(Agent::Qwen).unwrap();
        let rule = "─".repeat(40);
        let keys = |text: &str| {
            let screen = format!("  > said\n\n{rule}\n{text}\n{rule}\n  ➜ work · gpt");
            rules.draft(&screen).map(|draft| draft.keys.len())
        };
        assert_eq!(keys(">   Type your message or @path/to/file"), None);
        assert_eq!(keys("> \u{200b}"), None);
        assert_eq!(keys(">"), None);
        assert_eq!(keys("> @mock slow 20 \u{200b}"), Some(6));
        assert_eq!(keys("> one\n\n  two"), Some(10));
        assert_eq!(keys("* one"), Some(6));
        let rules = Rules::bundled(Agent::Claude).unwrap();
        let draft =
            rules.draft(&format!("❯ said\n\n{rule}\n❯\u{a0}@mock slow 20\n{rule}\n  ⏸ manual"));
        assert_eq!(draft.map(|it| (it.keys.len(), it.may_be_ghost)), Some((6, true)));
        assert_eq!(rules.draft(&format!("❯ said\n\n{rule}\n❯\u{a0}\n{rule}\n  ⏸ manual")), None);
        assert_eq!(rules.draft(&format!("{rule}\n❯ Try \"fix it\"\n{rule}\n")), None);
        let rules = Rules::bundled(Agent::Opencode).unwrap();
        let stands = |text: &str| {
            let bottom = format!("  ┃  Build · Mock\n  ╹{}\n  ctrl+p commands", "▀".repeat(40));
            let said = "  ┃\n  ┃  said\n  ┃\n\n     done\n\n";
            rules.draft(&format!("{said}  ┃\n{text}{bottom}")).map(|draft| draft.text)
        };
        assert_eq!(stands("  ┃\n  ┃\n"), None);
        assert_eq!(stands("  ┃  Ask anything… \"Fix a TODO\"\n  ┃\n"), None);
        let text = stands("  ┃  fix the parser\n  ┃\n  ┃  and the lexer\n  ┃\n").unwrap();
        assert!(text.contains("fix the parser") && !text.contains("said"), "{text}");
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_rule() {
        let text =
            "version = 1\nagent = 'x'\n[[rule]]\non = 'screen'\nstate = 'asleep'\npattern = ''";
        assert_eq!(Rules::parse(text).unwrap_err(), "rule 1: `asleep` is no state");
        assert!(Rules::parse("version = 2\nagent = 'x'").is_err());
    }

    #[test]
    fn the_tail_leaves_empty_lines_out() {
        let lines: Vec<_> = (0..40).flat_map(|n| [format!("{n}  "), String::new()]).collect();
        let tail = tail(&lines);
        assert_eq!(tail.lines().count(), LINES);
        assert!(tail.starts_with("25\n") && tail.ends_with("39"));
    }
}
