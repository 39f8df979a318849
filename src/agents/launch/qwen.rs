//! How Qwen Code is started: its telemetry by environment, its hooks in a file of defaults that the
//! environment names.
//!
//! Qwen Code puts the hooks of that file beside the user's own (seen with 0.24.4). Where an
//! administrator's defaults stand, or the user names some, ours stay out: one file is read.

use serde_json::{Map, Value, json};

use super::{
    HOOK_TIMEOUT, Start, Started, by_session_id, gemini_telemetry, hook_command, is_command,
    meters_itself,
};
use crate::{
    agents::words,
    domain::{
        agent::Agent,
        launch::{HOOK_VARIABLE, METER},
    },
};

/// The variable that names the file of defaults.
const DEFAULTS: &str = "QWEN_CODE_SYSTEM_DEFAULTS_PATH";

/// The file that is read where the variable is not set: an administrator's.
pub const OWN_DEFAULTS: &str = "/etc/qwen-code/system-defaults.json";

const EVENTS: [&str; 8] = [
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PermissionRequest",
    "Notification",
    "Stop",
    "SessionEnd",
];

/// Adds what Qwen Code needs to report.
pub(super) fn start(start: &Start<'_>, started: &mut Started) {
    if is_command(start.command, &["mcp", "extensions", "auth", "channel", "hooks"]) {
        return;
    }
    by_session_id(start, started);
    let has_own = start.environment.iter().any(|(name, _)| name == DEFAULTS);
    if words::has(start.command, &["--safe-mode"]) {
        started.notes.push("its hooks are switched off by the command".to_owned());
    } else if let Some(path) = start.interface.defaults.filter(|_| !has_own) {
        started.environment.push((DEFAULTS.to_owned(), path.to_owned()));
        started.environment.push((HOOK_VARIABLE.to_owned(), format!("{METER}/hook")));
    } else {
        started.notes.push("its hooks are left out: it has defaults of its own".to_owned());
    }
    if !meters_itself(start, &["QWEN_TELEMETRY", "OTEL_EXPORTER_OTLP"], started) {
        started.environment.extend(gemini_telemetry("QWEN"));
        started.needles.push("qwen-code.api_response");
    }
}

/// Returns the file of defaults: hooks that run this program of ours, and nothing else.
pub fn defaults(hook_program: &str) -> String {
    let hook = hook_command(hook_program, Agent::Qwen);
    // Its time limit is in milliseconds.
    let ours = json!([{ "hooks": [
        { "type": "command", "command": hook, "timeout": HOOK_TIMEOUT * 1000 },
    ] }]);
    let hooks: Map<String, Value> =
        EVENTS.iter().map(|event| ((*event).to_owned(), ours.clone())).collect();
    json!({ "hooks": hooks }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_hooks_and_nothing_else() {
        let file: Value = serde_json::from_str(&defaults("/s")).unwrap();
        assert_eq!(file.as_object().unwrap().len(), 1);
        assert_eq!(file["hooks"]["Stop"][0]["hooks"][0]["command"], "'/s' hook qwen");
    }
}
