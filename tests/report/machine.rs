//! The machine, the time and the commit: what a reader needs to judge figures.

use std::{fmt::Write as _, fs, path::Path, process::Command};

/// Facts by name, in their order.
#[derive(Debug, Clone)]
pub(crate) struct Facts(pub Vec<(&'static str, String)>);

impl Facts {
    /// Gathers those of the machine and of this commit.
    pub(crate) fn gather() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or("unknown", |(_, name)| name.trim());
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = meminfo
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
        let memory: u64 = memory.and_then(|kib| kib.parse().ok()).unwrap_or(0);
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self(vec![
            ("date", chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string()),
            ("commit", commit()),
            ("processor", format!("{cores} × {model}")),
            ("memory", format!("{} GiB", memory >> 20)),
            ("kernel", kernel.trim().to_owned()),
            ("load before", load()),
        ])
    }

    /// Adds one.
    pub(crate) fn add(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.push((name, value.into()));
    }

    /// Adds the version that a program says it has, if it is there at all.
    pub(crate) fn version(&mut self, name: &'static str, command: &mut Command) {
        let Ok(output) = command.output() else { return };
        // Some say it where errors belong.
        let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        let said = String::from_utf8_lossy(&said);
        self.add(name, said.lines().next().unwrap_or_default().trim());
    }

    /// Returns them as lines of a list.
    pub(crate) fn list(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            writeln!(text, "- {name}: {value}").ok();
        }
        text
    }
}

/// The load of the last minute: what else goes on here.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// The commit that is checked out, and whether something was changed since.
fn commit() -> String {
    let git = |words: &[&str]| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = Command::new("git").arg("-C").arg(root).args(words).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    // What this very program writes does not count.
    let changes =
        git(&["status", "--porcelain", "--untracked-files=no", "--", ".", ":!assets/*.md"]);
    match changes.as_deref() {
        Some("") => commit,
        _ => format!("{commit} with changes"),
    }
}
