//! How much the system lets us have: descriptors, processes, terminals, watches.

use std::{fs, path::Path};

use rustix::process::{Resource, getrlimit};

use super::{Findings, Machine};

/// Descriptors of a daemon with a hundred runners, and some more.
const DESCRIPTORS: u64 = 1024;

/// Above this share of a limit it is told.
const SHARE: u64 = 90;

pub(super) fn examine(machine: &Machine, found: &mut Findings) {
    descriptors(machine, found);
    processes(found);
    terminals(found);
    watches(found);
}

fn number(path: impl AsRef<Path>) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn is_near(used: u64, limit: u64) -> bool {
    limit > 0 && used.saturating_mul(100) >= limit.saturating_mul(SHARE)
}

fn descriptors(machine: &Machine, found: &mut Findings) {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let fix = "ulimit -n 4096, and for a service LimitNOFILE=4096:524288 in its unit";
    if limit < 256 {
        found.broken("limits", format!("{limit} files may be open, which is too few"), fix);
    } else if limit < DESCRIPTORS {
        found.warn("limits", format!("{limit} files may be open: enough for some runners"), fix);
    } else {
        found.ok("limits", format!("{limit} files may be open"));
    }
    let Some(daemon) = machine.daemon() else { return };
    let pid = daemon.status.pid;
    let used = fs::read_dir(format!("/proc/{pid}/fd")).map(Iterator::count);
    let limit = fs::read_to_string(format!("/proc/{pid}/limits")).ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("Max open files"))?;
        line.split_whitespace().nth(3)?.parse::<u64>().ok()
    });
    if let (Ok(used), Some(limit)) = (used, limit)
        && is_near(used as u64, limit)
    {
        let what = format!("the daemon has {used} of {limit} files open");
        found.warn("limits", what, fix);
    }
}

fn processes(found: &mut Findings) {
    if let Some(limit) = getrlimit(Resource::Nproc).current {
        let used = own_threads();
        let text = format!("{used} of {limit} threads of yours");
        if is_near(used, limit) {
            found.warn("limits", text, "ulimit -u, or end what is not needed");
        } else {
            found.ok("limits", text);
        }
    }
    // Of all groups above us the tightest counts.
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(path) = groups.lines().find_map(|line| line.strip_prefix("0::")) else { return };
    let mut dir = Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    while dir.starts_with("/sys/fs/cgroup") {
        let (limit, used) = (number(dir.join("pids.max")), number(dir.join("pids.current")));
        if let (Some(limit), Some(used)) = (limit, used)
            && is_near(used, limit)
        {
            let what = format!("{used} of {limit} processes in {}", dir.display());
            found.warn("limits", what, "TasksMax= of the unit, or pids.max of the group");
        }
        if !dir.pop() {
            break;
        }
    }
}

/// Threads of our user: what the limit of processes counts.
fn own_threads() -> u64 {
    let me = rustix::process::getuid().as_raw();
    let all = procfs::process::all_processes().into_iter().flatten().flatten();
    let ours = all.filter(|process| process.uid().is_ok_and(|uid| uid == me));
    ours.filter_map(|process| process.stat().ok())
        .map(|stat| u64::try_from(stat.num_threads).unwrap_or(0))
        .sum()
}

fn terminals(found: &mut Findings) {
    let dir = Path::new("/proc/sys/kernel/pty");
    let (Some(limit), Some(used)) = (number(dir.join("max")), number(dir.join("nr"))) else {
        return;
    };
    let text = format!("{used} of {limit} pseudo-terminals");
    if is_near(used, limit) {
        found.warn("limits", text, "sysctl -w kernel.pty.max=8192; each runner has one");
    } else {
        found.ok("limits", text);
    }
    if !Path::new("/dev/ptmx").exists() {
        let fix = "mount devpts: no agent can be started without a terminal";
        found.broken("limits", "there is no /dev/ptmx", fix);
    }
}

fn watches(found: &mut Findings) {
    let dir = Path::new("/proc/sys/fs/inotify");
    let least = [("max_user_instances", 64), ("max_user_watches", 8192)];
    for (name, least) in least {
        let Some(limit) = number(dir.join(name)) else { continue };
        if limit < least {
            let what = format!("fs.inotify.{name} is {limit}");
            let fix = format!("sysctl -w fs.inotify.{name}={}", least * 8);
            found.warn("limits", what, &fix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_tenths_are_near() {
        assert!(is_near(90, 100) && is_near(5, 5) && !is_near(89, 100) && !is_near(7, 0));
        assert!(own_threads() > 0, "this test is one");
    }
}
