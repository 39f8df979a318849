//! Launches in the database: a new runner's row, if it is let in.
//!
//! Invariant: the project's row is locked in a statement of its own, and what forbids the launch is looked
//! for in a later one (see [`quotas`]).

use chrono::{DateTime, SubsecRound as _, Utc};
use uuid::Uuid;

use super::{
    Store, StoreError, charges, checkouts,
    query::{Expect, Query, Record, Write},
    quotas, runners, sessions,
};
use crate::domain::{
    activity::Activity,
    checkout::RunnerCheckout,
    event::NewEvent,
    failure::Failure,
    id::RunnerId,
    runner::{Runner, RunnerStatus},
    usage::{Cost, Quality},
};

/// A runner about to be launched.
#[derive(Debug, Clone)]
pub struct NewRunner {
    /// Its id.
    pub id: RunnerId,
    /// Its project's name.
    pub project: String,
    /// The name it was given; without one it gets the project's and the next number.
    pub name: Option<String>,
    /// Its project's directory.
    pub project_path: String,
    /// The node.
    pub node_id: String,
    /// The program's short name.
    pub agent: String,
    /// Program and arguments, for display.
    pub command: Vec<String>,
    /// Working directory, for display.
    pub cwd: String,
    /// What is checked out there; `None` outside of repositories, and where that is told later.
    pub checkout: Option<RunnerCheckout>,
    /// never or on-failure.
    pub restart: String,
    /// Automatic restarts allowed.
    pub max_restart_attempts: u32,
    /// The idempotency key.
    pub request_id: Option<Uuid>,
    /// Tells whether a repeated key comes with the same request.
    pub request_digest: String,
    /// The agent's conversation, where it is known beforehand.
    pub session_id: Option<String>,
    /// It is one that there was before.
    pub takes_up: bool,
    /// So many tokens it may use at most.
    pub max_tokens: Option<u64>,
    /// Now.
    pub at: DateTime<Utc>,
}

impl NewRunner {
    /// Returns the runner as its row has just been made; what the row alone knows is in its answer. To have all
    /// of it told by the database would be a part of each launch.
    fn inserted(&self, rows: &[Record]) -> Result<Runner, StoreError> {
        let row = rows.first().ok_or_else(|| StoreError::Garbled("answer to a write".into()))?;
        // No database keeps more of a time.
        let at = self.at.trunc_subsecs(6);
        let checkout = self.checkout.clone();
        Ok(Runner {
            id: self.id,
            name: row.text("name")?,
            project: self.project.clone(),
            project_path: row.text("project_path")?.into(),
            agent: self.agent.clone(),
            command: self.command.clone(),
            cwd: self.cwd.clone().into(),
            checkout: checkout.filter(|checkout| !checkout.repository.as_os_str().is_empty()),
            status: RunnerStatus::Starting,
            reason: None,
            activity: Activity::default(),
            title: String::new(),
            node_id: self.node_id.clone(),
            run: 1,
            pid: None,
            supervisor_pid: None,
            exit_code: None,
            exit_signal: None,
            cpu_percent: 0.0,
            memory_mb: 0,
            processes: 0,
            restart: self.restart.clone(),
            restart_attempts: 0,
            max_restart_attempts: self.max_restart_attempts,
            tokens_used: 0,
            cost: Cost::default(),
            usage_quality: Quality::default(),
            unpriced: 0,
            max_tokens: self.max_tokens,
            hold: None,
            session_id: self.session_id.clone(),
            adopted: false,
            survivors: Vec::new(),
            created_at: at,
            started_at: at,
            last_heartbeat: None,
            terminated_at: None,
            updated_at: at,
        })
    }
}

impl Store {
    /// Inserts a launched runner as `starting` under the project's next number, safe from the death of
    /// the daemon; from that of the machine only by the next write. Returns it, and false; or the runner that an earlier launch with the same request id made, and true.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`, `NAME_TAKEN`, `QUOTA_EXCEEDED`, `BUDGET_EXHAUSTED`, or `REQUEST_ID_REUSED`
    /// when the earlier request was another one.
    pub async fn runner_create(
        &self,
        new: &NewRunner,
        event: NewEvent,
    ) -> Result<(Runner, bool), StoreError> {
        if let Some(earlier) = self.runner_by_request(new).await? {
            return Ok((earlier, true));
        }
        let missing =
            Failure::not_found("PROJECT_NOT_FOUND", format!("no project `{}`", new.project))
                .with_hint("stratavore projects lists them");
        let number = Query::new(
            "UPDATE projects SET last_runner = last_runner + 1, total_runners = total_runners + 1, \
             active_runners = active_runners + 1, last_accessed_at = $2, updated_at = $2, \
             status = CASE WHEN status = 'archived' THEN status ELSE 'active' END WHERE name = $1",
        );
        let namesake = Query::new(
            "SELECT name, status FROM runners WHERE name = $1 \
             UNION ALL SELECT name, 'project' FROM projects WHERE name = $1",
        );
        let repeated = Failure::conflict("REQUEST_REPEATED", "launch twice with one request id");
        let number = number.bind(new.project.as_str()).bind(new.at);
        let is_new =
            Query::new("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM runners WHERE request_id = $1)");
        let wish = (new.name.clone(), new.max_tokens);
        let excess = quotas::excess(&new.project, new.id, wish, new.at);
        let why = vec![
            (namesake.bind(new.name.clone()), Expect::NoRow(taken)),
            (is_new.bind(new.request_id), Expect::Rows(repeated)),
            (excess, Expect::NoRow(quotas::refusal)),
        ];
        let event = NewEvent { is_first: true, ..event };
        let mut write = Write::causing(vec![event])
            .first_locking(&new.project, number, Expect::Rows(missing))
            .unflushed();
        if new.max_tokens.is_some() {
            write = write.run(charges::hold_for_promise());
        }
        write = write.require_or_tell(admit(new), why);
        if let Some(most) = new.max_tokens {
            write = write.run(charges::promise(new.id, most, new.at));
        }
        if let Some(session) = new.session_id.as_ref().filter(|_| new.takes_up) {
            write = sessions::taken_up(write, session, new.id.as_uuid(), new.at);
        }
        match self.write(write).await {
            Ok(rows) => Ok((new.inserted(&rows)?, false)),
            // Two calls with one key raced; the other one has won and is the answer to both.
            Err(StoreError::Refused(failure)) if failure.reason == "REQUEST_REPEATED" => self
                .runner_by_request(new)
                .await?
                .map(|earlier| (earlier, true))
                .ok_or(StoreError::Refused(failure)),
            Err(error) => Err(error),
        }
    }

    /// Returns the runner that an earlier request with the same id made.
    ///
    /// # Errors
    ///
    /// `REQUEST_ID_REUSED` when that request was another one.
    pub async fn runner_by_request(&self, new: &NewRunner) -> Result<Option<Runner>, StoreError> {
        let Some(request_id) = new.request_id else { return Ok(None) };
        let query = Query::new(concat!(
            "SELECT request_digest, ",
            runners::columns!(),
            " FROM runners WHERE request_id = $1"
        ));
        let rows = self.fetch(query.bind(request_id)).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        if row.text("request_digest")? != new.request_digest {
            let what = format!("request id {request_id} was used for another launch");
            return Err(StoreError::Refused(Failure::conflict("REQUEST_ID_REUSED", what)));
        }
        runners::decode(row).map(Some)
    }
}

/// Inserts a launched runner, under a further condition.
macro_rules! insert {
    ($($condition:expr),*) => {
        concat!(
            "INSERT INTO runners (id, name, node_id, project_name, project_path, agent, command, \
             cwd, restart, max_restart_attempts, request_id, request_digest, started_at, \
             created_at, updated_at, session_id, max_tokens, repository, worktree, branch, \
             base_branch, base_commit, launch_commit, launch_snapshot) \
             SELECT $1, coalesce($12, name || '-' || last_runner), $2, name, path, $4, $5, $6, $7, \
             $8, $9, $10, $11, $11, $11, $13, $14, $15, $16, $17, $18, $19, $20, $21 \
             FROM projects WHERE name = $3 ",
            $($condition,)*
            " ON CONFLICT (request_id) DO NOTHING RETURNING name, project_path",
        )
    };
}

/// Returns the statement that inserts a launched runner if its name is free and nothing stands in its
/// way: it finds nothing to insert where the lock before it found no project, so that a server may be asked
/// for both at once. Each statement more would be a round trip to it, or to the thread that has the file.
fn admit(new: &NewRunner) -> Query {
    const ADMIT: &str = insert!(
        "AND NOT EXISTS (SELECT 1 FROM runners AS o WHERE o.name = $12) \
         AND NOT EXISTS (SELECT 1 FROM projects AS o WHERE o.name = $12) AND NOT EXISTS (",
        quotas::excess_sql!("$3", "$1", "$11", "$22", "$12", "$23"),
        ")"
    );
    filled(ADMIT, new).bind(quotas::day(new.at)).bind(quotas::asked(new.max_tokens))
}

/// Returns the refusal of a name that somebody has, with what whoever wants it may have meant.
fn taken(row: &Record) -> Result<Failure, StoreError> {
    let (name, status) = (row.text("name")?, row.text("status")?);
    let hint = match RunnerStatus::parse(&status) {
        None => format!("stratavore launch {name}, if that project is meant; else another --name"),
        Some(status) if status.is_live() => format!("stratavore attach {name}"),
        Some(_) => format!("stratavore restart {name} starts it again"),
    };
    Ok(Failure::conflict("NAME_TAKEN", format!("the name `{name}` is taken")).with_hint(hint))
}

/// Returns the statement that inserts a launched runner whatever there is.
#[cfg(test)]
pub(super) fn insert(new: &NewRunner) -> Query {
    filled(insert!(), new)
}

fn filled(sql: &'static str, new: &NewRunner) -> Query {
    let query = Query::new(sql)
        .bind(new.id.as_uuid())
        .bind(new.node_id.as_str())
        .bind(new.project.as_str())
        .bind(new.agent.as_str())
        .bind(serde_json::json!(new.command))
        .bind(new.cwd.as_str())
        .bind(new.restart.as_str())
        .bind(new.max_restart_attempts)
        .bind(new.request_id)
        .bind(new.request_digest.as_str())
        .bind(new.at)
        .bind(new.name.clone())
        .bind(new.session_id.clone())
        .bind(new.max_tokens.map(|most| i64::try_from(most).unwrap_or(i64::MAX)));
    checkouts::bind(query, new.checkout.as_ref())
}
