//! A state that is wrong: the dialog that says what it really is, and what is learnt from that.

use crate::{
    domain::{
        correction::{Correction, Screenshot},
        id::RunnerId,
    },
    ui::{
        effect::Effect,
        keymap::{Action, Context},
        state::{CorrectDialog, Mode, State, word},
    },
};

/// Opens the dialog for a runner.
pub(super) fn open(state: &mut State, id: RunnerId) -> Vec<Effect> {
    let Some(runner) = state.runners.get(&id) else { return Vec::new() };
    if !state.is_current() {
        state.complain("not connected to the daemon; wait until it is back");
        return Vec::new();
    }
    if !runner.status.is_live() {
        let text = format!("{} has ended; its state is no agent's any more", runner.name);
        state.say(text);
        return Vec::new();
    }
    let group = state.group(runner);
    let was = format!("{} ({})", word(runner, group), runner.activity.source.as_str());
    let mut dialog = CorrectDialog {
        id,
        name: runner.name.clone(),
        was,
        said: CorrectDialog::said_of(&runner.activity),
        chosen: 0,
        looked: None,
        is_asking: false,
        draft: None,
        line: 0,
    };
    dialog.begin();
    state.mode = Mode::Correct(dialog);
    vec![Effect::LookAt(id)]
}

/// Applies an action in it; `number` is the choice that the key stands for.
pub(super) fn act(state: &mut State, action: Action, number: Option<u8>) -> Vec<Effect> {
    let Mode::Correct(dialog) = &mut state.mode else { return Vec::new() };
    match action {
        _ if dialog.is_asking && action != Action::Cancel => {}
        Action::Down => dialog.step(true),
        Action::Up => dialog.step(false),
        Action::Choose => {
            let Some(number) = number.map(usize::from) else { return Vec::new() };
            if !dialog.go_to(number) {
                if dialog.draft.is_none() && dialog.said == Some(number) {
                    let text = format!("that is what is said of {} already", dialog.name);
                    state.say(text);
                }
                return Vec::new();
            }
            // To choose a state is to ask what would be learnt; a line is looked at once more.
            if dialog.draft.is_none() {
                return ask(state);
            }
        }
        Action::Accept => return ask(state),
        // From the lines back to the states, from there away.
        Action::Cancel if dialog.draft.is_some() => dialog.draft = None,
        _ => state.mode = Mode::List,
    }
    Vec::new()
}

fn ask(state: &mut State) -> Vec<Effect> {
    let Mode::Correct(dialog) = &mut state.mode else { return Vec::new() };
    let Some(request) = dialog.request() else { return Vec::new() };
    dialog.is_asking = true;
    vec![Effect::Correct(Box::new(request))]
}

/// Takes in what the terminal showed when the dialog was opened.
pub(super) fn on_looked(state: &mut State, id: RunnerId, looked: Screenshot) {
    if let Mode::Correct(dialog) = &mut state.mode
        && dialog.id == id
        && dialog.looked.is_none()
    {
        dialog.looked = Some(looked);
    }
}

/// Takes in what would be learnt, or was.
pub(super) fn on_told(state: &mut State, told: Correction) {
    let is_kept = !told.fixture.is_empty();
    let Mode::Correct(dialog) = &mut state.mode else {
        if is_kept {
            tell(state, &told);
        }
        return;
    };
    if dialog.id != told.runner.id {
        return;
    }
    dialog.is_asking = false;
    if is_kept {
        state.mode = Mode::List;
        tell(state, &told);
    } else if dialog.draft.is_none() {
        dialog.line = told.lines.iter().position(|line| *line == told.line).unwrap_or(0);
        dialog.draft = Some(Box::new(told));
    }
    state.is_dirty = true;
}

/// It failed: the dialog goes, the reason stays.
pub(super) fn on_failure(state: &mut State) {
    if matches!(state.mode, Mode::Correct(_)) {
        state.mode = Mode::List;
    }
}

fn tell(state: &mut State, told: &Correction) {
    let (agent, truth) = (&told.runner.agent, &told.truth);
    if told.is_accepted {
        let line = &told.line;
        state.say(format!("learnt: {agent} is {truth} where its screen says `{line}`"));
    } else {
        let key = state.keys.label(Context::List, Action::Correct);
        state.warn(format!(
            "the screen is kept, but no rule tells it from others: {}; {key} tries again",
            told.refused
        ));
    }
}
