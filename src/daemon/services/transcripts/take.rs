//! Takes in a file, or the rows of a database, piece by piece.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value as Json, json};
use tokio::task::spawn_blocking;

use super::{
    Followed,
    digest::{Digest, Holding, Item, Memory, Source, digest},
};
use crate::{
    agents::transcript::{Entry, Reader},
    daemon::{
        services::Services,
        store::{Added, Follow, Reading, SessionFacts, TranscriptFile},
        transcripts::{Piece, Place, find::directory_of_gemini, opencode, read_on},
    },
    domain::{
        activity::{Activity, ActivityState},
        agent::Agent,
        event::{EventType, NewEvent},
        failure::Failure,
        id::RunnerId,
        runner::Runner,
        usage::Quality,
    },
};

/// A turn that has been at rest for so long has no response to come.
const AT_REST: TimeDelta = TimeDelta::seconds(10);

/// A place that is behind nothing of worth is written down only so often, in bytes.
const WORTH: u64 = 4 << 20;

impl Services {
    /// Takes in what is new in a file.
    pub(super) async fn take_in_file(&self, path: &Path, of: &Followed) -> Result<(), Failure> {
        let Some(follow) = self.store.session_follow(&of.session).await? else { return Ok(()) };
        let holdings = self.holdings(&follow).await?;
        let facts = SessionFacts {
            id: of.session.clone(),
            project: follow.session.project.clone(),
            origin: "started",
            ..SessionFacts::default()
        };
        self.take_in_pieces(path, of, &holdings, &facts).await
    }

    /// Takes in a file up to its end.
    pub(super) async fn take_in_pieces(
        &self,
        path: &Path,
        of: &Followed,
        holdings: &[Holding],
        known: &SessionFacts,
    ) -> Result<(), Failure> {
        let node = &self.context.origin.node_id;
        let name = path.to_string_lossy().into_owned();
        let short = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        loop {
            // Held from what is read to what is written.
            let guard = self.transcripts.accounts().await;
            let row = self.store.transcript_file(node, &name).await?;
            let (from, mut memory) = row.as_ref().map_or((None, Memory::default()), place_of);
            let begun = from.as_ref().map_or(0, |place| place.offset);
            let asked = from.as_ref().and_then(|place| place.reader.unanswered());
            let (own, agent) = (path.to_owned(), of.agent);
            let read = spawn_blocking(move || read_on(&own, agent, from)).await;
            let read =
                read.map_err(|error| Failure::internal(format!("read a transcript: {error}")))?;
            let Some(piece) = read.map_err(|error| {
                Failure::unavailable("TRANSCRIPT_GONE", format!("read {name}: {error}"))
            })?
            else {
                return Ok(());
            };
            let Piece { found, place, is_last } = piece;
            let is_worth = !found.is_empty()
                || place.offset.abs_diff(begun) >= WORTH
                || place.reader.unanswered() != asked;
            if is_worth || (row.is_none() && place.offset > 0) {
                let items = found.into_iter().map(|it| Item {
                    label: it.offset.to_string(),
                    is_side: is_inner(&it.entry),
                    entry: it.entry,
                });
                let source = Source {
                    agent,
                    session: &of.session,
                    name: &short,
                    is_side: of.is_side,
                    holdings,
                    prices: &self.context.prices,
                    now: self.context.clock.now(),
                };
                let mut made = digest(source, items.collect(), &mut memory);
                if agent == Agent::Gemini && made.facts.cwd.is_empty() {
                    made.facts.cwd = directory_of(path).unwrap_or_default();
                }
                if !of.is_side {
                    made.facts.transcript.clone_from(&name);
                }
                let file = TranscriptFile {
                    path: name.clone(),
                    agent: agent.as_str().to_owned(),
                    session: of.session.clone(),
                    identity: place.identity,
                    position: place.offset,
                    reader: json!({ "reader": place.reader, "memory": memory }),
                };
                let is_new = row.is_none() && !of.is_side;
                self.write_down((file, is_new), made, known, None).await?;
            }
            drop(guard);
            if is_last {
                return Ok(());
            }
        }
    }

    /// Records that usage may be missing where a turn came to rest with no response behind it: it was broken
    /// off before the agent wrote anything of it down. Once for a runner; of the others the next prompts tell.
    pub(super) async fn note_unanswered(&self, path: &Path, of: &Followed) -> Result<(), Failure> {
        if of.is_side || !matches!(of.agent, Agent::Gemini | Agent::Qwen) {
            return Ok(());
        }
        let node = &self.context.origin.node_id;
        let row = self.store.transcript_file(node, &path.to_string_lossy()).await?;
        let place = row.as_ref().and_then(|row| place_of(row).0);
        let Some(asked) = place.and_then(|place| place.reader.unanswered()) else { return Ok(()) };
        let Some(follow) = self.store.session_follow(&of.session).await? else { return Ok(()) };
        let Ok(id) = follow.session.runner_id.parse() else { return Ok(()) };
        let Some(runner) = self.store.runner_get(id).await? else { return Ok(()) };
        let is_known = runner.usage_quality >= Quality::Floor || asked < runner.started_at;
        let now = self.context.clock.now();
        let is_over = !runner.status.is_live() || has_come_to_rest(&runner.activity, asked, now);
        if is_over && !is_known {
            let which = format!("cut:{}", asked.timestamp_micros());
            self.mark_floor(&runner, &which, asked).await?;
        }
        Ok(())
    }

    /// Takes in what is new of a conversation in a database; a holder is given for one that is new.
    pub(super) async fn take_in_rows(
        &self,
        database: &Path,
        id: &str,
        holder: Option<&Runner>,
    ) -> Result<(), Failure> {
        let follow = self.store.session_follow(id).await?;
        let holdings = match (&follow, holder) {
            (Some(follow), _) => self.holdings(follow).await?,
            (None, Some(runner)) => {
                vec![Holding { runner: runner.clone(), since: runner.started_at }]
            }
            (None, None) => return Ok(()),
        };
        let project = follow.map(|it| it.session.project);
        let project = project.or_else(|| holder.map(|it| it.project.clone())).unwrap_or_default();
        let facts = SessionFacts {
            id: id.to_owned(),
            project,
            origin: "started",
            ..SessionFacts::default()
        };
        self.take_in_all_rows(database, id, &holdings, &facts, holder).await
    }

    /// Takes in a conversation of a database up to its end.
    pub(super) async fn take_in_all_rows(
        &self,
        database: &Path,
        id: &str,
        holdings: &[Holding],
        known: &SessionFacts,
        mut holder: Option<&Runner>,
    ) -> Result<(), Failure> {
        let node = &self.context.origin.node_id;
        let path = format!("{}#{id}", database.display());
        let mut last = String::new();
        loop {
            let guard = self.transcripts.accounts().await;
            let row = self.store.transcript_file(node, &path).await?;
            let until = row.as_ref().map_or(0, |row| i64::try_from(row.position).unwrap_or(0));
            let from = if last.is_empty() { opencode::again(until) } else { until };
            let rows = opencode::read_on(database, id, from, &last).await.map_err(|error| {
                Failure::unavailable("TRANSCRIPT_GONE", format!("read {path}: {error}"))
            })?;
            let mut memory = row.as_ref().map_or_else(Memory::default, |row| place_of(row).1);
            let items = rows.found.into_iter().map(|(label, session, entry)| Item {
                label,
                is_side: session != id,
                entry,
            });
            let source = Source {
                agent: Agent::Opencode,
                session: id,
                name: "opencode",
                is_side: false,
                holdings,
                prices: &self.context.prices,
                now: self.context.clock.now(),
            };
            let mut made = digest(source, items.collect(), &mut memory);
            made.facts.transcript.clone_from(&path);
            let file = TranscriptFile {
                path: path.clone(),
                agent: Agent::Opencode.as_str().to_owned(),
                session: id.to_owned(),
                identity: String::new(),
                position: u64::try_from(rows.until_ms.max(until)).unwrap_or(0),
                reader: json!({ "memory": memory }),
            };
            self.write_down((file, row.is_none()), made, known, holder.take()).await?;
            drop(guard);
            if !rows.is_full {
                return Ok(());
            }
            last = rows.last;
        }
    }

    /// Writes a piece down, and tells what it added.
    async fn write_down(
        &self,
        (file, is_new): (TranscriptFile, bool),
        made: Digest<'_>,
        known: &SessionFacts,
        holder: Option<&Runner>,
    ) -> Result<(), Failure> {
        let Digest { facts, messages, requests } = made;
        let origin = if facts.parent.is_some() && known.origin == "started" {
            "forked"
        } else {
            known.origin
        };
        let facts =
            SessionFacts { id: known.id.clone(), project: known.project.clone(), origin, ..facts };
        let mut runners: BTreeMap<RunnerId, &Runner> = BTreeMap::new();
        runners
            .extend(requests.iter().filter_map(|(it, _)| *it).chain(holder).map(|it| (it.id, it)));
        let mut models: BTreeMap<RunnerId, BTreeSet<String>> = BTreeMap::new();
        for (runner, request) in &requests {
            let of = runner.map(|it| models.entry(it.id).or_default());
            of.map(|models| models.insert(request.record.model.clone()));
        }
        let mut events: Vec<NewEvent> = Vec::new();
        if is_new && origin == "imported" {
            let data = json!({ "agent": file.agent, "origin": origin, "path": file.path });
            let created = EventType::SessionCreated;
            events.push(self.context.imported_event(created, &facts.id, &facts.project, data));
        } else if let Some(runner) = holder {
            let data = json!({ "agent": runner.agent, "origin": origin, "model": facts.model });
            let created = EventType::SessionCreated;
            events.push(self.context.session_event(created, &facts.id, runner, data));
        }
        let tell = |added: &BTreeMap<RunnerId, Added>| {
            for (id, added) in added.iter().filter(|(_, added)| added.requests > 0) {
                let Some(runner) = runners.get(id) else { continue };
                let data = json!({
                    "requests": added.requests, "tokens": added.tokens, "cost_nanos": added.cost.0,
                    "models": models.get(id), "source": "transcript",
                });
                events.push(self.context.runner_event(EventType::TokensUsed, runner, data));
            }
            events
        };
        let node = &self.context.origin.node_id;
        let now = self.context.clock.now();
        let reading = Reading { file, facts, messages, requests, holder };
        let added = self.store.take_in_transcript(node, &reading, tell, now).await?;
        if added.tokens > 0 || added.cost.0 > 0 {
            self.enforcing.ring();
        }
        for id in runners.keys() {
            if let Some(changed) = self.store.runner_get(*id).await? {
                self.changes.runner(&changed);
            }
        }
        Ok(())
    }

    /// Returns who held a session, the first one first.
    async fn holdings(&self, follow: &Follow) -> Result<Vec<Holding>, Failure> {
        let mut holdings = Vec::new();
        for (id, since) in &follow.holders {
            if let Some(runner) = self.store.runner_get(*id).await? {
                holdings.push(Holding { runner, since: *since });
            }
        }
        Ok(holdings)
    }
}

/// Whether the turn that was asked for then is over.
fn has_come_to_rest(activity: &Activity, asked: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let is_at_rest = matches!(activity.state, ActivityState::Idle | ActivityState::Done);
    let is_of_it = |since: DateTime<Utc>| since > asked && now - since >= AT_REST;
    is_at_rest && activity.since.is_some_and(is_of_it)
}

/// Whether an entry says that it is of another conversation than the file's.
fn is_inner(entry: &Entry) -> bool {
    matches!(entry, Entry::Opened(opened) if opened.parent.is_some())
}

/// Where reading goes on; what an older or newer version wrote says nothing to this one.
fn place_of(row: &TranscriptFile) -> (Option<Place>, Memory) {
    let part = |name: &str| row.reader.get(name).cloned().unwrap_or(Json::Null);
    let memory = serde_json::from_value(part("memory")).unwrap_or_default();
    let place = serde_json::from_value::<Reader>(part("reader")).ok().map(|reader| Place {
        identity: row.identity.clone(),
        offset: row.position,
        reader,
    });
    (place, memory)
}

/// The directory of a chat of Gemini's.
fn directory_of(path: &Path) -> Option<String> {
    let root = path.ancestors().find(|it| it.join("projects.json").is_file())?;
    let root = crate::daemon::transcripts::Root { agent: Agent::Gemini, path: root.to_owned() };
    directory_of_gemini(&root, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_over_when_its_agent_has_been_at_rest_since_it_was_asked() {
        use ActivityState::{Blocked, Done, Idle, Working};
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
        let is_over = |state, since: i64| {
            let activity = Activity { state, since: Some(at(since)), ..Activity::default() };
            has_come_to_rest(&activity, at(5), at(30))
        };
        assert!(is_over(Idle, 8) && is_over(Done, 20));
        assert!(!is_over(Idle, 25), "its figures may be on the way");
        assert!(!is_over(Idle, 4), "it has not begun");
        assert!(!is_over(Working, 8) && !is_over(Blocked, 8));
    }
}
