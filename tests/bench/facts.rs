//! The machine and the programs that are measured.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

/// What a reader needs to judge the figures.
#[derive(Debug)]
pub(crate) struct Facts(pub Vec<(&'static str, String)>);

impl Facts {
    /// Gathers them.
    pub(crate) fn gather(binary: &Path, tmux: &Path) -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or("unknown", |(_, name)| name.trim());
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let version = said(Command::new(binary).arg("--version"))?;
        let profile = binary.parent().and_then(Path::file_name).unwrap_or_default();
        Ok(Self(vec![
            ("processor", format!("{cores} × {model}")),
            ("kernel", kernel.trim().to_owned()),
            ("load", load()),
            ("tmux", said(Command::new(tmux).arg("-V"))?),
            ("stratavore", format!("{version}, profile {}", profile.display())),
            ("binary", binary.display().to_string()),
        ]))
    }
}

/// The load of the last minute: what else goes on here.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// Returns what a command prints, without the end of the line.
fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
