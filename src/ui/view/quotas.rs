//! The dialog of quotas: what a project uses of each limit, and what the limit is to be.

use ratatui::{buffer::Buffer, layout::Position};

use crate::{
    domain::quota::QuotaName,
    ui::{
        keymap::{Action, Context},
        state::{Area, QuotaDialog, State},
        theme::{Role, Theme},
        widgets::{field, fit, piece, put},
    },
};

/// Columns of a label and of what is used.
const LABEL: usize = 14;
const USED: usize = 9;

/// Draws the dialog and returns where the cursor is.
pub(super) fn draw(
    buf: &mut Buffer,
    state: &State,
    theme: Theme,
    area: Area,
    dialog: &QuotaDialog,
) -> Option<Position> {
    // Where it is low, the fields matter and the air between them does not.
    let air = u16::from(area.height >= 12);
    let title = format!(" QUOTAS OF {}", dialog.project);
    put(buf, area, air, vec![piece(title, theme.style(Role::Strong))]);
    let quota = state.quota_of(&dialog.project);
    let first = air * 2 + 1;
    let mut cursor = None;
    for (at, (name, line)) in QuotaName::ALL.into_iter().zip(&dialog.lines).enumerate() {
        let Ok(row) = u16::try_from(at) else { break };
        if first + row >= area.height {
            break;
        }
        let is_focused = dialog.field == at;
        let role = if is_focused { Role::Accent } else { Role::Muted };
        let over = if quota.is_exceeded(name) { Role::Warning } else { Role::Text };
        let label = vec![
            piece(if is_focused { "▌" } else { " " }, theme.style(role)),
            piece(format!("{} ", fit(label(name), LABEL)), theme.style(role)),
            piece(fit(&name.amount(quota.used.of(name)), USED), theme.style(over)),
            piece(" of ", theme.style(Role::Muted)),
        ];
        let inner = Area { y: area.y + first + row, height: 1, ..area };
        let found = field(buf, theme, inner, label, line);
        cursor = if is_focused { found } else { cursor };
        if !is_focused && line.is_blank() {
            let x = u16::try_from(LABEL + USED + 6).unwrap_or(0).min(area.width);
            let beside = Area { x: area.x + x, width: area.width - x, ..inner };
            put(buf, beside, 0, vec![piece("no limit", theme.style(Role::Muted))]);
        }
    }
    let below = first + 4 + air;
    for (row, (text, role)) in (below..area.height).zip(told(state, dialog, quota.is_enforced)) {
        put(buf, area, row, vec![piece(format!("  {text}"), theme.style(role))]);
    }
    cursor
}

fn label(name: QuotaName) -> &'static str {
    match name {
        QuotaName::Runners => "live runners",
        QuotaName::Memory => "memory",
        QuotaName::Cpu => "cpu, % of one",
        QuotaName::Tokens => "tokens a day",
    }
}

/// What is wrong, or what ⏎ does, and what becomes of more than is allowed.
fn told(state: &State, dialog: &QuotaDialog, is_enforced: bool) -> Vec<(String, Role)> {
    if let Some(wrong) = &dialog.wrong {
        return vec![(format!("× {wrong}"), Role::Failed)];
    }
    let enter = state.keys.label(Context::Quotas, Action::Accept);
    let wrong = dialog.change(state.quota_of(&dialog.project).quota).err();
    let first = match wrong {
        Some(wrong) => (wrong, Role::Warning),
        None => (format!("{enter} sets them; an empty line is no limit"), Role::Text),
    };
    let held = if is_enforced {
        "the system holds memory and cpu; runners and tokens are checked at launch"
    } else {
        "memory and cpu are warned of; runners and tokens are checked at launch"
    };
    vec![first, (held.to_owned(), Role::Muted)]
}
