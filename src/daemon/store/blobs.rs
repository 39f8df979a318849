//! Packed copies of transcripts, in the database: where each is and what it is known by.

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    query::{Query, Record, Write},
};

/// What kind of blob a copy of a conversation's own file is, and one of a subagent's.
const KINDS: (&str, &str) = ("transcript", "subagent");

const COLUMNS: &str = "session_id, blob_type, storage_key, size_bytes, checksum, created_at, \
     node_id, path, source_bytes, sent";

const PUT: &str = "INSERT INTO session_blobs (session_id, blob_type, storage_key, size_bytes, \
     checksum, created_at, node_id, path, source_bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
     ON CONFLICT (session_id, storage_key) DO UPDATE SET size_bytes = excluded.size_bytes, \
     checksum = excluded.checksum, created_at = excluded.created_at, path = excluded.path, \
     source_bytes = excluded.source_bytes";

/// A copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The session.
    pub session: String,
    /// Whether it is of a subagent's file.
    pub is_side: bool,
    /// Where it is: below our directory, and on the server.
    pub key: String,
    /// Its size, packed.
    pub size: u64,
    /// Its SHA-256 in hex.
    pub checksum: String,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// The node whose file it is.
    pub node: String,
    /// The file.
    pub path: String,
    /// Up to where it was copied.
    pub source_bytes: u64,
    /// The checksum of what the server has; empty for nothing.
    pub sent: String,
}

impl Store {
    /// Returns the copies of a session's files.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn blobs_of(&self, session: &str) -> Result<Vec<Blob>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM session_blobs WHERE session_id = $1 ORDER BY id");
        self.list(Query::new(sql).bind(session), decode).await
    }

    /// Returns the copies of a node's files that the server does not have as they are.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn blobs_to_send(&self, node: &str) -> Result<Vec<Blob>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM session_blobs WHERE node_id = $1 AND sent <> checksum \
             ORDER BY created_at LIMIT 1000"
        );
        self.list(Query::new(sql).bind(node), decode).await
    }

    /// Returns the copies of a node's files whose sessions ended before a time.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn blobs_ended(
        &self,
        node: &str,
        before: DateTime<Utc>,
    ) -> Result<Vec<Blob>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM session_blobs WHERE node_id = $1 AND session_id IN \
             (SELECT id FROM sessions WHERE ended_at < $2) ORDER BY id LIMIT 1000"
        );
        let query = Query::new(sql).bind(node).bind(before);
        self.list(query, decode).await
    }

    /// Takes note of a copy.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn blob_put(&self, blob: &Blob) -> Result<(), StoreError> {
        let size = integer(blob.size);
        let query = Query::new(PUT)
            .bind(blob.session.as_str())
            .bind(if blob.is_side { KINDS.1 } else { KINDS.0 })
            .bind(blob.key.as_str())
            .bind(size)
            .bind(blob.checksum.as_str())
            .bind(blob.made_at)
            .bind(blob.node.as_str())
            .bind(blob.path.as_str())
            .bind(integer(blob.source_bytes));
        let mut write = Write::default().run(query);
        if !blob.is_side {
            let size = "UPDATE sessions SET transcript_size_bytes = $2 WHERE id = $1";
            let size = Query::new(size).bind(blob.session.as_str());
            write = write.run(size.bind(integer(blob.source_bytes)));
        }
        self.write(write).await.map(drop)
    }

    /// Takes note that the server has a copy as it is.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn blob_sent(&self, blob: &Blob) -> Result<(), StoreError> {
        let sent = "UPDATE session_blobs SET sent = $3 WHERE session_id = $1 AND storage_key = $2";
        let query = Query::new(sent)
            .bind(blob.session.as_str())
            .bind(blob.key.as_str())
            .bind(blob.checksum.as_str());
        let mut write = Write::default().run(query);
        if !blob.is_side {
            let key = "UPDATE sessions SET transcript_s3_key = $2 WHERE id = $1";
            write = write.run(Query::new(key).bind(blob.session.as_str()).bind(blob.key.as_str()));
        }
        self.write(write).await.map(drop)
    }

    /// Forgets a copy that was removed.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn blob_forget(&self, blob: &Blob) -> Result<(), StoreError> {
        let forget = "DELETE FROM session_blobs WHERE session_id = $1 AND storage_key = $2";
        let query = Query::new(forget).bind(blob.session.as_str()).bind(blob.key.as_str());
        self.write(Write::default().run(query)).await.map(drop)
    }
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn decode(row: &Record) -> Result<Blob, StoreError> {
    Ok(Blob {
        session: row.text("session_id")?,
        is_side: row.text("blob_type")? != KINDS.0,
        key: row.text("storage_key")?,
        size: row.count("size_bytes")?,
        checksum: row.text("checksum")?,
        made_at: row.time("created_at")?,
        node: row.text("node_id")?,
        path: row.text("path")?,
        source_bytes: row.count("source_bytes")?,
        sent: row.text("sent")?,
    })
}
