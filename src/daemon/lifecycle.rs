//! The daemon's life: lock, listen, open, serve, leave.
//!
//! Invariant: one daemon per root, held by a lock on a file that is never unlinked; a stale socket
//! is removed only under that lock. The socket listens before anything slow happens, so that
//! clients wait in its backlog instead of failing; looking for supervisors comes after that.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::{fs::Mode, process::umask};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    broker,
    context::{Context, node_id},
    fleet::Fleet,
    grpc, http,
    limits::Limits,
    lock::{DaemonError, io_error, take_lock},
    manager, metrics,
    notify::Channels,
    services::Services,
    sources::Sources,
    store::{Keyring, Location, Opening, Store, StoreError},
    tasks,
    trace::Collector,
    verify::{audit_key, checkpoint_file, key_shown_file},
};
use crate::{
    config::{Config, Places, places::make_private},
    domain::event::EventType,
    process::room,
};

/// Calls under way may take so long to end when the daemon leaves.
const LEAVING: Duration = Duration::from_secs(2);

/// And so long everything else may take each, so that all together stays below five seconds.
const LAST_STEPS: Duration = Duration::from_millis(600);

/// How often the daemon looks whether its database is still the file at that path.
const DATABASE_CHECK: Duration = Duration::from_secs(5);

/// Runs the daemon until it is told to leave; `ready` is called when it can be reached.
///
/// # Errors
///
/// When it cannot start or its server fails.
pub async fn run(
    config: Config,
    places: Places,
    ready: impl FnOnce() + Send,
) -> Result<(), DaemonError> {
    places.prepare()?;
    umask(Mode::from_raw_mode(0o077));
    let _lock = take_lock(&places)?;
    // What a daemon that died was at.
    fs::remove_dir_all(places.scratch()).ok();
    make_private(&places.scratch())?;
    let (listener, is_handed) = socket(&places)?;
    let stop = CancellationToken::new();
    watch_signals(&stop).map_err(io_error("handle signals"))?;

    let node = node_id(&places).map_err(io_error("read the node's id"))?;
    let collector = Collector::start(&config.observability.otlp);
    let rabbitmq = config.docker.rabbitmq.clone();
    let context = Context::new(config, places.clone(), node, rabbitmq.is_configured());
    let store = open_store(&context).await?;
    // Each runner's link is a file.
    room::raise_open_files();
    let (fleet, notices) = Fleet::new(places.clone());
    let (sources, heard) = Sources::new();
    let limits = Limits::detect();
    tracing::info!(limits = limits.describe(), "limits of memory and CPU");
    let publisher = rabbitmq.is_configured().then(|| broker::start(&rabbitmq, stop.clone()));
    let status = publisher.as_ref().map(|publisher| publisher.status.clone());
    let channels = Channels::new(&context.config);
    let services = Services::new(context, store.clone(), (fleet.clone(), sources), status)
        .with_limits(limits)
        .with_channels(channels);
    let tracker = TaskTracker::new();
    let started = {
        let (services, store) = (services.clone(), store.clone());
        async move { record(&services, &store, EventType::DaemonStarted).await }
    };
    if store.is_shared() {
        // A server may be silent, and agents are to be looked for at once.
        tracker.spawn(started);
    } else {
        started.await;
    }
    let checkpoints = checkpoint_file(&services.context().config.audit, &places);
    let last_checkpoint = checkpoints.clone();
    let key_shown_file = key_shown_file(&services.context().config.audit, &places);
    let checkpoint_file = checkpoints;
    let inputs = tasks::Inputs { notices, heard, checkpoint_file, key_shown_file, publisher };
    tasks::start(&services, &store, inputs, &tracker, &stop);
    tracker.spawn(metrics::serve(services.clone(), stop.clone()));
    tracker.spawn(http::serve(services.clone(), stop.clone()));
    tracker.close();
    ready();
    fleet.keep_reserve();
    tracing::info!(root = %places.root().display(), "ready");

    let serving = tokio::spawn(grpc::serve(services.clone(), listener, stop.clone()));
    let watching = manager::ready(&services, places.socket(), &stop);
    let database = places.database();
    let is_file = !store.is_shared();
    let gone = tokio::select! {
        () = stop.cancelled() => false,
        () = database_gone(&database), if is_file => true,
    };
    // Gone first: clients tell a daemon that left from one that died by this, and start only the
    // latter again.
    if !is_handed {
        fs::remove_file(places.socket()).ok();
    }
    stop.cancel();
    manager::stopping();
    watching.await.ok();
    tracing::info!("leaving; runners go on");
    // Streams end by the same token; what does not end in time is cut off.
    let served = timeout(LEAVING, serving).await;
    timeout(LAST_STEPS, tracker.wait()).await.ok();
    last_steps((services, store), last_checkpoint, collector).await;
    if gone {
        let error = DaemonError::DatabaseGone(database);
        tracing::error!(%error, "leaving");
        return Err(error);
    }
    match served {
        Ok(Ok(outcome)) => Ok(outcome?),
        Ok(Err(_)) | Err(_) => Ok(()),
    }
}

/// Writes down and tells that the daemon leaves, and lets go of everything; none of it is waited for long.
async fn last_steps(
    (services, store): (Services, Store),
    checkpoints: PathBuf,
    collector: Collector,
) {
    let told = async {
        record(&services, &store, EventType::DaemonStopped).await;
        tasks::tell_last(&services).await;
    };
    timeout(LAST_STEPS, told).await.ok();
    services.leave().await;
    let last = store.checkpoints().borrow().clone();
    timeout(LAST_STEPS, tasks::write_last(last, checkpoints)).await.ok();
    drop(services);
    timeout(LAST_STEPS, store.close()).await.ok();
    timeout(LAST_STEPS, collector.close()).await.ok();
}

/// Records the daemon's start or end.
async fn record(services: &Services, store: &Store, event_type: EventType) {
    let event = services.context().daemon_event(event_type);
    if let Err(error) = store.event_append(vec![event]).await {
        tracing::warn!(%error, "failed to record an event of the daemon");
    }
}

/// Waits until the file at this path is no longer the one it is now. SQLite goes on writing into a
/// file without a name, and everything it then acknowledges would be lost.
async fn database_gone(path: &Path) {
    let identity = || fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    let opened = identity();
    let mut ticks = tokio::time::interval(DATABASE_CHECK);
    while identity() == opened {
        ticks.tick().await;
    }
}

/// Returns the socket that clients look for, and whether the service manager listens on it: then it is
/// its own and stays when the daemon leaves.
fn socket(places: &Places) -> Result<(UnixListener, bool), DaemonError> {
    let handed = manager::socket(&places.socket());
    if let Some(listener) = handed.map_err(io_error("take the service manager's socket"))? {
        return Ok((listener, true));
    }
    let listener = listen(&places.socket()).map_err(io_error("listen on the socket"))?;
    Ok((listener, false))
}

/// Listens on the socket; a stale one is removed, which the lock makes safe.
fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Leaves in order at SIGTERM or SIGINT, at once at the second; ignores SIGHUP.
fn watch_signals(stop: &CancellationToken) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hang_up.recv() => continue,
            }
            if stop.is_cancelled() {
                // Nothing is lost: every commit is durable, and agents do not depend on us.
                let own = rustix::process::getpid();
                rustix::process::kill_process(own, rustix::process::Signal::KILL).ok();
            }
            stop.cancel();
        }
    });
    Ok(())
}

/// Opens the database; one that is damaged is put aside, so that agents can be adopted and used.
async fn open_store(context: &Context) -> Result<Store, DaemonError> {
    let opening = || {
        let keyring = Keyring::open(&audit_key(&context.config.audit, &context.places))
            .map_err(io_error("open the audit key"))?;
        let (origin, clock) = (context.origin.clone(), Arc::clone(&context.clock));
        Ok::<_, DaemonError>(Opening { origin, keyring, clock })
    };
    let database = &context.config.database;
    if database.is_postgresql() {
        return Ok(Store::open(Location::Server(database), opening()?).await?);
    }
    let path = context.places.database();
    match Store::open(Location::File(&path), opening()?).await {
        Err(StoreError::Unusable { why, .. }) if is_damaged(&why) => {
            let aside = format!("broken-{}", context.started_at.timestamp());
            for suffix in ["", "-wal", "-shm"] {
                let mut from = path.as_os_str().to_owned();
                from.push(suffix);
                let to = PathBuf::from(&from).with_extension(format!("db{suffix}.{aside}"));
                match fs::rename(&from, &to) {
                    Ok(()) => {
                        tracing::error!(why, kept = %to.display(), "a damaged database was put aside");
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(io_error("put the damaged database aside")(error)),
                }
            }
            Ok(Store::open(Location::File(&path), opening()?).await?)
        }
        opened => Ok(opened?),
    }
}

/// Whether an error means that the file itself is damaged, by SQLite's own words.
fn is_damaged(why: &str) -> bool {
    why.contains("file is not a database") || why.contains("malformed")
}
