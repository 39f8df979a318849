//! How an agent is started so that it reports: options, environment, the id of its conversation.
//!
//! What the user asked for stands: nothing given is taken away or overridden, and where the user has
//! telemetry or settings of their own that ours would replace, ours stay out and that is said.
//! Nothing is written to any file of the agent. Measured with the versions that
//! [`crate::domain::agent_command`] names.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::words;
use crate::domain::{
    agent::Agent,
    launch::{Environment, HOOK_VARIABLE, METER},
};

/// How long an agent waits for our hook, in seconds: it answers within 0.2.
const HOOK_TIMEOUT: u32 = 5;

/// Claude's events that every version knows: an older one discards all settings for one it does not.
const CLAUDE_EVENTS: [&str; 9] = [
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "Notification",
    "Stop",
    "SubagentStop",
    "PreCompact",
    "SessionEnd",
];

/// Those that newer versions know besides.
const CLAUDE_NEWER_EVENTS: [&str; 2] = ["PermissionRequest", "StopFailure"];

/// From this version of Claude Code on they are known (2.1.20 is too old, 2.1.328 was measured).
const CLAUDE_NEWER: [u32; 3] = [2, 1, 300];

const CODEX_EVENTS: [&str; 6] =
    ["SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse", "Stop"];

/// Codex has a server that all its windows share since 0.169 at the latest, and a flag against it.
const CODEX_SERVER: [u32; 3] = [0, 169, 0];

/// Commands of the agents that hold no conversation: they are started as they are.
const CLAUDE_COMMANDS: &[&str] = &[
    "agents",
    "auth",
    "config",
    "doctor",
    "gateway",
    "install",
    "mcp",
    "migrate-installer",
    "plugin",
    "plugins",
    "remote-control",
    "setup-token",
    "update",
    "upgrade",
];
const CODEX_COMMANDS: &[&str] = &[
    "agents",
    "app",
    "app-server",
    "apply",
    "cloud",
    "completion",
    "debug",
    "doctor",
    "exec-server",
    "features",
    "help",
    "login",
    "logout",
    "mcp",
    "mcp-server",
    "plugin",
    "remote-control",
    "sandbox",
    "update",
];

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
    /// It reports to a meter; of what comes there, bodies with one of these words matter.
    pub needles: Vec<&'static str>,
    /// What of it could not be arranged, and why: sentences for a person.
    pub notes: Vec<String>,
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
    let without_prompt = without_prompt(start.command);
    let start = &match start.resume {
        // The first prompt was for the beginning.
        Some(_) => Start { command: &without_prompt, ..start.clone() },
        None => start.clone(),
    };
    started.command = start.command.to_vec();
    match agent {
        Agent::Claude => claude(start, &mut started)?,
        Agent::Codex => codex(start, &mut started)?,
        Agent::Gemini => gemini(start, &mut started)?,
        Agent::Qwen => by_session_id(start, &mut started, &["-r", "--resume"], "--resume")?,
        Agent::Copilot => by_session_id(start, &mut started, &["-r", "--resume"], "--resume")?,
        Agent::Opencode => {
            if let Some(id) = start.resume {
                refuse_two(start, &["-s", "--session", "-c", "--continue"])?;
                insert(&mut started.command, ["--session".into(), id.into()]);
                started.conversation = Some(id.to_owned());
            }
        }
        Agent::Aider => {
            if start.resume.is_some() {
                insert(&mut started.command, ["--restore-chat-history".into()]);
            }
        }
    }
    Ok(started)
}

/// Returns the command without its first prompt, as far as that can be told from the rest.
fn without_prompt(command: &[OsString]) -> Vec<OsString> {
    let mut left = command.get(..=words::options(command).len()).unwrap_or_default().to_vec();
    let options = ["--prompt-interactive", "-i", "--prompt", "--interactive"];
    if let Some((place, _)) = words::value(&left, &options) {
        left.drain(place);
    }
    let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
    if let [before @ .., last] = left.as_slice()
        && let Some(previous) = before.last()
        && !is_option(last)
        && (before.len() == 1 || !is_option(previous))
    {
        left.pop();
    }
    left
}

/// It only tells about itself.
fn asks_only(command: &[OsString]) -> bool {
    words::has(command, &["-h", "--help", "-v", "-V", "--version"])
}

/// Puts words right behind the program, where they are options whatever follows.
fn insert<const N: usize>(command: &mut Vec<OsString>, words: [OsString; N]) {
    command.splice(1..1, words);
}

/// A command that names a conversation already cannot be told another one.
fn refuse_two(start: &Start<'_>, names: &[&str]) -> Result<(), String> {
    if words::has(start.command, names) {
        return Err("the command names a conversation already".to_owned());
    }
    Ok(())
}

/// For agents that take `--session-id`: a new conversation gets ours, a resumed one is named.
fn by_session_id(
    start: &Start<'_>,
    started: &mut Started,
    resuming: &[&str],
    resume: &str,
) -> Result<(), String> {
    let others = ["--continue", "-c", "--fork-session", "--from-pr"];
    if let Some((place, _)) =
        words::value(start.command, &["--session-id"]).filter(|_| start.resume.is_some())
    {
        // A conversation that was begun under an id chosen by the user goes on under it.
        started.command.drain(place);
    }
    if let Some(id) = start.resume {
        refuse_two(start, resuming).and_then(|()| refuse_two(start, &others))?;
        insert(&mut started.command, [format!("{resume}={id}").into()]);
        started.conversation = Some(id.to_owned());
        return Ok(());
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
    Ok(())
}

fn claude(start: &Start<'_>, started: &mut Started) -> Result<(), String> {
    if is_command(start.command, CLAUDE_COMMANDS) {
        return Ok(());
    }
    by_session_id(start, started, &["-r", "--resume"], "--resume")?;
    started.environment.push((HOOK_VARIABLE.to_owned(), format!("{METER}/hook")));
    if words::has(start.command, &["--bare", "--safe-mode"]) {
        started.notes.push("its hooks are switched off by the command".to_owned());
    } else {
        let mut events = CLAUDE_EVENTS.to_vec();
        if start.version.is_some_and(|version| at_least(version, CLAUDE_NEWER)) {
            events.extend(CLAUDE_NEWER_EVENTS);
        }
        let hook = hook_command(start.hook_program, Agent::Claude);
        if let Err(note) = add_settings(&mut started.command, &events, &hook) {
            started.notes.push(note);
        }
    }
    let own = ["CLAUDE_CODE_ENABLE_TELEMETRY", "OTEL_EXPORTER_OTLP", "OTEL_LOGS_EXPORTER"];
    if !meters_itself(start, &own, started) {
        let set = [
            ("CLAUDE_CODE_ENABLE_TELEMETRY", "1"),
            ("OTEL_LOGS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", METER),
            ("OTEL_LOGS_EXPORT_INTERVAL", "300"),
        ];
        started.environment.extend(set.map(|(name, value)| (name.into(), value.into())));
        started.needles.push("claude_code.api_request");
    }
    Ok(())
}

/// Adds hooks to the settings of the launch, beside those that the command gives already.
fn add_settings(command: &mut Vec<OsString>, events: &[&str], hook: &str) -> Result<(), String> {
    let given = words::value(command, &["--settings"])
        .map(|(place, value)| (place, serde_json::from_str::<Map<String, Value>>(&value)));
    let (place, mut settings) = match given {
        None => (1..1, Map::new()),
        Some((place, Ok(settings))) => (place, settings),
        Some((_, Err(_))) => {
            return Err("its hooks are left out: the command names a file of settings".to_owned());
        }
    };
    let hooks = settings.entry("hooks").or_insert_with(|| json!({}));
    let Some(hooks) = hooks.as_object_mut() else {
        return Err("its hooks are left out: those of the command cannot be read".to_owned());
    };
    let ours =
        json!({ "hooks": [{ "type": "command", "command": hook, "timeout": HOOK_TIMEOUT }] });
    for event in events {
        let all = hooks.entry(*event).or_insert_with(|| json!([]));
        if let Some(all) = all.as_array_mut() {
            all.push(ours.clone());
        }
    }
    let text = Value::Object(settings).to_string();
    command.splice(place, ["--settings".into(), text.into()]);
    Ok(())
}

fn codex(start: &Start<'_>, started: &mut Started) -> Result<(), String> {
    if is_command(start.command, CODEX_COMMANDS) {
        return Ok(());
    }
    let subcommand = words::first_plain(start.command).and_then(|word| word.to_str());
    let subcommand =
        subcommand.filter(|word| ["exec", "e", "review", "resume", "fork"].contains(word));
    let is_window = !matches!(subcommand, Some("exec" | "e" | "review"));
    if let Some(id) = start.resume {
        let is_that = |word: &OsString| word == id;
        if subcommand == Some("resume") && words::options(start.command).iter().any(is_that) {
            // It says so itself.
        } else if let Some(other) = subcommand {
            return Err(format!(
                "`codex {other}` cannot be told to go on with another conversation"
            ));
        }
        insert(&mut started.command, ["resume".into(), id.into()]);
        started.conversation = Some(id.to_owned());
    } else if subcommand == Some("resume") {
        let named = words::options(start.command).iter().filter_map(|word| word.to_str());
        started.conversation =
            named.filter(|word| Uuid::parse_str(word).is_ok()).map(str::to_owned).next();
    }
    let has_server = start.version.is_some_and(|version| at_least(version, CODEX_SERVER));
    if is_window && has_server && !words::has(start.command, &["--no-daemon", "--remote"]) {
        // Else the turn runs in a server of its own, which outlives the runner.
        insert(&mut started.command, ["--no-daemon".into()]);
    }
    started.environment.push((HOOK_VARIABLE.to_owned(), format!("{METER}/hook")));
    let mut configured: Vec<OsString> = Vec::new();
    for setting in codex_hooks(&hook_command(start.hook_program, Agent::Codex)) {
        configured.extend(["-c".into(), setting.into()]);
    }
    if !meters_itself(start, &["OTEL_EXPORTER_OTLP"], started) {
        let exporter = format!(
            r#"otel.exporter={{otlp-http={{endpoint="{METER}/v1/logs",protocol="json"}}}}"#
        );
        configured.extend(["-c".into(), exporter.into()]);
        started.needles.push("response.completed");
    }
    started.command.splice(1..1, configured);
    Ok(())
}

/// Hooks as settings of this launch, with the hash that says that the user trusts them: over their
/// canonical JSON, keys in order, without spaces (Codex 0.169).
fn codex_hooks(hook: &str) -> Vec<String> {
    let quoted = Value::from(hook).to_string();
    let mut settings = Vec::new();
    let mut trusted = Vec::new();
    for event in CODEX_EVENTS {
        settings.push(format!(
            "hooks.{event}=[{{hooks=[{{type=\"command\",command={quoted},timeout={HOOK_TIMEOUT}}}]}}]"
        ));
        let name = snake(event);
        let identity = format!(
            r#"{{"event_name":"{name}","hooks":[{{"async":false,"command":{quoted},"timeout":{HOOK_TIMEOUT},"type":"command"}}]}}"#
        );
        let hash = Sha256::digest(identity.as_bytes());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        trusted.push(format!(
            r#""/<session-flags>/config.toml:{name}:0:0"={{trusted_hash="sha256:{hash}"}}"#
        ));
    }
    settings.push(format!("hooks.state={{{}}}", trusted.join(",")));
    settings
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn gemini(start: &Start<'_>, started: &mut Started) -> Result<(), String> {
    if is_command(start.command, &["mcp", "extensions", "skills", "hooks"]) {
        return Ok(());
    }
    by_session_id(start, started, &["-r", "--resume"], "--resume")?;
    if !meters_itself(start, &["GEMINI_TELEMETRY", "OTEL_EXPORTER_OTLP"], started) {
        let set = [
            ("GEMINI_TELEMETRY_ENABLED", "true"),
            ("GEMINI_TELEMETRY_TARGET", "local"),
            ("GEMINI_TELEMETRY_OTLP_ENDPOINT", METER),
            ("GEMINI_TELEMETRY_OTLP_PROTOCOL", "http"),
            ("GEMINI_TELEMETRY_LOG_PROMPTS", "false"),
        ];
        started.environment.extend(set.map(|(name, value)| (name.into(), value.into())));
        started.needles.push("gemini_cli.api_response");
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);

    fn begin(agent: Agent, command: &str, change: impl FnOnce(&mut Start<'_>)) -> Started {
        let command: Vec<_> = command.split(' ').map(OsString::from).collect();
        let environment = Environment::new();
        let mut given = Start {
            command: &command,
            environment: &environment,
            version: None,
            hook_program: "/opt/it's/stratavore",
            conversation: ID,
            resume: None,
            has_own_telemetry: false,
        };
        change(&mut given);
        start(agent, &given).unwrap()
    }

    fn line(started: &Started) -> String {
        started.command.join(std::ffi::OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn claude_gets_an_id_hooks_and_a_meter() {
        let started = begin(Agent::Claude, "claude -- fix", |_| ());
        let line = line(&started);
        assert!(line.ends_with("-- fix"), "{line}");
        assert!(line.contains(&format!("--session-id {ID}")), "{line}");
        let (_, settings) = words::value(&started.command, &["--settings"]).unwrap();
        let settings: Value = serde_json::from_str(&settings).unwrap();
        let hook = &settings["hooks"]["Stop"][0]["hooks"][0];
        assert_eq!(hook["command"], r"'/opt/it'\''s/stratavore' hook claude");
        assert_eq!(settings["hooks"].as_object().unwrap().len(), CLAUDE_EVENTS.len());
        assert!(
            started.environment.contains(&("OTEL_EXPORTER_OTLP_ENDPOINT".into(), METER.into()))
        );
        assert_eq!(started.conversation, Some(ID.to_string()));
    }

    #[test]
    fn a_new_claude_has_more_events() {
        let started =
            begin(Agent::Claude, "claude", |start| start.version = Some("2.1.329 (Claude Code)"));
        assert!(line(&started).contains("PermissionRequest"));
    }

    #[test]
    fn settings_of_the_command_stay() {
        let given = r#"claude --settings {"tui":"default","hooks":{"Stop":[{"hooks":[]}]}} -p"#;
        let started = begin(Agent::Claude, given, |_| ());
        let (_, text) = words::value(&started.command, &["--settings"]).unwrap();
        let settings: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(settings["tui"], "default");
        assert_eq!(settings["hooks"]["Stop"].as_array().unwrap().len(), 2);
        assert_eq!(line(&started).matches("--settings").count(), 1);

        let started = begin(Agent::Claude, "claude --settings my.json", |_| ());
        assert_eq!(line(&started).matches("--settings").count(), 1);
        assert_eq!(started.notes.len(), 1);
    }

    #[test]
    fn conversations_of_the_command_stay() {
        let id = "22222222-2222-4222-8222-222222222222";
        for (command, known) in [
            (format!("claude --resume {id}"), Some(id)),
            (format!("claude --session-id={id}"), Some(id)),
            (format!("claude -r {id} --fork-session"), None),
            ("claude --continue".to_owned(), None),
        ] {
            let started = begin(Agent::Claude, &command, |_| ());
            assert_eq!(started.conversation.as_deref(), known, "{command}");
            assert!(!line(&started).contains(&ID.to_string()), "{command}");
        }
    }

    #[test]
    fn a_conversation_is_gone_on_with() {
        let resume = |start: &mut Start<'_>| start.resume = Some("abc");
        let started = begin(Agent::Claude, "claude --session-id=old --model m", resume);
        assert!(line(&started).contains("--resume=abc"), "{}", line(&started));
        assert!(!line(&started).contains("old"));
        let started = begin(Agent::Codex, "codex -m m -- fix", |start| {
            resume(start);
            start.version = Some("codex-cli 0.169.0");
        });
        let line = line(&started);
        assert!(line.ends_with("--no-daemon resume abc -m m"), "{line}");
        assert_eq!(started.conversation.as_deref(), Some("abc"));
    }

    #[test]
    fn what_holds_no_conversation_is_left_alone() {
        for (agent, command) in [
            (Agent::Claude, "claude mcp list"),
            (Agent::Claude, "claude --version"),
            (Agent::Codex, "codex login"),
            (Agent::Gemini, "gemini extensions list"),
        ] {
            let started = begin(agent, command, |_| ());
            assert_eq!(line(&started), command);
            assert!(started.environment.is_empty());
        }
    }

    #[test]
    fn telemetry_of_the_user_is_left_alone() {
        let environment = vec![("OTEL_EXPORTER_OTLP_ENDPOINT".into(), "http://mine".into())];
        for agent in [Agent::Claude, Agent::Codex, Agent::Gemini] {
            let command = [OsString::from(agent.as_str())];
            let given = Start {
                command: &command,
                environment: &environment,
                version: None,
                hook_program: "/s",
                conversation: ID,
                resume: None,
                has_own_telemetry: false,
            };
            let started = start(agent, &given).unwrap();
            assert!(started.needles.is_empty());
            assert!(!started.environment.iter().any(|(name, _)| name.contains("OTEL_")));
            assert!(!line(&started).contains("otel."));
            assert_eq!(started.notes.len(), 1);
        }
    }

    #[test]
    fn codex_trusts_its_hooks_by_their_hash() {
        // The hash was compared with that of the client's own state file, Codex 0.169.
        let hooks = codex_hooks("'/s' hook codex");
        assert_eq!(hooks.len(), CODEX_EVENTS.len() + 1);
        assert!(hooks.last().unwrap().contains("config.toml:user_prompt_submit:0:0"));
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(at_least("codex-cli 0.169.0", [0, 169, 0]));
        assert!(at_least("2.1.1000 (Claude Code)", [2, 1, 300]));
        assert!(!at_least("0.98.5", [0, 169, 0]));
        assert!(!at_least("", [0, 0, 1]));
    }
}
