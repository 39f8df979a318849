//! `stratavore daemon` and `stratavore --daemon`.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::Outcome;
use crate::{
    cli::{
        args::DaemonCommand,
        context::{Context, block_on},
        printer::Printer,
        systemd::Manager,
    },
    client::Client,
    config, daemon,
    domain::failure::Failure,
    logging,
};

/// How long a daemon may take to leave.
const LEAVING: Duration = Duration::from_secs(10);

/// Runs what was asked for.
pub(super) fn run(command: &DaemonCommand, context: &Context, printer: Printer) -> Outcome {
    match command {
        DaemonCommand::Start { foreground: true } => {
            ("run the daemon", run_in_process(context, false))
        }
        DaemonCommand::Start { foreground: false } => {
            ("start the daemon", block_on(start(context, printer)))
        }
        DaemonCommand::Stop => ("stop the daemon", block_on(stop(context, printer))),
        DaemonCommand::Restart => ("restart the daemon", block_on(restart(context, printer))),
        DaemonCommand::Status => ("show the daemon", block_on(status(context, printer))),
        DaemonCommand::Logs { follow, tail } => {
            ("show the log", block_on(logs(*follow, *tail, context, printer)))
        }
    }
}

/// Is the daemon, until told to leave.
pub(super) fn run_in_process(context: &Context, background: bool) -> Result<(), Failure> {
    let config = context.config().clone();
    let level = config::tracing_level(&config.logging.level).unwrap_or(tracing::Level::INFO);
    if background {
        // Before any thread starts: the terminal that launched us must be able to go away.
        rustix::process::setsid().ok();
    }
    context
        .places
        .prepare()
        .map_err(|error| Failure::usage("UNSAFE_DIRECTORY", error.to_string()))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let _guard = if background {
        let files = config.logging.max_files as usize;
        let guard = logging::to_files(&context.places.logs(), level, files, daemon::trace_id);
        Some(guard.map_err(|error| Failure::unavailable("NO_LOG", format!("log: {error}")))?)
    } else {
        logging::to_stderr(level, daemon::trace_id);
        None
    };
    daemon::prepare();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("start the runtime: {error}")))?;
    let places = context.places.clone();
    let ready = move || {
        if background {
            close_stderr();
        }
    };
    let outcome = runtime.block_on(daemon::run(config, places, ready));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome.map_err(Failure::from)
}

/// Nobody reads our standard error any more once the client that started us has connected.
fn close_stderr() {
    let null = fs::OpenOptions::new().write(true).open("/dev/null");
    if let Ok(null) = null {
        rustix::stdio::dup2_stderr(&null).ok();
    }
}

async fn start(context: &Context, printer: Printer) -> Result<(), Failure> {
    let already = context.running_client().await?.is_some();
    let status = context.client().await?.status().await?;
    let what = if already { "already runs" } else { "started" };
    printer.note(&format!("the daemon {what} (process {})", status.pid));
    Ok(())
}

async fn stop(context: &Context, printer: Printer) -> Result<(), Failure> {
    let Some(client) = context.running_client().await? else {
        printer.note("no daemon runs");
        return Ok(());
    };
    leave(&client, context).await?;
    printer.note("the daemon has left; runners go on");
    Ok(())
}

/// Tells the daemon to leave and waits until its process is gone.
pub(super) async fn leave(client: &Client, context: &Context) -> Result<(), Failure> {
    let pid = client.status().await?.pid;
    client.shut_down().await?;
    let begun = Instant::now();
    let process = PathBuf::from(format!("/proc/{pid}"));
    while begun.elapsed() < LEAVING {
        // Its parent, a client that started it, may not have collected it yet.
        let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            return Ok(());
        }
        sleep(Duration::from_millis(10)).await;
    }
    let what = format!("see the daemon (process {pid}) leave within {} s", LEAVING.as_secs());
    let hint = format!("kill {pid}; its log is in {}", context.places.logs().display());
    Err(Failure::unavailable("DAEMON_STAYS", what).with_hint(hint))
}

async fn restart(context: &Context, printer: Printer) -> Result<(), Failure> {
    if let Some(client) = context.running_client().await? {
        // What a service manager started it starts again: beside it, one that nobody watches would run.
        if let Some((manager, unit)) = Manager::unit_of(client.status().await?.pid) {
            manager.run(&["restart", &unit]).await?;
            printer.note(&format!("{} restarted {unit}", manager.command()));
            return Ok(());
        }
        leave(&client, context).await?;
    }
    start(context, printer).await
}

async fn status(context: &Context, printer: Printer) -> Result<(), Failure> {
    match context.running_client().await? {
        None => {
            let root = context.places.root().display();
            Err(Failure::unavailable("DAEMON_NOT_RUNNING", format!("none runs for `{root}`"))
                .with_hint("stratavore daemon start"))
        }
        Some(client) => {
            let status = client.status().await?;
            let fields = [
                ("process", status.pid.to_string()),
                ("version", status.version.clone()),
                ("up", format!("{} s", status.uptime_seconds)),
                ("memory", format!("{} MiB", status.memory_kb / 1024)),
                ("root", status.root.clone()),
            ];
            printer.one(&status, &fields)
        }
    }
}

/// Shows the daemon's newest log file. Needs no daemon: it may be why one does not start.
pub(super) async fn logs(
    follow: bool,
    tail: Option<usize>,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let missing = || unreadable(context, &std::io::ErrorKind::NotFound.into());
    let current = newest_log(context).ok_or_else(missing)?;
    let text = fs::read_to_string(&current).map_err(|error| unreadable(context, &error))?;
    let lines: Vec<_> = text.lines().collect();
    let first = tail.map_or(0, |tail| lines.len().saturating_sub(tail));
    for line in lines.get(first..).unwrap_or_default() {
        printer.line(line)?;
    }
    if follow { follow_log(current, text.len() as u64, context, printer).await } else { Ok(()) }
}

/// Prints what is appended to the newest log file, until interrupted.
async fn follow_log(
    mut current: PathBuf,
    mut offset: u64,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    loop {
        sleep(Duration::from_millis(250)).await;
        let mut more = String::new();
        let mut file = fs::File::open(&current).map_err(|error| unreadable(context, &error))?;
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_to_string(&mut more))
            .map_err(|error| unreadable(context, &error))?;
        offset += more.len() as u64;
        printer.bytes(more.as_bytes())?;
        // A new day begins a new file.
        if let Some(newest) = newest_log(context).filter(|newest| *newest != current) {
            (current, offset) = (newest, 0);
        }
    }
}

fn unreadable(context: &Context, error: &std::io::Error) -> Failure {
    let dir = context.places.logs();
    Failure::not_found("NO_LOG", format!("read the log in `{}`: {error}", dir.display()))
        .with_hint("stratavore daemon start; a daemon in the foreground logs to its terminal")
}

/// Returns the newest log file: their names sort by day.
fn newest_log(context: &Context) -> Option<PathBuf> {
    let entries = fs::read_dir(context.places.logs()).ok()?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(logging::LOG_PREFIX))
        })
        .max()
}
