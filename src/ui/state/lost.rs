//! Runners that were cut off together, as all are when the machine goes down: each can go on in its
//! conversation, and one that had none begins anew.

use super::State;
use crate::domain::{id::RunnerId, runner::Runner, session::lost_together};

impl State {
    /// The runners that were cut off last, each with its conversation if it had one, by name.
    pub(in crate::ui) fn lost(&self) -> Vec<(RunnerId, Option<String>)> {
        let mut lost: Vec<&Runner> = lost_together(self.runners.values());
        lost.sort_by(|a, b| super::natural(&a.name, &b.name).then(a.id.cmp(&b.id)));
        lost.into_iter().map(|runner| (runner.id, runner.session_id.clone())).collect()
    }

    /// Says what the key for them does, in as many words as there is room for; `None` when none was
    /// lost.
    pub(in crate::ui) fn lost_text(&self, key: &str, room: usize) -> Option<String> {
        let lost = self.lost();
        let (who, each) = match lost.len() {
            0 => return None,
            1 => ("the one that was".to_owned(), ""),
            count => (format!("the {count} that were"), "each "),
        };
        let is_anew = |(_, session): &&(RunnerId, Option<String>)| session.is_none();
        let texts = match lost.iter().filter(is_anew).count() {
            0 => [
                format!("{key} resumes {who} lost, {each}in its conversation"),
                format!("{key} resumes {who} lost"),
                format!("{key} resumes lost"),
            ],
            anew if anew == lost.len() => [
                format!("{key} starts {who} lost anew: no conversation is known"),
                format!("{key} starts {who} lost anew"),
                format!("{key} starts lost anew"),
            ],
            anew => {
                let begins = if anew == 1 { "begins" } else { "begin" };
                [
                    format!(
                        "{key} resumes {who} lost, {each}in its conversation; {anew} {begins} anew"
                    ),
                    format!("{key} resumes {who} lost; {anew} {begins} anew"),
                    format!("{key} resumes lost, {anew} anew"),
                ]
            }
        };
        let fits = texts.iter().find(|text| text.chars().count() <= room);
        fits.or(texts.last()).cloned()
    }
}
