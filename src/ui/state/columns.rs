//! The columns of a runner's line in the list, for any width. What it asks or says goes before the
//! figures: those appear where there is room beyond that.
//!
//! Invariant: the columns of a line together take no more than the width of the list.

use unicode_width::UnicodeWidthStr as _;

use super::{FIGURES_FROM, State, command, told};
use crate::domain::runner::Runner;

/// Samples of CPU shown as bars.
pub(in crate::ui) const TREND: usize = 8;
/// CPU and memory, with the blanks before them.
const FIGURES: usize = 15;
/// Tokens, with the blanks before them, and what they cost.
const TOKENS: usize = 8;
const COST: usize = 8;
/// Beside its tokens a runner has so many columns at least for what it says, in a narrower list so
/// many.
const SAID_BESIDE: usize = 22;
const SAID_LEAST: usize = 18;
/// Beside the agent's name so many are enough: whose question it is goes before its last words.
const SAID_BESIDE_AGENT: usize = 14;
/// Such a list has at least so many columns.
const TOKENS_FROM: usize = 58;
/// From so many columns on, the agent is named whatever is said; below, only where there is room, and
/// in so many columns at most.
const AGENT_FROM: usize = 72;
const AGENT_SHORT: usize = 8;
/// The branch with its changes, or the command, with the blanks before it; cut to fewer columns than
/// this it says nothing.
const COMMAND: usize = 20;
const ENDING_LEAST: usize = 8;
/// A list that shows more than what a runner says leaves that so many columns.
const SAID: usize = 31;
/// Of a line where there is room: the marks, the word, the age and the blanks between them.
const MARKS: usize = 3;
const WORD: usize = 10;
const AGE: usize = 5;

/// The columns of a list of some width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) struct Columns {
    /// The name.
    pub(in crate::ui) name: usize,
    /// The word for what it is at; at most where it is narrow.
    pub(in crate::ui) word: usize,
    /// For how long.
    pub(in crate::ui) age: usize,
    /// The agent, 0 where it is not shown.
    pub(in crate::ui) agent: usize,
    /// The agent gives way to a question that has no room beside it.
    pub(in crate::ui) agent_yields: bool,
    /// What it says, where that is cut to leave room for figures; 0 where it takes what is left.
    pub(in crate::ui) said: usize,
    /// What its agent used, 0 where it is not shown.
    pub(in crate::ui) tokens: usize,
    /// What that costs, 0 where it is not shown.
    pub(in crate::ui) cost: usize,
    /// Whether CPU and memory are shown.
    pub(in crate::ui) has_figures: bool,
    /// Whether the trend of the CPU is.
    pub(in crate::ui) has_trend: bool,
    /// The branch or the command at the end, 0 where it is not shown.
    pub(in crate::ui) command: usize,
    /// The line says as little as it can.
    pub(in crate::ui) is_narrow: bool,
    wide: usize,
}

impl Columns {
    /// Returns how many columns there are for what a runner asks that is at `word`: a question goes
    /// before the figures; the agent's name stays where it stands in every line, unless it gives way.
    pub(in crate::ui) fn room(&self, word: &str) -> usize {
        let taken = if self.is_narrow {
            MARKS + self.name + self.age + 1 + word.width().min(self.word) + 1
        } else {
            let is_fixed = self.agent > 0 && !self.agent_yields;
            let agent = if is_fixed { self.agent + 2 } else { 0 };
            MARKS + self.name + 2 + self.word + self.age + 2 + agent
        };
        self.wide.saturating_sub(taken)
    }

    /// Returns how many columns there are for what others say.
    pub(in crate::ui) fn usual(&self) -> usize {
        let taken = self.tokens + self.cost + self.yielded();
        if self.said > 0 { self.said } else { self.room("").saturating_sub(taken) }
    }

    /// Returns how many columns a question has more where the agent gives way to it.
    pub(in crate::ui) fn yielded(&self) -> usize {
        if self.agent_yields { self.agent + 2 } else { 0 }
    }
}

/// Returns what stands at the end of a runner's line: its branch, outside of repositories its command;
/// nothing where that stands in the line already.
pub(in crate::ui) fn ending(state: &State, runner: &Runner) -> String {
    if let Some(branch) = state.branches.of(&runner.cwd) {
        return format!("⎇ {branch}");
    }
    let command = command(runner);
    let is_said = told(runner, state.group(runner)).is_none();
    if is_said || command == runner.agent { String::new() } else { command }
}

/// Returns the columns of a list that is so many columns wide.
pub(in crate::ui) fn columns(state: &State, wide: usize) -> Columns {
    let longest = |widths: &mut dyn Iterator<Item = usize>| widths.max().unwrap_or(0);
    let name = longest(&mut state.runners.values().map(|runner| runner.name.width())).max(5);
    let agent = longest(&mut state.runners.values().map(|runner| runner.agent.width())).min(12);
    let is_narrow = wide < 48;
    let figures_from = usize::from(FIGURES_FROM);
    let mut columns = Columns {
        name: name.min(if is_narrow { 10 } else { (wide / 4).clamp(10, 20) }),
        word: WORD,
        age: AGE,
        agent: if wide >= AGENT_FROM { agent } else { 0 },
        agent_yields: false,
        said: 0,
        tokens: 0,
        cost: 0,
        has_figures: false,
        has_trend: false,
        command: 0,
        is_narrow,
        wide,
    };
    let has_used = state.runners.values().any(|runner| runner.tokens_used > 0);
    if has_used && (TOKENS_FROM..figures_from).contains(&wide) {
        columns.tokens = TOKENS;
        columns.said = columns.room("").saturating_sub(TOKENS);
        if columns.said < SAID_LEAST {
            (columns.tokens, columns.said) = (0, 0);
        }
    }
    if (TOKENS_FROM..AGENT_FROM).contains(&wide) {
        let agent = agent.min(AGENT_SHORT);
        let left = columns.usual().saturating_sub(agent + 2);
        if agent > 0 && left >= SAID_BESIDE_AGENT {
            (columns.agent, columns.agent_yields) = (agent, true);
            columns.said = if columns.said > 0 { left } else { 0 };
        }
    }
    if wide >= figures_from {
        // What says most goes first, and only while what is said keeps its room.
        let mut left = columns.room("");
        let said = if has_used { SAID_BESIDE } else { SAID };
        let mut take = |wanted: usize| {
            let is_room = left >= said + wanted;
            left -= if is_room { wanted } else { 0 };
            is_room
        };
        if has_used {
            columns.tokens = if take(TOKENS) { TOKENS } else { 0 };
            columns.cost = if take(COST) { COST } else { 0 };
        }
        columns.has_figures = take(FIGURES);
        // A command says less than the trend, a branch more.
        let has_branch = state.runners.values().any(|it| state.branches.of(&it.cwd).is_some());
        let mut take_trend = |left: &mut usize| {
            columns.has_trend = columns.has_figures && *left >= SAID + TREND;
            *left -= if columns.has_trend { TREND } else { 0 };
        };
        if !has_branch {
            take_trend(&mut left);
        }
        // No wider than what stands there: what is said takes the rest.
        let ends = &mut state.runners.values().map(|runner| ending(state, runner).width());
        let ends = longest(ends).min(COMMAND - 2);
        let least = if has_branch { said } else { SAID };
        let room = left.saturating_sub(least + 2);
        columns.command = if room >= ends.min(ENDING_LEAST) { ends.min(room) } else { 0 };
        left -= if columns.command > 0 { columns.command + 2 } else { 0 };
        if has_branch {
            take_trend(&mut left);
        }
        columns.said = left;
    }
    columns
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::ui::{state::Surroundings, tests::named};

    #[test]
    fn what_is_said_has_more_room_on_a_larger_screen() {
        let now = DateTime::from_timestamp(0, 0).unwrap();
        for name in ["api-1", "a-really-long-project-name-1"] {
            let mut state = State::new(Surroundings::default(), now, (80, 24));
            let runner = named(name);
            state.runners.insert(runner.id, runner);
            let room = |wide| columns(&state, wide).room("permission");
            let said = columns(&state, 104).said;
            assert!(said >= SAID && said + 8 >= room(62), "{name}: {said}");
            assert!(room(104) > said + 20, "{name}: a question goes before the figures");
            assert!(room(FIGURES_FROM.into()) >= SAID, "{name}");
        }
    }

    #[test]
    fn the_agent_is_named_beside_a_screen_and_nowhere_in_more_columns_than_there_are() {
        let now = DateTime::from_timestamp(0, 0).unwrap();
        let mut state = State::new(Surroundings::default(), now, (120, 40));
        let mut runner = named("api-1");
        (runner.agent, runner.tokens_used) = ("opencode".to_owned(), 1200);
        state.runners.insert(runner.id, runner);
        // Lists of terminals with 120 and 200 columns.
        let (laptop, large) = (columns(&state, 61), columns(&state, 103));
        assert_eq!((laptop.agent, laptop.tokens), (AGENT_SHORT, TOKENS));
        assert!(laptop.said >= SAID_BESIDE_AGENT, "{laptop:?}");
        assert_eq!(laptop.room(""), 34, "a question takes the agent's room");
        assert_eq!((large.agent, large.tokens, large.cost), (8, TOKENS, COST));
        assert!(large.said >= SAID, "{large:?}");
        assert_eq!(columns(&state, 47).agent, 0);
        for wide in 1..140 {
            let it = columns(&state, wide);
            let figures = if it.has_figures { FIGURES } else { 0 };
            let trend = if it.has_trend { TREND } else { 0 };
            let ending = if it.command > 0 { it.command + 2 } else { 0 };
            let after = it.tokens + it.cost + figures + trend + ending + it.yielded();
            assert!(it.said == 0 || it.said + after == it.room(""), "{wide}: {it:?}");
        }
    }

    #[test]
    fn what_stands_at_the_end_is_said_once() {
        let now = DateTime::from_timestamp(0, 0).unwrap();
        let mut state = State::new(Surroundings::default(), now, (200, 50));
        let mut runner = named("api-1");
        assert_eq!(ending(&state, &runner), "", "the command stands where others say something");
        runner.title = "Rename the columns".to_owned();
        assert_eq!(ending(&state, &runner), "claude --verbose");
        runner.command.truncate(1);
        assert_eq!(ending(&state, &runner), "", "the agent has a column of its own");
        state.runners.insert(runner.id, runner);
        assert_eq!(columns(&state, 103).command, 0);
    }
}
