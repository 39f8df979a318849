//! The buttons under the bot's messages of a conversation, as long as they are remembered: of a list, those
//! of what is over go and the others stay.
//!
//! Best effort: this process knows of the last messages only, and a button that stays is refused.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    daemon::notify::Button,
    domain::{chat::Press, notification::Ending},
};

/// Messages that are remembered.
const MOST: usize = 50;

/// A chat and a message in it.
type Place = (i64, i32);

/// The buttons under a message.
type Rows = Vec<Vec<Button>>;

/// Messages with buttons, the oldest first.
#[derive(Debug, Clone, Default)]
pub(in crate::daemon::services) struct Keyboards(Arc<Mutex<VecDeque<(Place, Rows)>>>);

impl Keyboards {
    /// Takes note of the buttons under a message.
    pub(super) fn keep(&self, place: Place, rows: Rows) {
        if rows.is_empty() {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.pop_front();
        }
        all.push_back((place, rows));
    }

    /// Takes the buttons away that are about the same as a pressed one; returns what is left under that
    /// message, which is nothing where it is not known.
    pub(super) fn without(&self, place: Place, pressed: &str) -> Rows {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(pressed), Some(at)) =
            (Press::parse(pressed), all.iter().position(|(known, _)| *known == place))
        else {
            return Rows::new();
        };
        let Some((_, rows)) = all.get_mut(at) else { return Rows::new() };
        rows.retain(|row| !presses(row).any(|press| press.about() == pressed.about()));
        let left = rows.clone();
        if left.is_empty() {
            all.remove(at);
        }
        left
    }

    /// Takes the buttons of a question that has ended away; returns what is left under each message that
    /// had any.
    pub(super) fn without_ended(&self, ending: &Ending) -> Vec<(Place, Rows)> {
        let runner = ending.runner_id.as_uuid();
        let is_over = |press: Press| {
            press.about() == runner && press.asked().is_some_and(|asked| ending.is_of(asked))
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::new();
        for (place, rows) in all.iter_mut() {
            if rows.iter().any(|row| presses(row).any(is_over)) {
                rows.retain(|row| !presses(row).any(|press| press.about() == runner));
                changed.push((*place, rows.clone()));
            }
        }
        all.retain(|(_, rows)| !rows.is_empty());
        changed
    }
}

/// What the buttons of a row stand for.
fn presses(row: &[Button]) -> impl Iterator<Item = Press> {
    row.iter().filter_map(|button| Press::parse(&button.data))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::domain::id::RunnerId;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn rows(runner: RunnerId, second: i64) -> Rows {
        let asked = at(second);
        let button = |press: Press| Button { text: "x".into(), data: press.data() };
        let yes = button(Press::Approve { runner, asked });
        let no = button(Press::Deny { runner, asked });
        vec![vec![yes, no], vec![button(Press::Look { runner })]]
    }

    fn ending(runner_id: RunnerId, second: i64) -> Ending {
        let asked_at = at(second);
        Ending { runner_id, asked_at, opened_at: asked_at, words: "over".into() }
    }

    #[test]
    fn of_a_list_what_is_over_goes_and_the_rest_stays() {
        let keyboards = Keyboards::default();
        let (one, other) = (RunnerId::random(), RunnerId::random());
        let list = [rows(one, 5), rows(other, 6)].concat();
        keyboards.keep((7, 1), list.clone());
        keyboards.keep((7, 2), rows(one, 9));
        // The second message shows a later question of the same runner.
        let changed = keyboards.without_ended(&ending(one, 5));
        assert_eq!(changed, [((7, 1), rows(other, 6))]);
        assert!(keyboards.without_ended(&ending(one, 5)).is_empty(), "once");
        let yes = rows(other, 6)[0][0].data.clone();
        assert_eq!(keyboards.without((7, 1), &yes), Rows::new());
        assert_eq!(keyboards.without((7, 2), &yes), rows(one, 9), "it is about another one");
        assert_eq!(keyboards.without((7, 3), &yes), Rows::new());
        keyboards.keep((7, 4), list);
        assert_eq!(keyboards.without((7, 4), &yes), rows(one, 5));
    }

    #[test]
    fn the_oldest_messages_are_forgotten() {
        let keyboards = Keyboards::default();
        let runner = RunnerId::random();
        for message in 0..60 {
            keyboards.keep((7, message), rows(runner, 5));
        }
        assert_eq!(keyboards.without_ended(&ending(runner, 5)).len(), MOST);
    }
}
