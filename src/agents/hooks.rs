//! What the agents' hooks tell and take for an answer, in their own words.
//!
//! Claude Code, Codex, Gemini and Qwen give a hook one JSON object on its standard input, with nearly
//! the same names in it.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::{
    activity::ActivityState,
    agent::Agent,
    hook::{Hold, HoldLevel, HookReport, LONGEST_LINE, LONGEST_NAME},
};

/// The fields of all agents' hooks that matter here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payload {
    hook_event_name: String,
    session_id: String,
    transcript_path: Option<String>,
    cwd: String,
    model: Value,
    source: String,
    reason: String,
    error: Value,
    prompt: String,
    message: String,
    last_assistant_message: Option<String>,
    notification_type: String,
    tool_name: String,
    tool_input: Value,
    agent_id: String,
    trigger: String,
}

/// Returns what a hook's standard input tells; `None` for what is no hook's.
pub fn read(input: &[u8]) -> Option<HookReport> {
    let payload: Payload = serde_json::from_slice(input).ok()?;
    if payload.hook_event_name.is_empty() {
        return None;
    }
    let told =
        [payload.prompt, payload.message, payload.last_assistant_message.unwrap_or_default()];
    let text = told.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let model = match &payload.model {
        Value::String(name) => name.clone(),
        other => other.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    let reasons = [payload.reason, payload.trigger, plain(&payload.error)];
    let report = HookReport {
        event: payload.hook_event_name,
        session: payload.session_id,
        transcript: payload.transcript_path.unwrap_or_default(),
        cwd: payload.cwd,
        model,
        source: payload.source,
        reason: reasons.into_iter().find(|why| !why.is_empty()).unwrap_or_default(),
        text,
        tool: tool(&payload.tool_name, &payload.tool_input),
        kind: payload.notification_type,
        agent: payload.agent_id,
    };
    Some(report.bounded())
}

/// The tool with its main argument, as people know it: `Bash(git push)`.
fn tool(name: &str, input: &Value) -> String {
    if name.is_empty() {
        return String::new();
    }
    let main = ["command", "file_path", "path", "url", "pattern", "query", "description", "prompt"];
    let argument = main.iter().find_map(|key| input.get(*key).map(plain));
    let argument = argument.filter(|argument| !argument.is_empty());
    let name = cut(name, LONGEST_NAME);
    argument.map_or(name.clone(), |argument| format!("{name}({})", cut(&argument, LONGEST_LINE)))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(words) => words.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

/// Returns what a hook tells of what the agent is doing: state, kind and message; `None` for what says
/// nothing of that. Subagents do not speak for their agent.
pub fn activity(told: &HookReport) -> Option<(ActivityState, Option<String>, Option<String>)> {
    if !told.agent.is_empty() {
        return None;
    }
    let plain = |state| Some((state, None, None));
    let blocked = |kind: &str, message: &str| {
        let message = Some(message.to_owned()).filter(|text| !text.is_empty());
        Some((ActivityState::Blocked, Some(kind.to_owned()), message))
    };
    match told.event.as_str() {
        "SessionStart" if told.source == "compact" => None,
        "SessionStart" => plain(ActivityState::Idle),
        "UserPromptSubmit" | "BeforeAgent" | "PreToolUse" | "PostToolUse" | "BeforeTool"
        | "AfterTool" | "PreCompact" | "PreCompress" => plain(ActivityState::Working),
        "PermissionRequest" => blocked("permission", &told.tool),
        "Notification" => match told.kind.as_str() {
            "permission_prompt" | "ToolPermission" => blocked("permission", &told.text),
            "elicitation_dialog" => blocked("question", &told.text),
            _ => None,
        },
        "Stop" | "AfterAgent" => plain(ActivityState::Done),
        "StopFailure" => {
            let why = Some(told.reason.clone()).filter(|why| !why.is_empty());
            Some((ActivityState::Error, None, why))
        }
        _ => None,
    }
}

/// Whether an agent's hooks can end a turn that runs. Codex (0.169) and Qwen Code (0.24.4) go on after any
/// answer to those that come within one.
pub fn ends_turns(agent: Agent) -> bool {
    !turn_events(agent).is_empty()
}

/// The events within a turn whose hooks can end it, of the agents that we give hooks to.
fn turn_events(agent: Agent) -> &'static [&'static str] {
    match agent {
        Agent::Claude => &["PreToolUse", "PostToolUse"],
        Agent::Gemini => &["BeforeModel", "AfterTool"],
        _ => &[],
    }
}

/// Returns what a hook prints so that its agent does not go on; `None` where it may, or where this
/// agent cannot be held by this event.
pub fn veto(agent: Agent, event: &str, hold: &Hold) -> Option<String> {
    let is_prompt = matches!(event, "UserPromptSubmit" | "BeforeAgent");
    let ends_turn = hold.level >= HoldLevel::Turn && turn_events(agent).contains(&event);
    (is_prompt || ends_turn)
        .then(|| json!({ "continue": false, "stopReason": hold.reason }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_named_with_its_argument_and_nothing_else_of_it() {
        let big = "x".repeat(100_000);
        let input = json!({
            "hook_event_name": "PreToolUse", "session_id": "s", "tool_name": "Write",
            "tool_input": { "file_path": "/a/b.rs", "content": big },
        });
        let report = read(input.to_string().as_bytes()).unwrap();
        assert_eq!(report.tool, "Write(/a/b.rs)");
        assert!(serde_json::to_vec(&report).unwrap().len() < 1000);
    }

    #[test]
    fn only_hooks_are_read() {
        assert_eq!(read(b"{}"), None);
        assert_eq!(read(b"no json"), None);
        assert_eq!(read(br#"{"hook_event_name":7}"#), None);
    }

    #[test]
    fn a_hold_stops_prompts_and_only_where_it_is_meant_to_tools() {
        let hold = |level| Hold { level, reason: "enough".to_owned() };
        let prompts = hold(HoldLevel::Prompts);
        let said = veto(Agent::Claude, "UserPromptSubmit", &prompts).unwrap();
        assert_eq!(said, r#"{"continue":false,"stopReason":"enough"}"#);
        assert_eq!(veto(Agent::Claude, "PreToolUse", &prompts), None);
        assert!(veto(Agent::Claude, "PreToolUse", &hold(HoldLevel::Turn)).is_some());
        assert_eq!(veto(Agent::Codex, "PreToolUse", &hold(HoldLevel::Turn)), None);
        assert_eq!(veto(Agent::Claude, "Stop", &hold(HoldLevel::Turn)), None);
    }
}
