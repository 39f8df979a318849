//! What the kernel shows: every process of a runner and what the daemons hold, looked at five times a second
//! by a thread of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use stratavore::{domain::launch::RUNNER_MARK, process::ProcessId};

use crate::history::{Holding, Sighting};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// A young process may still become what it will be: its environment is read again.
const YOUNG: Duration = Duration::from_secs(2);

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Processes of runners, each once.
    pub sightings: Vec<Sighting>,
    /// What the daemons held, at every look.
    pub holdings: Vec<Holding>,
    /// Secrets in environments and command lines of agents.
    pub leaks: BTreeSet<String>,
}

/// A daemon to be looked at.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    /// Its name.
    pub name: String,
    /// The file with its process's number.
    pub lock: PathBuf,
    /// The home of whoever launches its agents.
    pub home: PathBuf,
}

/// Somebody who looks.
pub(crate) struct Eyes {
    seen: Arc<Mutex<Seen>>,
    leave: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Eyes {
    /// Begins to look; `begun` is the beginning of the time, `secrets` must be found in no agent.
    ///
    /// Others may have runners on this machine, too: looked at are those with one of the daemons' homes.
    pub(crate) fn open(begun: Instant, daemons: Vec<Watch>, secrets: Vec<String>) -> Self {
        let (seen, leave) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let thread = std::thread::spawn({
            let (seen, leave) = (Arc::clone(&seen), Arc::clone(&leave));
            move || look_around(begun, &daemons, &secrets, &seen, &leave)
        });
        Self { seen, leave, thread: Some(thread) }
    }

    /// Stops looking and returns what was seen.
    pub(crate) fn close(mut self) -> Seen {
        self.leave.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("looking does not fail");
        }
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The agents that live, by runner.
    pub(crate) fn agents(&self) -> BTreeMap<String, ProcessId> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let agents = seen.sightings.iter().filter(|sighting| sighting.is_agent);
        let process = |s: &Sighting| ProcessId { pid: s.process.0, start_time: s.process.1 };
        agents.map(|s| (s.runner.clone(), process(s))).filter(|(_, it)| it.is_alive()).collect()
    }
}

impl Drop for Eyes {
    fn drop(&mut self) {
        self.leave.store(true, Ordering::Relaxed);
    }
}

/// What is known of processes, so that each environment is read once.
#[derive(Default)]
struct Known(BTreeMap<(i32, u64), (Option<String>, Instant)>);

#[expect(clippy::disallowed_methods, reason = "a thread of its own, which looks at real time")]
fn look_around(
    begun: Instant,
    daemons: &[Watch],
    secrets: &[String],
    seen: &Mutex<Seen>,
    leave: &AtomicBool,
) {
    let mut known = Known::default();
    while !leave.load(Ordering::Relaxed) {
        let at = begun.elapsed();
        let marked = known.look(daemons, secrets, seen);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (process, (runner, is_agent)) in &marked {
            let found = seen.sightings.iter_mut().rev();
            let mut found = found.filter(|s| s.process == *process && s.runner == *runner);
            if let Some(sighting) = found.next() {
                sighting.seen.1 = at;
                continue;
            }
            let cwd = fs::read_link(format!("/proc/{}/cwd", process.0)).unwrap_or_default();
            seen.sightings.push(Sighting {
                runner: runner.clone(),
                process: *process,
                is_agent: *is_agent,
                cwd: cwd.to_string_lossy().into_owned(),
                seen: (at, at),
            });
        }
        seen.holdings.extend(daemons.iter().filter_map(holding));
        drop(seen);
        std::thread::sleep(PAUSE);
    }
}

impl Known {
    /// Returns the processes that carry a mark, with the runner and whether each is its agent: who leads the
    /// session of a terminal. Who has a parent with a mark says less, a child may outlive it.
    #[expect(clippy::disallowed_methods, reason = "a thread of its own, which looks at real time")]
    fn look(
        &mut self,
        daemons: &[Watch],
        secrets: &[String],
        seen: &Mutex<Seen>,
    ) -> BTreeMap<(i32, u64), (String, bool)> {
        let mut marked = BTreeMap::new();
        let mut alive = BTreeSet::new();
        for process in procfs::process::all_processes().into_iter().flatten().flatten() {
            let Ok(stat) = process.stat() else { continue };
            let id = (stat.pid, stat.starttime);
            alive.insert(id);
            let (mark, since) = self.0.entry(id).or_insert_with(|| (None, Instant::now()));
            if mark.is_none() && since.elapsed() < YOUNG {
                *mark = mark_of(stat.pid, daemons, secrets, seen);
            }
            if let Some(runner) = mark
                && !matches!(stat.state, 'Z' | 'X')
            {
                let is_agent = stat.session == stat.pid && stat.tty_nr != 0;
                marked.insert(id, (runner.clone(), is_agent));
            }
        }
        self.0.retain(|id, _| alive.contains(id));
        marked
    }
}

/// Returns the runner of ours that a process belongs to; whoever does must know no secret.
fn mark_of(pid: i32, daemons: &[Watch], secrets: &[String], seen: &Mutex<Seen>) -> Option<String> {
    let is_in = |bytes: &[u8], what: &[u8]| memchr::memmem::find(bytes, what).is_some();
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let is_home = |watch: &Watch| is_in(&environment, watch.home.as_os_str().as_bytes());
    let runner = runner_in(&environment).filter(|_| daemons.iter().any(is_home))?;
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    for secret in secrets.iter().map(String::as_str) {
        if is_in(&environment, secret.as_bytes()) || is_in(&line, secret.as_bytes()) {
            let what = format!("{secret} in a process of {runner}");
            seen.lock().unwrap_or_else(PoisonError::into_inner).leaks.insert(what);
        }
    }
    Some(runner)
}

/// Returns the runner that an environment names.
fn runner_in(environment: &[u8]) -> Option<String> {
    let mut variables = environment.split(|byte| *byte == 0);
    let mark = |variable: &[u8]| {
        let (name, value) = variable.split_at_checked(RUNNER_MARK.len())?;
        let value = value.strip_prefix(b"=").filter(|_| name == RUNNER_MARK.as_bytes())?;
        Some(std::ffi::OsStr::from_bytes(value).to_string_lossy().into_owned())
    };
    variables.find_map(mark)
}

/// Returns what a daemon holds now; `None` while it is away.
fn holding(watch: &Watch) -> Option<Holding> {
    let pid: i32 = fs::read_to_string(&watch.lock).ok()?.trim().parse().ok()?;
    let process = procfs::process::Process::new(pid).ok()?;
    // The number of one that died may be somebody else's by now.
    process.cmdline().ok()?.iter().find(|word| *word == "--daemon")?;
    let status = process.status().ok()?;
    let files = process.fd_count().ok()?;
    Some(Holding {
        daemon: watch.name.clone(),
        rss_kib: status.vmrss?,
        files: files as u64,
        threads: status.threads,
    })
}
