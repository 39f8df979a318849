//! One scan of `/proc`, and the trees in it.

use std::collections::{HashMap, HashSet};

use procfs::process::all_processes;

use super::ProcessId;
use crate::domain::launch::RUNNER_MARK;

/// What one scan says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Who it is.
    pub id: ProcessId,
    /// Its parent's pid.
    pub parent: i32,
    /// Its short name, at most 15 bytes.
    pub name: String,
    /// User and system time in clock ticks.
    pub cpu_ticks: u64,
    /// Resident memory in bytes.
    pub resident_bytes: u64,
    /// Dead and not yet reaped.
    pub zombie: bool,
}

/// All processes at one moment.
#[derive(Debug, Default)]
pub struct Table {
    processes: HashMap<i32, Process>,
    children: HashMap<i32, Vec<i32>>,
}

impl Table {
    /// Reads `/proc` once. What comes or goes meanwhile may be missed.
    pub fn scan() -> Self {
        let mut table = Self::default();
        let Ok(all) = all_processes() else { return table };
        let page = procfs::page_size();
        for stat in all.filter_map(|process| process.ok()?.stat().ok()) {
            let process = Process {
                id: ProcessId { pid: stat.pid, start_time: stat.starttime },
                parent: stat.ppid,
                zombie: matches!(stat.state, 'Z' | 'X'),
                name: stat.comm,
                cpu_ticks: stat.utime + stat.stime,
                resident_bytes: stat.rss * page,
            };
            table.children.entry(process.parent).or_default().push(stat.pid);
            table.processes.insert(stat.pid, process);
        }
        table
    }

    /// Returns the process with this pid.
    pub fn get(&self, pid: i32) -> Option<&Process> {
        self.processes.get(&pid)
    }

    /// Returns everything below a process, parents before children, without zombies.
    pub fn below(&self, root: i32) -> Vec<&Process> {
        let mut found: Vec<&Process> = Vec::new();
        let mut queue = vec![root];
        let mut seen = HashSet::from([root]);
        while let Some(pid) = queue.pop() {
            for child in self.children.get(&pid).into_iter().flatten() {
                if seen.insert(*child) {
                    queue.push(*child);
                    found.extend(self.processes.get(child));
                }
            }
        }
        found.retain(|process| !process.zombie);
        found
    }
}

/// Returns the processes that carry the mark of a runner in the environment they were started with.
///
/// It reads the environment of every process of ours: slow, and meant for the rare case that a
/// supervisor died and its tree has come apart.
pub fn marked(runner_id: &str) -> Vec<ProcessId> {
    let Ok(all) = all_processes() else { return Vec::new() };
    let mark = format!("{RUNNER_MARK}={runner_id}");
    let carries = |pid: i32| {
        std::fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environ| environ.split(|&byte| byte == 0).any(|v| v == mark.as_bytes()))
    };
    all.filter_map(Result::ok)
        .map(|process| process.pid)
        .filter(|&pid| carries(pid))
        .filter_map(ProcessId::of)
        .filter(|process| process.is_alive())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_found_below_us() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let table = Table::scan();
        let me = rustix::process::getpid().as_raw_nonzero().get();
        assert!(table.below(me).iter().any(|process| process.id.pid == pid));
        assert!(table.get(pid).is_some());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn the_mark_is_found_in_the_environment() {
        let id = uuid::Uuid::new_v4().to_string();
        let mut child =
            std::process::Command::new("sleep").arg("60").env(RUNNER_MARK, &id).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        // The kernel wakes us a moment before the new program's environment can be read.
        let found = (0..1000).map(|_| marked(&id)).find(|found| !found.is_empty());
        assert_eq!(found.unwrap().iter().map(|p| p.pid).collect::<Vec<_>>(), [pid]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(marked(&id).is_empty());
    }
}
