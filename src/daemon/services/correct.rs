//! A state that is wrong: a person says what a runner is really at. Its screen is kept, a rule is
//! drafted from it, tried on every screen that is known, and, where it is wrong about none, in force at
//! once. The screens of the other live runners of that agent tell which of them it would change, too.
//!
//! Invariant: what a person has seen is what is kept and learnt from, not what the screen shows by the
//! time they have answered.

use futures_util::stream::{self, StreamExt as _};
use serde_json::json;

use super::Services;
use crate::{
    agents::{
        fixtures::Fixture,
        screens::tail,
        teaching::{self, wrong_by},
    },
    daemon::fleet::LookFor,
    domain::{
        activity::ActivitySource,
        correction::{Correction, CorrectionRequest, Screenshot, Truth},
        event::EventType,
        failure::Failure,
        redact::redact,
        runner::Runner,
    },
};

/// Rows of a screen that a caller may hand in.
const MOST_ROWS: usize = 1000;

/// Bytes of them, all together.
const MOST_BYTES: usize = 256 << 10;

/// Other runners' screens that are asked for together; one that does not answer is not counted.
const TOGETHER: usize = 16;

impl Services {
    /// Learns from a state that is wrong.
    ///
    /// # Errors
    ///
    /// `RUNNER_NOT_FOUND`, `OTHER_NODE`, `RUNNER_NOT_LIVE`, `TEXT_TOO_LONG`, `NO_SUCH_LINE`,
    /// `SAME_SCREEN`, `CHANGES_OTHERS` where no line was named and the best would change what is said of
    /// other runners, or when the files cannot be written.
    pub async fn correct(&self, request: CorrectionRequest) -> Result<Correction, Failure> {
        let runner = self.resolve_here(&request.runner).await?;
        if !runner.status.is_live() {
            let what = format!("{} has ended; nothing more is told of it", runner.name);
            return Err(Failure::conflict("RUNNER_NOT_LIVE", what));
        }
        // What was shown may have changed since it was looked at, where the screen comes with the call.
        if request.truth.is_said(&runner.activity) && request.looked.is_none() {
            let what = format!("{} is said to be {} already", runner.name, request.truth);
            return Err(Failure::conflict("NOTHING_WRONG", what)
                .with_hint(format!("stratavore runners explain {}", runner.name)));
        }
        let looked = match &request.looked {
            Some(looked) => looked.clone(),
            None => self.screenshot_of(&runner).await?,
        };
        let bytes: usize = looked.lines.iter().map(String::len).sum();
        if looked.lines.len() > MOST_ROWS || bytes + looked.title.len() > MOST_BYTES {
            return Err(Failure::usage("TEXT_TOO_LONG", "no screen is as large as that"));
        }
        // A kept screen may be sent to us: what looks like a secret is no part of it.
        let lines = looked.lines.iter().map(|line| redact(line).into_owned()).collect();
        let looked = Screenshot { title: redact(&looked.title).into_owned(), lines };
        let services = self.clone();
        self.detached(async move { services.learn(runner, looked, request).await }).await
    }

    async fn screenshot_of(&self, runner: &Runner) -> Result<Screenshot, Failure> {
        let reply = self.fleet.look(runner.id, LookFor::Screen).await?;
        let screen = reply.screen.unwrap_or_default();
        Ok(Screenshot { title: runner.title.clone(), lines: screen.lines })
    }

    async fn learn(
        &self,
        runner: Runner,
        looked: Screenshot,
        request: CorrectionRequest,
    ) -> Result<Correction, Failure> {
        let _guard = self.locks.lock(runner.id).await;
        let rules = self.context.screens.clone();
        let truth = request.truth;
        let name = self.context.screens_of(&runner.agent);
        let agent = name.clone();
        let read = tokio::task::spawn_blocking(move || rules.fixtures(&agent)).await;
        let known = read.map_err(|error| Failure::internal(format!("read screens: {error}")))?;
        let screen = tail(&looked.lines);
        let is_same =
            |known: &&Fixture| known.is_other(&truth) && tail(&known.looked.lines) == screen;
        if let Some(same) = known.iter().find(is_same) {
            let what =
                format!("{} is the same screen, and was said to be {}", same.name, same.truth);
            return Err(Failure::conflict("SAME_SCREEN", what)
                .with_hint("if that was wrong, remove its file and its rule first"));
        }
        let mut told = nothing_yet(&runner, &truth, &looked);
        told.tested = u32::try_from(known.len()).unwrap_or(u32::MAX);
        let beside = self.screens_beside(&runner).await?;
        match teaching::drafts(&looked, &truth, &known, &beside) {
            Ok(drafts) => {
                let is_sure = drafts.first().is_none_or(|best| best.changes.is_empty());
                let wanted = match &request.line {
                    Some(line) => drafts.iter().find(|draft| draft.line == *line),
                    // Whoever decides on it is offered one that does no harm.
                    None => drafts.iter().find(|it| it.changes.is_empty()).or(drafts.first()),
                };
                let Some(draft) = wanted else {
                    let what = "that line tells nothing, or is not on the screen any more";
                    return Err(Failure::conflict("NO_SUCH_LINE", what)
                        .with_hint("without it the best line is taken"));
                };
                if request.line.is_none() && !request.is_draft && !is_sure {
                    let best = drafts.first().unwrap_or(draft);
                    return Err(changes_others(&runner, best, &truth));
                }
                told.line.clone_from(&draft.line);
                let comment = self.comment(&runner, &truth.to_string());
                told.rule = draft.text(&truth, &comment);
                match wrong_by(&told.rule, &truth, &known) {
                    Ok(wrong) if wrong.is_empty() => {}
                    Ok(wrong) => told.refused = format!("it reads {} wrongly", wrong.join(", ")),
                    Err(why) => told.refused = why,
                }
                (told.lines, told.changes) =
                    drafts.into_iter().map(|draft| (draft.line, draft.changes)).unzip();
            }
            Err(why) => told.refused = why,
        }
        if !request.is_draft {
            self.keep_correction(&mut told).await?;
        }
        Ok(told)
    }

    fn comment(&self, runner: &Runner, truth: &str) -> String {
        let activity = &runner.activity;
        format!(
            "{}: {} was said to be {} by {}, and was {truth}",
            self.context.clock.now().format("%Y-%m-%d"),
            runner.name,
            activity.state.as_str(),
            activity.source.as_str(),
        )
    }

    /// Writes the screen and the rule, and reads all rules again.
    async fn keep_correction(&self, told: &mut Correction) -> Result<(), Failure> {
        let (rules, runner) = (self.context.screens.clone(), told.runner.clone());
        let fixture = Fixture {
            name: String::new(),
            agent: self.context.screens_of(&runner.agent),
            truth: told.truth.clone(),
            looked: told.looked.clone(),
        };
        let rule = told.refused.is_empty().then(|| told.rule.clone());
        let written = tokio::task::spawn_blocking(move || {
            let kept = rules.keep(&fixture)?;
            let taught = rule.map(|rule| rules.teach(&fixture.agent, &rule)).transpose()?;
            rules.reload();
            std::io::Result::Ok((kept, taught))
        });
        let written = written.await.map_err(std::io::Error::other).and_then(|written| written);
        let (kept, taught) = written.map_err(|error| {
            Failure::unavailable("NOT_KEPT", format!("keep the screen or its rule: {error}"))
        })?;
        told.fixture = kept.display().to_string();
        told.file = taught.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        told.is_accepted = taught.is_some();
        let data = json!({
            "was": runner.activity.state.as_str(),
            "source": runner.activity.source.as_str(),
            "state": told.truth.state.as_str(),
            "kind": told.truth.kind,
            "line": told.line,
            "accepted": told.is_accepted,
        });
        let event = self.context.runner_event(EventType::RunnerCorrected, &runner, data);
        self.store.event_append(vec![event]).await?;
        self.look_at_all(&self.context.screens_of(&runner.agent)).await?;
        Ok(())
    }

    /// Looks at the screens of all live runners that are read by these rules.
    async fn look_at_all(&self, name: &str) -> Result<(), Failure> {
        for runner in self.all_read_by(name).await? {
            self.look_now(&runner);
        }
        Ok(())
    }

    /// The live runners of this node that are read by these rules.
    async fn all_read_by(&self, name: &str) -> Result<Vec<Runner>, Failure> {
        let mut live = self.store.runner_list("", "live", 0).await?;
        live.retain(|runner| {
            runner.node_id == self.context.origin.node_id
                && self.context.screens_of(&runner.agent) == name
        });
        Ok(live)
    }

    /// What the other live runners of this agent show, and what is said of them. They may be wrong in the
    /// same way: it is told what a rule would change of them, and none is in its way.
    async fn screens_beside(&self, runner: &Runner) -> Result<Vec<Fixture>, Failure> {
        let agent = self.context.screens_of(&runner.agent);
        let others = self.all_read_by(&agent).await?.into_iter().filter(|it| it.id != runner.id);
        let looks = others.map(|other| {
            let agent = agent.clone();
            async move {
                let said = &other.activity;
                let truth = Truth::parse(said.state.as_str(), said.kind.as_deref().unwrap_or(""));
                let looked = self.screenshot_of(&other).await.ok()?;
                Some(Fixture { name: other.name, agent, truth: truth.ok()?, looked })
            }
        });
        Ok(stream::iter(looks).buffered(TOGETHER).filter_map(std::future::ready).collect().await)
    }

    /// Whether the screen of a runner is to be read although its agent reports by itself.
    pub(super) fn is_taught(&self, runner: &Runner) -> bool {
        // A word by a rule that is gone must be taken back.
        self.context.screens.is_taught(&self.context.screens_of(&runner.agent))
            || runner.activity.source == ActivitySource::Taught
    }
}

/// A rule of which it is not sure that it is about this runner alone.
fn changes_others(runner: &Runner, draft: &teaching::Draft, truth: &Truth) -> Failure {
    let what = format!(
        "teach it by the line `{}`: {} would be {truth}, too",
        draft.line,
        draft.changes.join(", ")
    );
    let (name, state) = (&runner.name, truth.state.as_str());
    let kind = truth.kind.as_ref().map(|kind| format!(" --kind {kind}")).unwrap_or_default();
    Failure::conflict("CHANGES_OTHERS", what).with_hint(format!(
        "stratavore runners correct {name} {state}{kind} --dry-run shows all lines; name one with --line"
    ))
}

/// A correction of which nothing is learnt yet.
fn nothing_yet(runner: &Runner, truth: &Truth, looked: &Screenshot) -> Correction {
    Correction {
        runner: runner.clone(),
        truth: truth.clone(),
        looked: looked.clone(),
        lines: Vec::new(),
        changes: Vec::new(),
        line: String::new(),
        rule: String::new(),
        tested: 0,
        refused: String::new(),
        file: String::new(),
        fixture: String::new(),
        is_accepted: false,
    }
}
