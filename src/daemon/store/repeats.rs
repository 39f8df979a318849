//! Calls of the HTTP API that are made once, in the database.
//!
//! Invariant: of those who come with a key one gets `New`, whichever daemons of a shared database they ask.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Store, StoreError,
    query::{Query, Write},
};
use crate::domain::repeat::{KeptAnswer, Repeat};

impl Store {
    /// Begins a call under a key, unless it was begun already.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn repeat_begin(
        &self,
        key: Uuid,
        asked: &str,
        now: DateTime<Utc>,
    ) -> Result<Repeat, StoreError> {
        let begin = Query::new(
            "INSERT INTO http_repeats (key, asked, begun_at) VALUES ($1, $2, $3) \
             ON CONFLICT (key) DO NOTHING RETURNING asked",
        );
        let begin = begin.bind(key).bind(asked).bind(now);
        if !self.write(Write::default().run(begin)).await?.is_empty() {
            return Ok(Repeat::New);
        }
        let query =
            Query::new("SELECT asked, status, content_type, body FROM http_repeats WHERE key = $1");
        let rows = self.fetch(query.bind(key)).await?;
        // It was forgotten meanwhile: whoever did so makes it again, or nobody does.
        let Some(row) = rows.first() else { return Ok(Repeat::Unfinished) };
        if row.text("asked")? != asked {
            return Ok(Repeat::Other);
        }
        let Some(status) = row.optional_integer("status")? else { return Ok(Repeat::Unfinished) };
        Ok(Repeat::Done(KeptAnswer {
            status: u16::try_from(status).unwrap_or_default(),
            content_type: row.optional_text("content_type")?.unwrap_or_default(),
            body: row.optional_text("body")?,
        }))
    }

    /// Keeps the answer to a call that was begun; `None` forgets the call, so that it can be made again.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn repeat_finish(
        &self,
        key: Uuid,
        answer: Option<KeptAnswer>,
    ) -> Result<(), StoreError> {
        let query = match answer {
            Some(answer) => Query::new(
                "UPDATE http_repeats SET status = $2, content_type = $3, body = $4 WHERE key = $1",
            )
            .bind(key)
            .bind(u32::from(answer.status))
            .bind(answer.content_type)
            .bind(answer.body),
            None => Query::new("DELETE FROM http_repeats WHERE key = $1").bind(key),
        };
        self.write(Write::default().run(query)).await?;
        Ok(())
    }

    /// Forgets calls from before a time, and the oldest of more than so many.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn repeat_prune(&self, before: DateTime<Utc>, most: u32) -> Result<(), StoreError> {
        let old = Query::new("DELETE FROM http_repeats WHERE begun_at < $1").bind(before);
        let many = Query::new(
            "DELETE FROM http_repeats WHERE key IN (SELECT key FROM http_repeats \
             ORDER BY begun_at DESC, key LIMIT 100000 OFFSET $1)",
        );
        self.write(Write::default().run(old).run(many.bind(most)).unflushed()).await?;
        Ok(())
    }
}
