//! The dialog of a budget: what is counted, how much of it may be used, and what comes of it then.

use ratatui::{buffer::Buffer, layout::Position};

use crate::{
    domain::budget::Budget,
    ui::{
        keymap::{Action, Context},
        state::{Area, BudgetDialog, BudgetField, State, consequence},
        theme::{Role, Theme},
        widgets::{field, fit, piece, put},
    },
};

/// Columns of a label.
const LABEL: usize = 12;

/// Draws the dialog and returns where the cursor is.
pub(super) fn draw(
    buf: &mut Buffer,
    state: &State,
    theme: Theme,
    area: Area,
    dialog: &BudgetDialog,
) -> Option<Position> {
    // Where it is low, the fields matter and the air between them does not.
    let air = u16::from(area.height >= 12);
    put(buf, area, air, vec![piece(" BUDGET", theme.style(Role::Strong))]);
    let first = air * 2 + 1;
    let mut cursor = None;
    // Where not all have room, the one that is typed into does, and a line for what is wrong.
    let room = usize::from(area.height.saturating_sub(first + 1)).max(1);
    let skipped = (dialog.field + 1).saturating_sub(room);
    let shown = BudgetField::ALL.len().saturating_sub(skipped).min(room);
    let fields = BudgetField::ALL.into_iter().zip(&dialog.lines).enumerate();
    let fields = fields.skip(skipped).take(shown);
    for (row, (at, ((name, label), line))) in (first..area.height).zip(fields) {
        let is_focused = dialog.field == at;
        let role = if is_focused { Role::Accent } else { Role::Muted };
        let label = vec![
            piece(if is_focused { "▌" } else { " " }, theme.style(role)),
            piece(format!("{} ", fit(label, LABEL)), theme.style(role)),
        ];
        let inner = Area { y: area.y + row, height: 1, ..area };
        let found = field(buf, theme, inner, label, line);
        cursor = if is_focused { found } else { cursor };
        if line.is_blank() || is_focused {
            let used = LABEL + 3 + line.text().chars().count() + usize::from(!line.is_blank()) * 2;
            let x = u16::try_from(used).unwrap_or(area.width).min(area.width);
            let beside = Area { x: area.x + x, width: area.width - x, ..inner };
            put(buf, beside, 0, vec![piece(meaning(name), theme.style(Role::Muted))]);
        }
    }
    let count = u16::try_from(shown).unwrap_or(0);
    let below = first + count + air;
    for (row, (text, role)) in (below..area.height).zip(told(state, dialog)) {
        put(buf, area, row, vec![piece(format!("  {text}"), theme.style(role))]);
    }
    cursor
}

/// What belongs into a field.
fn meaning(field: BudgetField) -> &'static str {
    match field {
        BudgetField::Scope => "global, project:NAME, runner:NAME",
        BudgetField::Period => "hourly, daily, weekly, monthly, total",
        BudgetField::Amount => "100k or 2.5M tokens; $5 of money",
        BudgetField::Action => "warn, hold, interrupt, pause, stop",
        BudgetField::CacheReads => "no: what is read from a cache is not counted",
        BudgetField::Estimates => "yes: what is only estimated counts, too; empty: as before",
        BudgetField::Zone => "Europe/Berlin or another; empty: the daemon's",
    }
}

/// What is wrong, or what ⏎ does, and what becomes of agents when it is used up.
fn told(state: &State, dialog: &BudgetDialog) -> Vec<(String, Role)> {
    if let Some(wrong) = &dialog.wrong {
        return vec![(format!("× {wrong}"), Role::Failed)];
    }
    let change = match dialog.change(state) {
        Ok(change) => change,
        Err(wrong) => return vec![(wrong, Role::Muted)],
    };
    let enter = state.keys.label(Context::Budget, Action::Accept);
    let (scope, period) = (&change.scope, change.period.as_str());
    let much = change.limit.show(change.limit.amount());
    let known =
        state.budgets().iter().find(|one| one.scope == *scope && one.period == change.period);
    let first = match known {
        Some(known) => {
            let used = known.used_text();
            format!("{enter} changes the {period} budget for {scope} to {much}; {used} are used")
        }
        None => format!("{enter} sets a {period} budget for {scope}: {much}"),
    };
    let mut told = vec![(first, Role::Text)];
    let gap = known.and_then(Budget::price_gap).map(|gap| format!("? {gap}"));
    told.extend(gap.map(|gap| (gap, Role::Muted)));
    if let Some(action) = change.action {
        told.push((consequence(action).to_owned(), Role::Muted));
    }
    told
}
