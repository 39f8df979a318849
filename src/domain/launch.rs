//! What it takes to start an agent, independent of the wire and of the supervisor.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use crate::domain::{checkout::WorktreeWish, runner::Runner, size::TerminalSize};

/// The mark that every process inside a runner carries in its environment; its value is the
/// runner's id.
pub const RUNNER_MARK: &str = "STRATAVORE_RUNNER";

/// Stands for the address of the runner's meter in the arguments and the environment of an agent: the
/// supervisor puts in the one it listens at.
pub const METER: &str = "{stratavore-meter}";

/// Where an agent's hooks report to, in its environment.
pub const HOOK_VARIABLE: &str = "STRATAVORE_HOOK";

/// What opencode's server wants to be shown, in its environment.
pub const OPENCODE_PASSWORD: &str = "OPENCODE_SERVER_PASSWORD";

/// Environment variables as a program gets them; Unix allows any bytes.
pub type Environment = Vec<(OsString, OsString)>;

/// A request to start an agent, as a client makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchRequest {
    /// Idempotency key: the same one never starts a second agent.
    pub request_id: Option<uuid::Uuid>,
    /// The project's name.
    pub project: String,
    /// The runner's name; empty for the project's and a number, which counts its launches.
    pub name: String,
    /// Program and arguments; empty for the default agent.
    pub command: Vec<OsString>,
    /// Working directory; `None` for the project's.
    pub cwd: Option<PathBuf>,
    /// A worktree to be made for it; `None` to work in the directory itself.
    pub worktree: Option<WorktreeWish>,
    /// The launching client's environment.
    pub environment: Environment,
    /// The terminal's first size.
    pub size: TerminalSize,
    /// What to do when it fails.
    pub restart: RestartPolicy,
    /// The client's file mode creation mask, for the agent's files.
    pub umask: u32,
    /// So many tokens it may use at most; they are set aside for it.
    pub max_tokens: Option<u64>,
}

/// What a warning ends with that others work in the same directory: the one of a later launch there names
/// all whom an earlier one named.
pub const MIXING: &str = "their changes mix";

/// What came of a request to start an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Launched {
    /// The runner.
    pub runner: Runner,
    /// An earlier call with the same request id had started it.
    pub repeated: bool,
    /// What the user should know: others work in the same directory, a file was not copied.
    pub warnings: Vec<String>,
}

/// What happens when an agent ends badly by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartPolicy {
    /// It stays ended.
    #[default]
    Never,
    /// It is started again, after growing pauses, until it has failed too often.
    OnFailure,
}

impl RestartPolicy {
    /// The word for tables and the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::OnFailure => "on-failure",
        }
    }

    /// Parses the word; empty means never.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "" | "never" => Some(Self::Never),
            "on-failure" => Some(Self::OnFailure),
            _ => None,
        }
    }
}

/// Whether an agent may see a variable of the launching client's environment.
///
/// Everything passes but our own settings, the marks of the agent or multiplexer we were launched
/// from (an agent that believes it runs inside another one behaves differently), and what the
/// client's terminal said of itself: the agent's terminal is ours. API keys, `SSH_AUTH_SOCK`,
/// proxies and the like are what the agent needs.
pub fn is_passed_on(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return true };
    let exact = [
        "CLAUDECODE",
        "CREDENTIALS_DIRECTORY",
        "TMUX",
        "TMUX_PANE",
        "STY",
        "WINDOW",
        "TERM",
        "COLORTERM",
        "TERMCAP",
        "COLUMNS",
        "LINES",
        "TERM_SESSION_ID",
        "ZELLIJ",
        "NOTIFY_SOCKET",
        "LISTEN_FDS",
        "LISTEN_PID",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
    ];
    let prefixes = ["STRATAVORE_", "CLAUDE_CODE_", "CODEX_", "ZELLIJ_"];
    // `CODEX_HOME` says where the user's own settings are, `CLAUDE_CODE_USE_BEDROCK` and the like
    // which service to bill: they configure an agent and do not mark one.
    let kept = [
        "CODEX_HOME",
        "CODEX_API_KEY",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
        "CLAUDE_CODE_ENABLE_TELEMETRY",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
    ];
    kept.contains(&name)
        || !(exact.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix)))
}

/// Whether the client's terminal says that its background is light: the last number of `COLORFGBG`,
/// which rxvt began and many terminals set, is that of the background among the sixteen colours.
pub fn has_light_background(environment: &Environment) -> bool {
    let named = environment.iter().rev().find(|(name, _)| name == "COLORFGBG");
    let number =
        named.and_then(|(_, value)| value.to_str()?.rsplit(';').next()?.parse::<u8>().ok());
    matches!(number, Some(7 | 9..=15))
}

/// Returns the environment an agent gets.
///
/// That is what [`is_passed_on`] lets through, the terminal's own variables, the mark of its runner, and
/// the root of its daemon: what it calls is heard, and refused, by the daemon that watches it. Names that are empty or hold `=` or NUL, and repeated names but the last, are left out.
pub fn agent_environment(client: Environment, root: &Path, runner_id: &str) -> Environment {
    let legal = |name: &OsStr| {
        let bytes = name.as_encoded_bytes();
        !bytes.is_empty() && !bytes.contains(&b'=') && !bytes.contains(&0)
    };
    let mut map = std::collections::BTreeMap::new();
    for (name, value) in client {
        if legal(&name) && !value.as_encoded_bytes().contains(&0) && is_passed_on(&name) {
            map.insert(name, value);
        }
    }
    map.entry("PATH".into()).or_insert_with(|| "/usr/local/bin:/usr/bin:/bin".into());
    map.insert("TERM".into(), "xterm-256color".into());
    map.insert("COLORTERM".into(), "truecolor".into());
    map.insert("STRATAVORE_HOME".into(), root.into());
    map.insert(RUNNER_MARK.into(), runner_id.into());
    map.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_ours_and_marks_of_others_stay_out() {
        for name in
            ["STRATAVORE_HOME", "CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CODEX_SANDBOX", "TMUX"]
        {
            assert!(!is_passed_on(OsStr::new(name)), "{name}");
        }
        for name in ["ANTHROPIC_API_KEY", "SSH_AUTH_SOCK", "https_proxy", "CODEX_HOME", "PATH"] {
            assert!(is_passed_on(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn the_environment_is_legal_and_marked() {
        let client: Environment = vec![
            ("A".into(), "1".into()),
            ("A".into(), "2".into()),
            ("".into(), "x".into()),
            ("B=C".into(), "x".into()),
            ("TERM".into(), "dumb".into()),
            ("STRATAVORE_HOME".into(), "/of/the/client".into()),
        ];
        let got = agent_environment(client, Path::new("/root"), "some-id");
        let find = |name: &str| {
            got.iter().find(|(n, _)| n == name).map(|(_, v)| v.to_string_lossy().into_owned())
        };
        assert_eq!(find("A").as_deref(), Some("2"));
        assert_eq!(find("TERM").as_deref(), Some("xterm-256color"));
        assert_eq!(find(RUNNER_MARK).as_deref(), Some("some-id"));
        assert_eq!(find("STRATAVORE_HOME").as_deref(), Some("/root"));
        assert!(find("PATH").is_some());
        assert_eq!(got.len(), 6);
    }

    #[test]
    fn a_light_background_is_told_by_its_number() {
        for (value, is_light) in
            [("0;15", true), ("0;default;15", true), ("15;0", false), ("12;8", false), ("x", false)]
        {
            let environment = vec![("COLORFGBG".into(), value.into())];
            assert_eq!(has_light_background(&environment), is_light, "{value}");
        }
        assert!(!has_light_background(&Vec::new()));
    }
}
