//! What the kernel tells about processes.

use std::{ffi::OsStr, fs, path::Path};

use anyhow::{Context as _, Result};

/// Reads a file below a process's directory.
fn read(pid: u32, name: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{name}");
    fs::read_to_string(&path).with_context(|| format!("read {path}"))
}

/// Returns the number after a label at the start of a line.
fn field(text: &str, label: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The memory a process accounts for, in KiB: its own pages and its share of shared ones.
pub(crate) fn pss_kib(pid: u32) -> Result<f64> {
    let text = read(pid, "smaps_rollup")?;
    field(&text, "Pss:").map(|kib| kib as f64).context("no Pss in smaps_rollup")
}

/// The memory that would be free without a process, in KiB: the pages nobody shares.
pub(crate) fn private_kib(pid: u32) -> Result<f64> {
    let text = read(pid, "smaps_rollup")?;
    let part = |label| field(&text, label).context("no Private in smaps_rollup");
    Ok((part("Private_Clean:")? + part("Private_Dirty:")?) as f64)
}

/// The resident memory of a process, in KiB.
pub(crate) fn rss_kib(pid: u32) -> Result<f64> {
    field(&read(pid, "status")?, "VmRSS:").map(|kib| kib as f64).context("no VmRSS in status")
}

/// How often the threads of a process have gone to sleep of themselves: each time something woke
/// them before.
pub(crate) fn sleeps(pid: u32) -> Result<u64> {
    sum_of_threads(pid, |thread| {
        let status = fs::read_to_string(thread.join("status")).ok()?;
        field(&status, "voluntary_ctxt_switches:")
    })
}

/// Nanoseconds a process has run on a processor. The scheduler's own account is exact; the usual
/// one counts whole ticks.
pub(crate) fn cpu_ns(pid: u32) -> Result<u64> {
    sum_of_threads(pid, |thread| {
        let exact = fs::read_to_string(thread.join("schedstat")).ok();
        if let Some(text) = exact {
            return text.split_whitespace().next()?.parse().ok();
        }
        let stat = fs::read_to_string(thread.join("stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        let mut times = rest.split_whitespace().skip(11).map(str::parse::<u64>);
        let ticks = times.next()?.ok()? + times.next()?.ok()?;
        Some(ticks * 10_000_000)
    })
}

/// Adds up a figure over the threads of a process.
fn sum_of_threads(pid: u32, figure: impl Fn(&Path) -> Option<u64>) -> Result<u64> {
    let path = format!("/proc/{pid}/task");
    let threads = fs::read_dir(&path).with_context(|| format!("read {path}"))?;
    Ok(threads.filter_map(|thread| figure(&thread.ok()?.path())).sum())
}

/// Whether a process runs still; one that has ended and was not collected does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = read(pid, "stat").unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// The processes below a process.
pub(crate) fn children(pid: u32) -> Result<Vec<u32>> {
    let list = read(pid, &format!("task/{pid}/children"))?;
    Ok(list.split_whitespace().filter_map(|word| word.parse().ok()).collect())
}

/// The process whose command line begins with a program and these words.
pub(crate) fn started_with(words: &[&OsStr]) -> Option<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    { pids }.find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let said = line.split(|byte| *byte == 0).skip(1).take(words.len());
        said.eq(words.iter().map(|word| word.as_encoded_bytes())) && is_alive(*pid)
    })
}

/// Our own processes that have this directory in their environment or their log in it.
pub(crate) fn belonging_to(root: &Path) -> Vec<u32> {
    let needle = root.as_os_str().as_encoded_bytes();
    let own = std::process::id();
    let belongs = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let log = fs::read_link(format!("/proc/{pid}/fd/2")).unwrap_or_default();
        log.starts_with(root) || environment.windows(needle.len()).any(|part| part == needle)
    };
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != own)
        .filter(belongs)
        .collect()
}
