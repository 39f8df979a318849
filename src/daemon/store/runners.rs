//! Runners in the database.
//!
//! A status changes in one conditional statement that names the statuses it may come from, so that
//! two callers cannot both move a runner and no illegal move is ever written.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError, checkouts, projects,
    query::{Query, Record, Write},
    quotas, sessions,
};
use crate::domain::{
    activity::{Activity, ActivitySource, ActivityState},
    event::NewEvent,
    evidence::Evidence,
    failure::Failure,
    hook::{Hold, HoldLevel},
    id::RunnerId,
    inbox::{self, Consequence},
    runner::{Exit, Heartbeat, Runner, RunnerStatus},
    usage::{Cost, Quality},
};

/// Every column that makes a [`Runner`].
macro_rules! columns {
    () => {
        "id, name, node_id, project_name, project_path, agent, command, cwd, status, reason, \
         activity, activity_kind, activity_message, activity_source, activity_at, title, \
         session_id, tokens_used, cost_nanos, usage_quality, unpriced, max_tokens, hold, hold_level, \
         cpu_percent, memory_mb, processes, run, pid, supervisor_pid, \
         restart, restart_attempts, max_restart_attempts, adopted, survivors, started_at, \
         last_heartbeat, terminated_at, exit_code, exit_signal, created_at, updated_at, \
         repository, worktree, branch, base_branch, base_commit, launch_commit, launch_snapshot"
    };
}
pub(super) use columns;

/// A move along the table of [`RunnerStatus`].
#[derive(Debug, Clone, Default)]
pub struct RunnerChange {
    /// Why it failed; `None` clears it.
    pub reason: Option<String>,
    /// The agent's process, where it became known.
    pub pid: Option<u32>,
    /// The supervisor's process, where it became known.
    pub supervisor_pid: Option<u32>,
    /// How it ended.
    pub exit: Option<Exit>,
    /// A restart: the next run begins; the value is the number of automatic restarts so far.
    pub next_run: Option<u32>,
    /// The conversation it begins with, where that is known.
    pub session: Option<String>,
}

impl Store {
    /// Moves a runner to another status, if the table allows it from where it stands.
    ///
    /// # Errors
    ///
    /// `ILLEGAL_TRANSITION` when it does not, and for a next run `QUOTA_EXCEEDED` or `BUDGET_EXHAUSTED`,
    /// with nothing changed.
    pub async fn runner_move(
        &self,
        runner: &Runner,
        to: RunnerStatus,
        change: RunnerChange,
        event: NewEvent,
    ) -> Result<Runner, StoreError> {
        let at = event.at;
        let (after, change_reason) = (event.clone(), change.reason.clone());
        let sources: Vec<&str> = RunnerStatus::sources_of(to).map(RunnerStatus::as_str).collect();
        let sources = format!(",{},", sources.join(","));
        let what = format!(
            "{} is {} and cannot become {}",
            runner.name,
            runner.status.as_str(),
            to.as_str()
        );
        let refusal = Failure::conflict("ILLEGAL_TRANSITION", what)
            .with_hint(format!("stratavore runners show {}", runner.name));
        let exit = change.exit;
        let ended = !to.is_live();
        let restarted = change.next_run.is_some();
        let taken_up = change.session.clone();
        // A clock that was set back meanwhile, or a supervisor's that differs, makes no end before its
        // beginning.
        let query = Query::new(concat!(
            "UPDATE runners SET status = $2, reason = $4, pid = CASE WHEN $5 THEN NULL ELSE \
             coalesce($6, pid) END, supervisor_pid = CASE WHEN $5 THEN NULL ELSE \
             coalesce($7, supervisor_pid) END, exit_code = CASE WHEN $8 THEN NULL ELSE \
             coalesce($9, exit_code) END, exit_signal = CASE WHEN $8 THEN NULL ELSE \
             coalesce($10, exit_signal) END, survivors = coalesce($11, survivors), \
             terminated_at = CASE WHEN $5 AND $12 < started_at THEN started_at WHEN $5 THEN $12 \
             WHEN $8 THEN NULL ELSE terminated_at END, \
             started_at = CASE WHEN $8 THEN $13 ELSE started_at END, \
             run = run + CASE WHEN $8 THEN 1 ELSE 0 END, \
             restart_attempts = coalesce($14, restart_attempts), \
             activity = CASE WHEN $8 THEN 'starting' ELSE activity END, \
             cpu_percent = CASE WHEN $5 THEN 0 ELSE cpu_percent END, \
             session_id = coalesce($16, session_id), \
             hold = CASE WHEN $8 THEN '' ELSE hold END, \
             hold_level = CASE WHEN $8 OR $5 THEN '' ELSE hold_level END, \
             memory_mb = CASE WHEN $5 THEN 0 ELSE memory_mb END, \
             processes = CASE WHEN $5 THEN 0 ELSE processes END, updated_at = $13 \
             WHERE id = $1 AND run = $15 AND $3 LIKE '%,' || status || ',%' RETURNING ",
            columns!()
        ))
        .bind(runner.id.as_uuid())
        .bind(to.as_str())
        .bind(sources)
        .bind(change.reason)
        .bind(ended)
        .bind(change.pid.map(i64::from))
        .bind(change.supervisor_pid.map(i64::from))
        .bind(restarted)
        .bind(exit.as_ref().and_then(|exit| exit.code).map(i64::from))
        .bind(exit.as_ref().and_then(|exit| exit.signal.clone()))
        .bind(exit.as_ref().map(|exit| serde_json::json!(exit.survivors)))
        .bind(ended.then(|| exit.as_ref().map_or(at, |exit| exit.at)))
        .bind(at)
        .bind(change.next_run.map(i64::from))
        .bind(runner.run)
        .bind(change.session);
        let mut events = vec![event];
        if ended {
            events.extend(self.endings(runner.id.as_uuid(), &after).await?);
        }
        let mut write = Write::causing(events).locking(&runner.project, at).require(query, refusal);
        if restarted {
            let excess = quotas::excess(&runner.project, runner.id, (None, None), at);
            write = write.forbid(excess, quotas::refusal);
        }
        if let Some(session) = &taken_up {
            write = sessions::taken_up(write, session, runner.id.as_uuid(), at);
        }
        if ended {
            for query in sessions::end_of(runner.id.as_uuid(), at) {
                write = write.run(query);
            }
        }
        let items = inbox::after_move(runner, to, change_reason.as_deref(), at);
        let write =
            write.run(projects::recount(&runner.project, at)).minding(runner, &items, &after);
        // A launch is written down before it is made, against the death of the daemon; that of the
        // machine is the agent's too. The commit that calls it running takes this one to the disk.
        let write = if to == RunnerStatus::Starting { write.unflushed() } else { write };
        first(&self.write(write).await?)
    }

    /// Records what an agent is doing.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_set_activity(
        &self,
        runner: &Runner,
        (activity, title): (&Activity, &str),
        evidence: &Evidence,
        (event, items): (Option<NewEvent>, &[Consequence]),
        now: DateTime<Utc>,
    ) -> Result<Runner, StoreError> {
        let query = Query::new(concat!(
            "UPDATE runners SET activity = $2, activity_kind = $3, activity_message = $4, \
             activity_source = $5, activity_at = $6, title = $7, updated_at = $8, evidence = $9 \
             WHERE id = $1 RETURNING ",
            columns!()
        ))
        .bind(runner.id.as_uuid())
        .bind(activity.state.as_str())
        .bind(activity.kind.clone())
        .bind(activity.message.clone())
        .bind(activity.source.as_str())
        .bind(activity.since)
        .bind(title)
        .bind(now)
        .bind(serde_json::json!(evidence));
        let gone = Failure::not_found("RUNNER_NOT_FOUND", format!("no runner {}", runner.name));
        let mut write = Write::default();
        if let Some(event) = event {
            write = Write::causing(vec![event.clone()])
                .require(query, gone)
                .minding(runner, items, &event);
        } else {
            write = write.require(query, gone);
        }
        first(&self.write(write).await?)
    }

    /// Returns what each source said of what a runner's agent is doing; of one that is not there, nothing.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_evidence(&self, id: RunnerId) -> Result<Evidence, StoreError> {
        let query = Query::new("SELECT evidence FROM runners WHERE id = $1");
        let rows = self.fetch(query.bind(id.as_uuid())).await?;
        // What an older or newer version wrote says nothing to this one.
        Ok(rows.first().and_then(|row| row.json("evidence").ok()).unwrap_or_default())
    }

    /// Applies the samples of all runners in one statement.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_heartbeats(
        &self,
        beats: &[Heartbeat],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let rows: Vec<_> = beats
            .iter()
            .map(|beat| {
                serde_json::json!({
                    "id": beat.id.to_string(),
                    "cpu": beat.cpu_percent,
                    "memory": beat.memory_mb,
                    "processes": beat.processes,
                })
            })
            .collect();
        let query = Query::new(self.readers.texts().heartbeats)
            .bind(serde_json::Value::Array(rows))
            .bind(now);
        self.write(Write::default().run(query)).await?;
        Ok(())
    }

    /// Makes sure that an ended runner is not started again by itself: with one attempt more than there may be
    /// none is begun, also after a run that went well.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_stay_ended(&self, id: RunnerId) -> Result<(), StoreError> {
        let query = Query::new(
            "UPDATE runners SET restart_attempts = max_restart_attempts + 1 WHERE id = $1 \
             AND status IN ('terminated', 'failed')",
        );
        self.write(Write::default().run(query.bind(id.as_uuid()))).await?;
        Ok(())
    }

    /// Returns a runner by its id.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_get(&self, id: RunnerId) -> Result<Option<Runner>, StoreError> {
        let query = concat!("SELECT ", columns!(), " FROM runners WHERE id = $1");
        let rows = self.fetch(Query::new(query).bind(id.as_uuid())).await?;
        rows.first().map(decode).transpose()
    }

    /// Returns the names of all runners by their ids.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_names(&self) -> Result<HashMap<String, String>, StoreError> {
        let rows = self.fetch(Query::new("SELECT id, name FROM runners")).await?;
        rows.iter().map(|row| Ok((row.id("id")?.to_string(), row.text("name")?))).collect()
    }

    /// Returns the runners that a word may mean: the one of that name, or those whose id begins
    /// with it, three at most.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_find(&self, word: &str) -> Result<Vec<Runner>, StoreError> {
        let query = concat!(
            "SELECT ",
            columns!(),
            " FROM runners WHERE name = $1 OR substr(CAST(id AS TEXT), 1, length($1)) = $1 \
             ORDER BY CASE WHEN name = $1 THEN 0 ELSE 1 END, created_at LIMIT 3"
        );
        let rows = self.fetch(Query::new(query).bind(word)).await?;
        let found: Vec<_> = rows.iter().map(decode).collect::<Result<_, _>>()?;
        match found.first() {
            Some(named) if named.name == word => Ok(vec![named.clone()]),
            _ => Ok(found),
        }
    }

    /// Returns runners, newest first: of one project unless it is empty, of one status unless it is
    /// empty, where `live` means every status but the ended ones; `limit` 0 means all.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn runner_list(
        &self,
        project: &str,
        status: &str,
        limit: u32,
    ) -> Result<Vec<Runner>, StoreError> {
        let query = concat!(
            "SELECT ",
            columns!(),
            " FROM runners WHERE ($1 = '' OR project_name = $1) AND ($2 = '' OR status = $2 \
             OR ($2 = 'live' AND status NOT IN ('terminated', 'failed'))) \
             ORDER BY created_at DESC, name DESC LIMIT $3"
        );
        let limit = if limit == 0 { i64::MAX } else { limit.into() };
        self.list(Query::new(query).bind(project).bind(status).bind(limit), decode).await
    }
}

pub(super) fn first(rows: &[Record]) -> Result<Runner, StoreError> {
    let row = rows.first().ok_or_else(|| StoreError::Garbled("answer to a write".into()))?;
    decode(row)
}

fn hold(level: &str, reason: String) -> Option<Hold> {
    HoldLevel::parse(level).map(|level| Hold { level, reason })
}

pub(super) fn decode(row: &Record) -> Result<Runner, StoreError> {
    let status = row.text("status")?;
    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let pid = |column| row.optional_integer(column).map(|pid| pid.and_then(|p| p.try_into().ok()));
    let exit_code = row.optional_integer("exit_code")?;
    Ok(Runner {
        id: row.id("id")?.into(),
        name: row.text("name")?,
        project: row.text("project_name")?,
        project_path: row.text("project_path")?.into(),
        agent: row.text("agent")?,
        command: row.json("command")?,
        cwd: row.text("cwd")?.into(),
        checkout: checkouts::decode(row)?,
        status: RunnerStatus::parse(&status).ok_or(StoreError::Garbled(status))?,
        reason: row.optional_text("reason")?,
        activity: Activity {
            state: ActivityState::parse(&row.text("activity")?).unwrap_or_default(),
            kind: row.optional_text("activity_kind")?,
            message: row.optional_text("activity_message")?,
            source: ActivitySource::parse(&row.text("activity_source")?),
            since: row.optional_time("activity_at")?,
        },
        title: row.text("title")?,
        node_id: row.text("node_id")?,
        run: narrow(row.count("run")?),
        pid: pid("pid")?,
        supervisor_pid: pid("supervisor_pid")?,
        exit_code: exit_code.and_then(|code| code.try_into().ok()),
        exit_signal: row.optional_text("exit_signal")?,
        cpu_percent: row.real("cpu_percent")?,
        memory_mb: row.count("memory_mb")?,
        processes: narrow(row.count("processes")?),
        restart: row.text("restart")?,
        restart_attempts: narrow(row.count("restart_attempts")?),
        max_restart_attempts: narrow(row.count("max_restart_attempts")?),
        tokens_used: row.count("tokens_used")?,
        cost: Cost(row.optional_integer("cost_nanos")?.unwrap_or(0)),
        usage_quality: Quality::parse(&row.text("usage_quality")?),
        unpriced: row.count("unpriced")?,
        max_tokens: row.optional_integer("max_tokens")?.and_then(|most| most.try_into().ok()),
        hold: hold(&row.text("hold_level")?, row.text("hold")?),
        session_id: row.optional_text("session_id")?,
        adopted: row.truth("adopted")?,
        survivors: row.json("survivors")?,
        created_at: row.time("created_at")?,
        started_at: row.time("started_at")?,
        last_heartbeat: row.optional_time("last_heartbeat")?,
        terminated_at: row.optional_time("terminated_at")?,
        updated_at: row.time("updated_at")?,
    })
}
