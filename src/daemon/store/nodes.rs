//! Nodes and leases in the database: who takes part, and who does what for all.
//!
//! Time is the database's. A node's epoch grows with each start of its daemon, a lease's with each
//! change of its holder; whoever writes under a lease names its epoch, so that a daemon that slept
//! does not write beside its successor.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    query::{Query, Record, Write},
};
use crate::domain::{event::NewEvent, failure::Failure, node::Node};

impl Store {
    /// Registers a node's start; returns its epoch.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn node_register(
        &self,
        id: &str,
        hostname: &str,
        version: &str,
        relays: bool,
    ) -> Result<u64, StoreError> {
        let query = Query::new(self.readers.texts().register)
            .bind(id)
            .bind(hostname)
            .bind(version)
            .bind(relays);
        // What an earlier daemon of this node held is free: that one is dead, or superseded.
        let free = Query::new("UPDATE leases SET until = $2 WHERE holder LIKE $1 || '#%'")
            .bind(id)
            .bind(DateTime::UNIX_EPOCH);
        let rows = self.write(Write::default().run(free).run(query)).await?;
        let row = rows.first().ok_or_else(|| StoreError::Garbled("answer to a start".into()))?;
        row.count("epoch")
    }

    /// Records a sign of life of a node.
    ///
    /// # Errors
    ///
    /// `NODE_SUPERSEDED` when a later start of the same node is registered.
    pub async fn node_beat(&self, id: &str, epoch: u64) -> Result<(), StoreError> {
        let query =
            Query::new(self.readers.texts().beat).bind(id).bind(i64::try_from(epoch).unwrap_or(0));
        let what = format!("another daemon runs as node {id}");
        let superseded = Failure::conflict("NODE_SUPERSEDED", what)
            .with_hint("a copied root directory needs a node of its own: remove its file `node`");
        self.write(Write::default().require(query, superseded).unflushed()).await?;
        Ok(())
    }

    /// Records that a node left in order, and gives its leases back.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn node_leave(
        &self,
        id: &str,
        epoch: u64,
        holder: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let left =
            Query::new("UPDATE daemon_state SET left_at = $3 WHERE daemon_id = $1 AND epoch = $2")
                .bind(id)
                .bind(i64::try_from(epoch).unwrap_or(0))
                .bind(now);
        let free = Query::new("UPDATE leases SET until = $2 WHERE holder = $1")
            .bind(holder)
            .bind(DateTime::UNIX_EPOCH);
        self.sealing.set(None);
        self.write(Write::default().run(left).run(free)).await?;
        Ok(())
    }

    /// Forgets a node; should it come back, it registers anew.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn node_forget(&self, id: &str, event: NewEvent) -> Result<(), StoreError> {
        let query = Query::new("DELETE FROM daemon_state WHERE daemon_id = $1").bind(id);
        self.write(Write::causing(vec![event]).run(query)).await?;
        Ok(())
    }

    /// Returns every node that ever took part.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn node_list(&self) -> Result<Vec<Node>, StoreError> {
        self.list(Query::new(self.readers.texts().nodes), decode).await
    }

    /// Takes or renews leases; returns those that are the holder's now, with their epochs.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn lease_acquire(
        &self,
        names: &[String],
        holder: &str,
        seconds: u32,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let query = Query::new(self.readers.texts().acquire)
            .bind(serde_json::json!(names))
            .bind(holder)
            .bind(f64::from(seconds));
        let rows = self.write(Write::default().run(query).unflushed()).await?;
        rows.iter().map(|row| Ok((row.text("name")?, row.count("epoch")?))).collect()
    }

    /// Gives leases back.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn lease_release(&self, names: &[String], holder: &str) -> Result<(), StoreError> {
        let query =
            Query::new(self.readers.texts().release).bind(serde_json::json!(names)).bind(holder);
        self.write(Write::default().run(query).unflushed()).await?;
        Ok(())
    }

    /// Lets this daemon seal the event log while it holds the lease, or no longer.
    pub fn seal_with(&self, lease: Option<(String, u64)>) {
        let is_new = lease.is_some();
        self.sealing.set(lease);
        if is_new {
            // What nobody sealed before; a full queue has the same effect.
            self.writer.try_send(super::Unit::Seal).ok();
        }
    }
}

fn decode(row: &Record) -> Result<Node, StoreError> {
    Ok(Node {
        id: row.text("daemon_id")?,
        hostname: row.text("hostname")?,
        version: row.text("version")?,
        started_at: row.time("started_at")?,
        last_heartbeat: row.time("last_heartbeat")?,
        age_seconds: row.real("age")?.max(0.0),
        epoch: row.count("epoch")?,
        relays: row.truth("relays")?,
        left_at: row.optional_time("left_at")?,
    })
}
