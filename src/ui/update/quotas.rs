//! The dialog of quotas: moving through its fields and projects, setting what was changed.

use crate::ui::{
    effect::Effect,
    keymap::Action,
    state::{Mode, QuotaDialog, State, natural},
};

/// Opens the dialog for the project of the selected runner, else the first one.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let selected = state.selected_runner().map(|runner| runner.project.clone());
    let Some(project) = selected.or_else(|| projects(state).into_iter().next()) else {
        state.complain("there is no project yet");
        return Vec::new();
    };
    let quota = state.quota_of(&project).quota;
    state.mode = Mode::Quotas(QuotaDialog::new(&project, quota));
    vec![Effect::ListQuotas]
}

/// Applies an action in it.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Mode::Quotas(dialog) = &state.mode else { return Vec::new() };
    let mut dialog = dialog.clone();
    match action {
        Action::Accept => return accept(state, dialog),
        Action::NextField => dialog.step(true),
        Action::PreviousField => dialog.step(false),
        Action::NextChoice => dialog = other(state, dialog, true),
        Action::PreviousChoice => dialog = other(state, dialog, false),
        Action::Cancel => {
            state.mode = Mode::List;
            return Vec::new();
        }
        _ => {}
    }
    state.mode = Mode::Quotas(dialog);
    Vec::new()
}

fn accept(state: &mut State, mut dialog: QuotaDialog) -> Vec<Effect> {
    match dialog.change(state.quota_of(&dialog.project).quota) {
        Ok(change) if change.is_empty() => {
            state.mode = Mode::List;
            state.say("no limit was changed");
            Vec::new()
        }
        Ok(_) if !state.is_current() => {
            dialog.wrong = Some("not connected to the daemon; wait until it is back".to_owned());
            state.mode = Mode::Quotas(dialog);
            Vec::new()
        }
        Ok(change) => {
            state.mode = Mode::List;
            vec![Effect::SetQuota(dialog.project, change)]
        }
        Err(wrong) => {
            dialog.wrong = Some(wrong);
            state.mode = Mode::Quotas(dialog);
            Vec::new()
        }
    }
}

/// The dialog for the next or the last project, in the order of their names.
fn other(state: &State, dialog: QuotaDialog, forward: bool) -> QuotaDialog {
    let all = projects(state);
    let count = all.len().max(1);
    let at = all.iter().position(|name| *name == dialog.project).unwrap_or(0);
    let next = (at + if forward { 1 } else { count - 1 }) % count;
    let Some(project) = all.get(next) else { return dialog };
    let quota = state.quota_of(project).quota;
    QuotaDialog { field: dialog.field, ..QuotaDialog::new(project, quota) }
}

fn projects(state: &State) -> Vec<String> {
    let mut names: Vec<_> = state.projects.iter().map(|project| project.name.clone()).collect();
    names.sort_by(|a, b| natural(a, b));
    names
}
