//! The material of the scripts: eight people's work, two turns each, as constants.
//!
//! Nothing here is ever executed, read or written: the tool calls are words on a screen. In the
//! texts `{n}` stands for a number, `{m}` for a small one, `{s}` for seconds with a fraction and
//! `{answer}` for what the user answered; `script.rs` fills them in.

mod apps;
mod systems;

/// One thing the agent does in a turn.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beat {
    /// Says something.
    Say(&'static str),
    /// Reads a file.
    Read(&'static str),
    /// Searches for a pattern.
    Search(&'static str),
    /// Changes a file; the lines begin with `+` or `-`.
    Edit(&'static str, &'static [&'static str]),
    /// Runs a command that prints these lines.
    Bash(&'static str, &'static [&'static str]),
}

/// One person's work.
#[derive(Debug)]
pub(super) struct Scene {
    /// The title of the conversation.
    pub(super) title: &'static str,
    /// Two turns, played in alternation.
    pub(super) turns: [Part; 2],
    /// The command that needs a permission, what it is for, and what it prints.
    pub(super) ask: (&'static str, &'static str, &'static str),
    /// The question and two answers to choose from.
    pub(super) question: (&'static str, [&'static str; 2]),
    /// The file that changes after the answer.
    pub(super) answer_file: (&'static str, &'static str),
    /// What it says when it fails.
    pub(super) error: &'static str,
}

/// One turn: what the user wrote, what the agent does, what it says at the end.
#[derive(Debug)]
pub(super) struct Part {
    /// The user's prompt.
    pub(super) prompt: &'static str,
    /// The steps.
    pub(super) beats: &'static [Beat],
    /// The last words.
    pub(super) end: &'static str,
}

/// All scenes; a seed chooses one.
pub(super) static SCENES: [&Scene; 8] = [
    &apps::LOGIN,
    &systems::IMPORT,
    &apps::DARK_MODE,
    &systems::MEMORY,
    &systems::QUICK_START,
    &apps::ORDERS,
    &systems::CSV,
    &apps::INVOICES,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_are_complete_and_distinct() {
        for (at, scene) in SCENES.iter().enumerate() {
            assert!(scene.turns.iter().all(|part| part.beats.len() >= 2 && !part.end.is_empty()));
            assert!(SCENES[at + 1..].iter().all(|other| other.title != scene.title));
        }
        assert_eq!(SCENES[0].ask.0, "git push origin fix-login");
        assert_eq!(SCENES[0].question.0, "Which port should the server use?");
    }
}
