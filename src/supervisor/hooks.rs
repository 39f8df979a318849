//! What hooks are answered: that the agent must not go on, and whether a person was asked already.
//!
//! An agent that asks for a permission itself and then runs its hook of the tool would, where a rule wants
//! a person to be asked, ask twice for one thing. Invariant: of one question at most one later demand is
//! spared, and none beyond the turn.

use crate::domain::{
    approval::Decision,
    hook::{Hold, HookReport},
};

/// The line of status to a hook that need not demand anything.
const SPARED: &str = "208 Already Reported";

/// What is known for answers.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    /// What they are told from now on.
    pub hold: Option<Hold>,
    /// The tool, with its argument, that a person was asked about last.
    asked: Option<(String, String)>,
}

impl Hooks {
    /// Returns status and body of the answer to a report.
    pub(super) fn answer(&mut self, report: &[u8]) -> (&'static str, String) {
        let hold = self.hold.as_ref().map(serde_json::to_string).and_then(Result::ok);
        let status = if self.was_asked(report) { SPARED } else { "200 OK" };
        (status, hold.unwrap_or_default())
    }

    /// Whether this hook is about to demand what a person was just asked.
    fn was_asked(&mut self, report: &[u8]) -> bool {
        let Ok(told) = serde_json::from_slice::<HookReport>(report) else { return false };
        let wish = (told.name.clone(), told.argument.clone());
        if told.wants_permission() {
            self.asked = (!told.is_cut).then_some(wish);
        } else if told.decision == Decision::Ask.as_str() {
            return self.asked.take_if(|asked| *asked == wish).is_some();
        } else if told.bounds_turn() {
            self.asked = None;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hook::WAS_ASKED;

    #[test]
    fn a_person_is_asked_once_for_one_thing() {
        let report = |event: &str, argument: &str, decision: &str| {
            let told = HookReport {
                event: event.to_owned(),
                name: "shell".to_owned(),
                argument: argument.to_owned(),
                decision: decision.to_owned(),
                ..HookReport::default()
            };
            serde_json::to_vec(&told).unwrap()
        };
        let (question, demand) = (
            report("PermissionRequest", "rm x", ""),
            report("PreToolUse", "rm x", Decision::Ask.as_str()),
        );
        let mut hooks = Hooks::default();
        let mut say = |report: &[u8]| hooks.answer(report).0 == SPARED;
        assert!(!say(&demand), "nobody was asked");
        assert!(!say(&question) && say(&demand));
        assert!(!say(&demand), "the next one is another one");
        say(&question);
        assert!(!say(&report("PreToolUse", "rm y", Decision::Ask.as_str())));
        assert!(say(&demand), "what else was done meanwhile takes nothing away");
        for end in ["Stop", "UserPromptSubmit"] {
            say(&question);
            say(&report(end, "", ""));
            assert!(!say(&demand), "{end} ends what was asked before");
        }
        assert!(!say(b"nonsense"));
        assert!(SPARED.starts_with(&WAS_ASKED.to_string()));
    }
}
