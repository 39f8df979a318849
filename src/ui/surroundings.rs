//! Looks round once at the start: known agents on PATH, the repository, the shell. Starts nothing.

use std::{collections::BTreeMap, ffi::OsStr, fs, path::Path};

use super::{UiOptions, state::Surroundings};
use crate::{config::environment, domain::key::KeyPress};

/// The agents that are looked for, the first found is the one offered.
const KNOWN: [&str; 4] = ["claude", "codex", "gemini", "opencode"];

/// The longest file that tells a branch.
const MAX_HEAD: u64 = 4096;

/// Returns what there is.
pub(super) fn look(options: &UiOptions) -> Surroundings {
    let is_found = |name: &&str| environment::find_program(name).is_some();
    let (found, missing): (Vec<&str>, Vec<&str>) = KNOWN.iter().partition(|name| is_found(name));
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    let shell = options.environment.iter().find(|(name, _)| name == "SHELL");
    let shell = shell.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty());
    Surroundings {
        cwd: options.cwd.clone(),
        home: environment::home(),
        git: branch(&options.cwd),
        found: owned(found),
        versions: BTreeMap::new(),
        own: options.loaded.config.agents.own().map(|(name, own)| (name.to_owned(), own)).collect(),
        is_root: rustix::process::geteuid().is_root(),
        is_confined: environment::is_confined(),
        missing: owned(missing),
        shell: shell.unwrap_or(OsStr::new("/bin/sh")).to_string_lossy().into_owned(),
        demo: options.demo,
        leave: KeyPress::parse(&options.loaded.config.attach.detach_key).ok(),
        leave_label: options.loaded.config.attach.detach_key.clone(),
    }
}

/// Returns the branch of the repository around a directory, or that it has none checked out.
pub(super) fn branch(directory: &Path) -> Option<String> {
    let dot_git = directory.ancestors().map(|dir| dir.join(".git")).find(|path| path.exists())?;
    let git_dir = if dot_git.is_dir() {
        dot_git
    } else {
        // A worktree: the file names the directory.
        let text = read(&dot_git)?;
        dot_git.parent()?.join(text.strip_prefix("gitdir:")?.trim())
    };
    let head = read(&git_dir.join("HEAD"))?;
    let branch = head.trim().strip_prefix("ref: refs/heads/").unwrap_or("detached");
    Some(branch.chars().filter(|c| !c.is_control()).collect())
}

fn read(path: &Path) -> Option<String> {
    let small = fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_HEAD);
    small.then(|| fs::read_to_string(path).ok()).flatten()
}
