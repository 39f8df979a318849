//! Takes in a file, or the rows of a database, piece by piece.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

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
        agent::Agent,
        event::{EventType, NewEvent},
        failure::Failure,
        id::RunnerId,
        runner::Runner,
    },
};

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
            let is_worth = !found.is_empty() || place.offset.abs_diff(begun) >= WORTH;
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
