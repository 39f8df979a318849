//! The database by hand: look at it, bring its schema up to date, copy it. Needs no daemon, and asks
//! none; what writes takes the lock of the root, so that none runs beside it.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::{fs::Mode, process::umask};
use serde::Serialize;

use super::{
    context::{Context, node_id},
    lock::{DaemonError, take_lock},
    store::{
        Copied, Copying, Keyring, Location, Progress, StoreError, about, copy, known_schema,
        migrate, name_of,
    },
    verify::audit_key,
};
use crate::{
    config::{Config, DatabaseConfig, Places},
    domain::failure::{Failure, FailureKind},
};

/// How it stands with the configured database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct DatabaseReport {
    /// `SQLite` or `PostgreSQL`.
    pub kind: String,
    /// A path, or host, port and database; never the password.
    pub name: String,
    /// Whether it answers.
    pub is_reachable: bool,
    /// Its version.
    pub version: String,
    /// Protocol and cipher of the connection, `off`, or empty for a file.
    pub tls: String,
    /// The version of its schema, 0 for none.
    pub schema: i64,
    /// The newest that this program knows.
    pub schema_known: i64,
    /// What a migration would do.
    pub migration: String,
    /// Its bytes on disk.
    pub size_bytes: u64,
    /// Projects; this and what follows are 0 while the schema is not up to date.
    pub projects: u64,
    /// Runners, ended ones included.
    pub runners: u64,
    /// Runners that have not ended.
    pub runners_live: u64,
    /// Events.
    pub events: u64,
    /// Events that wait for the broker, parked ones included.
    pub outbox_waiting: u64,
    /// Events given up until somebody decides.
    pub outbox_parked: u64,
    /// Since when the oldest waits.
    pub outbox_oldest: Option<DateTime<Utc>>,
    /// Whether pgvector is installed or available; empty for a file.
    pub pgvector: String,
    /// Connections and their limits.
    pub pool: String,
}

/// Where a database is.
#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Server(Box<DatabaseConfig>),
}

impl Place {
    /// What is configured to be used.
    fn in_use(config: &Config, places: &Places) -> Self {
        if config.database.is_postgresql() {
            Self::Server(Box::new(config.database.clone()))
        } else {
            Self::File(places.database())
        }
    }

    /// What a URL names; its text is not repeated, for it may hold a password.
    fn parse(flag: &str, url: &str, config: &Config) -> Result<Self, Failure> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(Failure::usage("BAD_URL", format!("{flag} names no file")));
            }
            let path = std::path::absolute(path).map_err(|error| {
                Failure::usage("BAD_URL", format!("find the file of {flag}: {error}"))
            })?;
            return Ok(Self::File(path));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let url = url.into();
            return Ok(Self::Server(Box::new(DatabaseConfig { url, ..config.database.clone() })));
        }
        let what = format!(
            "{flag} is neither like sqlite:///path/stratavore.db nor like \
             postgres://user:password@host:port/database"
        );
        Err(Failure::usage("BAD_URL", what))
    }

    fn location(&self) -> Location<'_> {
        match self {
            Self::File(path) => Location::File(path),
            Self::Server(config) => Location::Server(config),
        }
    }

    /// Its name in messages.
    fn name(&self) -> Result<String, Failure> {
        Ok(name_of(self.location())?)
    }
}

/// Looks at the configured database and returns what there is to tell, with the failure that makes it
/// unusable, if there is one.
pub async fn database_status(
    config: &Config,
    places: &Places,
) -> (DatabaseReport, Option<Failure>) {
    let place = Place::in_use(config, places);
    let settings = &config.database.postgresql;
    let mut report = DatabaseReport { schema_known: known_schema(), ..DatabaseReport::default() };
    (report.kind, report.pool) = match &place {
        Place::File(_) => ("SQLite".into(), "1 connection writes, 4 read".into()),
        Place::Server(_) => (
            "PostgreSQL".into(),
            format!(
                "{} connections of a daemon, 1 writes; {} s to connect, {} s for a statement; \
                 sslmode {}",
                settings.max_connections,
                settings.connection_timeout,
                settings.query_timeout,
                // A URL has its own.
                if config.database.url.is_empty() { &settings.ssl_mode } else { "as in the URL" }
            ),
        ),
    };
    match place.name() {
        Ok(name) => report.name = name,
        Err(failure) => return (report, Some(failure)),
    }
    if let Place::File(path) = &place
        && !path.exists()
    {
        "the first daemon makes the file".clone_into(&mut report.migration);
        return (report, None);
    }
    let about = match about(place.location()).await {
        Ok(about) => about,
        Err(error) => return (report, Some(error.into())),
    };
    report.is_reachable = true;
    (report.version, report.tls, report.pgvector) = (about.version, about.tls, about.pgvector);
    (report.schema, report.size_bytes) = (about.schema, about.size_bytes);
    report.migration = match about.schema {
        schema if schema == report.schema_known => "nothing to do".into(),
        schema if schema > report.schema_known => "refused: the schema is newer".into(),
        schema => format!("from {schema} to {}", report.schema_known),
    };
    if let Some(holdings) = about.holdings {
        (report.projects, report.events) = (holdings.projects, holdings.events);
        (report.runners, report.runners_live) = (holdings.runners, holdings.live);
        (report.outbox_waiting, report.outbox_parked) = (holdings.waiting, holdings.parked);
        report.outbox_oldest = holdings.oldest;
    }
    let newer = (report.schema > report.schema_known).then(|| {
        let (found, known) = (report.schema, report.schema_known);
        StoreError::Newer { path: report.name.clone(), found, known }.into()
    });
    (report, newer)
}

/// Brings the configured database's schema up to date; returns the versions before and after. Where
/// a daemon runs on the file it has done so, and nothing is touched.
///
/// # Errors
///
/// When the database cannot be reached or migrated, or its schema is newer.
pub async fn migrate_database(config: &Config, places: &Places) -> Result<(i64, i64), Failure> {
    let place = Place::in_use(config, places);
    let _lock = match &place {
        Place::Server(_) => None,
        Place::File(_) => {
            prepare(places)?;
            match take_lock(places) {
                Ok(lock) => Some(lock),
                Err(DaemonError::AlreadyRunning { .. }) => {
                    let schema = about(place.location()).await?.schema;
                    return Ok((schema, schema));
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    let found = migrate(place.location()).await?;
    Ok((found, known_schema()))
}

/// Copies a database into another one; without URLs from this root's file to the configured server.
///
/// # Errors
///
/// When a daemon runs, either database cannot be used, or names clash; what was done until then
/// stays, and a second copy completes it.
pub async fn copy_database(
    config: &Config,
    places: &Places,
    urls: (Option<&str>, Option<&str>),
    is_renaming: bool,
    told: &mut (dyn FnMut(Progress) + Send),
) -> Result<Copied, Failure> {
    let from = match urls.0 {
        Some(url) => Place::parse("--from", url, config)?,
        None => Place::File(places.database()),
    };
    let to = match urls.1 {
        Some(url) => Place::parse("--to", url, config)?,
        None if config.database.names_postgresql() => {
            Place::Server(Box::new(config.database.clone()))
        }
        None => {
            let what = "no server is configured to copy to";
            let hint = "give one: --to postgres://user:password@host:port/database, or set \
                        database.url";
            return Err(Failure::usage("NO_TARGET", what).with_hint(hint));
        }
    };
    if from.name()? == to.name()? {
        return Err(Failure::usage("SAME_DATABASE", "the source is the target"));
    }
    if let Place::File(path) = &from
        && !path.is_file()
    {
        let what = format!("there is no database `{}`", path.display());
        return Err(Failure::not_found("NO_DATABASE", what));
    }
    prepare(places)?;
    // This root's daemon writes to one of the two, or with the same key to the log.
    let _lock = lock(places)?;
    let mut others = Vec::new();
    for place in [&from, &to] {
        if let Place::File(path) = place {
            others.extend(lock_of(path, places)?);
        }
    }
    let node = node_id(places)
        .map_err(|error| Failure::unavailable("NO_NODE", format!("read the node's id: {error}")))?;
    let key = audit_key(&config.audit, places);
    let keyring = Keyring::open(&key).map_err(|error| {
        let what = format!("open the audit key `{}`: {error}", key.display());
        Failure::unavailable("NO_AUDIT_KEY", what)
    })?;
    let context = Context::new(config.clone(), places.clone(), node, false);
    let copying = Copying {
        from: from.location(),
        to: to.location(),
        scratch: &places.root().join("copy.db"),
        keyring,
        origin: context.origin,
        is_renaming,
        is_live: false,
    };
    copy(copying, told).await.map_err(explained)
}

/// Makes the root's directories; what is made in them is nobody else's.
pub(super) fn prepare(places: &Places) -> Result<(), Failure> {
    places.prepare().map_err(DaemonError::from)?;
    umask(Mode::from_raw_mode(0o077));
    Ok(())
}

/// Adds what to do to a failure in the middle of a copy.
fn explained(error: StoreError) -> Failure {
    let failure = Failure::from(error);
    if failure.kind == FailureKind::Unavailable {
        return failure.with_hint("nothing is lost: copy again, and it goes on where it was");
    }
    failure
}

/// Refuses a database whose schema is newer than what this program knows, or that is none.
pub(super) async fn known_or_refused(location: Location<'_>) -> Result<(), Failure> {
    let (found, known) = (about(location).await?.schema, known_schema());
    let path = name_of(location)?;
    match found {
        0 => {
            let why = "it holds no tables of stratavore".to_owned();
            Err(StoreError::Unusable { path, why }.into())
        }
        found if found > known => Err(StoreError::Newer { path, found, known }.into()),
        _ => Ok(()),
    }
}

/// Takes the lock of a root, which its daemon would hold.
pub(super) fn lock(places: &Places) -> Result<std::fs::File, Failure> {
    take_lock(places).map_err(|error| match error {
        DaemonError::AlreadyRunning { root, pid } => {
            let what = format!("a daemon runs for `{}` (process {pid})", root.display());
            Failure::conflict("DAEMON_RUNS", what)
                .with_hint("stratavore daemon stop, which agents survive; then again")
        }
        error => error.into(),
    })
}

/// Takes the lock of another root whose database a file is, if a daemon has ever run there.
fn lock_of(path: &Path, own: &Places) -> Result<Option<std::fs::File>, Failure> {
    let Some(root) = path.parent().filter(|root| *root != own.root()) else { return Ok(None) };
    let other = Places::at(root);
    if path == other.database() && other.lock().exists() {
        lock(&other).map(Some)
    } else {
        Ok(None)
    }
}
