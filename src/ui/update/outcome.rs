//! How actions went: told in a line, of several done together once.

use crate::{
    domain::{failure::Failure, id::RunnerId, launch::Launched, runner::Runner},
    ui::{
        effect::Effect,
        event::{ANSWER, CORRECT, Outcome, TYPE},
        keymap::{Action, Context},
        state::{Mode, State, Step, Task, Undo, View, Work},
    },
};

/// Takes note of what begins with these effects.
pub(super) fn note(state: &mut State, effects: &[Effect]) {
    for effect in effects {
        let (work, id) = match effect {
            Effect::Stop(id, false) => (Work::Stop, *id),
            Effect::Stop(id, true) => (Work::Kill, *id),
            Effect::Restart(id) => (Work::Restart, *id),
            Effect::Remove(id) => (Work::Remove, *id),
            Effect::ResumeRunner(id, ..) => (Work::Resume, *id),
            Effect::Launch(order) => {
                let name = if order.name.is_empty() { &order.project } else { &order.name };
                for _ in 0..order.count {
                    state.progress.begin(Work::Launch, None, name, state.now);
                }
                continue;
            }
            _ => continue,
        };
        let name = state.runners.get(&id).map_or("it", |runner| runner.name.as_str());
        state.progress.begin(work, Some(id), name, state.now);
    }
}

/// Applies how an action went.
pub(super) fn on_outcome(state: &mut State, outcome: Outcome) {
    match outcome {
        Outcome::Launched(launched) => {
            state.progress.warn(&launched.warnings);
            let step = state.progress.end(None, None);
            on_launched(state, *launched, step == Step::Alone);
            settle(state, step);
        }
        Outcome::Untrusted(order, failure) => {
            let step = state.progress.withdraw(order.count);
            settle(state, step);
            super::launch::ask_for_trust(state, order, &failure);
        }
        Outcome::Done(text) => state.say(text),
        Outcome::Stopped(runner, already) => {
            let step = state.progress.end(Some(runner.id), None);
            if step == Step::Alone {
                if !already {
                    state.undo = Some(Undo::Stopped(vec![runner.id]));
                }
                state.say(stopped_text(state, &runner, already));
            }
            settle(state, step);
        }
        Outcome::Resumed(runner) => on_resumed(state, *runner),
        Outcome::Continued(id, runner) => {
            let step = state.progress.end(Some(id), None);
            if step == Step::Alone {
                state.say(format!("{} goes on with its conversation", runner.name));
            }
            state.runners.entry(runner.id).or_insert(*runner);
            settle(state, step);
        }
        Outcome::Corrected(told) => super::correct::on_told(state, *told),
        Outcome::Restarted(runner) => {
            let step = state.progress.end(Some(runner.id), None);
            if step == Step::Alone {
                state.say(format!("{} is started again", runner.name));
            }
            settle(state, step);
        }
        Outcome::Removed(runner) => {
            let step = state.progress.end(Some(runner.id), None);
            state.runners.remove(&runner.id);
            state.histories.remove(&runner.id);
            if step == Step::Alone {
                state.say(format!("{} is removed", runner.name));
            }
            settle(state, step);
        }
        Outcome::Refused(work, id, failure) => {
            let step = state.progress.end(Some(id), Some(&failure.message));
            if step == Step::Alone {
                fail(state, &format!("{} it", work.verb()), &failure);
            }
            settle(state, step);
        }
        Outcome::NotLaunched(what, failure) => {
            let step = state.progress.end(None, Some(&failure.message));
            if step == Step::Alone {
                fail(state, what, &failure);
            }
            settle(state, step);
        }
        Outcome::Forgotten(project) => {
            let key = state.keys.label(Context::List, Action::Undo);
            state.say(format!(
                "{} is deleted, its directory is untouched; {key} makes it a project again",
                project.name
            ));
            state.undo = Some(Undo::Forgotten(project));
        }
        Outcome::Failed(what, failure) => on_failed(state, what, &failure),
    }
}

fn on_resumed(state: &mut State, runner: Runner) {
    state.say(format!("{} goes on with its conversation", runner.name));
    state.selected = Some(runner.id);
    (state.has_chosen, state.view) = (true, View::Dashboard);
    state.runners.entry(runner.id).or_insert(runner);
    state.filter.clear();
}

fn on_failed(state: &mut State, what: &str, failure: &Failure) {
    if what == CORRECT {
        super::correct::on_failure(state);
    }
    if what == ANSWER {
        // It may be tried again.
        state.histories.values_mut().for_each(|history| history.answered = None);
    }
    // Keys that come later would leave a hole in what is typed.
    if what == TYPE && matches!(state.mode, Mode::Typing(_)) {
        state.hold(failed_text(what, failure));
    } else {
        fail(state, what, failure);
    }
}

fn on_launched(state: &mut State, launched: Launched, is_alone: bool) {
    let Launched { runner, warnings, .. } = launched;
    if is_alone {
        if warnings.is_empty() {
            let key = state.keys.label(Context::List, Action::Open);
            state.say(format!("{} is launched; {key} opens it", runner.name));
        } else {
            state.warn(warnings.join("; "));
        }
    }
    state.selected = Some(runner.id);
    state.has_chosen = true;
    // The daemon's own word may have been quicker and newer.
    let id = runner.id;
    state.runners.entry(id).or_insert(runner);
    state.filter.clear();
    super::panes::on_launched(state, id);
}

/// Tells the end of what was done to several.
fn settle(state: &mut State, step: Step) {
    state.is_dirty = true;
    let Step::Over(task) = step else { return };
    let summary = task.summary();
    let again = keep_undo(state, &task);
    match again {
        _ if !task.failed.is_empty() => state.complain(summary),
        Some(again) => state.say(format!("{summary}; {again} starts them again")),
        None if task.warnings.is_empty() => state.say(summary),
        None => state.warn(format!("{summary}; {}", task.warnings.join("; "))),
    }
}

/// Keeps who was stopped, to be started again; returns the key that does so.
fn keep_undo(state: &mut State, task: &Task) -> Option<String> {
    let is_end = matches!(task.work, Work::Stop | Work::Kill);
    let stopped: Vec<RunnerId> = task.done.iter().copied().filter(|_| is_end).collect();
    if stopped.is_empty() {
        return None;
    }
    state.undo = Some(Undo::Stopped(stopped));
    // Among the panes the key for that brings an arrangement back.
    (state.view != View::Panes).then(|| state.keys.label(Context::List, Action::Undo))
}

fn fail(state: &mut State, what: &str, failure: &Failure) {
    state.complain(failed_text(what, failure));
}

fn failed_text(what: &str, failure: &Failure) -> String {
    match failure.hint.as_str() {
        "" => format!("failed to {what}: {}", failure.message),
        hint => format!("failed to {what}: {} ({hint})", failure.message),
    }
}

fn stopped_text(state: &State, runner: &Runner, already: bool) -> String {
    let name = &runner.name;
    match (already, runner.survivors.is_empty()) {
        (true, _) => format!("{name} had ended already"),
        // Among the panes the key for that brings an arrangement back.
        (false, true) if state.view == View::Panes => {
            let again = state.keys.label(Context::Panes, Action::Restart);
            format!("{name} is stopped; {again} starts it again")
        }
        (false, true) => {
            let again = state.keys.label(Context::List, Action::Undo);
            format!("{name} is stopped; {again} starts it again")
        }
        (false, false) => {
            format!("{name} is stopped; left running: {}", runner.survivors.join(", "))
        }
    }
}
