//! How Claude Code is started: its hooks in the settings of the launch, its telemetry by environment.

use std::ffi::OsString;

use serde_json::{Map, Value, json};

use super::{
    HOOK_TIMEOUT, Start, Started, at_least, by_session_id, hook_command, is_command, meters_itself,
};
use crate::{
    agents::words,
    domain::{
        agent::Agent,
        launch::{HOOK_VARIABLE, METER},
    },
};

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

/// Those that newer ones know besides, each from a version on: the first whose package names it.
const CLAUDE_NEWER_EVENTS: [(&str, [u32; 3]); 2] =
    [("PermissionRequest", [2, 0, 45]), ("StopFailure", [2, 1, 78])];

/// Seconds for which the hook that asks for permission may be held.
const ASK_TIMEOUT: u32 = 86_400;

/// Commands that hold no conversation: they are started as they are.
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
/// Adds what Claude Code needs to report.
pub(super) fn start(start: &Start<'_>, started: &mut Started) {
    if is_command(start.command, CLAUDE_COMMANDS) {
        return;
    }
    by_session_id(start, started);
    started.environment.push((HOOK_VARIABLE.to_owned(), format!("{METER}/hook")));
    if words::has(start.command, &["--bare", "--safe-mode"]) {
        started.notes.push("its hooks are switched off by the command".to_owned());
    } else {
        let mut events = CLAUDE_EVENTS.to_vec();
        let is_known = |since| start.version.is_some_and(|version| at_least(version, since));
        let newer = CLAUDE_NEWER_EVENTS.iter().filter(|(_, since)| is_known(*since));
        events.extend(newer.map(|(event, _)| *event));
        let hook = hook_command(start.hook_program, Agent::Claude);
        if let Err(note) = add_settings(&mut started.command, &events, &hook) {
            started.notes.push(note);
        } else if start.version.is_none() {
            let left: Vec<_> = CLAUDE_NEWER_EVENTS.iter().map(|(event, _)| *event).collect();
            started.notes.push(format!(
                "it did not tell its version: its hooks {} are not used in this run",
                left.join(" and ")
            ));
        }
    }
    let own = ["CLAUDE_CODE_ENABLE_TELEMETRY", "OTEL_EXPORTER_OTLP", "OTEL_LOGS_EXPORTER"];
    if !meters_itself(start, &own, started) {
        let set = [
            ("CLAUDE_CODE_ENABLE_TELEMETRY", "1"),
            ("OTEL_LOGS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", METER),
            // What is told later is known later, by budgets, too.
            ("OTEL_LOGS_EXPORT_INTERVAL", "100"),
        ];
        started.environment.extend(set.map(|(name, value)| (name.into(), value.into())));
        started.needles.push("claude_code.api_request");
    }
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
    for event in events {
        // Held until somebody answers; its dialog stands beside it.
        let timeout = if *event == "PermissionRequest" { ASK_TIMEOUT } else { HOOK_TIMEOUT };
        let ours = json!({ "hooks": [{ "type": "command", "command": hook, "timeout": timeout }] });
        let all = hooks.entry(*event).or_insert_with(|| json!([]));
        if let Some(all) = all.as_array_mut() {
            all.push(ours);
        }
    }
    let text = Value::Object(settings).to_string();
    command.splice(place, ["--settings".into(), text.into()]);
    Ok(())
}
