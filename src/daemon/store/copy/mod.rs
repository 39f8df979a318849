//! Copies one database into another, which may already hold data: moving up loses nothing.
//!
//! The source is only read. Rows are merged by their keys; events that the target does not have are
//! appended to its log, with sequences, signatures and places of their own. A batch is one
//! transaction, and what it wrote is found again by its keys: a copy that was cut short, at any
//! moment, is completed by doing it again.

mod cursors;
mod events;
mod names;
mod table;
mod tables;

use std::{fs, io, path::Path};

use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use self::{
    table::Table,
    tables::{AGGREGATES, EVENTS, FIRST_TABLES, LAST_TABLES, RUNNERS},
};
use super::{
    Keyring, Location, Origin, StoreError,
    about::{about, known_schema, look, look_at_once, name_of, open},
    dialect::{Connection, Kind, Readers, Record, sqlite},
    handoff::Handoff,
    query::{Query, Value},
    recorder::{Recorder, Sealing},
};
use crate::domain::failure::{Failure, FailureKind};

/// Rows of one transaction.
const PAGE: usize = 500;

/// A lost race is tried again so often.
const TRIES: u32 = 3;

/// What a copy is given.
#[derive(Debug)]
pub struct Copying<'a> {
    /// Where the rows are.
    pub from: Location<'a>,
    /// Where they go; its schema is brought up to date.
    pub to: Location<'a>,
    /// A file that may be made, and is removed: for a source whose schema is old.
    pub scratch: &'a Path,
    /// What events are signed and sealed with in the target.
    pub keyring: Keyring,
    /// Who copies.
    pub origin: Origin,
    /// Whether runners whose name is another's in the target get a new one; otherwise that is refused.
    pub is_renaming: bool,
    /// Whether daemons may write to the source meanwhile: then it is read as it is at one moment.
    pub is_live: bool,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What is done.
    pub what: Step,
    /// To which table.
    pub table: &'static str,
    /// Rows that are done.
    pub done: u64,
    /// Rows of the source.
    pub total: u64,
}

/// What a copy does to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its rows are written.
    Copy,
    /// Its rows are looked for in the target.
    Check,
}

/// What became of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TableCopied {
    /// Its name.
    pub table: &'static str,
    /// Rows of the source.
    pub source: u64,
    /// Rows of the target that are new or were changed.
    pub written: u64,
    /// Rows of the target afterwards.
    pub target: u64,
}

/// What a copy did.
#[derive(Debug, Default, Serialize)]
pub struct Copied {
    /// Each table.
    pub tables: Vec<TableCopied>,
    /// Events queued for the broker again, which it had not confirmed.
    pub queued: u64,
    /// Events that a daemon of the target has yet to seal.
    pub unsealed: u64,
    /// Runners with another name in the target: the old one and the new one.
    pub renamed: Vec<(String, String)>,
}

/// Copies everything, and checks that it is there.
///
/// # Errors
///
/// `NAMES_CLASH`, with nothing written, when runners of both have one name and may not be renamed;
/// otherwise when either database fails: what was done until then stays, and the next copy goes on.
pub async fn copy(
    copying: Copying<'_>,
    told: &mut (dyn FnMut(Progress) + Send),
) -> Result<Copied, StoreError> {
    let name = name_of(copying.from)?;
    let source = open_source(copying.from, copying.scratch, copying.is_live).await?;
    let target = open(copying.to).await?;
    let sealing = match target {
        Connection::Sqlite(_) => Sealing::Always,
        Connection::Postgres(_) => Sealing::Leased(std::sync::Arc::default()),
    };
    let mut copier = Copier {
        name,
        source,
        target,
        recorder: Recorder::new(
            copying.origin,
            copying.keyring,
            sealing.clone(),
            (name_of(copying.to)?, Handoff::default()),
        ),
        sealing,
        holder: format!("copy#{}", Uuid::new_v4()),
        is_renaming: copying.is_renaming,
        copied: Copied::default(),
        told,
    };
    let outcome = copier.run().await;
    copier.step_down().await;
    copier.source.close().await;
    copier.target.close().await;
    copier.recorder.close().await;
    remove(copying.scratch).map_err(|error| unusable(copying.scratch, &error))?;
    outcome.map(|()| copier.copied)
}

/// Opens the source to read; one with an old schema is copied aside and the copy brought up to date.
async fn open_source(
    from: Location<'_>,
    scratch: &Path,
    is_live: bool,
) -> Result<Readers, StoreError> {
    let (found, known) = (about(from).await?.schema, known_schema());
    let path = name_of(from)?;
    if found > known {
        return Err(StoreError::Newer { path, found, known });
    }
    if found == 0 {
        let why = "it holds no tables of stratavore".to_owned();
        return Err(StoreError::Unusable { path, why });
    }
    if found == known {
        return if is_live { look_at_once(from).await } else { look(from).await };
    }
    let Location::File(_) = from else {
        let what = format!("`{path}` has schema {found}, and {known} is needed to copy from it");
        let failure = Failure::conflict("SCHEMA_OLD", what);
        return Err(StoreError::Refused(
            failure.with_hint("stratavore database migrate, with that database configured"),
        ));
    };
    remove(scratch).map_err(|error| unusable(scratch, &error))?;
    let readers = look(from).await?;
    let aside = Query::new("VACUUM INTO $1").bind(scratch.to_string_lossy().into_owned());
    readers.fetch(aside).await?;
    readers.close().await;
    let (connection, readers) = sqlite::open(scratch).await?;
    connection.close().await;
    Ok(Readers::Sqlite(readers))
}

/// Removes a database file and what belongs to it.
fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        fs::remove_file(name).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
    }
    Ok(())
}

fn unusable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unusable { path: path.display().to_string(), why: error.to_string() }
}

/// A copy under way.
struct Copier<'a> {
    /// The source in messages.
    name: String,
    source: Readers,
    target: Connection,
    recorder: Recorder,
    sealing: Sealing,
    /// How leases name it.
    holder: String,
    is_renaming: bool,
    copied: Copied,
    told: &'a mut (dyn FnMut(Progress) + Send),
}

/// Where the next page begins.
type Place = Option<Vec<Value>>;

impl Copier<'_> {
    async fn run(&mut self) -> Result<(), StoreError> {
        self.refuse_clashes().await?;
        let mut written = Vec::new();
        let tables = || FIRST_TABLES.iter().chain([&RUNNERS]).chain(LAST_TABLES);
        for table in tables() {
            written.push((table, self.copy_table(table).await?));
        }
        written.push((&EVENTS, self.copy_events().await?));
        self.copy_cursors().await?;
        written.push((&AGGREGATES, self.copy_table(&AGGREGATES).await?));
        self.recount().await?;
        for (table, written) in written {
            let copied = self.check(table, written).await?;
            self.copied.tables.push(copied);
        }
        Ok(())
    }

    /// Merges a table's rows; returns how many are new or changed in the target.
    async fn copy_table(&mut self, table: &'static Table) -> Result<u64, StoreError> {
        let total = self.count_source(table).await?;
        let (mut place, mut done, mut written) = (None, 0, 0);
        loop {
            let rows = self.page(table, &mut place).await?;
            if rows.is_empty() {
                return Ok(written);
            }
            done += rows.len() as u64;
            written += self.put(table, rows).await?;
            (self.told)(Progress { what: Step::Copy, table: table.name, done, total });
        }
    }

    /// Reads the rows after a place, which moves behind them.
    async fn page(&self, table: &Table, place: &mut Place) -> Result<Vec<Json>, StoreError> {
        let mut query = Query::new(table.read(place.is_none(), PAGE));
        query.values = place.take().unwrap_or_default();
        let records = self.source.fetch(query).await?;
        let of = |record: &Record| {
            let fields = table.columns.iter().map(|&(name, kind, _)| {
                let value = record.value(name, kind);
                let value = value.map_err(|error| match error {
                    StoreError::Garbled(what) => {
                        StoreError::Garbled(format!("{}.{what}", table.name))
                    }
                    other => other,
                })?;
                Ok((name.to_owned(), value))
            });
            Ok::<_, StoreError>(Json::Object(fields.collect::<Result<_, StoreError>>()?))
        };
        let rows = records.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        if let Some(last) = rows.last() {
            let keys = table.page.iter().map(|key| bound(&last[*key], table.kind(key)));
            *place = Some(keys.collect::<Result<_, _>>()?);
        }
        Ok(rows)
    }

    /// Merges rows in one transaction.
    async fn put(&mut self, table: &Table, rows: Vec<Json>) -> Result<u64, StoreError> {
        let mut tries = 0;
        loop {
            self.target.begin(true).await?;
            let renamed = self.copied.renamed.len();
            let outcome = self.put_rows(table, rows.clone()).await;
            match self.finish(outcome).await {
                Err(error) if error.is_retryable() && tries < TRIES => {
                    tries += 1;
                    self.copied.renamed.truncate(renamed);
                }
                outcome => return outcome,
            }
        }
    }

    async fn put_rows(&mut self, table: &Table, mut rows: Vec<Json>) -> Result<u64, StoreError> {
        if table.name == RUNNERS.name {
            self.settle_names(&mut rows).await?;
        }
        let from = self.target.rows(&table.written());
        let merge = Query::new(table.merge(&from)).bind(Json::Array(rows));
        Ok(self.target.run(merge).await?.0)
    }

    /// Ends a transaction as its outcome wants it.
    async fn finish<T>(&mut self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        let outcome = match outcome {
            Ok(value) => self.target.commit().await.map(|()| value),
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            self.target.rollback().await;
            self.recorder.undone();
        }
        outcome
    }

    /// Brings the counts of all projects up to date with the runners that are there now.
    async fn recount(&mut self) -> Result<(), StoreError> {
        const RUNNERS: &str = "(SELECT count(*) FROM runners WHERE project_name = projects.name";
        const LIVE: &str = "AND status NOT IN ('terminated', 'failed'))";
        const NUMBER: &str = "coalesce((SELECT n.last_runner FROM project_numbers n \
                              WHERE n.project_name = projects.name), 0)";
        let query = Query::new(format!(
            "UPDATE projects SET active_runners = {RUNNERS} {LIVE}, \
             total_runners = CASE WHEN total_runners < {RUNNERS}) THEN {RUNNERS}) \
             ELSE total_runners END, \
             last_runner = CASE WHEN last_runner < {NUMBER} THEN {NUMBER} ELSE last_runner END, \
             status = CASE WHEN status = 'archived' THEN status \
             WHEN {RUNNERS} {LIVE} > 0 THEN 'active' ELSE 'idle' END"
        ));
        self.target.begin(true).await?;
        let outcome = self.target.run(query).await;
        self.finish(outcome).await.map(drop)
    }

    /// Looks for every row of the source in the target.
    async fn check(
        &mut self,
        table: &'static Table,
        written: u64,
    ) -> Result<TableCopied, StoreError> {
        let total = self.count_source(table).await?;
        let (mut place, mut done, mut found) = (None, 0, 0);
        loop {
            let rows = self.page(table, &mut place).await?;
            if rows.is_empty() {
                break;
            }
            done += rows.len() as u64;
            found += self.count_present(table, rows).await?;
            (self.told)(Progress { what: Step::Check, table: table.name, done, total });
        }
        if found < done {
            let what = format!("{} rows of {} are not in the target", done - found, table.name);
            let failure = Failure::new(FailureKind::Internal, "COPY_INCOMPLETE", what);
            return Err(StoreError::Refused(failure.with_hint("copy again")));
        }
        let query = Query::new(format!("SELECT count(*) AS n FROM {}", table.name));
        let (_, rows) = self.target.run(query).await?;
        let target = rows.first().map_or(Ok(0), |row| row.count("n"))?;
        Ok(TableCopied { table: table.name, source: done, written, target })
    }

    async fn count_present(&mut self, table: &Table, rows: Vec<Json>) -> Result<u64, StoreError> {
        let keys: Vec<_> = table.key().collect();
        let (from, same) = (self.target.rows(&keys), table.is_same());
        let sql = format!(
            "SELECT count(*) AS found FROM {from} \
             WHERE EXISTS (SELECT 1 FROM {} AS t WHERE {same})",
            table.name
        );
        let (_, rows) = self.target.run(Query::new(sql).bind(Json::Array(rows))).await?;
        rows.first().map_or(Ok(0), |row| row.count("found"))
    }

    async fn count_source(&self, table: &Table) -> Result<u64, StoreError> {
        let query = Query::new(format!("SELECT count(*) AS n FROM {}", table.name));
        self.source.fetch(query).await?.first().map_or(Ok(0), |row| row.count("n"))
    }
}

/// Returns the value of a column that pages are read by.
fn bound(value: &Json, kind: Kind) -> Result<Value, StoreError> {
    let garbled = || StoreError::Garbled(format!("key {value}"));
    Ok(match (kind, value) {
        (Kind::Integer, number) => Value::Integer(number.as_i64().ok_or_else(garbled)?),
        (Kind::Id, Json::String(text)) => {
            Value::Id(Uuid::parse_str(text).map_err(|_error| garbled())?)
        }
        (_, Json::String(text)) => Value::Text(text.clone()),
        _ => return Err(garbled()),
    })
}
