//! What is done to all runners that are listed, or match the filter: asked first, with how many, who
//! they are and what is lost.

use crate::{
    domain::{
        activity::ActivityState,
        amount::named,
        id::RunnerId,
        runner::{Runner, RunnerStatus},
    },
    ui::{
        effect::Effect,
        keymap::Action,
        state::{Confirm, Deed, Mode, State, Work, matching},
    },
};

/// Names that a question tells; the others are counted.
const NAMED: usize = 3;

/// Asks whether it is to be done.
pub(super) fn ask(state: &mut State, action: Action) {
    if !state.is_current() {
        state.complain("not connected to the daemon; wait until it is back");
        return;
    }
    let work = match action {
        Action::StopAll => Work::Stop,
        Action::KillAll => Work::Kill,
        Action::RestartAll => Work::Restart,
        _ => Work::Remove,
    };
    let is_meant = |runner: &&Runner| match work {
        Work::Remove => !runner.status.is_live(),
        Work::Kill => runner.status.is_live(),
        _ => runner.status.is_live() && runner.status != RunnerStatus::Stopping,
    };
    let listed = matching(state);
    let meant: Vec<&Runner> =
        listed.iter().filter_map(|id| state.runners.get(id)).filter(is_meant).collect();
    if meant.is_empty() {
        let which = if work == Work::Remove { "has ended" } else { "lives" };
        state.say(format!("no runner that is listed {which}"));
        return;
    }
    let ids = meant.iter().map(|runner| runner.id).collect();
    let question = question(state, work, &meant);
    state.mode = Mode::Confirm(Confirm { deed: Deed::All(work, ids), question });
}

/// Returns what is done to each.
pub(super) fn effects(work: Work, ids: &[RunnerId]) -> Vec<Effect> {
    let effect = |id: &RunnerId| match work {
        Work::Stop => Some(Effect::Stop(*id, false)),
        Work::Kill => Some(Effect::Stop(*id, true)),
        Work::Restart => Some(Effect::Restart(*id)),
        Work::Remove => Some(Effect::Remove(*id)),
        Work::Launch | Work::Resume => None,
    };
    ids.iter().filter_map(effect).collect()
}

fn question(state: &State, work: Work, meant: &[&Runner]) -> String {
    let verb = work.verb();
    let verb = verb.get(..1).unwrap_or_default().to_uppercase() + verb.get(1..).unwrap_or_default();
    let names: Vec<&str> = meant.iter().map(|runner| runner.name.as_str()).collect();
    let count = match meant.len() {
        1 => "1 runner".to_owned(),
        count => format!("{count} runners"),
    };
    let filter = match state.filter.text().trim() {
        "" => String::new(),
        filter => format!(" that match `{filter}`"),
    };
    let working =
        meant.iter().filter(|runner| runner.activity.state == ActivityState::Working).count();
    let lost = match (work, working) {
        (Work::Remove, _) => " What they wrote here does not come back.".to_owned(),
        (_, 0) => String::new(),
        (_, 1) => " A turn in progress is lost.".to_owned(),
        (_, turns) => format!(" {turns} turns in progress are lost."),
    };
    format!("{verb} {count}{filter}: {}?{lost}", named(&names, NAMED))
}
