//! What agents tell over interfaces of their own, written down, and what they are told there.
//!
//! A runner's interface is known by what it was started with, so that a daemon that adopts it connects
//! again. Nothing here is needed: where no interface is connected, hooks, titles and keys are what
//! is left.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use prost::Message as _;
use serde_json::json;

use super::Services;
use crate::{
    agents::control::Told,
    daemon::{
        fleet::Known,
        sources::{Endpoint, Heard, News},
        store::{Counted, TakenIn},
    },
    domain::{
        agent::Agent, clock::to_micros, event::EventType, evidence::Word, failure::Failure,
        id::RunnerId, launch::OPENCODE_PASSWORD, runner::Runner, session::SessionNews,
        usage::UsageRecord,
    },
    process::ProcessId,
    proto::link::v1::{LaunchSpec, Type},
};

impl Services {
    /// Connects to the interface of a linked runner's agent, if it has one and that is not done.
    pub(super) async fn follow_interface(&self, runner: &Runner) -> Result<(), Failure> {
        let (id, run) = (runner.id, runner.run);
        if self.sources.is_open(id, run) {
            return Ok(());
        }
        let known = self.fleet.known(id).filter(|known| known.identity.run == run);
        let Some(known) = known else { return Ok(()) };
        let Some(mut endpoint) = self.endpoint(&known, runner.started_at) else { return Ok(()) };
        if let Endpoint::Copilot { held, .. } = &mut endpoint {
            *held = self.held_in_run(runner).await?;
        }
        self.sources.open(id, run, endpoint);
        Ok(())
    }

    /// The conversation that a runner is known to hold, if that was told of its present run.
    async fn held_in_run(&self, runner: &Runner) -> Result<Option<String>, Failure> {
        let Some(held) = &runner.session_id else { return Ok(None) };
        let holders = self.store.session_follow(held).await?.map_or(Vec::new(), |it| it.holders);
        let is_now = |(holder, since): &(RunnerId, DateTime<Utc>)| {
            *holder == runner.id && *since >= runner.started_at
        };
        Ok(holders.iter().any(is_now).then(|| held.clone()))
    }

    fn endpoint(&self, known: &Known, since: DateTime<Utc>) -> Option<Endpoint> {
        let spec = || {
            // With the environment, which is on the disk alone.
            let bytes = self.fleet.dir(known.id).read_spec().ok()?;
            LaunchSpec::decode(bytes.as_slice()).ok().filter(|spec| spec.run == known.identity.run)
        };
        let variable = |spec: &LaunchSpec, name: &str| {
            let all = spec.environment();
            all.into_iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
        };
        match &known.spec.control {
            Some(control) if control.kind == "opencode" => Some(Endpoint::Opencode {
                port: u16::try_from(control.port).ok()?,
                password: variable(&spec()?, OPENCODE_PASSWORD)?.into_string().ok()?,
            }),
            Some(control) if control.kind == "codex" => {
                Some(Endpoint::Codex { socket: PathBuf::from(&control.socket) })
            }
            _ => {
                let agent = Agent::of(&known.spec.agent)?;
                let (own, default, folder) = match agent {
                    Agent::Claude => ("CLAUDE_CONFIG_DIR", ".claude", "sessions"),
                    Agent::Copilot => ("COPILOT_HOME", ".copilot", "session-state"),
                    _ => return None,
                };
                let spec = spec()?;
                let own = variable(&spec, own).map(PathBuf::from);
                let home = || Some(PathBuf::from(variable(&spec, "HOME")?).join(default));
                let dir = own.or_else(home)?.join(folder);
                let pid = i32::try_from(known.identity.pid).ok()?;
                let process = ProcessId { pid, start_time: known.identity.start_time };
                Some(if agent == Agent::Claude {
                    Endpoint::Claude { dir, process }
                } else {
                    Endpoint::Copilot { dir, process, since, held: None }
                })
            }
        }
    }

    /// Ends the turn of a runner's agent without ending the agent: over its interface, else by its keys.
    ///
    /// # Errors
    ///
    /// When it has no supervisor, or does not read its input.
    pub(super) async fn interrupt_turn(&self, runner: &Runner) -> Result<(), Failure> {
        if self.sources.interrupt(runner.id).await.is_ok() {
            return Ok(());
        }
        let keys = self.context.interrupt_keys(&runner.agent);
        let input = Type { raw: keys.into(), ..Type::default() };
        self.fleet.type_text(runner.id, input).await?;
        Ok(())
    }

    /// Writes down what a source told.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn hear(&self, heard: Heard) -> Result<(), Failure> {
        let Some(runner) = self.at_run(heard.id, heard.run).await? else { return Ok(()) };
        if !runner.status.is_live() {
            return Ok(());
        }
        match heard.news {
            News::Told(Told::Activity(state, kind, message)) => {
                let word = Word::new((state, kind, message), heard.at);
                let title = runner.title.clone();
                self.say(&runner, vec![(heard.source, Some(word))], &title).await
            }
            News::Lost => {
                let title = runner.title.clone();
                self.say(&runner, vec![(heard.source, None)], &title).await
            }
            News::Told(Told::Session(news)) => self.hear_session(&runner, *news).await,
            News::Told(Told::Usage(record)) => self.hear_usage(&runner, *record).await,
        }
    }

    pub(super) async fn hear_session(
        &self,
        runner: &Runner,
        news: SessionNews,
    ) -> Result<(), Failure> {
        let held = runner.session_id.as_deref();
        let only_named = news.origin.is_none() && news.messages == 0;
        if only_named && held.is_some() {
            // Hooks tell what became of it, and how.
            return Ok(());
        }
        let is_known = self.store.session_exists(&news.id).await?;
        let origin = news.origin.or((news.messages > 0 && !is_known).then_some("started"));
        let news = SessionNews { origin: origin.filter(|_| !is_known), ..news };
        let session = Some(news.id.clone()).filter(|id| held != Some(id));
        let (sessions, events) = if only_named {
            (Vec::new(), Vec::new())
        } else {
            self.follow_news(runner, held, news).await?
        };
        let taken = TakenIn { sessions, session, ..TakenIn::default() };
        let is_cleared = taken.sessions.iter().any(|news| news.origin == Some("cleared"));
        let guard = self.transcripts.accounts().await;
        self.store.take_in(runner, &taken, |_| events, self.context.clock.now()).await?;
        drop(guard);
        self.transcripts.look();
        if is_cleared {
            self.forget_turns(runner).await?;
        }
        self.announce_runner(runner.id).await
    }

    async fn hear_usage(&self, runner: &Runner, mut record: UsageRecord) -> Result<(), Failure> {
        let now = self.context.clock.now();
        // As with telemetry: a time to come belongs to no period.
        let is_sane = record.at > now - chrono::TimeDelta::days(1) && record.at <= now;
        record.at = to_micros(if is_sane { record.at } else { now });
        let told = record.conversation.clone();
        let is_own = !told.is_empty()
            && (runner.session_id.is_none() || self.store.session_exists(&told).await?);
        let session = if is_own { told } else { runner.session_id.clone().unwrap_or_default() };
        let list = self.context.prices.cost(&record.tokens, &record.model);
        let model = record.model.clone();
        let mut taken = TakenIn {
            requests: vec![Counted { record, session, list, is_placed: false }],
            ..TakenIn::default()
        };
        self.note_unknown(&mut taken).await?;
        let tell = |added: crate::daemon::store::Added| {
            let data = json!({
                "requests": added.requests, "tokens": added.tokens, "cost_nanos": added.cost.0,
                "models": [model],
            });
            let event = self.context.runner_event(EventType::TokensUsed, runner, data);
            if added.requests > 0 { vec![event] } else { Vec::new() }
        };
        let guard = self.transcripts.accounts().await;
        let added = self.store.take_in(runner, &taken, tell, now).await?;
        drop(guard);
        if added.tokens > 0 || added.cost.0 > 0 {
            self.enforcing.ring();
        }
        self.announce_runner(runner.id).await
    }

    async fn announce_runner(&self, id: RunnerId) -> Result<(), Failure> {
        if let Some(changed) = self.store.runner_get(id).await? {
            self.changes.runner(&changed);
        }
        Ok(())
    }
}
