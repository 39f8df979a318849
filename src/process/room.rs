//! Of what the system has only so much, and each runner takes some of it: terminals, processes, open
//! files. What would run out first is told before it does.

use std::{fs, sync::OnceLock};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, getuid, prlimit, setrlimit};

/// What stays free for everything else.
const SPARE_FILES: u64 = 128;
const SPARE_PROCESSES: u64 = 64;

/// What a runner takes of each at least: the link and what looks at it; supervisor and agent, each
/// with a thread or two.
const FILES: u64 = 2;
const PROCESSES: u64 = 4;

/// Something of which the system has only so much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// What it is, in the plural.
    pub what: &'static str,
    /// So many are taken.
    pub used: u64,
    /// So many there are.
    pub most: u64,
    /// How there would be more.
    pub remedy: String,
    /// What a runner takes.
    each: u64,
    spare: u64,
}

impl Stock {
    /// For how many more runners there is enough.
    pub fn room(&self) -> u64 {
        self.most.saturating_sub(self.used).saturating_sub(self.spare) / self.each
    }
}

/// How many files this process could open when it began.
static GIVEN: OnceLock<Rlimit> = OnceLock::new();

/// Lets this process open as many files as it may.
pub fn raise_open_files() {
    let now = getrlimit(Resource::Nofile);
    let most = Rlimit { current: now.maximum, maximum: now.maximum };
    if setrlimit(Resource::Nofile, most).is_ok() {
        GIVEN.set(now).ok();
    }
}

/// Gives a process that we have started the limit that we were given: there are programs that look at
/// every number up to it.
pub fn pass_on_open_files(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let (Some(given), Some(pid)) = (GIVEN.get(), pid) else { return };
    // One that has ended needs none.
    prlimit(Some(pid), Resource::Nofile, *given).ok();
}

/// Returns what there is of everything that runners need, as far as the system tells.
pub fn stocks() -> Vec<Stock> {
    [terminals(), files(), processes(), processes_of_group(), processes_of_user()]
        .into_iter()
        .flatten()
        .collect()
}

/// Returns what runs out first.
pub fn scarcest() -> Option<Stock> {
    stocks().into_iter().min_by_key(Stock::room)
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn terminals() -> Option<Stock> {
    let most = number("/proc/sys/kernel/pty/max")?;
    // Kept for whoever sees the first instance of the file system, which we may not.
    let kept = number("/proc/sys/kernel/pty/reserve").unwrap_or(0);
    Some(Stock {
        what: "terminals",
        used: number("/proc/sys/kernel/pty/nr")?,
        most: most.saturating_sub(kept),
        remedy: format!("sysctl -w kernel.pty.max={}", most.saturating_mul(2)),
        each: 1,
        spare: 0,
    })
}

fn files() -> Option<Stock> {
    let most = getrlimit(Resource::Nofile).current?;
    // Newer kernels say it without a list of them.
    let told = fs::metadata("/proc/self/fd").ok()?.len();
    let used = if told > 0 { told } else { fs::read_dir("/proc/self/fd").ok()?.count() as u64 };
    Some(Stock {
        what: "open files of the daemon",
        used,
        most,
        remedy: "raise `ulimit -Hn`, or LimitNOFILE= of its unit, and restart the daemon"
            .to_owned(),
        each: FILES,
        spare: SPARE_FILES,
    })
}

/// Processes and threads on this machine.
fn in_system() -> Option<u64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok()
}

fn processes() -> Option<Stock> {
    let ids = number("/proc/sys/kernel/pid_max")?;
    let threads = number("/proc/sys/kernel/threads-max").unwrap_or(u64::MAX);
    let name = if ids <= threads { "pid_max" } else { "threads-max" };
    let most = ids.min(threads);
    Some(Stock {
        what: "processes of this machine",
        used: in_system()?,
        most,
        remedy: format!("sysctl -w kernel.{name}={}", most.saturating_mul(2)),
        each: PROCESSES,
        spare: SPARE_PROCESSES,
    })
}

/// Those of the control group: what a container or a unit lets there be.
fn processes_of_group() -> Option<Stock> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let place = own.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        match controllers {
            "" => Some(format!("/sys/fs/cgroup{path}")),
            list if list.split(',').any(|name| name == "pids") => {
                Some(format!("/sys/fs/cgroup/pids{path}"))
            }
            _ => None,
        }
    })?;
    // Without a limit there stands a word.
    Some(Stock {
        what: "processes of its control group",
        used: number(&format!("{place}/pids.current"))?,
        most: number(&format!("{place}/pids.max"))?,
        remedy: "raise pids.max, or TasksMax= of its unit".to_owned(),
        each: PROCESSES,
        spare: SPARE_PROCESSES,
    })
}

fn processes_of_user() -> Option<Stock> {
    let most = getrlimit(Resource::Nproc).current?;
    let all = in_system()?;
    if getuid().is_root() {
        return None;
    }
    // A user has no more than there are; who is far from the limit need not be counted.
    let used = if all < most / 2 { all } else { of_user() };
    Some(Stock {
        what: "processes of this user",
        used,
        most,
        remedy: "raise `ulimit -u`".to_owned(),
        each: PROCESSES,
        spare: SPARE_PROCESSES,
    })
}

/// Counts the threads of this user's processes.
fn of_user() -> u64 {
    let uid = getuid().as_raw();
    let processes = procfs::process::all_processes().into_iter().flatten().flatten();
    let ours = processes.filter(|process| process.uid().is_ok_and(|owner| owner == uid));
    let threads = |process: procfs::process::Process| {
        process.stat().map_or(1, |stat| stat.num_threads.unsigned_abs())
    };
    ours.map(threads).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_counted_and_the_scarcest_named() {
        let stocks = stocks();
        let of = |what| stocks.iter().find(|stock| stock.what == what).unwrap();
        assert!(of("open files of the daemon").used > 2);
        assert!(of("processes of this machine").used > 1);
        let least = stocks.iter().map(Stock::room).min();
        assert_eq!(scarcest().map(|stock| stock.room()), least);
        let stock = Stock { used: 97, most: 100, each: 2, spare: 1, ..stocks[0].clone() };
        assert_eq!(stock.room(), 1);
        assert_eq!(Stock { used: 120, ..stock }.room(), 0);
    }
}
