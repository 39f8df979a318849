//! Limits that are lowered under a running daemon: open files, and processes.

use std::{fs, path::PathBuf};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

/// So many more open files a daemon may have that has run out of them.
const SPARE: u64 = 2;
/// Where the kernel counts processes: version 1 of control groups, and version 2.
const GROUPS: [&str; 2] = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"];

/// Lets a daemon open hardly another file.
pub(crate) fn few_files(daemon: Pid) {
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.as_raw_nonzero()));
    let open = open.map_or(0, |entries| entries.count() as u64);
    let limit = getrlimit(Resource::Nofile);
    limit_files(daemon, Some(open + SPARE), limit.maximum);
}

/// Lets it open as many as we may.
pub(crate) fn enough_files(daemon: Pid) {
    let limit = getrlimit(Resource::Nofile);
    limit_files(daemon, limit.maximum, limit.maximum);
}

fn limit_files(daemon: Pid, current: Option<u64>, maximum: Option<u64>) {
    // It may just have been killed.
    prlimit(Some(daemon), Resource::Nofile, Rlimit { current, maximum }).ok();
}

/// A group of a daemon and all that it starts, which may be no more than it is.
///
/// A limit of the user (`RLIMIT_NPROC`) would stop everything else of the user, too, and does not bind root.
#[derive(Debug)]
pub(crate) struct Crowded {
    group: PathBuf,
    outside: PathBuf,
}

impl Crowded {
    /// Lets a daemon start nothing more; `None` where groups cannot be made.
    pub(crate) fn begin(daemon: Pid) -> Option<Self> {
        let daemon = daemon.as_raw_nonzero().to_string();
        GROUPS.iter().find_map(|root| {
            let outside = PathBuf::from(root);
            let group = outside.join(format!("chaos-{}-{daemon}", std::process::id()));
            fs::create_dir(&group).ok()?;
            let crowded = Self { group, outside };
            fs::write(crowded.group.join("cgroup.procs"), &daemon).ok()?;
            let count = fs::read_to_string(crowded.group.join("pids.current")).ok()?;
            fs::write(crowded.group.join("pids.max"), count.trim()).ok()?;
            Some(crowded)
        })
    }
}

impl Drop for Crowded {
    fn drop(&mut self) {
        fs::write(self.group.join("pids.max"), "max").ok();
        // What was started meanwhile is in it, too, and may start more while it is moved.
        for _ in 0..100 {
            let inside = fs::read_to_string(self.group.join("cgroup.procs")).unwrap_or_default();
            for process in inside.lines() {
                fs::write(self.outside.join("cgroup.procs"), process).ok();
            }
            if fs::remove_dir(&self.group).is_ok() {
                return;
            }
        }
    }
}
