//! d0: lets the kernel hold memory and CPU of a project's processes, where a control group (cgroup v2)
//! was delegated to the daemon; elsewhere it says why not, and limits are only told.
//!
//! ```text
//!  the delegated group ─┬ stratavore-daemon     the daemon itself: a group with limits below it may
//!                       │                       hold no process
//!                       ├ stratavore-web        supervisors and agents of the project `web`
//!                       └ stratavore-api
//! ```
//!
//! At its limit of memory the kernel takes memory back and, when that is not enough, kills the process
//! of the group that weighs most: an agent or what it started, hardly a supervisor, which is small.
//! `memory.oom.group` stays off: it would kill all runners of the project together. At its limit of
//! CPU a group waits.
//!
//! Invariant: nothing here is needed for a runner to start or to go on. No group that other processes
//! live in is touched, and none that nobody delegated.

mod place;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::domain::quota::{Quota, QuotaName};

/// What the groups of projects are called, before the project's name.
const PREFIX: &str = "stratavore-";

/// The daemon's own group. `daemon` is no name that a project may have.
const OWN: &str = "stratavore-daemon";

/// The period that `cpu.max` divides, in microseconds: the kernel's own default.
const PERIOD: u64 = 100_000;

/// The limits of this node.
#[derive(Debug, Clone, Default)]
pub struct Limits(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The delegated group.
    base: Option<PathBuf>,
    has_memory: bool,
    has_cpu: bool,
    /// Why nothing is enforced.
    why_not: String,
    /// What was written last for each project.
    written: Mutex<BTreeMap<String, Quota>>,
    /// How many processes of each group were killed for its memory when that was asked last.
    killed: Mutex<BTreeMap<PathBuf, u64>>,
}

impl Limits {
    /// Finds out whether a group was delegated to this process, and prepares it.
    pub fn detect() -> Self {
        let own = std::process::id();
        match place::delegated().and_then(|base| Self::prepare(&base, own)) {
            Ok(limits) => limits,
            Err(why_not) => Self(Arc::new(Inner { why_not, ..Inner::default() })),
        }
    }

    /// Prepares a group for limits: the daemon goes to one of its own below it.
    fn prepare(base: &Path, own: u32) -> Result<Self, String> {
        let shown = base.display();
        let read = |name: &str| fs::read_to_string(base.join(name)).unwrap_or_default();
        let available = read("cgroup.controllers");
        let has = |wanted: &str| available.split_whitespace().any(|name| name == wanted);
        let (has_memory, has_cpu) = (has("memory"), has("cpu"));
        if !has_memory && !has_cpu {
            return Err(format!("`{shown}` has neither the memory nor the cpu controller"));
        }
        let mut ours = Vec::new();
        for pid in read("cgroup.procs").split_whitespace().filter_map(|pid| pid.parse().ok()) {
            if pid != own && !place::is_ours(pid) {
                return Err(format!("other processes live in `{shown}` (pid {pid})"));
            }
            ours.push(pid);
        }
        let failed = |what: &str, error: &io::Error| format!("{what} in `{shown}`: {error}");
        make_group(&base.join(OWN)).map_err(|error| failed("make a control group", &error))?;
        for pid in &ours {
            // One that has just ended is no reason to give up; it would be found out right below.
            move_to(&base.join(OWN), *pid).ok();
        }
        let wanted: Vec<_> = [("+memory", has_memory), ("+cpu", has_cpu)]
            .into_iter()
            .filter_map(|(word, is_wanted)| is_wanted.then_some(word))
            .collect();
        if let Err(error) = fs::write(base.join("cgroup.subtree_control"), wanted.join(" ")) {
            for pid in &ours {
                move_to(base, *pid).ok();
            }
            fs::remove_dir(base.join(OWN)).ok();
            return Err(failed("enable the memory and cpu controllers", &error));
        }
        // Groups that a predecessor has left count from here.
        let groups = fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path());
        let killed = Mutex::new(groups.map(|group| (group.clone(), kills(&group))).collect());
        let base = Some(base.to_owned());
        Ok(Self(Arc::new(Inner { base, has_memory, has_cpu, killed, ..Inner::default() })))
    }

    /// Whether the kernel keeps projects below a limit of this kind.
    pub fn holds(&self, name: QuotaName) -> bool {
        match name {
            QuotaName::Memory => self.0.has_memory,
            QuotaName::Cpu => self.0.has_cpu,
            QuotaName::Runners | QuotaName::Tokens => false,
        }
    }

    /// Whether it keeps them below any.
    pub fn is_enforcing(&self) -> bool {
        self.0.base.is_some()
    }

    /// How it is with limits, for people.
    pub fn describe(&self) -> String {
        let Some(base) = &self.0.base else {
            let why = match self.0.why_not.as_str() {
                "" => "no control group is used",
                why => why,
            };
            return format!("memory and cpu are warned of only: {why}");
        };
        let held = match (self.0.has_memory, self.0.has_cpu) {
            (true, true) => "memory and cpu are",
            (true, false) => "memory is",
            _ => "cpu is",
        };
        format!("{held} held by control groups in `{}`", base.display())
    }

    /// Writes the limits of a project, if they are not the ones that are in force. Blocks for a moment.
    ///
    /// # Errors
    ///
    /// What the system says; the limits from before stay.
    pub fn apply(&self, project: &str, quota: &Quota) -> io::Result<()> {
        let Some(group) = self.group(project) else { return Ok(()) };
        let is_new = !group.is_dir();
        let mut written = self.0.written.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_new && written.get(project) == Some(quota) {
            return Ok(());
        }
        let has_limit = quota.max_memory_mb.is_some() || quota.max_cpu_percent.is_some();
        if is_new && !has_limit {
            return Ok(());
        }
        make_group(&group)?;
        if self.0.has_memory {
            let bytes = quota.max_memory_mb.map(|mib| mib.saturating_mul(1 << 20).to_string());
            fs::write(group.join("memory.max"), bytes.unwrap_or_else(|| "max".to_owned()))?;
        }
        if self.0.has_cpu {
            let time = quota
                .max_cpu_percent
                .map(|percent| percent.saturating_mul(PERIOD / 100).to_string());
            let time = time.unwrap_or_else(|| "max".to_owned());
            fs::write(group.join("cpu.max"), format!("{time} {PERIOD}"))?;
        }
        written.insert(project.to_owned(), *quota);
        Ok(())
    }

    /// Puts a process that has not started anything yet into its project's group, limited or not: a
    /// limit may come later. Blocks for a moment.
    ///
    /// # Errors
    ///
    /// What the system says; the process stays where it is.
    pub fn place(&self, project: &str, pid: u32) -> io::Result<()> {
        let Some(group) = self.group(project) else { return Ok(()) };
        make_group(&group)?;
        move_to(&group, pid)
    }

    /// Removes the groups of projects that have no live runner here; one with a process in it stays.
    pub fn retire(&self, live: &BTreeSet<String>) {
        let Some(base) = &self.0.base else { return };
        let groups = fs::read_dir(base).into_iter().flatten().flatten();
        for name in groups.filter_map(|entry| entry.file_name().into_string().ok()) {
            let Some(project) = name.strip_prefix(PREFIX).filter(|_| name != OWN) else { continue };
            if !live.contains(project) && fs::remove_dir(base.join(&name)).is_ok() {
                self.0.written.lock().unwrap_or_else(PoisonError::into_inner).remove(project);
                self.0
                    .killed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&base.join(&name));
            }
        }
    }

    /// Whether the kernel has killed processes of a project for its memory since this was asked last. Blocks
    /// for a moment.
    pub fn has_killed(&self, project: &str) -> bool {
        let Some(group) = self.group(project) else { return false };
        let now = kills(&group);
        let before =
            self.0.killed.lock().unwrap_or_else(PoisonError::into_inner).insert(group, now);
        now > before.unwrap_or(0)
    }

    fn group(&self, project: &str) -> Option<PathBuf> {
        // Names of projects are safe in a path.
        self.0.base.as_ref().map(|base| base.join(format!("{PREFIX}{project}")))
    }
}

/// Returns how many processes of a group the kernel has killed for its memory.
fn kills(group: &Path) -> u64 {
    let told = fs::read_to_string(group.join("memory.events")).unwrap_or_default();
    let count = told.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
    count.unwrap_or(0)
}

fn make_group(group: &Path) -> io::Result<()> {
    match fs::create_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome,
    }
}

fn move_to(group: &Path, pid: u32) -> io::Result<()> {
    fs::write(group.join("cgroup.procs"), pid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that looks like a delegated group.
    fn base(controllers: &str, processes: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cgroup.controllers"), controllers).unwrap();
        fs::write(dir.path().join("cgroup.procs"), processes).unwrap();
        dir
    }

    fn said(dir: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(dir.path().join(name)).unwrap_or_default()
    }

    #[test]
    fn a_project_gets_a_group_with_its_limits_and_its_supervisors() {
        let dir = base("cpuset cpu io memory pids\n", "41\n");
        let limits = Limits::prepare(dir.path(), 41).unwrap();
        assert!(limits.holds(QuotaName::Memory) && limits.holds(QuotaName::Cpu));
        assert_eq!(said(&dir, "cgroup.subtree_control"), "+memory +cpu");
        assert_eq!(said(&dir, "stratavore-daemon/cgroup.procs"), "41");
        let mut quota = Quota { max_memory_mb: Some(512), ..Quota::default() };
        limits.apply("web", &quota).unwrap();
        limits.place("web", 4711).unwrap();
        assert_eq!(said(&dir, "stratavore-web/memory.max"), "536870912");
        assert_eq!(said(&dir, "stratavore-web/cpu.max"), "max 100000");
        assert_eq!(said(&dir, "stratavore-web/cgroup.procs"), "4711");
        quota = Quota { max_cpu_percent: Some(150), ..Quota::default() };
        limits.apply("web", &quota).unwrap();
        assert_eq!(said(&dir, "stratavore-web/memory.max"), "max");
        assert_eq!(said(&dir, "stratavore-web/cpu.max"), "150000 100000");
        // What is in force is not written again.
        fs::write(dir.path().join("stratavore-web/cpu.max"), "").unwrap();
        limits.apply("web", &quota).unwrap();
        assert_eq!(said(&dir, "stratavore-web/cpu.max"), "");
        limits.apply("idle", &Quota::default()).unwrap();
        assert!(!dir.path().join("stratavore-idle").exists());
    }

    #[test]
    fn what_the_kernel_killed_is_told_once_and_not_what_a_predecessor_saw() {
        let dir = base("memory", "41");
        let group = dir.path().join("stratavore-web");
        fs::create_dir(&group).unwrap();
        let tell = |kills: u64| {
            let text = format!("low 0\nmax 93\noom 4\noom_kill {kills}\noom_group_kill 0\n");
            fs::write(group.join("memory.events"), text).unwrap();
        };
        tell(2);
        let limits = Limits::prepare(dir.path(), 41).unwrap();
        assert!(!limits.has_killed("web"));
        tell(3);
        assert!(limits.has_killed("web") && !limits.has_killed("web"));
        assert!(!limits.has_killed("no-group"));
        // A group that is made anew counts anew.
        fs::remove_dir_all(&group).unwrap();
        fs::create_dir(&group).unwrap();
        limits.retire(&BTreeSet::new());
        fs::create_dir(&group).unwrap();
        tell(1);
        assert!(limits.has_killed("web"));
    }

    #[test]
    fn only_what_is_ours_alone_is_used() {
        let dir = base("memory", "41\n1\n");
        let why = Limits::prepare(dir.path(), 41).unwrap_err();
        assert!(why.contains("other processes live in"), "{why}");
        let dir = base("hugetlb io", "41");
        assert!(Limits::prepare(dir.path(), 41).unwrap_err().contains("neither the memory"));
        // It cannot be enabled: the daemon goes back to where it was.
        let dir = base("memory", "41");
        fs::create_dir(dir.path().join("cgroup.subtree_control")).unwrap();
        assert!(Limits::prepare(dir.path(), 41).unwrap_err().contains("enable the memory"));
        assert_eq!(said(&dir, "cgroup.procs"), "41");
    }

    #[test]
    fn without_a_group_everything_goes_on() {
        let limits = Limits::default();
        let quota = Quota { max_memory_mb: Some(1), ..Quota::default() };
        limits.apply("web", &quota).unwrap();
        limits.place("web", 1).unwrap();
        limits.retire(&BTreeSet::new());
        assert!(limits.describe().starts_with("memory and cpu are warned of only"));
    }

    #[test]
    fn groups_of_projects_without_runners_are_removed() {
        let dir = base("memory", "41");
        let limits = Limits::prepare(dir.path(), 41).unwrap();
        for group in ["stratavore-a", "stratavore-b", "else"] {
            fs::create_dir(dir.path().join(group)).unwrap();
        }
        limits.retire(&["b".to_owned()].into());
        let left = |name: &str| dir.path().join(name).is_dir();
        assert!(!left("stratavore-a") && left("stratavore-b") && left("else"));
        assert!(left("stratavore-daemon"));
    }
}
