//! How Codex is started: without the server that its windows share, its hooks trusted by their hash.

use std::ffi::OsString;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    Control, HOOK_TIMEOUT, Sidecar, Start, Started, at_least, hook_command, insert, is_command,
    meters_itself,
};
use crate::{
    agents::words,
    domain::{
        agent::Agent,
        launch::{HOOK_VARIABLE, METER},
    },
};

const CODEX_EVENTS: [&str; 6] =
    ["SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse", "Stop"];

/// Codex has a server that all its windows share since 0.169 at the latest, and a flag against it.
const CODEX_SERVER: [u32; 3] = [0, 169, 0];

/// From this version on its app-server was seen to work with the window.
const CODEX_REMOTE: [u32; 3] = [0, 171, 0];

/// Commands that hold no conversation.
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

/// Adds what Codex needs to report.
pub(super) fn start(start: &Start<'_>, started: &mut Started) -> Result<(), String> {
    if is_command(start.command, CODEX_COMMANDS) {
        return Ok(());
    }
    let subcommand = words::first_plain(start.command).and_then(|word| word.to_str());
    let subcommand =
        subcommand.filter(|word| ["exec", "e", "review", "resume", "fork"].contains(word));
    let is_window = !matches!(subcommand, Some("exec" | "e" | "review"));
    if let Some(id) = start.resume {
        if let Some(other) = subcommand {
            return Err(format!("`codex {other}` cannot be told to go on with a conversation"));
        }
        insert(&mut started.command, ["resume".into(), id.into()]);
        started.conversation = Some(id.to_owned());
    } else if subcommand == Some("resume") {
        let named = words::options(start.command).iter().filter_map(|word| word.to_str());
        started.conversation =
            named.filter(|word| Uuid::parse_str(word).is_ok()).map(str::to_owned).next();
    }
    let asked = started.command.clone();
    let has_server = start.version.is_some_and(|version| at_least(version, CODEX_SERVER));
    if is_window && has_server && !words::has(start.command, &["--no-daemon", "--remote"]) {
        // Else the turn runs in a server of its own, which outlives the runner.
        insert(&mut started.command, ["--no-daemon".into()]);
    }
    if is_window && start.version.is_none() {
        let what = "it did not tell its version: `--no-daemon` is not used in this run";
        let server = start.interface.socket.map_or("", |_| ", nor is its app-server");
        started.notes.push(format!("{what}{server}"));
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
    let settings = configured.clone();
    started.command.splice(1..1, configured);
    if let Some(socket) = start.interface.socket.filter(|_| is_window) {
        beside(start, started, (&asked, settings), socket);
    }
    Ok(())
}

/// Runs the conversation in an app-server beside the window: its settings are the server's then.
fn beside(
    start: &Start<'_>,
    started: &mut Started,
    (asked, settings): (&[OsString], Vec<OsString>),
    socket: &str,
) {
    // That it is not known was said.
    let Some(version) = start.version else { return };
    if !at_least(version, CODEX_REMOTE) {
        started.notes.push("its app-server is left out: this version is too old for it".to_owned());
        return;
    }
    if words::has(start.command, &["--no-daemon", "--remote", "--oss", "-p", "--profile"]) {
        started.notes.push("its app-server is left out: the command says where it runs".to_owned());
        return;
    }
    let address = format!("unix://{socket}");
    let program = asked.first().cloned().unwrap_or_else(|| "codex".into());
    let mut command = vec![program, "app-server".into()];
    command.extend(["--listen".into(), address.clone().into()]);
    command.extend(given_settings(asked));
    command.extend(settings);
    let mut window = asked.to_vec();
    insert(&mut window, ["--remote".into(), address.into()]);
    let instead = std::mem::replace(&mut started.command, window);
    started.sidecar = Some(Sidecar { command, ready: socket.to_owned(), instead });
    started.control = Some(Control::Codex(socket.to_owned()));
}

/// The settings that a command gives.
fn given_settings(command: &[OsString]) -> Vec<OsString> {
    let options = words::options(command);
    let names = ["-c", "--config", "--enable", "--disable"];
    let pairs = options.iter().zip(options.iter().skip(1));
    let given = pairs.filter(|(name, _)| name.to_str().is_some_and(|name| names.contains(&name)));
    given.flat_map(|(name, value)| [name.clone(), value.clone()]).collect()
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
        let hash = hex::encode(hash);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codex_trusts_its_hooks_by_their_hash() {
        // The hash was compared with that of the client's own state file, Codex 0.169.
        let hooks = codex_hooks("'/s' hook codex");
        assert_eq!(hooks.len(), CODEX_EVENTS.len() + 1);
        assert!(hooks.last().unwrap().contains("config.toml:user_prompt_submit:0:0"));
    }
}
