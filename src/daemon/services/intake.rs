//! Takes in what agents report: reads the spools of this node's runners and writes down what they
//! used and which conversations they hold.
//!
//! A report is taken in once (see `store/usage`). A supervisor rings when its spool grew; a daemon
//! that starts looks at every spool there is. When the database is away the spool waits.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::{
    sync::{Notify, watch},
    task::spawn_blocking,
    time::{Instant, sleep, timeout_at},
};

use super::Services;
use crate::{
    agents::{hooks, otlp},
    daemon::store::{Added, Counted, TakenIn},
    domain::{
        activity::ActivityState,
        agent::Agent,
        clock::to_micros,
        event::{EventType, NewEvent},
        evidence::Word,
        failure::Failure,
        hook::HookReport,
        id::RunnerId,
        inbox::last_words,
        price::Table,
        redact::redact,
        runner::Runner,
        session::SessionNews,
    },
    runner_dir::{
        segments,
        spool::{self, Report, ReportKind},
    },
};

/// Bytes of a spool that are taken in together.
const BATCH: usize = 256 << 10;

/// A supervisor whose disk is slow tells of a report that is there a moment later.
const MOMENT: Duration = Duration::from_millis(15);

/// So often it is looked for; then the next ring is waited for.
const LOOKS: u32 = 100;

/// After a failure of the database.
const PAUSE: Duration = Duration::from_secs(1);

/// Which spools are to be looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Intake(Arc<Rung>);

#[derive(Debug, Default)]
struct Rung {
    /// Runners, and up to where their spools are said to reach.
    wanted: Mutex<BTreeMap<RunnerId, u64>>,
    bell: Notify,
    /// Spools are taken in one after the other.
    turn: tokio::sync::Mutex<()>,
    /// Whether all is taken in that came while no daemon lived.
    has_caught_up: watch::Sender<bool>,
}

impl Intake {
    /// Has the spool of a runner looked at up to here.
    pub(super) fn ring(&self, id: RunnerId, end: u64) {
        let mut wanted = self.0.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let known = wanted.entry(id).or_default();
        *known = (*known).max(end);
        drop(wanted);
        self.0.bell.notify_one();
    }

    /// Waits until all is taken in that came while no daemon lived, but no longer than until then.
    pub(super) async fn caught_up(&self, until: Instant) {
        let mut caught_up = self.0.has_caught_up.subscribe();
        timeout_at(until, caught_up.wait_for(|caught_up| *caught_up)).await.ok();
    }

    /// Waits for spools to look at and returns them.
    async fn next(&self) -> BTreeMap<RunnerId, u64> {
        loop {
            let bell = self.0.bell.notified();
            let wanted = {
                let mut wanted = self.0.wanted.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *wanted)
            };
            if !wanted.is_empty() {
                return wanted;
            }
            bell.await;
        }
    }
}

impl Services {
    /// Takes in what agents report, until it is cancelled.
    pub(crate) async fn take_in_reports(&self) {
        let mut is_known = self.look_at_all_spools().await;
        loop {
            // Nothing has come, or all of it has been looked at.
            if is_known {
                self.intake.0.has_caught_up.send_replace(true);
            }
            let wanted = self.intake.next().await;
            is_known = true;
            for (id, end) in wanted {
                if let Err(error) = self.take_in(id, end).await {
                    tracing::warn!(runner.id = %id, %error, "failed to take in what an agent reported");
                    self.intake.ring(id, end);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Rings for every spool on the disk: what came while no daemon lived. True when there is none.
    async fn look_at_all_spools(&self) -> bool {
        let runners = self.context.places.runners();
        let found = spawn_blocking(move || {
            let dirs = fs::read_dir(runners).into_iter().flatten().flatten();
            let ids = dirs.filter_map(|dir| {
                let id: RunnerId = dir.file_name().to_str()?.parse().ok()?;
                dir.path().join("spool").is_dir().then_some(id)
            });
            ids.collect::<Vec<_>>()
        });
        let found = found.await.unwrap_or_default();
        for id in &found {
            self.intake.ring(*id, 0);
        }
        found.is_empty()
    }

    /// Takes in what is new in a runner's spool, which is said to reach up to `end` (0: as far as it does).
    ///
    /// # Errors
    ///
    /// When the spool or the database fails.
    pub(super) async fn take_in(&self, id: RunnerId, end: u64) -> Result<(), Failure> {
        let _turn = self.intake.0.turn.lock().await;
        let dir = self.fleet.dir(id).spool();
        let mut position = self.store.spool_position(id).await?;
        let mut looks = 0;
        loop {
            let (from, place) = (position, dir.clone());
            let read = spawn_blocking(move || spool::read(&place, from, BATCH)).await;
            let found = read
                .map_err(|error| Failure::internal(format!("read a spool: {error}")))?
                .map_err(|error| Failure::internal(format!("read {}: {error}", dir.display())))?;
            if found.next == position {
                if position >= end || looks >= LOOKS {
                    return Ok(());
                }
                looks += 1;
                sleep(MOMENT).await;
                continue;
            }
            if found.missing > 0 {
                tracing::warn!(runner.id = %id, bytes = found.missing, "reports of an agent were lost");
            }
            let Some(runner) = self.store.runner_get(id).await? else {
                // Its row comes with the next look at what runs, or it was removed.
                return Ok(());
            };
            self.record_reports(&runner, &found.reports, found.next).await?;
            position = found.next;
            let place = dir.clone();
            // What was taken in is not needed again, but for the segment that is written to.
            spawn_blocking(move || drop_taken(&place, position)).await.ok();
        }
    }

    /// Writes down what some reports tell.
    async fn record_reports(
        &self,
        runner: &Runner,
        reports: &[Report],
        position: u64,
    ) -> Result<(), Failure> {
        let agent = Agent::of(&runner.agent);
        let mut taken = TakenIn { position: Some(position), ..TakenIn::default() };
        let mut session = runner.session_id.clone();
        let mut events = Vec::new();
        let (mut begins, mut wishes) = (false, Vec::new());
        let mut said_last: Option<(Word, String)> = None;
        for report in reports {
            match report.kind {
                ReportKind::Otlp => {
                    for request in usage_of(runner, agent, report, &self.context.prices) {
                        if let Some(news) =
                            self.named_by(runner, &request, session.as_deref()).await?
                        {
                            let (news, more) =
                                self.go_over(runner, &mut session, news, &taken.sessions).await?;
                            taken.sessions.extend(news);
                            events.extend(more);
                        }
                        taken.requests.push(request);
                    }
                }
                ReportKind::Hook => {
                    let Ok(told) = serde_json::from_slice::<HookReport>(&report.content) else {
                        continue;
                    };
                    let told = told.bounded();
                    if let Some(mut said) = hooks::activity(agent, &told) {
                        said.2 = said.2.or_else(|| said_at_the_end(&told));
                        let is_reminder = hooks::reminds(&told);
                        let word = Word { is_reminder, ..Word::new(said, at(report)) };
                        if !said_last.as_ref().is_some_and(|(known, _)| word.reminds_of(known)) {
                            said_last = Some((word, told.ask.clone()));
                        }
                        begins |= hooks::begins_turn(&told);
                    }
                    if !told.ask.is_empty() || !told.decision.is_empty() {
                        wishes.push(told.clone());
                    }
                    let at = at(report);
                    if let Some(news) = news_of(&told, session.as_deref(), at) {
                        let (news, more) =
                            self.go_over(runner, &mut session, news, &taken.sessions).await?;
                        taken.sessions.extend(news);
                        events.extend(more);
                    }
                }
            }
        }
        self.place_requests(&mut taken, session.as_deref()).await?;
        taken.session = session.filter(|id| runner.session_id.as_deref() != Some(id));
        let tell = |added: Added| {
            let data = json!({
                "requests": added.requests, "tokens": added.tokens, "cost_nanos": added.cost.0,
                "models": models(&taken),
            });
            if added.requests > 0 {
                events.push(self.context.runner_event(EventType::TokensUsed, runner, data));
            }
            events
        };
        let now = self.context.clock.now();
        let guard = self.transcripts.accounts().await;
        let added = self.store.take_in(runner, &taken, tell, now).await?;
        drop(guard);
        if taken.sessions.iter().any(|news| news.origin.is_some() || news.has_ended) {
            self.transcripts.look();
        }
        self.hear_hooks(runner, said_last, begins, &wishes).await?;
        if added.tokens > 0 || added.cost.0 > 0 {
            self.enforcing.ring();
        }
        if (added != Added::default() || !taken.sessions.is_empty())
            && let Some(changed) = self.store.runner_get(runner.id).await?
        {
            self.changes.runner(&changed);
        }
        Ok(())
    }

    /// Sees to what hooks ask and say: wishes first, because nobody is asked what the policy decides. What was
    /// said last comes with the wish that it tells of.
    async fn hear_hooks(
        &self,
        runner: &Runner,
        mut said_last: Option<(Word, String)>,
        begins: bool,
        wishes: &[HookReport],
    ) -> Result<(), Failure> {
        for wish in wishes {
            match self.on_wish(runner, wish).await {
                Ok(true) => {
                    if let Some((word, ask)) = &mut said_last
                        && *ask == wish.ask
                    {
                        *word = Word::new((ActivityState::Working, None, None), word.at);
                    }
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(runner.id = %runner.id, %error, "failed to see to a permission");
                }
            }
        }
        if let Some((word, _)) = said_last {
            self.on_hook(runner, word, begins).await?;
        }
        Ok(())
    }

    /// Says whose each request is: of the conversation that it names, or of the runner's own, `session`.
    async fn place_requests(
        &self,
        taken: &mut TakenIn,
        session: Option<&str>,
    ) -> Result<(), Failure> {
        for request in &mut taken.requests {
            let told = request.record.conversation.as_str();
            let is_noted = taken.sessions.iter().any(|news| news.id == told);
            // A title that is made in a conversation of its own belongs to the one it is for.
            let is_own = !told.is_empty()
                && (session.is_none() || is_noted || self.store.session_exists(told).await?);
            request.session =
                if is_own { told.to_owned() } else { session.unwrap_or_default().to_owned() };
        }
        self.note_unknown(taken).await
    }

    /// A conversation of which only its usage is known is one all the same.
    pub(super) async fn note_unknown(&self, taken: &mut TakenIn) -> Result<(), Failure> {
        let mut unknown = BTreeMap::new();
        for request in &taken.requests {
            let id = request.session.as_str();
            let is_noted = taken.sessions.iter().any(|news| news.id == id);
            if !id.is_empty() && !is_noted && !self.store.session_exists(id).await? {
                unknown.entry(id.to_owned()).or_insert_with(|| SessionNews {
                    id: id.to_owned(),
                    origin: Some("started"),
                    model: request.record.model.clone(),
                    at: request.record.at,
                    ..SessionNews::default()
                });
            }
        }
        taken.sessions.extend(unknown.into_values());
        Ok(())
    }

    pub(super) fn session_event(&self, runner: &Runner, news: &SessionNews) -> Option<NewEvent> {
        let event_type = match (news.origin, news.has_ended) {
            (Some("resumed"), _) => EventType::SessionResumed,
            (Some(_), _) => EventType::SessionCreated,
            (None, true) => EventType::SessionEnded,
            (None, false) => return None,
        };
        let data = json!({
            "agent": runner.agent, "origin": news.origin, "parent": news.parent, "model": news.model,
        });
        Some(self.context.session_event(event_type, &news.id, runner, data))
    }
}

fn at(report: &Report) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(report.at_us).unwrap_or_default()
}

/// The requests that a body of telemetry tells of.
fn usage_of(
    runner: &Runner,
    agent: Option<Agent>,
    report: &Report,
    prices: &Table,
) -> Vec<Counted> {
    let Some(agent) = agent else { return Vec::new() };
    let records = otlp::usage(agent, &report.content).into_iter().enumerate();
    let counted = records.map(|(index, mut record)| {
        let is_placed = record.key.is_empty();
        if is_placed {
            record.key = format!("{}:{}:{}:{index}", agent.as_str(), runner.id, report.offset);
        }
        // What an agent's clock says of a time to come would be charged to no period.
        let came = at(report);
        let is_sane = record.at > came - chrono::TimeDelta::days(1) && record.at <= came;
        record.at = to_micros(if is_sane { record.at } else { came });
        let list = prices.cost(&record.tokens, &record.model);
        Counted { record, session: String::new(), list, is_placed }
    });
    counted.collect()
}

/// The agent's last words, where the hook of its turn's end has them. Gemini's tells the prompt instead.
fn said_at_the_end(told: &HookReport) -> Option<String> {
    if told.event == "Stop" { last_words(&redact(&told.text)) } else { None }
}

/// What a hook tells of a conversation, given the one that the runner holds.
fn news_of(told: &HookReport, held: Option<&str>, at: DateTime<Utc>) -> Option<SessionNews> {
    // A subagent speaks within its parent's conversation.
    if told.session.is_empty() || !told.agent.is_empty() {
        return None;
    }
    let news = SessionNews {
        id: told.session.clone(),
        cwd: told.cwd.clone(),
        model: told.model.clone(),
        transcript: told.transcript.clone(),
        at,
        ..SessionNews::default()
    };
    let parent = held.filter(|held| *held != told.session).map(str::to_owned);
    Some(match told.event.as_str() {
        "SessionStart" => {
            let origin = match told.source.as_str() {
                "clear" => "cleared",
                "resume" if parent.is_some() => "forked",
                "resume" => "resumed",
                // It goes on under its own id.
                "compact" => return Some(news),
                _ => "started",
            };
            let parent = parent.filter(|_| origin != "started");
            SessionNews { origin: Some(origin), parent, ..news }
        }
        "UserPromptSubmit" | "BeforeAgent" => {
            SessionNews { prompt: redact(&told.text).into_owned(), messages: 1, ..news }
        }
        "Stop" | "AfterAgent" => SessionNews { messages: 1, ..news },
        "SessionEnd" => SessionNews { has_ended: true, ..news },
        _ => return None,
    })
}

fn models(taken: &TakenIn) -> Vec<&str> {
    let mut models: Vec<_> = taken.requests.iter().map(|it| it.record.model.as_str()).collect();
    models.sort_unstable();
    models.dedup();
    models
}

/// Removes segments that were taken in whole, but for the last one, which is still written to.
fn drop_taken(dir: &std::path::Path, position: u64) {
    let all = segments(dir);
    let done = all.iter().rev().skip(1);
    for segment in done.filter(|segment| segment.start + segment.length <= position) {
        // It is tried again with the next batch.
        fs::remove_file(&segment.path).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(event: &str, session: &str, source: &str) -> HookReport {
        HookReport {
            event: event.to_owned(),
            session: session.to_owned(),
            source: source.to_owned(),
            text: "do it".to_owned(),
            ..HookReport::default()
        }
    }

    #[test]
    fn a_conversation_knows_where_it_came_from() {
        let at = DateTime::default();
        let news = |event, session, source, held| news_of(&told(event, session, source), held, at);
        let start = news("SessionStart", "a", "startup", Some("a")).unwrap();
        assert_eq!((start.origin, start.parent), (Some("started"), None));
        let clear = news("SessionStart", "b", "clear", Some("a")).unwrap();
        assert_eq!((clear.origin, clear.parent.as_deref()), (Some("cleared"), Some("a")));
        let fork = news("SessionStart", "c", "resume", Some("a")).unwrap();
        assert_eq!((fork.origin, fork.parent.as_deref()), (Some("forked"), Some("a")));
        let resume = news("SessionStart", "a", "resume", Some("a")).unwrap();
        assert_eq!((resume.origin, resume.parent), (Some("resumed"), None));
    }

    #[test]
    fn the_end_of_a_turn_tells_what_was_said_last() {
        let said = |event| said_at_the_end(&told(event, "a", ""));
        assert_eq!(said("Stop").as_deref(), Some("do it"));
        assert_eq!((said("AfterAgent"), said("PreToolUse")), (None, None));
        let silent = HookReport { text: String::new(), ..told("Stop", "a", "") };
        assert_eq!(said_at_the_end(&silent), None);
    }

    #[test]
    fn prompts_and_answers_are_messages_and_subagents_are_none() {
        let at = DateTime::default();
        let prompt = news_of(&told("UserPromptSubmit", "a", ""), Some("a"), at).unwrap();
        assert_eq!((prompt.messages, prompt.prompt.as_str()), (1, "do it"));
        assert_eq!(news_of(&told("PreToolUse", "a", ""), Some("a"), at), None);
        let inner = HookReport { agent: "x".to_owned(), ..told("Stop", "a", "") };
        assert_eq!(news_of(&inner, Some("a"), at), None);
    }
}
