//! The section `worktree`: where worktrees are made and what makes them ready; and the file of a project,
//! `.stratavore.yaml`, which may say the latter, too.
//!
//! The file comes with a repository, from whoever wrote that: it can set nothing else but rules that
//! tighten the approval policy, and a command in it is not the user's own word.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ConfigError, layers};

/// The file in a project's directory.
pub const PROJECT_FILE: &str = ".stratavore.yaml";

/// Patterns of files to copy that are looked at, at most.
const MOST_PATTERNS: usize = 100;

/// Worktrees of runners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorktreeConfig {
    /// The directory that worktrees are made in, absolute; empty for `worktrees` in the root
    /// directory.
    pub directory: String,
    /// Files that are copied from the project's directory, as patterns relative to it.
    pub copy: Vec<String>,
    /// A shell command that is run in a new worktree before the agent; empty for none.
    pub setup: String,
    /// Seconds that it may take, 1…3600.
    pub setup_seconds: u64,
    /// What new branches begin from; empty for what is checked out in the project's directory.
    pub base: String,
}

impl Default for WorktreeConfig {
    fn default() -> Self {
        Self {
            directory: String::new(),
            copy: Vec::new(),
            setup: String::new(),
            setup_seconds: 600,
            base: String::new(),
        }
    }
}

/// What makes a project's worktrees ready.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectWorktrees {
    /// Files that are copied, as patterns relative to the project's directory.
    pub copy: Vec<String>,
    /// A shell command; empty for none.
    pub setup: String,
    /// The command is from the project's own file, and so from whoever wrote that.
    pub is_setup_foreign: bool,
    /// What new branches begin from; empty for what is checked out.
    pub base: String,
}

/// Returns what makes the worktrees of the project in this directory ready: what its file says, else
/// the user's configuration.
///
/// # Errors
///
/// When the file cannot be read, is no YAML, or sets anything else.
pub fn of_project(
    directory: &Path,
    user: &WorktreeConfig,
) -> Result<ProjectWorktrees, ConfigError> {
    let file = directory.join(PROJECT_FILE);
    let mut project = ProjectWorktrees {
        copy: user.copy.clone(),
        setup: user.setup.clone(),
        is_setup_foreign: false,
        base: user.base.clone(),
    };
    for (key, value) in layers::read_leaves(&file)? {
        let bad = |why: &str| ConfigError::BadValue {
            key: key.clone(),
            origin: file.display().to_string(),
            why: why.to_owned(),
        };
        let text = || value.as_str().map(str::to_owned).ok_or_else(|| bad("it is not a text"));
        match key.as_str() {
            "worktree.copy" => {
                project.copy = texts(&value).ok_or_else(|| bad("not a short list of texts"))?;
            }
            "worktree.setup" => {
                project.setup = text()?;
                project.is_setup_foreign = true;
            }
            "worktree.base" => project.base = text()?,
            // Read where they are asked for.
            super::approvals::PROJECT_KEY => {}
            _ => {
                let known = ["worktree.copy", "worktree.setup", "worktree.base"].map(str::to_owned);
                return Err(ConfigError::UnknownKey {
                    nearest: layers::nearest(&key, &known).cloned(),
                    origin: file.display().to_string(),
                    key,
                });
            }
        }
    }
    Ok(project)
}

/// Returns a list of texts; one text is a list of one.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(values) if values.len() <= MOST_PATTERNS => {
            values.iter().map(|value| value.as_str().map(str::to_owned)).collect()
        }
        _ => None,
    }
}

/// Says what is wrong with the directory for worktrees, if anything is.
pub(super) fn check(config: &WorktreeConfig) -> Result<(), String> {
    let directory = PathBuf::from(&config.directory);
    if config.directory.is_empty() || directory.is_absolute() {
        Ok(())
    } else {
        Err(format!("`{}` is not an absolute path", config.directory.escape_debug()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &str) -> Result<ProjectWorktrees, String> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(PROJECT_FILE), text).unwrap();
        let user = WorktreeConfig { base: "main".into(), ..WorktreeConfig::default() };
        of_project(dir.path(), &user).map_err(|error| error.to_string())
    }

    #[test]
    fn a_project_says_what_makes_its_worktrees_ready() {
        let text = "worktree:\n  copy: [\".env\", \".env.*\"]\n  setup: npm ci\n";
        let project = read(text).unwrap();
        assert_eq!(project.copy, [".env", ".env.*"]);
        assert_eq!((project.setup.as_str(), project.is_setup_foreign), ("npm ci", true));
        assert_eq!(project.base, "main", "the user's, where the project says nothing");
        let none = of_project(Path::new("/nowhere"), &WorktreeConfig::default()).unwrap();
        assert_eq!(none, ProjectWorktrees::default());
    }

    #[test]
    fn a_project_can_say_nothing_else() {
        for (text, word) in [
            ("worktree:\n  setp: x\n", "worktree.setup"),
            ("runner:\n  default_command: rm\n", "runner.default_command"),
            ("worktree:\n  directory: /\n", "worktree.directory"),
            ("worktree:\n  copy: 3\n", "short list"),
            ("worktree:\n  setup: [a]\n", "not a text"),
            ("- a\n", "mapping"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(word), "{text:?}: {error}");
        }
    }
}
