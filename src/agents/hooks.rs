//! What the agents' hooks tell and take for an answer, in their own words.
//!
//! Claude Code, Codex, Gemini and Qwen give a hook one JSON object on its standard input, with nearly
//! the same names in it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::{
    activity::ActivityState,
    agent::Agent,
    approval::Decision,
    hook::{Decided, Hold, HoldLevel, HookReport, LONGEST_LINE, LONGEST_NAME},
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
        argument: argument(&payload.tool_input),
        name: payload.tool_name,
        ..HookReport::default()
    };
    Some(report.bounded())
}

/// The tool with its main argument, as people know it: `Bash(git push)`.
fn tool(name: &str, input: &Value) -> String {
    if name.is_empty() {
        return String::new();
    }
    let (argument, name) = (argument(input), cut(name, LONGEST_NAME));
    if argument.is_empty() { name } else { format!("{name}({})", cut(&argument, LONGEST_LINE)) }
}

/// The main argument of a tool: a command, a path, an address; empty where it has none.
fn argument(input: &Value) -> String {
    const MAIN: [&str; 9] = [
        "command",
        "file_path",
        "notebook_path",
        "path",
        "url",
        "pattern",
        "query",
        "description",
        "prompt",
    ];
    let given = MAIN.iter().filter_map(|key| input.get(*key).map(plain));
    given.into_iter().find(|argument| !argument.is_empty()).unwrap_or_default()
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
pub fn activity(
    agent: Option<Agent>,
    told: &HookReport,
) -> Option<(ActivityState, Option<String>, Option<String>)> {
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
        // Qwen Code (0.24.4) tells it seconds before it reads its input: what is typed then is lost. Its
        // screen tells when it does.
        "SessionStart" if agent == Some(Agent::Qwen) && told.source != "clear" => None,
        "SessionStart" => plain(ActivityState::Idle),
        "UserPromptSubmit" | "BeforeAgent" | "PreToolUse" | "PostToolUse" | "BeforeTool"
        | "AfterTool" | "PreCompact" | "PreCompress" => plain(ActivityState::Working),
        // What it asks stands on its screen alone.
        "PermissionRequest" if told.name == QUESTION => blocked("question", ""),
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

/// The tool by which Claude asks its user something; a permission for it (2.0.77) is no answer.
const QUESTION: &str = "AskUserQuestion";

/// Whether a hook asks whether its agent may do something.
pub fn asks_permission(told: &HookReport) -> bool {
    told.wants_permission() && told.name != QUESTION
}

/// Whether a hook tells of a question in general words: what is asked was told before, by agents that can.
pub fn reminds(told: &HookReport) -> bool {
    told.event == "Notification"
}

/// Whether a turn begins with what a hook tells.
pub fn begins_turn(told: &HookReport) -> bool {
    told.agent.is_empty() && matches!(told.event.as_str(), "UserPromptSubmit" | "BeforeAgent")
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

/// How long the hook that asks for permission is held, `None` where an agent takes no answer there.
///
/// Claude shows its own dialog meanwhile, and is answered by whoever is
/// first; Codex shows it only after the hook (0.169).
pub fn patience(agent: Agent) -> Option<Duration> {
    match agent {
        Agent::Claude => Some(DAY),
        Agent::Codex => Some(MOMENT),
        _ => None,
    }
}

/// Longer than any dialog stands; an hour less than the hook may take by its agent's settings.
const DAY: Duration = Duration::from_hours(23);

/// A daemon that lives has decided by then.
const MOMENT: Duration = Duration::from_millis(1500);

/// Whether a hook tells of what its agent wants to do next, and can forbid it.
pub fn is_before_tool(event: &str) -> bool {
    matches!(event, "PreToolUse" | "BeforeTool")
}

/// Returns what the hook that asks for permission prints.
pub fn decision(decided: &Decided) -> Option<String> {
    let decision = match decided.decision {
        Decision::Allow => json!({ "behavior": "allow" }),
        Decision::Deny => json!({ "behavior": "deny", "message": decided.reason }),
        Decision::Ask => return None,
    };
    let output = json!({ "hookEventName": "PermissionRequest", "decision": decision });
    Some(json!({ "hookSpecificOutput": output }).to_string())
}

/// Returns what a hook prints so that a tool is not used; `None` where an agent cannot be told so.
pub fn refusal(agent: Agent, event: &str, reason: &str) -> Option<String> {
    match agent {
        Agent::Claude | Agent::Qwen => Some(permission(event, "deny", reason)),
        Agent::Codex => Some(json!({ "decision": "block", "reason": reason }).to_string()),
        Agent::Gemini => Some(json!({ "decision": "deny", "reason": reason }).to_string()),
        _ => None,
    }
}

/// Returns what a hook prints so that a person is asked about a tool, also where the agent itself would not ask;
/// `None` where an agent cannot be told so.
pub fn demand(agent: Agent, event: &str, reason: &str) -> Option<String> {
    let is_understood = matches!(agent, Agent::Claude | Agent::Qwen);
    is_understood.then(|| permission(event, "ask", reason))
}

fn permission(event: &str, decision: &str, reason: &str) -> String {
    let output = json!({
        "hookEventName": event, "permissionDecision": decision, "permissionDecisionReason": reason,
    });
    json!({ "hookSpecificOutput": output }).to_string()
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
        assert_eq!((report.name.as_str(), report.argument.as_str()), ("Write", "/a/b.rs"));
        assert!(serde_json::to_vec(&report).unwrap().len() < 1000);
    }

    #[test]
    fn only_hooks_are_read() {
        assert_eq!(read(b"{}"), None);
        assert_eq!(read(b"no json"), None);
        assert_eq!(read(br#"{"hook_event_name":7}"#), None);
    }

    #[test]
    fn a_command_is_told_whole_or_as_one_that_is_not() {
        let told = |length| {
            let command = "y".repeat(length);
            let input = json!({
                "hook_event_name": "PermissionRequest", "tool_name": "Bash",
                "tool_input": { "command": command, "description": "d" },
            });
            read(input.to_string().as_bytes()).unwrap()
        };
        let short = told(2000);
        assert_eq!((short.argument.len(), short.is_cut), (2000, false));
        assert!(told(2001).is_cut);
    }

    #[test]
    fn a_question_is_no_permission() {
        let told = |name: &str| {
            let input = json!({ "hook_event_name": "PermissionRequest", "tool_name": name });
            read(input.to_string().as_bytes()).unwrap()
        };
        let kind = |told| activity(Some(Agent::Claude), told).and_then(|(_, kind, _)| kind);
        let (question, shell) = (told("AskUserQuestion"), told("Bash"));
        assert_eq!(
            (kind(&question).as_deref(), asks_permission(&question)),
            (Some("question"), false)
        );
        assert_eq!((kind(&shell).as_deref(), asks_permission(&shell)), (Some("permission"), true));
    }

    #[test]
    fn a_decision_is_told_in_the_agents_own_words() {
        let decided = |decision| Decided { decision, reason: "no".to_owned() };
        assert_eq!(
            decision(&decided(Decision::Allow)).unwrap(),
            r#"{"hookSpecificOutput":{"decision":{"behavior":"allow"},"hookEventName":"PermissionRequest"}}"#
        );
        assert!(decision(&decided(Decision::Deny)).unwrap().contains(r#""message":"no""#));
        assert_eq!(decision(&decided(Decision::Ask)), None);
        let refused = refusal(Agent::Claude, "PreToolUse", "why").unwrap();
        assert!(refused.contains(r#""permissionDecision":"deny""#), "{refused}");
        assert_eq!(refusal(Agent::Aider, "PreToolUse", "why"), None);
        let demanded = demand(Agent::Claude, "PreToolUse", "why").unwrap();
        assert!(demanded.contains(r#""permissionDecision":"ask""#), "{demanded}");
        assert_eq!(demand(Agent::Codex, "PreToolUse", "why"), None);
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
