//! The states that recorded agents report about themselves.

use super::{CAPTURES, feed, terminal};
use crate::terminal::Signal;

fn states(name: &str, batch: usize) -> Vec<String> {
    let (_, bytes) = CAPTURES.iter().find(|(capture, _)| *capture == name).unwrap();
    let fed = feed(&mut terminal(120, 40), bytes, batch);
    let mut states: Vec<String> = Vec::new();
    for signal in fed.signals {
        if let Signal::Program(report) = signal {
            let state = report.state.map_or("clear", |state| state.as_str());
            let kind = report.kind.map(|kind| format!(" {kind}")).unwrap_or_default();
            let message = report.message.map(|text| format!(": {text}")).unwrap_or_default();
            states.push(format!("{state}{kind}{message}"));
        }
    }
    states.dedup();
    states
}

#[test]
fn claude_reports_a_whole_session() {
    for batch in [1, 7, 4096] {
        let states = states("claude-7501", batch);
        assert_eq!(states, CLAUDE, "batches of {batch}");
    }
}

#[test]
fn codex_reports_without_being_asked() {
    for batch in [1, 7, 4096] {
        let states = states("codex-7501", batch);
        assert_eq!(states, CODEX, "batches of {batch}");
    }
}

#[test]
fn claude_asks_before_it_reports_and_is_answered_before_its_fence() {
    let (_, bytes) = CAPTURES[0];
    let fed = feed(&mut terminal(120, 40), bytes, 4096);
    let replies = String::from_utf8_lossy(&fed.replies).into_owned();
    let status = replies.find("\x1b]7501;?").expect("the question is answered");
    let fence = replies.find("\x1b[?62;22c").expect("the fence is answered");
    assert!(status < fence, "{replies:?}");
    assert!(!fed.forwarded.windows(8).any(|bytes| bytes == b"\x1b]7501;?"));
    assert!(fed.forwarded.windows(7).any(|bytes| bytes == b"\x1b]7501;"));
}

const CLAUDE: &[&str] = &[
    "idle",
    "working",
    "done",
    "working",
    "blocked permission: approve Bash: touch aa1",
    "working",
    "done",
    "working",
    "blocked question: answer: Which? (R \u{b7} B)",
    "idle",
    "working",
    "error: API Error: 400 mock error 400",
    "clear",
];
const CODEX: &[&str] = &[
    "idle",
    "working",
    "done",
    "idle",
    "working",
    "blocked permission",
    "working",
    "done",
    "idle",
    "working",
    "idle",
    "working",
    "error",
    "idle",
    "clear",
];
