//! The attention inbox in the database.
//!
//! Items are opened, refined and resolved in the transaction of the change that causes it: the
//! statements here are steps of that change's write, and each row that they touch causes its event.
//! Invariant: of one cause there is one item, ever; and one open item of a class for each runner.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{
    Store, StoreError,
    query::{Query, Record, Write},
};
use crate::domain::{
    event::{EventType, NewEvent},
    id::RunnerId,
    inbox::{Class, Consequence, Item, ItemState, Opening, Reason, cause},
    runner::Runner,
    usage::{Cost, Quality},
};

/// Items given out at once.
pub const MOST_ITEMS: u32 = 500;

/// Every column that makes an [`Item`], but for what its runner has cost by now.
macro_rules! columns {
    () => {
        "id, class, reason, state, runner_id, runner_name, project_name, node_id, agent, message, \
         lines, channel, asked_at, cost_nanos, opened_at, snoozed_until, closed_at, closed_by, \
         answer, resolution"
    };
}

/// Every item, with its runner's figures.
macro_rules! items {
    ($($rest:literal),*) => {
        concat!(
            "SELECT ", columns!(), ", (SELECT r.cost_nanos FROM runners AS r \
             WHERE r.id = inbox.runner_id) AS cost_now, (SELECT r.usage_quality FROM runners AS r \
             WHERE r.id = inbox.runner_id) AS quality FROM inbox ", $($rest),*
        )
    };
}

pub(super) use columns;

/// An item that is not over.
macro_rules! live {
    () => {
        "state IN ('open', 'snoozed')"
    };
}

pub(super) use live;

const RESOLVE: &str = concat!(
    "UPDATE inbox SET state = CASE WHEN answer <> '' THEN 'answered' ELSE 'resolved' END, \
     resolution = $3, closed_at = $4, updated_at = $4 \
     WHERE runner_id = $1 AND $2 LIKE '%,' || class || ',%' AND ",
    live!(),
    " RETURNING ",
    columns!()
);

const REFINE: &str = concat!(
    "UPDATE inbox SET message = $3, asked_at = $4, updated_at = $5 \
     WHERE runner_id = $1 AND class = $2 AND (message <> $3 OR asked_at <> $4) AND ",
    live!(),
    " RETURNING ",
    columns!()
);

pub(super) const OPEN: &str = concat!(
    "INSERT INTO inbox (id, cause, class, reason, runner_id, runner_name, project_name, node_id, \
     agent, run, message, asked_at, cost_nanos, opened_at, updated_at) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14 \
     WHERE NOT EXISTS (SELECT 1 FROM inbox AS o WHERE o.runner_id = $5 AND o.class = $3 \
     AND ($3 <> 'alert' OR o.message = $11) AND o.state IN ('open', 'snoozed')) \
     ON CONFLICT (cause) DO NOTHING RETURNING ",
    columns!()
);

/// Which items are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemFilter {
    /// A project's name; empty for all.
    pub project: String,
    /// Those too that are put off.
    pub with_snoozed: bool,
    /// Those too that are over, the newest first.
    pub with_closed: bool,
    /// So many at most; 0 means [`MOST_ITEMS`].
    pub limit: u32,
}

/// What somebody does about an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemAct {
    /// It was answered with this.
    Answered(String),
    /// It is put away.
    Dismissed,
    /// It is put off.
    SnoozedUntil(DateTime<Utc>),
    /// It was answered, and its agent has not taken the answer.
    Reopened,
}

impl Write {
    /// Adds what follows for a runner's items; their events are made after this one.
    #[must_use]
    pub(super) fn minding(
        mut self,
        runner: &Runner,
        consequences: &[Consequence],
        after: &NewEvent,
    ) -> Self {
        for consequence in consequences {
            let (query, event_type) = match consequence {
                Consequence::Resolve(classes, why) => {
                    (resolve(runner.id, classes, why, after.at), EventType::InboxClosed)
                }
                Consequence::Refine(class, message, asked_at) => {
                    let query = Query::new(REFINE)
                        .bind(runner.id.as_uuid())
                        .bind(class.as_str())
                        .bind(message.as_str())
                        .bind(*asked_at)
                        .bind(after.at);
                    (query, EventType::InboxUpdated)
                }
                Consequence::Open(opening) => {
                    (open(runner, opening, after.at), EventType::InboxOpened)
                }
            };
            self = self.run_causing(query, template(event_type, after), about);
        }
        self
    }

    /// Resolves the items of a project that is removed.
    #[must_use]
    pub(super) fn forgetting_items_of(self, project: &str, after: &NewEvent) -> Self {
        let query = Query::new(concat!(
            "UPDATE inbox SET state = 'resolved', resolution = 'the project was removed', \
             closed_at = $2, updated_at = $2 WHERE project_name = $1 AND ",
            live!(),
            " RETURNING ",
            columns!()
        ));
        let query = query.bind(project).bind(after.at);
        self.run_causing(query, template(EventType::InboxClosed, after), about)
    }
}

fn resolve(id: RunnerId, classes: &[Class], why: &str, at: DateTime<Utc>) -> Query {
    let classes: Vec<_> = classes.iter().map(|class| class.as_str()).collect();
    Query::new(RESOLVE)
        .bind(id.as_uuid())
        .bind(format!(",{},", classes.join(",")))
        .bind(why)
        .bind(at)
}

fn open(runner: &Runner, opening: &Opening, at: DateTime<Utc>) -> Query {
    Query::new(OPEN)
        .bind(Uuid::new_v4())
        .bind(cause(runner, opening))
        .bind(opening.class.as_str())
        .bind(opening.reason.as_str())
        .bind(runner.id.as_uuid())
        .bind(runner.name.as_str())
        .bind(runner.project.as_str())
        .bind(runner.node_id.as_str())
        .bind(runner.agent.as_str())
        .bind(runner.run)
        .bind(opening.message.as_str())
        .bind(opening.asked_at)
        .bind(runner.cost.0)
        .bind(at)
}

/// Returns the event that rows of the inbox cause, as far as it is known before.
pub(super) fn template(event_type: EventType, after: &NewEvent) -> NewEvent {
    NewEvent { event_type, is_first: false, ..after.clone() }
}

/// Completes an event by the item that it is about.
pub(super) fn about(row: &Record, event: NewEvent) -> Result<NewEvent, StoreError> {
    let item = decode(row)?;
    let is_runners = item.class != Class::Alert;
    let data = json!({
        "item": item.id, "class": item.class, "reason": item.reason, "state": item.state,
        "message": item.message, "agent": item.agent, "asked_at": item.asked_at,
        "opened_at": item.opened_at, "snoozed_until": item.snoozed_until, "by": item.closed_by,
        "answer": item.answer, "resolution": item.resolution,
    });
    let entity_id = if is_runners { item.runner_id.to_string() } else { item.node_id.clone() };
    Ok(NewEvent {
        id: Uuid::now_v7(),
        entity_type: if is_runners { "runner" } else { "daemon" },
        entity_id,
        project: item.project,
        runner: item.runner,
        data,
        ..event
    })
}

impl Store {
    /// Returns items: the open ones by urgency, or all, the newest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_list(
        &self,
        filter: &ItemFilter,
        now: DateTime<Utc>,
    ) -> Result<Vec<Item>, StoreError> {
        let query = Query::new(items!(
            "WHERE ($1 = '' OR project_name = $1) AND ($2 OR state = 'open' \
             OR (state = 'snoozed' AND ($3 OR snoozed_until <= $4))) \
             ORDER BY opened_at DESC, id LIMIT $5"
        ));
        let limit = if filter.limit == 0 { MOST_ITEMS } else { filter.limit };
        let query = query
            .bind(filter.project.as_str())
            .bind(filter.with_closed)
            .bind(filter.with_snoozed)
            .bind(now)
            .bind(limit);
        let mut items = self.list(query, decode).await?;
        if !filter.with_closed {
            items.sort_by_key(Item::order);
        }
        Ok(items)
    }

    /// Returns the items that a word may mean, three at most: one whose id begins with it, or those that
    /// are open of the runner of that name.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_find(&self, word: &str) -> Result<Vec<Item>, StoreError> {
        let query = Query::new(items!(
            "WHERE (runner_name = $1 AND state IN ('open', 'snoozed')) \
             OR replace(CAST(id AS TEXT), '-', '') LIKE $2 || '%' \
             ORDER BY CASE class WHEN 'ask' THEN 0 WHEN 'budget' THEN 1 ELSE 2 END, \
             opened_at DESC LIMIT 3"
        ));
        let hex: String = word.chars().filter(char::is_ascii_hexdigit).collect();
        // What is no beginning of an id must not match all of them.
        let is_id = word.len() >= 3 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        let begins = if is_id { hex.to_lowercase() } else { "-".to_owned() };
        self.list(query.bind(word).bind(begins), decode).await
    }

    /// Returns an item by its id.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_get(&self, id: Uuid) -> Result<Option<Item>, StoreError> {
        let rows = self.fetch(Query::new(items!("WHERE id = $1")).bind(id)).await?;
        rows.first().map(decode).transpose()
    }

    /// Returns a runner's open item of a class.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_of(&self, id: RunnerId, class: Class) -> Result<Option<Item>, StoreError> {
        let query = Query::new(items!(
            "WHERE runner_id = $1 AND class = $2 AND state IN ('open', 'snoozed') LIMIT 1"
        ));
        let rows = self.fetch(query.bind(id.as_uuid()).bind(class.as_str())).await?;
        rows.first().map(decode).transpose()
    }

    /// Takes note of who is about to answer an item with what, so that whoever resolves it first says
    /// so; an empty answer takes that back.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_claim(&self, id: Uuid, answer: &str, by: &str) -> Result<(), StoreError> {
        let query = Query::new(concat!(
            "UPDATE inbox SET answer = $2, closed_by = $3 WHERE id = $1 AND ",
            live!()
        ));
        self.write(Write::default().run(query.bind(id).bind(answer).bind(by))).await?;
        Ok(())
    }

    /// Writes down what somebody did about items; returns those that were not over before.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_act(
        &self,
        ids: &[Uuid],
        act: &ItemAct,
        by: &str,
        after: &NewEvent,
    ) -> Result<Vec<Item>, StoreError> {
        let (state, answer, until, event_type) = match act {
            ItemAct::Answered(answer) => {
                (ItemState::Answered, answer.as_str(), None, EventType::InboxClosed)
            }
            ItemAct::Dismissed => (ItemState::Dismissed, "", None, EventType::InboxClosed),
            ItemAct::SnoozedUntil(until) => {
                (ItemState::Snoozed, "", Some(*until), EventType::InboxSnoozed)
            }
            ItemAct::Reopened => (ItemState::Open, "", None, EventType::InboxUpdated),
        };
        let mut write = Write::default();
        for id in ids {
            let query = Query::new(concat!(
                "UPDATE inbox SET state = $2, answer = $3, closed_by = $4, snoozed_until = $5, \
                 closed_at = CASE WHEN $2 IN ('snoozed', 'open') THEN NULL ELSE $6 END, \
                 updated_at = $6 WHERE id = $1 AND CASE WHEN $2 = 'open' THEN state = 'answered' ELSE ",
                live!(),
                " END RETURNING ",
                columns!()
            ));
            let query = query
                .bind(*id)
                .bind(state.as_str())
                .bind(answer)
                .bind(by)
                .bind(until)
                .bind(after.at);
            write = write.run_causing(query, template(event_type, after), about);
        }
        self.write(write).await?;
        let mut items = Vec::new();
        for id in ids {
            items.extend(self.inbox_get(*id).await?.filter(|item| item.state == state));
        }
        Ok(items)
    }

    /// Resolves what a look at the runner settles: its turns that had ended by then.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_seen(
        &self,
        runners: &[(RunnerId, DateTime<Utc>)],
        after: &NewEvent,
    ) -> Result<(), StoreError> {
        let mut write = Write::default();
        for (id, ended) in runners {
            let query = Query::new(concat!(
                "UPDATE inbox SET state = 'resolved', resolution = 'looked at', closed_at = $3, \
                 updated_at = $3 WHERE runner_id = $1 AND class = 'turn' AND reason = 'finished' \
                 AND asked_at <= $2 AND ",
                live!(),
                " RETURNING ",
                columns!()
            ));
            let query = query.bind(id.as_uuid()).bind(*ended).bind(after.at);
            write = write.run_causing(query, template(EventType::InboxClosed, after), about);
        }
        self.write(write).await?;
        Ok(())
    }

    /// Opens again what was put off until now; returns when to look again, if anything is put off.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_wake(&self, after: &NewEvent) -> Result<Option<DateTime<Utc>>, StoreError> {
        const DUE: &str = "SELECT min(snoozed_until) AS due FROM inbox WHERE state = 'snoozed'";
        let due = |rows: &[Record]| match rows.first() {
            Some(row) => row.optional_time("due"),
            None => Ok(None),
        };
        let next = due(&self.fetch(Query::new(DUE)).await?)?;
        if next.is_none_or(|next| next > after.at) {
            return Ok(next);
        }
        let query = Query::new(concat!(
            "UPDATE inbox SET state = 'open', updated_at = $1 \
             WHERE state = 'snoozed' AND snoozed_until <= $1 RETURNING ",
            columns!()
        ));
        let opened = template(EventType::InboxOpened, after);
        self.write(Write::default().run_causing(query.bind(after.at), opened, about)).await?;
        due(&self.fetch(Query::new(DUE)).await?)
    }

    /// Keeps the last lines of the screen with an item that is open.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_lines(&self, id: Uuid, lines: &[String]) -> Result<(), StoreError> {
        let query = Query::new(concat!("UPDATE inbox SET lines = $2 WHERE id = $1 AND ", live!()));
        self.write(Write::default().run(query.bind(id).bind(json!(lines)))).await?;
        Ok(())
    }

    /// Pairs an item, while its question is this one, with the agent's own channel.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_channel(
        &self,
        id: Uuid,
        asked_at: DateTime<Utc>,
        channel: &str,
    ) -> Result<(), StoreError> {
        let query = Query::new(concat!(
            "UPDATE inbox SET channel = $3 WHERE id = $1 AND asked_at = $2 AND ",
            live!()
        ));
        self.write(Write::default().run(query.bind(id).bind(asked_at).bind(channel))).await?;
        Ok(())
    }

    /// Removes items that were over before a time.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_prune(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        let query = Query::new(
            "DELETE FROM inbox WHERE state NOT IN ('open', 'snoozed') AND closed_at < $1",
        );
        self.write(Write::default().run(query.bind(before)).unflushed()).await?;
        Ok(())
    }
}

fn decode(row: &Record) -> Result<Item, StoreError> {
    let word = |column: &str| row.text(column);
    let garbled = |word: String| StoreError::Garbled(word);
    let (class, reason, state) = (word("class")?, word("reason")?, word("state")?);
    let cost_then = Cost(row.optional_integer("cost_nanos")?.unwrap_or(0));
    // Rows of a write come without what is looked up elsewhere.
    let now = row.optional_integer("cost_now").ok().flatten();
    let quality = row.optional_text("quality").ok().flatten();
    Ok(Item {
        id: row.id("id")?,
        class: Class::parse(&class).ok_or_else(|| garbled(class))?,
        reason: Reason::parse(&reason).ok_or_else(|| garbled(reason))?,
        state: ItemState::parse(&state).ok_or_else(|| garbled(state))?,
        runner_id: row.id("runner_id")?.into(),
        runner: row.text("runner_name")?,
        project: row.text("project_name")?,
        node_id: row.text("node_id")?,
        agent: row.text("agent")?,
        message: row.text("message")?,
        lines: row.json("lines")?,
        channel: row.text("channel")?,
        asked_at: row.time("asked_at")?,
        cost_then,
        cost: now.map_or(cost_then, Cost),
        quality: quality.map(|word| Quality::parse(&word)).unwrap_or_default(),
        opened_at: row.time("opened_at")?,
        snoozed_until: row.optional_time("snoozed_until")?,
        closed_at: row.optional_time("closed_at")?,
        closed_by: row.text("closed_by")?,
        answer: row.text("answer")?,
        resolution: row.text("resolution")?,
    })
}
