//! A prompt that stands in the input box: one that was broken off stands there again, one that was typed and not
//! submitted does still. What is typed would be put behind it.
//!
//! Invariant: only the text of a turn that is known to have been broken off is taken out, and our own, and a
//! prompt is typed only when it is seen to be gone. What a person has begun to type at rest is not touched.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{Instant, sleep};

use super::Services;
use crate::{
    agents::screens::Drafted,
    daemon::fleet::LookFor,
    domain::{
        activity::{ActivitySource, ActivityState},
        evidence::Evidence,
        failure::Failure,
        runner::Runner,
    },
    proto::link::v1::Type,
};

/// So long it may take until the box is seen empty, and how often it is looked at.
const GONE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(100);

/// A text is known again by so many of its first letters: fewer than any box is wide.
const KNOWN_BY: usize = 24;

/// So long after a turn was broken off its prompt may still be put back.
const PUT_BACK: TimeDelta = TimeDelta::seconds(1);

impl Services {
    /// Takes the prompt of a turn that was broken off, and what a prompt of ours left, out of the input box.
    ///
    /// # Errors
    ///
    /// `DRAFT_STANDS` when it does not go, or when the agent does not read.
    pub(super) async fn clear_draft(
        &self,
        runner: &Runner,
        left: Option<&LeftText>,
    ) -> Result<(), Failure> {
        let name = self.context.screens_of(&runner.agent);
        if !self.context.screens.know_drafts(&name) {
            return Ok(());
        }
        let left = left.filter(|left| left.run == runner.run);
        let is_broken_off = self.is_broken_off(runner).await?;
        if !is_broken_off && left.is_none() {
            return Ok(());
        }
        let mut seen = self.draft(runner, &name).await?;
        if !is_broken_off {
            seen = seen.filter(|seen| left.is_some_and(|left| left.stands_in(&seen.text)));
            if seen.is_none() {
                return Ok(());
            }
        }
        // It is told first and put back a moment later, on a busy machine a long one.
        while seen.is_none() && self.is_fresh(runner) {
            sleep(LOOK).await;
            seen = self.draft(runner, &name).await?;
        }
        let Some(before) = seen else { return Ok(()) };
        let input = Type { raw: before.keys.clone().into(), ..Type::default() };
        self.fleet.type_text(runner.id, input).await?;
        let until = Instant::now() + GONE;
        loop {
            sleep(LOOK).await;
            let Some(now) = self.draft(runner, &name).await? else { return Ok(()) };
            if Instant::now() >= until {
                let is_ghost = now.may_be_ghost && now == before;
                return if is_ghost { Ok(()) } else { Err(stands(runner)) };
            }
        }
    }

    /// Whether a text of ours is seen to stand in the input box; false for agents whose box is not known.
    pub(super) async fn still_stands(
        &self,
        runner: &Runner,
        left: &LeftText,
    ) -> Result<bool, Failure> {
        let name = self.context.screens_of(&runner.agent);
        if left.run != runner.run || !self.context.screens.know_drafts(&name) {
            return Ok(false);
        }
        let seen = self.draft(runner, &name).await?;
        Ok(seen.is_some_and(|seen| left.stands_in(&seen.text)))
    }

    /// Whether what the agent is doing has only just begun.
    fn is_fresh(&self, runner: &Runner) -> bool {
        let now = self.context.clock.now();
        runner.activity.since.is_some_and(|since| since <= now && now - since < PUT_BACK)
    }

    async fn draft(&self, runner: &Runner, name: &str) -> Result<Option<Drafted>, Failure> {
        let screen = self.fleet.look(runner.id, LookFor::Screen).await?.screen.unwrap_or_default();
        let lines: Vec<_> = screen.lines.iter().map(|line| line.trim_end()).collect();
        Ok(self.context.screens.draft(name, &lines.join("\n")))
    }

    /// Whether its last turn was broken off: hooks have told that it began, and nothing of its end.
    async fn is_broken_off(&self, runner: &Runner) -> Result<bool, Failure> {
        let is_so = |evidence: &Evidence| {
            let told = evidence.words.get(&ActivitySource::Hook);
            let is_begun = told.is_some_and(|it| {
                matches!(it.state, ActivityState::Working | ActivityState::Blocked)
            });
            evidence.run == runner.run && is_begun && runner.activity.source != ActivitySource::Hook
        };
        if let Some(evidence) = self.told.all.lock().await.get(&runner.id) {
            return Ok(is_so(evidence));
        }
        Ok(is_so(&self.store.runner_evidence(runner.id).await?))
    }
}

/// A text that was typed for a prompt, as it is known again in an input box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftText {
    run: u32,
    /// Its beginning.
    begins: String,
}

impl LeftText {
    /// The text of a prompt, for a run.
    pub(super) fn new(run: u32, text: &str) -> Self {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        Self { run, begins: line.chars().take(KNOWN_BY).collect::<String>().trim_end().to_owned() }
    }

    /// Whether this is what stands in the box that was seen.
    fn stands_in(&self, seen: &str) -> bool {
        !self.begins.is_empty() && seen.contains(&self.begins)
    }
}

fn stands(runner: &Runner) -> Failure {
    let name = &runner.name;
    let what =
        format!("a text stands in the input box of {name} and does not go; nothing was typed");
    Failure::conflict("DRAFT_STANDS", what).with_hint(format!("stratavore attach {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_again_by_its_beginning() {
        let left = LeftText::new(1, "\n  fix the parser, and the tests of it, please\nand more");
        assert!(left.stands_in("────\n❯ fix the parser, and the tests\n  of it, please\n────"));
        assert!(!left.stands_in("────\n❯ fix the lexer\n────"));
        assert!(!LeftText::new(1, " \n").stands_in("────\n❯ \n────"));
    }
}
