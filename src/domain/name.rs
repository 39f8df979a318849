//! Which names projects may have, and what a runner's name looks like.
//!
//! A name must be safe in a path, a shell, a metric label and a routing key, and must never be
//! mistaken for a command: `stratavore <project>` launches.

use std::path::Path;

use thiserror::Error;

/// The shortest name that a runner may be given.
pub const LEAST_RUNNER_NAME: usize = 3;

/// The longest name allowed, in bytes.
pub const MAX_NAME: usize = 64;

/// Words that `stratavore` itself understands, now or in a release that is planned.
pub const RESERVED: &[&str] = &[
    "agents",
    "all",
    "approvals",
    "attach",
    "audit",
    "backup",
    "budget",
    "budgets",
    "completion",
    "config",
    "daemon",
    "database",
    "demo",
    "demo-agent",
    "diff",
    "doctor",
    "events",
    "health",
    "help",
    "hook",
    "inbox",
    "install",
    "kill",
    "launch",
    "logs",
    "man",
    "metrics",
    "new",
    "nodes",
    "notify",
    "outbox",
    "pause",
    "project",
    "projects",
    "quotas",
    "reconcile",
    "restart",
    "restore",
    "resume",
    "runner",
    "runners",
    "send",
    "serve",
    "session",
    "sessions",
    "setup",
    "status",
    "stop",
    "supervise",
    "support",
    "tokens",
    "tui",
    "ui",
    "uninstall",
    "upgrade",
    "usage",
    "version",
    "watch",
    "worktree",
    "worktrees",
];

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing there.
    #[error("a name must not be empty")]
    Empty,
    /// Longer than [`MAX_NAME`].
    #[error("a name has at most {MAX_NAME} characters, this one has {0}")]
    TooLong(usize),
    /// A character outside `A–Z a–z 0–9 . _ -`.
    #[error("a name consists of letters, digits, `.`, `_` and `-`; {0} contains `{1}`")]
    BadCharacter(String, String),
    /// Begins with something an option or a hidden file begins with.
    #[error("a name begins with a letter or a digit; {0} does not")]
    BadStart(String),
    /// A command's name.
    #[error("`{0}` is a command of stratavore and cannot be a name")]
    Reserved(String),
    /// Too short to be told from the beginning of an id.
    #[error("a runner's name has at least {LEAST_RUNNER_NAME} characters; `{0}` has fewer")]
    TooShort(String),
    /// It may be given to another runner.
    #[error("names that end with a dash and a number are given by stratavore; `{0}` is one")]
    Numbered(String),
}

/// Checks a project's name.
///
/// # Errors
///
/// Says which rule the name breaks, with anything unprintable escaped.
pub fn check_project_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    let shown = || format!("`{}`", name.escape_debug());
    if name.len() > MAX_NAME {
        return Err(NameError::TooLong(name.chars().count()));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if let Some(bad) = name.chars().find(|&c| !allowed(c)) {
        return Err(NameError::BadCharacter(shown(), bad.escape_debug().to_string()));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(NameError::BadStart(shown()));
    }
    if RESERVED.contains(&name) {
        return Err(NameError::Reserved(name.to_owned()));
    }
    Ok(())
}

/// Checks a name that a person gives to a runner.
///
/// # Errors
///
/// Says which rule the name breaks, with anything unprintable escaped.
pub fn check_runner_name(name: &str) -> Result<(), NameError> {
    check_project_name(name)?;
    let last = name.rsplit_once('-').map_or("", |(_, last)| last);
    if !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NameError::Numbered(name.to_owned()));
    }
    if name.len() < LEAST_RUNNER_NAME {
        return Err(NameError::TooShort(name.to_owned()));
    }
    Ok(())
}

/// Returns the name of the project's n-th runner, `api-3`.
pub fn runner_name(project: &str, number: u64) -> String {
    format!("{project}-{number}")
}

/// Returns a legal name for the project in a directory, as close to the directory's as possible.
///
/// A directory whose name has nothing that a project's may have is told by the next one around it that
/// has: `~/shop/日本` is `shop-project`, not the same word for all such directories.
pub fn suggest_name_for(directory: &Path) -> String {
    let has_any = |name: &str| name.chars().any(|c| c.is_ascii_alphanumeric());
    let named = |dir: &Path| dir.file_name().map(|name| name.to_string_lossy().into_owned());
    let own = named(directory).unwrap_or_default();
    if has_any(&own) {
        return suggest_project_name(&own);
    }
    let mut around = directory.ancestors().skip(1).filter_map(named);
    match around.find(|name| has_any(name)) {
        Some(name) => suggest_project_name(&format!("{name}-project")),
        None => suggest_project_name(&own),
    }
}

/// Returns a legal project name as close to `text` (a directory's name) as possible.
pub fn suggest_project_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
        if c != '-' || !name.ends_with('-') {
            name.push(c);
        }
    }
    let trimmed = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let mut name: String = trimmed.chars().take(MAX_NAME).collect();
    if name.is_empty() {
        name.push_str("project");
    }
    if RESERVED.contains(&name.as_str()) {
        name.push_str("-project");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_pass() {
        for name in ["api", "web-2", "a.b_c", "0", &"x".repeat(64)] {
            assert_eq!(check_project_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn bad_names_are_refused_and_shown_escaped() {
        for name in ["", "a/b", "..", "a b", "-x", ".x", "a\n", "\u{202e}abc", "attach", "é"] {
            let error = check_project_name(name).unwrap_err().to_string();
            assert!(!error.contains(char::is_control), "{error:?}");
            assert!(!error.contains('\u{202e}'), "{error:?}");
        }
        assert_eq!(check_project_name(&"x".repeat(65)), Err(NameError::TooLong(65)));
    }

    #[test]
    fn a_runner_is_given_no_name_that_another_may_get() {
        for name in ["reviewer", "fix-login", "v2.1", "a-1b"] {
            assert_eq!(check_runner_name(name), Ok(()), "{name}");
        }
        for name in ["api-3", "x-0", "ab", "kill", "-a", ""] {
            assert!(check_runner_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn suggestions_are_legal() {
        for text in ["My Shop!", "..", "", "attach", "日本", "a  b", &"é".repeat(200)] {
            assert_eq!(check_project_name(&suggest_project_name(text)), Ok(()), "{text}");
        }
        assert_eq!(suggest_project_name("My Shop!"), "My-Shop");
        for (path, name) in [
            ("/home/ann/src/shop", "shop"),
            ("/home/ann/shop/日本", "shop-project"),
            ("/home/ann/日本語-app", "app"),
            ("/日本", "project-project"),
            ("/", "project-project"),
        ] {
            assert_eq!(suggest_name_for(Path::new(path)), name);
        }
    }
}
