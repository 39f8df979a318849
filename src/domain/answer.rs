//! How a question of an agent is answered from outside its screen: which keys say yes, no, the
//! second choice, or a text of one's own.
//!
//! Invariant: only what was measured with the agent is sent to it, and dialogs that belong to the
//! user alone (sign-in, trust, onboarding) are refused. Whether the agent still asks is for the
//! caller to check.

use std::fmt;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Allow it, this once.
    Approve,
    /// Refuse it.
    Deny,
    /// Take the choice with this number, from 1.
    Choose(u8),
    /// Say this instead.
    Reply(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approve => f.write_str("yes"),
            Self::Deny => f.write_str("no"),
            Self::Choose(number) => write!(f, "{number}"),
            Self::Reply(text) => f.write_str(text),
        }
    }
}

impl Answer {
    /// Reads what a person says: yes, no, the number of a choice, or a text of their own.
    pub fn parse(text: &str) -> Self {
        match text.trim().to_lowercase().as_str() {
            "y" | "yes" | "approve" => Self::Approve,
            "n" | "no" | "deny" => Self::Deny,
            word => match word.parse() {
                Ok(number @ 1..=9) => Self::Choose(number),
                _ => Self::Reply(text.to_owned()),
            },
        }
    }
}

/// One thing to be done to the agent's terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes as keys.
    Keys(Vec<u8>),
    /// Wait until the dialog is gone and the prompt is there.
    Settle,
    /// Type this line into the prompt and submit it.
    Line(String),
}

const ESCAPE: u8 = 0x1b;

/// Returns what gives `answer` to a question of this kind asked by this agent.
///
/// # Errors
///
/// Says why that is no answer to it, in words that follow the runner's name.
pub fn steps(agent: &str, kind: &str, answer: &Answer) -> Result<Vec<Step>, &'static str> {
    let is_known = matches!(agent, "claude" | "codex" | "gemini" | "qwen" | "opencode" | "demo");
    match (kind, answer) {
        ("auth" | "trust" | "onboarding", _) => {
            Err("asks what only you may decide; open it and answer there")
        }
        ("question", Answer::Approve | Answer::Deny) => {
            Err("asks a question that yes and no do not answer; choose by number or reply")
        }
        (_, Answer::Reply(text)) if is_known => {
            // A dialog would take the letters of a text for its own keys: it is refused first.
            Ok(vec![Step::Keys(vec![ESCAPE]), Step::Settle, Step::Line(text.clone())])
        }
        (_, Answer::Reply(text)) => Ok(vec![Step::Line(text.clone())]),
        (_, Answer::Deny) if is_known => Ok(keys(&[ESCAPE])),
        (_, Answer::Approve) => Ok(match agent {
            "claude" | "gemini" | "qwen" => keys(b"1"),
            "codex" | "demo" => keys(b"y"),
            // The choice that it begins with is to allow once.
            "opencode" => keys(b"\r"),
            _ => keys(b"y\r"),
        }),
        (_, Answer::Deny) => Ok(keys(b"n\r")),
        (_, Answer::Choose(number)) => {
            let digit = b'0' + number.clamp(&1, &9);
            match agent {
                "opencode" => {
                    let mut bytes = b"\x1b[C".repeat(usize::from(number.saturating_sub(1)));
                    bytes.push(b'\r');
                    Ok(keys(&bytes))
                }
                _ if is_known => Ok(keys(&[digit])),
                _ => Ok(keys(&[digit, b'\r'])),
            }
        }
    }
}

fn keys(bytes: &[u8]) -> Vec<Step> {
    vec![Step::Keys(bytes.to_vec())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_agent_is_answered_with_its_own_keys() {
        let sent = |agent, answer| steps(agent, "permission", &answer).unwrap();
        assert_eq!(sent("claude", Answer::Approve), keys(b"1"));
        assert_eq!(sent("claude", Answer::Deny), keys(b"\x1b"));
        assert_eq!(sent("codex", Answer::Approve), keys(b"y"));
        assert_eq!(sent("codex", Answer::Choose(2)), keys(b"2"));
        assert_eq!(sent("opencode", Answer::Choose(3)), keys(b"\x1b[C\x1b[C\r"));
        assert_eq!(sent("mine", Answer::Deny), keys(b"n\r"));
    }

    #[test]
    fn what_a_person_says_is_read() {
        for (said, meant) in [
            ("Yes", Answer::Approve),
            (" n ", Answer::Deny),
            ("2", Answer::Choose(2)),
            ("10", Answer::Reply("10".to_owned())),
            ("yes please", Answer::Reply("yes please".to_owned())),
        ] {
            assert_eq!(Answer::parse(said), meant);
        }
    }

    #[test]
    fn a_text_never_answers_a_dialog_by_its_letters() {
        let reply = Answer::Reply("1 or 2".to_owned());
        let sent = steps("claude", "permission", &reply).unwrap();
        assert_eq!(sent.first(), Some(&Step::Keys(vec![ESCAPE])));
        assert_eq!(sent.last(), Some(&Step::Line("1 or 2".to_owned())));
    }

    #[test]
    fn what_is_the_users_own_is_not_answered() {
        for kind in ["auth", "trust"] {
            assert!(steps("claude", kind, &Answer::Approve).is_err());
            assert!(steps("claude", kind, &Answer::Reply("x".to_owned())).is_err());
        }
        assert!(steps("claude", "question", &Answer::Approve).is_err());
        assert!(steps("claude", "question", &Answer::Choose(1)).is_ok());
    }
}
