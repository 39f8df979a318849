//! Copies the log: events that the target does not have are appended to it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::{
    Copier, Progress, Step, TRIES,
    tables::{AGGREGATES, EVENTS},
};
use crate::daemon::store::{
    StoreError,
    dialect::Record,
    events,
    query::Query,
    recorder::{Import, Recorded},
};

/// Events of one transaction.
const PAGE: u32 = 500;

/// The sealer's lease is taken for so long, and renewed with each batch.
const LEASE_SECONDS: f64 = 10.0;

/// Events in the order of their insertion, with where those go that are not yet published.
const READ: &str = "SELECT id, coalesce(position, 0) AS position, event_id, timestamp, event_type, \
     entity_type, entity_id, sequence, project_name, runner_name, data, user_id, hostname, node_id, \
     trace_id, signature, sealed_by, seal, metadata, coalesce((SELECT o.routing_key FROM outbox o \
     WHERE o.event_id = events.event_id AND o.delivered = FALSE), \
     CASE WHEN position IS NULL THEN routing_key END) AS queued \
     FROM events WHERE id > $1 ORDER BY id LIMIT $2";

impl Copier<'_> {
    /// Appends the events that the target does not have; returns how many those were.
    pub(super) async fn copy_events(&mut self) -> Result<u64, StoreError> {
        let total = self.count_source(&EVENTS).await?;
        let (mut after, mut done, mut written) = (0, 0, 0);
        loop {
            let query = Query::new(READ).bind(after).bind(PAGE);
            let rows = self.source.fetch(query).await?;
            let Some(last) = rows.last() else { break };
            after = last.optional_integer("id")?.unwrap_or(i64::MAX);
            done += rows.len() as u64;
            self.lead().await?;
            written += self.append(&rows).await?;
            (self.told)(Progress { what: Step::Copy, table: EVENTS.name, done, total });
        }
        self.seal_rest().await?;
        Ok(written)
    }

    /// Appends events in one transaction; returns how many the target did not have.
    async fn append(&mut self, rows: &[Record]) -> Result<u64, StoreError> {
        let mut tries = 0;
        loop {
            self.target.begin(true).await?;
            let outcome = self.append_new(rows).await;
            match self.finish(outcome).await {
                Ok((new, queued, recorded)) => {
                    self.recorder.committed(recorded, true);
                    self.copied.queued += queued;
                    return Ok(new);
                }
                Err(error) if error.is_retryable() && tries < TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn append_new(&mut self, rows: &[Record]) -> Result<(u64, u64, Recorded), StoreError> {
        let keys: Vec<_> = EVENTS.key().collect();
        let ids = rows.iter().map(|row| Ok(json!({ "event_id": row.id("event_id")? })));
        let ids = ids.collect::<Result<Vec<_>, StoreError>>()?;
        let sql = format!(
            "SELECT t.event_id AS event_id FROM {} JOIN events AS t ON {}",
            self.target.rows(&keys),
            EVENTS.is_same()
        );
        let (_, known) = self.target.run(Query::new(sql).bind(Json::Array(ids))).await?;
        let known =
            known.iter().map(|row| row.id("event_id")).collect::<Result<BTreeSet<_>, _>>()?;
        let mut imports = Vec::with_capacity(rows.len());
        for row in rows {
            if !known.contains(&row.id("event_id")?) {
                imports.push(self.import(row)?);
            }
        }
        let queued = imports.iter().filter(|import| import.routing_key.is_some()).count() as u64;
        let new = imports.len() as u64;
        self.begin_sequences(&imports).await?;
        let recorded = self.recorder.import(&mut self.target, imports).await?;
        Ok((new, queued, recorded))
    }

    /// Returns an event as the target appends it.
    fn import(&self, row: &Record) -> Result<Import, StoreError> {
        let event = events::decode(row)?;
        let mut origin = json!({
            "database": self.name,
            "position": event.position,
            "sequence": event.sequence,
            "signature": row.text("signature")?,
            "seal": row.text("seal")?,
            "key": row.text("sealed_by")?,
        });
        let mut metadata: serde_json::Map<String, Json> = row.json("metadata").unwrap_or_default();
        if let Some(earlier) = metadata.remove("copied_from") {
            origin["copied_from"] = earlier;
        }
        metadata.insert("copied_from".into(), origin);
        let routing_key = row.optional_text("queued")?;
        Ok(Import { event, metadata: metadata.into(), routing_key })
    }

    /// Lets entities that the target does not know begin where the source's events begin: the first
    /// may have been removed there.
    async fn begin_sequences(&mut self, imports: &[Import]) -> Result<(), StoreError> {
        let mut first = BTreeMap::new();
        for Import { event, .. } in imports {
            let key = (event.entity_type.as_str(), event.entity_id.as_str());
            let sequence = first.entry(key).or_insert(event.sequence);
            *sequence = (*sequence).min(event.sequence);
        }
        let rows = first.iter().map(|((entity, id), sequence)| {
            let before = sequence.saturating_sub(1);
            json!({ "entity_type": entity, "entity_id": id, "sequence": before })
        });
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            let from = self.target.rows(&AGGREGATES.written());
            let begin = Query::new(AGGREGATES.merge(&from)).bind(Json::Array(rows));
            self.target.run(begin).await?;
        }
        Ok(())
    }

    /// Takes or renews the sealer's lease, unless a daemon has it: then that one seals.
    async fn lead(&mut self) -> Result<(), StoreError> {
        if matches!(self.target, super::Connection::Sqlite(_)) {
            return Ok(());
        }
        let acquire = Query::new(self.target.texts().acquire)
            .bind(json!(["sealer"]))
            .bind(self.holder.as_str())
            .bind(LEASE_SECONDS);
        let (_, rows) = self.target.run(acquire).await?;
        let epoch = rows.first().map(|row| row.count("epoch")).transpose()?;
        self.sealing.set(epoch.map(|epoch| (self.holder.clone(), epoch)));
        Ok(())
    }

    /// Seals what could not be sealed at once, and counts what a daemon has to.
    async fn seal_rest(&mut self) -> Result<(), StoreError> {
        loop {
            self.lead().await?;
            self.target.begin(true).await?;
            let outcome = self.recorder.import(&mut self.target, Vec::new()).await;
            let recorded = self.finish(outcome).await?;
            self.recorder.committed(recorded, true);
            if recorded.sealed_up_to.is_none() {
                break;
            }
        }
        let query = Query::new("SELECT count(*) AS n FROM events WHERE position IS NULL");
        let (_, rows) = self.target.run(query).await?;
        self.copied.unsealed = rows.first().map_or(Ok(0), |row| row.count("n"))?;
        Ok(())
    }

    /// Gives the lease back.
    pub(super) async fn step_down(&mut self) {
        if self.sealing.lease().is_none_or(|(holder, _)| holder != self.holder) {
            return;
        }
        let release = Query::new(self.target.texts().release)
            .bind(json!(["sealer"]))
            .bind(self.holder.as_str());
        if let Err(error) = self.target.run(release).await {
            tracing::debug!(%error, "failed to give the lease back; it ends by itself");
        }
    }
}
