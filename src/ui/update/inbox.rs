//! The view of the attention inbox: answers, puts off, puts away, goes there.
//!
//! Invariant: an answer is meant for the item that was under the cursor when the key was pressed, by
//! when its question was asked; whoever sends it compares once more.

use std::time::Duration;

use super::{list, page, panes};
use crate::{
    domain::{
        answer::Answer,
        inbox::{Class, Item},
    },
    ui::{
        effect::{Effect, ItemDeed, ItemOrder},
        keymap::Action,
        state::{State, View},
    },
};

/// For so long a key puts an item off.
const SNOOZE: Duration = Duration::from_hours(1);

/// Applies an action of the view.
pub(super) fn act(state: &mut State, action: Action, choice: Option<u8>) -> Vec<Effect> {
    let deed = match action {
        Action::Approve => ItemDeed::Answer(Answer::Approve),
        Action::Deny => ItemDeed::Answer(Answer::Deny),
        Action::Choose => match choice {
            Some(number) => ItemDeed::Answer(Answer::Choose(number)),
            None => return Vec::new(),
        },
        Action::Snooze => ItemDeed::Snooze(SNOOZE),
        Action::Remove => ItemDeed::Dismiss,
        Action::Open | Action::Attach | Action::Line => return go(state, action),
        action => return page::act(state, action),
    };
    let Some(item) = state.item_at_cursor().cloned() else {
        state.say("no item is under the cursor");
        return Vec::new();
    };
    if !state.is_current() {
        state.complain("not connected to the daemon; nothing was done");
        return Vec::new();
    }
    if let ItemDeed::Answer(answer) = &deed
        && let Err(why) = fits(&item, answer)
    {
        state.say(why);
        return Vec::new();
    }
    let said = match &deed {
        ItemDeed::Answer(Answer::Approve) => format!("{} is told yes", item.runner),
        ItemDeed::Answer(Answer::Deny) => format!("{} is told no", item.runner),
        ItemDeed::Answer(answer) => format!("{} is told {answer}", item.runner),
        ItemDeed::Snooze(_) => format!("{} is put off for an hour", named(&item)),
        ItemDeed::Dismiss => format!("{} is put away", named(&item)),
    };
    vec![Effect::ActOnItem(Box::new(ItemOrder { id: item.id, asked: item.asked_at, deed, said }))]
}

fn named(item: &Item) -> String {
    if item.runner.is_empty() { "the alert".to_owned() } else { item.runner.clone() }
}

/// Whether an answer can be one to this item.
fn fits(item: &Item, answer: &Answer) -> Result<(), String> {
    if item.class != Class::Ask {
        return Err(format!("{} asks nothing", named(item)));
    }
    let kind = item.reason.as_str();
    crate::domain::answer::steps(&item.agent, kind, answer)
        .map(drop)
        .map_err(|why| format!("{} {why}", item.runner))
}

/// Goes to the runner of the item.
fn go(state: &mut State, action: Action) -> Vec<Effect> {
    let id = state.item_at_cursor().map(|item| item.runner_id);
    let Some(id) = id.filter(|id| state.runners.contains_key(id)) else {
        state.say("there is no runner to go to");
        return Vec::new();
    };
    state.view = View::Dashboard;
    list::select(state, id);
    match action {
        Action::Open => {
            panes::open(state, Action::Open);
            Vec::new()
        }
        action => super::on_list(state, action),
    }
}
