//! How an agent is started so that it reports: options, environment, the id of its conversation.
//!
//! What the user asked for stands: nothing given is taken away or overridden (but what was for the beginning,
//! when a conversation is gone on with), and where the user has
//! telemetry or settings of their own that ours would replace, ours stay out and that is said.
//! Nothing is written to any file of the agent. Measured with the versions that
//! [`crate::domain::agent_command`] names.

mod again;
mod claude;
mod codex;
mod opencode;
pub mod qwen;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::words;
use crate::domain::{
    agent::Agent,
    launch::{Environment, METER},
};

/// How long an agent waits for our hook, in seconds: it answers within 0.2.
const HOOK_TIMEOUT: u32 = 5;

/// What is known when an agent is about to be started.
#[derive(Debug, Clone)]
pub struct Start<'a> {
    /// Program and arguments, as they were asked for.
    pub command: &'a [OsString],
    /// The environment it gets.
    pub environment: &'a Environment,
    /// The program's own version, where it is known.
    pub version: Option<&'a str>,
    /// The program of ours that an agent's hooks run, an absolute path.
    pub hook_program: &'a str,
    /// The id for a conversation, where the agent lets us choose it.
    pub conversation: Uuid,
    /// Go on with this conversation of the agent's, instead of beginning one.
    pub resume: Option<&'a str>,
    /// The agent's configuration sends telemetry somewhere already.
    pub has_own_telemetry: bool,
    /// Where an interface of the agent's could be.
    pub interface: Interface<'a>,
}

/// What an agent's own interface can be given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Interface<'a> {
    /// A port of the loopback that is free.
    pub port: Option<u16>,
    /// What nobody else knows.
    pub secret: &'a str,
    /// A socket for Codex's app-server; `None` to do without one.
    pub socket: Option<&'a str>,
    /// A file with Qwen Code's hooks ([`qwen::defaults`]); `None` where it cannot be had.
    pub defaults: Option<&'a str>,
}

/// An agent's own interface, to which the daemon connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// opencode's server, at this port.
    Opencode(u16),
    /// Codex's app-server, at this socket.
    Codex(String),
}

/// A program that runs beside the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sidecar {
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// It is ready when this file is there.
    pub ready: String,
    /// What is started as the agent where it does not become ready.
    pub instead: Vec<OsString>,
}

/// How it is started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Started {
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// What is added to the environment.
    pub environment: Vec<(String, String)>,
    /// The id of its conversation, where it is known beforehand.
    pub conversation: Option<String>,
    /// That conversation is one that there was before.
    pub goes_on: bool,
    /// It reports to a meter; of what comes there, bodies with one of these words matter.
    pub needles: Vec<&'static str>,
    /// What of it could not be arranged, and why: sentences for a person.
    pub notes: Vec<String>,
    /// Its own interface.
    pub control: Option<Control>,
    /// What runs beside it.
    pub sidecar: Option<Sidecar>,
}

impl Started {
    /// Whether the agent is told where a meter is.
    pub fn is_metered(&self) -> bool {
        let in_words = |word: &OsString| word.to_string_lossy().contains(METER);
        self.environment.iter().any(|(_, value)| value.contains(METER))
            || self.command.iter().any(in_words)
    }
}

/// Returns how an agent is started; `None` for a conversation that it cannot go on with.
///
/// # Errors
///
/// Says why the conversation cannot be gone on with.
pub fn start(agent: Agent, start: &Start<'_>) -> Result<Started, String> {
    let mut started = Started { command: start.command.to_vec(), ..Started::default() };
    if asks_only(start.command) {
        return Ok(started);
    }
    let again = start.resume.map(|_| again::gone_on_with(agent, start.command));
    let start = &Start { command: again.as_deref().unwrap_or(start.command), ..start.clone() };
    started.command = start.command.to_vec();
    match agent {
        Agent::Claude => claude::start(start, &mut started),
        Agent::Codex => codex::start(start, &mut started)?,
        Agent::Gemini => gemini(start, &mut started),
        Agent::Qwen => qwen::start(start, &mut started),
        Agent::Copilot => copilot(start, &mut started),
        Agent::Opencode => opencode::start(start, &mut started),
        Agent::Aider => {
            if start.resume.is_some() {
                insert(&mut started.command, ["--restore-chat-history".into()]);
            }
        }
    }
    let ours = start.conversation.to_string();
    started.goes_on = started.conversation.as_ref().is_some_and(|id| *id != ours);
    Ok(started)
}

/// It only tells about itself.
fn asks_only(command: &[OsString]) -> bool {
    words::has(command, &["-h", "--help", "-v", "-V", "--version"])
}

/// Puts words right behind the program, where they are options whatever follows.
fn insert<const N: usize>(command: &mut Vec<OsString>, words: [OsString; N]) {
    command.splice(1..1, words);
}

/// For agents that take `--session-id`: a new conversation gets ours, a resumed one is named.
fn by_session_id(start: &Start<'_>, started: &mut Started) {
    let resuming = &["-r", "--resume"];
    let others = ["--continue", "-c", "--fork-session", "--from-pr"];
    if let Some(id) = start.resume {
        insert(&mut started.command, [format!("--resume={id}").into()]);
        started.conversation = Some(id.to_owned());
        return;
    }
    let named = words::value(start.command, &["--session-id"]).map(|(_, id)| id.into_owned());
    let resumed = words::value(start.command, resuming).map(|(_, id)| id.into_owned());
    let forks = words::has(start.command, &["--fork-session"]);
    started.conversation = named.or(resumed.filter(|id| !forks && Uuid::parse_str(id).is_ok()));
    if started.conversation.is_none()
        && !words::has(start.command, resuming)
        && !words::has(start.command, &others)
    {
        let id = start.conversation.to_string();
        insert(&mut started.command, ["--session-id".into(), id.clone().into()]);
        started.conversation = Some(id);
    }
}

fn gemini(start: &Start<'_>, started: &mut Started) {
    if is_command(start.command, &["mcp", "extensions", "skills", "hooks"]) {
        return;
    }
    by_session_id(start, started);
    if !meters_itself(start, &["GEMINI_TELEMETRY", "OTEL_EXPORTER_OTLP"], started) {
        started.environment.extend(gemini_telemetry("GEMINI"));
        started.needles.push("gemini_cli.api_response");
    }
}

fn gemini_telemetry(name: &str) -> impl Iterator<Item = (String, String)> {
    let set = [
        ("ENABLED", "true"),
        ("TARGET", "local"),
        ("OTLP_ENDPOINT", METER),
        ("OTLP_PROTOCOL", "http"),
        ("LOG_PROMPTS", "false"),
    ];
    set.into_iter().map(move |(key, value)| (format!("{name}_TELEMETRY_{key}"), value.to_owned()))
}

/// Copilot sends spans, one for each response.
fn copilot(start: &Start<'_>, started: &mut Started) {
    if is_command(start.command, &["help", "init", "login", "mcp", "plugin", "update", "version"]) {
        return;
    }
    by_session_id(start, started);
    if !meters_itself(start, &["OTEL_"], started) {
        let set =
            [("OTEL_EXPORTER_OTLP_ENDPOINT", METER), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")];
        started.environment.extend(set.map(|(name, value)| (name.into(), value.into())));
        started.needles.push("gen_ai.operation.name");
    }
}

/// The files in which the user may have set up telemetry for an agent, with the words that tell so;
/// `variable` gives a directory that the environment names.
pub fn own_telemetry(
    agent: Agent,
    home: &Path,
    variable: impl Fn(&str) -> Option<PathBuf>,
) -> Vec<(PathBuf, &'static [&'static str])> {
    const CLAUDE: &[&str] = &["CLAUDE_CODE_ENABLE_TELEMETRY", "OTEL_"];
    match agent {
        Agent::Claude => {
            let own = variable("CLAUDE_CONFIG_DIR").unwrap_or_else(|| home.join(".claude"));
            vec![
                (own.join("settings.json"), CLAUDE),
                ("/etc/claude-code/managed-settings.json".into(), CLAUDE),
            ]
        }
        Agent::Codex => {
            let own = variable("CODEX_HOME").unwrap_or_else(|| home.join(".codex"));
            vec![(own.join("config.toml"), &["[otel", "otel."])]
        }
        Agent::Gemini => vec![(home.join(".gemini/settings.json"), &["\"telemetry\""])],
        Agent::Qwen => vec![(home.join(".qwen/settings.json"), &["\"telemetry\""])],
        _ => Vec::new(),
    }
}

/// Whether the user's own telemetry is on: it is left alone, and that is noted.
fn meters_itself(start: &Start<'_>, prefixes: &[&str], started: &mut Started) -> bool {
    let named = start.environment.iter().filter_map(|(name, _)| name.to_str());
    let own = named.clone().find(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
    if own.is_none() && !start.has_own_telemetry {
        return false;
    }
    let whose = own.unwrap_or("its configuration");
    started
        .notes
        .push(format!("its telemetry is set up by {whose}: usage is read from transcripts"));
    true
}

fn is_command(command: &[OsString], known: &[&str]) -> bool {
    words::first_plain(command).and_then(|word| word.to_str()).is_some_and(|w| known.contains(&w))
}

/// The command line of a hook for a POSIX shell.
fn hook_command(program: &str, agent: Agent) -> String {
    format!("'{}' hook {}", program.replace('\'', r"'\''"), agent.as_str())
}

/// Whether a version is this one or a later one; what is no number counts as 0.
pub fn at_least(version: &str, wanted: [u32; 3]) -> bool {
    let digits = version.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let number = digits.into_iter().find(|part| part.contains('.')).unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version = [(); 3].map(|()| parts.next().unwrap_or(0));
    version >= wanted
}
