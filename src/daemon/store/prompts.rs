//! Prompts that wait for their agents, in the database.
//!
//! Invariant: a prompt is typed by whoever moved it from `queued` to `delivering`, and by nobody again:
//! one whose daemon died meanwhile is told as failed.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{
    Store, StoreError,
    query::{Query, Record, Write},
};
use crate::domain::{
    event::NewEvent,
    failure::{Failure, FailureKind},
    id::RunnerId,
    prompt::{MOST_WAITING, PromptState, QueuedPrompt},
};

/// What is settled is kept so long.
const KEPT: TimeDelta = TimeDelta::days(7);

macro_rules! columns {
    () => {
        "p.id, p.runner_id, p.run, p.session_id, p.prompt, p.state, p.note, p.created_at, \
         p.settled_at, coalesce((SELECT r.name FROM runners AS r WHERE r.id = p.runner_id), '') AS runner"
    };
}

impl Store {
    /// Puts a prompt into the queue of its runner.
    ///
    /// # Errors
    ///
    /// `QUEUE_FULL`, or when the database fails.
    pub async fn prompt_add(
        &self,
        prompt: &QueuedPrompt,
        event: NewEvent,
    ) -> Result<(), StoreError> {
        let most = i64::try_from(MOST_WAITING).unwrap_or(i64::MAX);
        let add = Query::new(
            "INSERT INTO queued_prompts (id, runner_id, run, session_id, prompt, state, created_at) \
             SELECT $1, $2, $3, $4, $5, 'queued', $6 WHERE (SELECT count(*) FROM queued_prompts \
             WHERE runner_id = $2 AND state = 'queued') < $7 RETURNING id",
        )
        .bind(prompt.id)
        .bind(prompt.runner_id)
        .bind(prompt.run)
        .bind(prompt.session.as_str())
        .bind(prompt.text.as_str())
        .bind(prompt.created_at)
        .bind(most);
        let old = Query::new("DELETE FROM queued_prompts WHERE settled_at < $1")
            .bind(prompt.created_at - KEPT);
        let full = format!("{MOST_WAITING} prompts wait for {} already", prompt.runner);
        let full = Failure::new(FailureKind::Limit, "QUEUE_FULL", full)
            .with_hint(format!("stratavore send {} --list", prompt.runner));
        self.write(Write::causing(vec![event]).require(add, full).run(old)).await?;
        Ok(())
    }

    /// Returns prompts, the oldest first: of one runner if it is named, and those that wait alone.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn prompt_list(
        &self,
        runner: Option<RunnerId>,
        only_waiting: bool,
    ) -> Result<Vec<QueuedPrompt>, StoreError> {
        let query = Query::new(concat!(
            "SELECT ",
            columns!(),
            " FROM queued_prompts AS p WHERE ($1 = '' OR CAST(p.runner_id AS TEXT) = $1) \
             AND ($2 = 0 OR p.state IN ('queued', 'delivering')) ORDER BY p.id LIMIT 1000"
        ));
        let runner = runner.map(|id| id.to_string()).unwrap_or_default();
        let query = query.bind(runner).bind(i64::from(only_waiting));
        self.list(query, decode).await
    }

    /// Takes a prompt that waits, to be typed; false when somebody else did, or took it back.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn prompt_claim(&self, id: Uuid) -> Result<bool, StoreError> {
        let claim = Query::new(
            "UPDATE queued_prompts SET state = 'delivering' WHERE id = $1 AND state = 'queued' \
             RETURNING id",
        );
        let gone = Failure::conflict("NOT_QUEUED", "it does not wait any more");
        match self.write(Write::causing(Vec::new()).require(claim.bind(id), gone)).await {
            Ok(_) => Ok(true),
            Err(StoreError::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts a prompt that was taken back at its place: nothing of it was typed.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn prompt_unclaim(&self, id: Uuid) -> Result<(), StoreError> {
        let back = Query::new(
            "UPDATE queued_prompts SET state = 'queued' WHERE id = $1 AND state = 'delivering'",
        );
        self.write(Write::causing(Vec::new()).run(back.bind(id))).await?;
        Ok(())
    }

    /// Settles a prompt that has this state.
    ///
    /// # Errors
    ///
    /// `NOT_QUEUED` when it has another one, or when the database fails.
    pub async fn prompt_settle(
        &self,
        id: Uuid,
        (from, to): (PromptState, PromptState),
        note: &str,
        event: NewEvent,
    ) -> Result<(), StoreError> {
        let at = event.at;
        let settle = Query::new(
            "UPDATE queued_prompts SET state = $2, note = $3, settled_at = $4 \
             WHERE id = $1 AND state = $5 RETURNING id",
        );
        let settle = settle.bind(id).bind(to.as_str()).bind(note).bind(at).bind(from.as_str());
        let what = format!("the prompt {id} does not wait any more");
        let gone = Failure::conflict("NOT_QUEUED", what).with_hint("stratavore send --list");
        self.write(Write::causing(vec![event]).require(settle, gone)).await?;
        Ok(())
    }
}

/// Returns the statement that removes the prompts of a runner.
pub(super) fn remove_of(runner: Uuid) -> Query {
    Query::new("DELETE FROM queued_prompts WHERE runner_id = $1").bind(runner)
}

fn decode(row: &Record) -> Result<QueuedPrompt, StoreError> {
    let run: u64 = row.count("run")?;
    Ok(QueuedPrompt {
        id: row.id("id")?,
        runner_id: row.id("runner_id")?,
        runner: row.text("runner")?,
        run: u32::try_from(run).unwrap_or(u32::MAX),
        session: row.text("session_id")?,
        text: row.text("prompt")?,
        state: PromptState::parse(&row.text("state")?),
        note: row.text("note")?,
        created_at: row.time("created_at")?,
        settled_at: row.optional_time("settled_at")?,
    })
}
