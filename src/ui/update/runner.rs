//! What is done to the selected runner; what destroys is asked first, and says what will be lost.

use chrono::TimeDelta;

use super::{answer, launch, several};
use crate::{
    domain::{
        activity::ActivityState,
        checkout::SetupChoice,
        project::NewProject,
        runner::{Runner, RunnerStatus},
    },
    ui::{
        effect::Effect,
        keymap::{Action, Context},
        state::{Confirm, Deed, Mode, State, Undo, age_text},
    },
};

/// A question that comes by itself must have been on the screen for so long before a key is an answer.
const READ: TimeDelta = TimeDelta::milliseconds(500);

/// Begins an action on the selected runner.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(runner) = state.selected_runner().cloned() else {
        state.say("no runner is selected");
        return Vec::new();
    };
    if !state.is_current() {
        state.complain("not connected to the daemon; wait until it is back");
        return Vec::new();
    }
    let is_live = runner.status.is_live();
    match action {
        Action::Restart if !is_live => return vec![Effect::Restart(runner.id)],
        Action::Forget => forget(state, &runner.project),
        Action::Remove if !is_live => remove(state, &runner),
        Action::Remove => {
            let key = state.keys.label(Context::List, Action::Stop);
            state.say(format!("{} has not ended; {key} stops it", runner.name));
        }
        _ if !is_live => {
            let key = state.keys.label(Context::List, Action::Restart);
            state.say(format!("{} has ended; {key} starts it again", runner.name));
        }
        Action::Attach => {
            state.mark_seen(runner.id);
            return vec![Effect::Attach(runner.id)];
        }
        Action::Stop => ask(state, &runner, Deed::Stop(runner.id)),
        Action::Kill => ask(state, &runner, Deed::Kill(runner.id)),
        Action::Restart => ask(state, &runner, Deed::Restart(runner.id)),
        Action::Pause => {
            return vec![Effect::SetPaused(runner.id, runner.status != RunnerStatus::Paused)];
        }
        Action::Type => {
            state.mark_seen(runner.id);
            state.mode = Mode::Typing(runner.id);
        }
        Action::Line => return answer::open(state),
        _ => {}
    }
    Vec::new()
}

/// Applies the answer to the question.
pub(super) fn on_confirm(state: &mut State, action: Action) -> Vec<Effect> {
    if let Mode::Confirm(Confirm { deed: Deed::TrustSetup(_, since), .. }) = &state.mode
        && state.now - *since < READ
    {
        // It has come by itself: the key was for something else.
        return Vec::new();
    }
    let mode = std::mem::replace(&mut state.mode, Mode::List);
    let (Mode::Confirm(Confirm { deed, .. }), Action::Accept) = (mode, action) else {
        return Vec::new();
    };
    match deed {
        Deed::Stop(id) => vec![Effect::Stop(id, false)],
        Deed::Kill(id) => vec![Effect::Stop(id, true)],
        Deed::Restart(id) => vec![Effect::Restart(id)],
        Deed::Remove(id) => vec![Effect::Remove(id)],
        Deed::RemoveBudget(scope, period) => vec![Effect::RemoveBudget(scope, period)],
        Deed::ResetBudget(scope, period) => vec![Effect::ResetBudget(scope, period)],
        Deed::All(work, ids) => several::effects(work, &ids),
        Deed::TrustSetup(mut order, _) => {
            if let Some(wish) = &mut order.worktree {
                wish.setup = SetupChoice::Trust;
            }
            launch::start(state, *order)
        }
        Deed::Forget(name) => {
            let project = state.projects.iter().find(|project| project.name == name);
            let known = project.map(|project| NewProject {
                name: project.name.clone(),
                path: project.path.clone(),
                description: project.description.clone(),
                tags: project.tags.clone(),
                quotas: state.quota_of(&project.name).quota.as_change(),
            });
            known.map(|project| Effect::DeleteProject(Box::new(project))).into_iter().collect()
        }
    }
}

/// Takes back what was stopped or deleted last.
pub(super) fn undo(state: &mut State) -> Vec<Effect> {
    if !state.is_current() {
        state.complain("not connected to the daemon; wait until it is back");
        return Vec::new();
    }
    match state.undo.take() {
        Some(Undo::Stopped(mut ids)) => {
            ids.retain(|id| state.runners.get(id).is_some_and(|runner| !runner.status.is_live()));
            if ids.is_empty() {
                state.say("what was stopped last runs again already, or is gone");
            }
            ids.into_iter().map(Effect::Restart).collect()
        }
        Some(Undo::Forgotten(project)) => vec![Effect::CreateProject(project)],
        None => {
            state.say("nothing was stopped or deleted from here");
            Vec::new()
        }
    }
}

/// Asks whether a project is to be deleted, and says what goes with it.
pub(super) fn forget(state: &mut State, name: &str) {
    let its = state.runners.values().filter(|runner| runner.project == name);
    let (live, ended): (Vec<_>, Vec<_>) = its.partition(|runner| runner.status.is_live());
    if let Some(first) = live.first() {
        let key = state.keys.label(Context::List, Action::Stop);
        let text = format!("{name} has live runners, {} among them; {key} stops one", first.name);
        state.say(text);
        return;
    }
    let gone = match ended.len() {
        0 => String::new(),
        1 => " with the record of 1 runner that has ended".to_owned(),
        count => format!(" with the records of {count} runners that have ended"),
    };
    let question =
        format!("Delete project {name}{gone}? Records do not come back; its files stay.");
    state.mode = Mode::Confirm(Confirm { deed: Deed::Forget(name.to_owned()), question });
}

/// Asks whether a runner that has ended is to be removed.
fn remove(state: &mut State, runner: &Runner) {
    let question = format!(
        "Remove {}? Its record and everything it wrote here are deleted and do not come back; \
         its project's files stay.",
        runner.name
    );
    state.mode = Mode::Confirm(Confirm { deed: Deed::Remove(runner.id), question });
}

fn ask(state: &mut State, runner: &Runner, deed: Deed) {
    let (verb, how) = match deed {
        Deed::Kill(_) => ("Kill", " at once, with no time to save"),
        Deed::Restart(_) => ("Restart", " and starts it anew"),
        _ => ("Stop", ""),
    };
    let processes = match runner.processes {
        0 | 1 => String::new(),
        count => format!(" and its {} other processes", count - 1),
    };
    let turn = match runner.activity.state {
        ActivityState::Working => {
            format!("; its turn of {} is lost", age_text(state.age(runner)))
        }
        ActivityState::Blocked => "; its question stays open".to_owned(),
        _ => String::new(),
    };
    let (name, agent) = (&runner.name, &runner.agent);
    let question = format!("{verb} {name}? Ends {agent}{processes}{how}{turn}.");
    state.mode = Mode::Confirm(Confirm { deed, question });
}
