//! Budgets: the dialog that sets one, and what is asked before one is removed or begins anew.

use crate::{
    domain::budget::{BudgetAction, BudgetScope, Period},
    ui::{
        effect::Effect,
        keymap::Action,
        state::{BudgetDialog, BudgetField, Confirm, Deed, Mode, State, TextLine, natural},
    },
};

/// Amounts that are suggested: a person begins with one of them and changes it.
const AMOUNTS: [&str; 6] = ["100k", "500k", "1M", "5M", "$5", "$20"];

/// Zones that are suggested: any other can be typed.
const ZONES: [&str; 4] = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"];

/// Applies an action of the view; false for one that is none.
pub(super) fn on_page(state: &mut State, action: Action) -> bool {
    match action {
        Action::AddBudget => {
            let project = state.selected_runner().map(|runner| runner.project.clone());
            // With one for everything, the next is rather for a project.
            let scope = match project.filter(|_| state.global_budget().is_some()) {
                Some(project) => BudgetScope::Project(project),
                None => BudgetScope::Global,
            };
            state.mode = Mode::Budget(BudgetDialog::new(&scope));
        }
        Action::Inspect => match state.budget_at_cursor() {
            Some(budget) => state.mode = Mode::Budget(BudgetDialog::of(budget)),
            None => return on_page(state, Action::AddBudget),
        },
        Action::Remove | Action::Restart => ask(state, action),
        _ => return false,
    }
    true
}

fn ask(state: &mut State, action: Action) {
    let Some(budget) = state.budget_at_cursor().cloned() else {
        state.say("no budget is under the cursor");
        return;
    };
    if !state.is_current() {
        state.complain("not connected to the daemon; wait until it is back");
        return;
    }
    let (scope, period) = (budget.scope.clone(), budget.period);
    let named = format!("the {} budget for {}", period.as_str(), state.scope_text(&scope));
    let of = format!("{} of {}", budget.used_text(), budget.limit.show(budget.limit.amount()));
    let (deed, question) = if action == Action::Remove {
        let question = format!("Remove {named}? {of} are used; nothing is held by it any more.");
        (Deed::RemoveBudget(scope, period), question)
    } else {
        let question = format!(
            "Let {named} begin anew? That {of} are used is forgotten; what it holds goes on."
        );
        (Deed::ResetBudget(scope, period), question)
    };
    state.mode = Mode::Confirm(Confirm { deed, question });
}

/// Applies an action in the dialog.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Mode::Budget(dialog) = &state.mode else { return Vec::new() };
    let mut dialog = dialog.clone();
    match action {
        Action::Accept => match dialog.change(state) {
            Ok(_) if !state.is_current() => {
                let lost = "not connected to the daemon; wait until it is back";
                dialog.wrong = Some(lost.to_owned());
            }
            Ok(change) => {
                state.mode = Mode::List;
                return vec![Effect::SetBudget(Box::new(change))];
            }
            Err(wrong) => dialog.wrong = Some(wrong),
        },
        Action::NextField => dialog.step(true),
        Action::PreviousField => dialog.step(false),
        Action::NextChoice => choose(state, &mut dialog, true),
        Action::PreviousChoice => choose(state, &mut dialog, false),
        Action::Cancel => {
            state.mode = Mode::List;
            return Vec::new();
        }
        _ => {}
    }
    state.mode = Mode::Budget(dialog);
    Vec::new()
}

/// Replaces the field by the next suggestion.
fn choose(state: &State, dialog: &mut BudgetDialog, forward: bool) {
    let Some((field, _)) = BudgetField::ALL.get(dialog.field) else { return };
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let choices: Vec<String> = match field {
        BudgetField::Scope => scopes(state),
        BudgetField::Period => owned(&Period::ALL.map(Period::as_str)),
        BudgetField::Amount => owned(&AMOUNTS),
        BudgetField::Action => owned(&BudgetAction::ALL.map(BudgetAction::as_str)),
        BudgetField::CacheReads | BudgetField::Estimates => owned(&["no", "yes"]),
        BudgetField::Zone => owned(&ZONES),
    };
    let text = dialog.line().text().trim().to_owned();
    let count = choices.len().max(1);
    let next = match choices.iter().position(|choice| *choice == text) {
        None => 0,
        Some(at) => (at + if forward { 1 } else { count - 1 }) % count,
    };
    if let Some(choice) = choices.get(next) {
        *dialog.line() = TextLine::new(choice);
    }
    dialog.wrong = None;
}

/// Everything, the projects, and the runners that live.
fn scopes(state: &State) -> Vec<String> {
    let mut projects: Vec<&str> = state.projects.iter().map(|p| p.name.as_str()).collect();
    projects.sort_by(|a, b| natural(a, b));
    let live = state.runners.values().filter(|runner| runner.status.is_live());
    let mut runners: Vec<&str> = live.map(|runner| runner.name.as_str()).collect();
    runners.sort_by(|a, b| natural(a, b));
    let projects = projects.into_iter().map(|name| BudgetScope::Project(name.to_owned()));
    let runners = runners.into_iter().map(|name| BudgetScope::Runner(name.to_owned()));
    let all = std::iter::once(BudgetScope::Global).chain(projects).chain(runners);
    all.map(|scope| scope.to_string()).collect()
}
