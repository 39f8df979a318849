//! What of a command was for its beginning only: the first prompt, and the words with which the user chose
//! a conversation then. A runner that goes on with what it holds is started without both.
//!
//! It does not say how the conversation is named instead; that is each agent's own.
//!
//! Invariant: what is left is a part of the command, in its order, with its program.

use std::ffi::OsString;

use crate::{agents::words, domain::agent::Agent};

/// Options that choose a conversation (Claude Code 2.1.332, Gemini 0.61, Qwen 0.24, Copilot 1.0,
/// opencode 1.18; by their helps).
struct Choice {
    /// Options with a value, which may be missing where the next word is an option.
    valued: &'static [&'static str],
    /// Options that stand alone.
    alone: &'static [&'static str],
}

/// Options without a value that may stand before a prompt.
const ALONE: &[&str] = &[
    "--dangerously-skip-permissions",
    "--dangerously-bypass-approvals-and-sandbox",
    "--allow-all",
    "--allow-all-tools",
    "--yolo",
    "-y",
    "--no-daemon",
];

/// Returns the command without what was for its beginning, as far as that can be told from the rest.
pub(super) fn gone_on_with(agent: Agent, command: &[OsString]) -> Vec<OsString> {
    let choice = match agent {
        Agent::Claude => Choice {
            valued: &["-r", "--resume", "--session-id", "--from-pr"],
            alone: &["-c", "--continue", "--fork-session"],
        },
        Agent::Qwen => Choice {
            valued: &["-r", "--resume", "--session-id"],
            alone: &["-c", "--continue", "--fork-session"],
        },
        Agent::Gemini => {
            Choice { valued: &["-r", "--resume", "--session-id", "--session-file"], alone: &[] }
        }
        Agent::Copilot => {
            Choice { valued: &["-r", "--resume", "--session-id"], alone: &["--continue"] }
        }
        Agent::Opencode => {
            Choice { valued: &["-s", "--session"], alone: &["-c", "--continue", "--fork"] }
        }
        Agent::Codex => Choice { valued: &[], alone: &["--last", "--all"] },
        Agent::Aider => Choice { valued: &[], alone: &["--restore-chat-history"] },
    };
    let left = without_choice(command, &choice);
    let left = if agent == Agent::Codex { without_codex_choice(left) } else { left };
    without_prompt(left)
}

fn without_choice(command: &[OsString], choice: &Choice) -> Vec<OsString> {
    let end = words::options(command).len() + 1;
    let mut left = Vec::with_capacity(command.len());
    let mut rest = command.iter().enumerate().peekable();
    while let Some((at, word)) = rest.next() {
        let text = word.to_string_lossy();
        let name = text.split_once('=').map_or(&*text, |(name, _)| name);
        if at == 0 || at >= end {
            left.push(word.clone());
        } else if choice.valued.contains(&name) {
            if name.len() == text.len() {
                rest.next_if(|(at, next)| *at < end && !is_option(next));
            }
        } else if !choice.alone.contains(&&*text) {
            left.push(word.clone());
        }
    }
    left
}

/// Codex chooses by a subcommand and the conversation's id or name behind it.
fn without_codex_choice(mut command: Vec<OsString>) -> Vec<OsString> {
    let options = words::options(&command).len() + 1;
    let pairs = command.windows(2).take(options - 1);
    let chooses = |pair: &[OsString]| matches!(pair, [before, word] if (word == "resume" || word == "fork") && !takes_value(before));
    let Some(at) = pairs.map(chooses).position(|chooses| chooses) else { return command };
    let at = at + 1;
    let has_name = at + 1 < options && command.get(at + 1).is_some_and(|next| !is_option(next));
    command.drain(at..=at + usize::from(has_name));
    let end = words::options(&command).len() + 1;
    let mut place = 0;
    command.retain(|word| {
        place += 1;
        let is_id = word.to_str().is_some_and(|word| uuid::Uuid::parse_str(word).is_ok());
        place > end || !is_id
    });
    command
}

fn without_prompt(command: Vec<OsString>) -> Vec<OsString> {
    let end = words::options(&command).len() + 1;
    let mut left = command;
    left.truncate(end);
    let options = ["--prompt-interactive", "-i", "--prompt", "--interactive"];
    if let Some((place, _)) = words::value(&left, &options) {
        left.drain(place);
    }
    if let [before @ .., last] = left.as_slice()
        && let Some(previous) = before.last()
        && !is_option(last)
        && (before.len() == 1 || !takes_value(previous))
    {
        left.pop();
    }
    left
}

/// Whether a plain word behind this one may be its value.
fn takes_value(word: &OsString) -> bool {
    let text = word.to_string_lossy();
    is_option(word) && !text.contains('=') && !ALONE.contains(&&*text)
}

fn is_option(word: &OsString) -> bool {
    word.as_encoded_bytes().starts_with(b"-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_and_choice_are_left_out_and_nothing_else() {
        use Agent::{Aider, Claude, Codex, Copilot, Gemini, Opencode, Qwen};
        let id = "0b0e2c3e-6f07-4f0e-9a1b-0d5f1f6c2a11";
        let cases = [
            (Claude, "claude", "claude"),
            (Claude, "claude prompt", "claude"),
            (Claude, "claude --model opus -- -x", "claude --model opus"),
            (Claude, "claude --model opus prompt", "claude --model opus"),
            (
                Claude,
                "claude --dangerously-skip-permissions p",
                "claude --dangerously-skip-permissions",
            ),
            (Claude, "claude --resume ID", "claude"),
            (Claude, "claude --resume ID --model opus", "claude --model opus"),
            (Claude, "claude -r ID --fork-session prompt", "claude"),
            (Claude, "claude --resume=ID prompt", "claude"),
            (Claude, "claude --resume --model opus", "claude --model opus"),
            (Claude, "claude --model=opus -c prompt", "claude --model=opus"),
            (Claude, "claude --model opus --session-id ID", "claude --model opus"),
            (Gemini, "gemini -c --resume latest -s", "gemini -c -s"),
            (Gemini, "gemini --prompt-interactive=do -m x", "gemini -m x"),
            (Qwen, "qwen --continue -y prompt", "qwen -y"),
            (Copilot, "copilot --resume ID --allow-all -i prompt", "copilot --allow-all"),
            (Opencode, "opencode --session ID --fork --prompt p", "opencode"),
            (Codex, "codex resume ID", "codex"),
            (Codex, "codex -m m resume ID prompt", "codex -m m"),
            (Codex, "codex resume -m m ID", "codex -m m"),
            (Codex, "codex fork ID -m m", "codex -m m"),
            (Codex, "codex resume --last", "codex"),
            (Codex, "codex resume name -- prompt", "codex"),
            (Codex, "codex exec ID", "codex exec"),
            (Aider, "aider --restore-chat-history --yes-always", "aider --yes-always"),
        ];
        for (agent, given, left) in cases {
            let given = given.replace("ID", id);
            let words: Vec<OsString> = given.split(' ').map(OsString::from).collect();
            let got = gone_on_with(agent, &words);
            let got: Vec<_> = got.iter().map(|word| word.to_string_lossy()).collect();
            assert_eq!(got.join(" "), left, "{given}");
        }
    }
}
