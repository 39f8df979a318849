//! What the scripted agent wrote about itself, which the product never reads.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use stratavore::process::ProcessId;

use super::wait::wait_value;

/// A witness file.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    path: PathBuf,
}

impl Witness {
    /// Returns the witness at this path, which need not exist yet.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the complete lines written so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let bytes = fs::read(&self.path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
        whole.lines().map(str::to_owned).collect()
    }

    /// Waits for a line that begins so, and returns what follows.
    #[track_caller]
    pub(crate) fn wait_line(&self, beginning: &str) -> String {
        let what = format!("`{beginning}` in {}", self.path.display());
        wait_value(&what, Duration::from_secs(15), || {
            self.lines().iter().find_map(|line| line.strip_prefix(beginning).map(str::to_owned))
        })
    }

    /// Waits until the agent is set up.
    #[track_caller]
    pub(crate) fn wait_ready(&self) {
        self.wait_line("ready");
    }

    /// Returns how often the agent was started.
    pub(crate) fn starts(&self) -> usize {
        self.lines().iter().filter(|line| line.starts_with("start ")).count()
    }

    /// Returns the agent's process of the newest start.
    #[track_caller]
    pub(crate) fn process(&self) -> ProcessId {
        let lines = self.lines();
        let start = lines.iter().rfind(|line| line.starts_with("start "));
        identity(start.expect("the agent has started")).expect("a start line names the process")
    }

    /// Returns every process that ever said it was there: the agent, its children and theirs.
    pub(crate) fn processes(&self) -> Vec<ProcessId> {
        let lines = self.lines();
        let named = |line: &&String| line.starts_with("start ") || line.starts_with("child ");
        lines.iter().filter(named).filter_map(|line| identity(line)).collect()
    }

    /// Returns those that live.
    pub(crate) fn alive(&self) -> Vec<ProcessId> {
        self.processes().into_iter().filter(|process| process.is_alive()).collect()
    }

    /// Returns the `<number> <time> <checksum>` of every line that the terminal took.
    pub(crate) fn sequence(&self) -> Vec<String> {
        let lines = self.lines();
        lines.iter().filter_map(|line| line.strip_prefix("seq ")).map(str::to_owned).collect()
    }

    /// Returns the longest time that one line of output took.
    pub(crate) fn longest_stall(&self) -> Duration {
        let lines = self.lines();
        let stalls = lines.iter().filter_map(|line| line.strip_prefix("stall ")?.parse().ok());
        Duration::from_nanos(stalls.max().unwrap_or(0))
    }
}

/// Reads `pid=… starttime=…`.
fn identity(line: &str) -> Option<ProcessId> {
    let field = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name));
    Some(ProcessId {
        pid: field("pid=")?.parse().ok()?,
        start_time: field("starttime=")?.parse().ok()?,
    })
}

/// Checks that lines of the sequence begin at 1 and have no gap and no repeat.
#[track_caller]
pub(crate) fn assert_contiguous(lines: &[String], whose: &str) {
    for (index, line) in lines.iter().enumerate() {
        let number = line.split(' ').next().and_then(|number| number.parse::<usize>().ok());
        assert_eq!(number, Some(index + 1), "{whose}: line {index} is `{line}`");
    }
}
