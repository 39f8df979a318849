//! L2: the small process that owns one runner: its PTY, its agent, its screen and its record.
//!
//! ```text
//!  daemon ──spec on stdin──▶ run() ─ claim ─ listen ─ spawn agent ─ready on stdout─▶ loop
//!                                                                       │ agent ends
//!                                          linger ◀─ sweep the tree ◀─ drain the PTY
//! ```
//!
//! It depends on nothing: no daemon, database or network. One thread runs one `poll` loop, which
//! is the only owner of the state; a second thread writes the output record, so that a stalled disk
//! never stalls the agent. Invariants: the agent is drained whatever happens elsewhere; terminal
//! queries are answered whether or not anyone looks; no viewer slows the agent; the way the agent
//! ended is on disk before anyone is told.

mod clock;
mod commands;
mod connection;
mod ending;
mod hooks;
mod http;
mod log;
mod memory;
mod meter;
mod output;
mod pace;
mod pty;
mod queue;
mod run;
mod sidecar;
mod spawn;
mod stop;
mod submit;
mod viewer;
mod viewers;

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    process::ExitCode,
};

use prost::Message as _;
use rustix::fs::{Mode, OFlags};

use self::{
    meter::Meter,
    run::Supervisor,
    spawn::{PtyPair, open_pty},
};
use crate::{
    process::{ProcessId, SUPERVISOR_NAME, boot_id},
    proto::link::v1::{Identity, LaunchError, LaunchSpec, Ready},
    runner_dir::{ExitRecord, RunnerDir},
};

/// Largest specification accepted; an environment is far smaller.
const MAX_SPEC: u64 = 8 << 20;

/// Runs a supervisor: reads its specification from standard input, reports on standard output
/// whether the agent runs, and stays until the agent has ended.
pub fn run() -> ExitCode {
    // It was executed through a link that survives an upgrade; process lists shall not show that.
    rustix::thread::set_name(SUPERVISOR_NAME).ok();
    // Before anybody waits: one that is kept in reserve has all the time.
    let prepared = prepare();
    let spec = match read_spec() {
        Ok(spec) => spec,
        Err(error) => return refuse(None, LaunchError { errno: 0, message: error.to_string() }),
    };
    let dir = RunnerDir::new(&spec.runner_dir);
    open_log(&dir);
    match prepared.and_then(|prepared| start(&spec, &dir, prepared)) {
        Ok(mut supervisor) => {
            let ready = Ready { identity: Some(supervisor.identity.clone()), error: None };
            report(&ready);
            // Only now: somebody waits for the agent. On a disk that is full already it fails, which is
            // no reason not to go on.
            dir.reserve_exit(spec.run).ok();
            supervisor.run();
            ExitCode::SUCCESS
        }
        Err(error) => refuse(Some((&spec, &dir)), error),
    }
}

fn read_spec() -> io::Result<LaunchSpec> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_SPEC).read_to_end(&mut bytes)?;
    let spec = LaunchSpec::decode(bytes.as_slice()).map_err(io::Error::other)?;
    if spec.runner_id.is_empty() || spec.runner_dir.is_empty() {
        // The daemon died before it had written all: nobody waits, and nothing was started.
        return Err(io::Error::other("the specification of the runner is incomplete"));
    }
    Ok(spec)
}

/// Directs what nobody else can be told, a panic for example, to a file.
fn open_log(dir: &RunnerDir) {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o600);
    if let Ok(log) = rustix::fs::open(dir.supervisor_log(), flags, mode) {
        rustix::stdio::dup2_stderr(&log).ok();
    }
}

/// What a supervisor needs whatever its agent.
struct Prepared {
    signals: run::Signals,
    pair: PtyPair,
}

/// Becomes a supervisor, of nothing as yet.
fn prepare() -> Result<Prepared, LaunchError> {
    // Already the leader of a session when started by hand; that is no error.
    rustix::process::setsid().ok();
    rustix::process::umask(Mode::from_raw_mode(0o077));
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| failed("become the reaper of the agent's processes")(error.into()))?;
    let signals = run::Signals::install().map_err(failed("handle signals"))?;
    let pair = open_pty().map_err(failed("open a PTY"))?;
    Ok(Prepared { signals, pair })
}

/// Does everything else up to the running agent.
fn start(
    spec: &LaunchSpec,
    dir: &RunnerDir,
    Prepared { signals, pair }: Prepared,
) -> Result<Supervisor, LaunchError> {
    if !dir.claim(spec.run).map_err(failed("claim the run"))? {
        return Err(LaunchError { errno: 0, message: "the launch was given up meanwhile".into() });
    }
    // Safe to remove: the claim makes us the only supervisor of the newest run.
    fs::remove_file(dir.link()).ok();
    let listener = UnixListener::bind(dir.link()).map_err(failed("listen"))?;
    fs::set_permissions(dir.link(), fs::Permissions::from_mode(0o600))
        .and_then(|()| listener.set_nonblocking(true))
        .map_err(failed("listen"))?;

    let meter = spec.meter.as_ref().and_then(|meter| Meter::open(dir, &meter.needles));
    let url = meter.as_ref().map(Meter::url);
    let with_meter = sidecar::start(spec.with_meter(url.as_deref()));
    let spawned = spawn::spawn(&with_meter, pair).inspect_err(|_| {
        fs::remove_file(dir.link()).ok();
    })?;
    // What did not come about is not told as there.
    let spec = &LaunchSpec { control: with_meter.control, ..spec.clone() };
    let own = ProcessId::own();
    let identity = Identity {
        runner_id: spec.runner_id.clone(),
        run: spec.run,
        supervisor_pid: own.map_or(0, |own| own.pid.unsigned_abs()),
        supervisor_start_time: own.map_or(0, |own| own.start_time),
        pid: spawned.pid.unsigned_abs(),
        start_time: crate::process::start_time(spawned.pid).unwrap_or(0),
        boot_id: boot_id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Ok(Supervisor::new(spec, dir.clone(), identity, (spawned, meter), listener, signals))
}

/// Makes of a system's error what is reported.
fn failed(what: &'static str) -> impl FnOnce(io::Error) -> LaunchError {
    move |error| LaunchError {
        errno: error.raw_os_error().unwrap_or(0),
        message: format!("{what}: {error}"),
    }
}

/// Reports a launch that failed, to the daemon and, in case it died meanwhile, on disk.
fn refuse(runner: Option<(&LaunchSpec, &RunnerDir)>, error: LaunchError) -> ExitCode {
    if let Some((spec, dir)) = runner {
        let message = Some(error.message.clone());
        let record = ExitRecord { exit: None, launch_error: message, screen: Vec::new() };
        dir.write_exit(spec.run, &record).ok();
    }
    report(&Ready { identity: None, error: Some(error) });
    ExitCode::FAILURE
}

/// Writes the report and closes the standard streams: from now on nobody listens there.
fn report(ready: &Ready) {
    let mut stdout = io::stdout().lock();
    // The daemon may have died; the agent runs all the same and is adopted by the next one.
    stdout.write_all(&ready.encode_to_vec()).and_then(|()| stdout.flush()).ok();
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    if let Ok(null) = null {
        rustix::stdio::dup2_stdin(&null).ok();
        rustix::stdio::dup2_stdout(&null).ok();
    }
}
