//! Runners that were cut off together, as all are when the machine goes down: each can go on in its
//! conversation.

use super::State;
use crate::domain::{
    id::RunnerId,
    runner::{Runner, cut_off_together},
};

impl State {
    /// The runners that were cut off last whose conversation is known, with it, by name.
    pub(in crate::ui) fn lost(&self) -> Vec<(RunnerId, String)> {
        let mut lost: Vec<&Runner> = cut_off_together(self.runners.values());
        lost.sort_by(|a, b| super::natural(&a.name, &b.name).then(a.id.cmp(&b.id)));
        let with = |runner: &Runner| Some((runner.id, runner.session_id.clone()?));
        lost.into_iter().filter_map(with).collect()
    }

    /// Says what the key for them does, in as many words as there is room for; `None` when none was
    /// lost.
    pub(in crate::ui) fn lost_text(&self, key: &str, room: usize) -> Option<String> {
        let (who, each) = match self.lost().len() {
            0 => return None,
            1 => ("the one that was".to_owned(), ""),
            count => (format!("the {count} that were"), "each "),
        };
        let texts = [
            format!("{key} resumes {who} lost, {each}in its conversation"),
            format!("{key} resumes {who} lost"),
            format!("{key} resumes lost"),
        ];
        let fits = texts.iter().find(|text| text.chars().count() <= room);
        fits.or(texts.last()).cloned()
    }
}
