//! The launch dialog: one column, everything filled in, and what will happen said in words.

use ratatui::{buffer::Buffer, layout::Position};

use crate::{
    domain::agent_command::{self, Permission},
    ui::{
        keymap::{Action, Context},
        state::{Area, LaunchDialog, LaunchField, State, first_field, is_low, shown_fields},
        theme::{Role, Theme},
        update::{directory_of, order_of, program, shorten},
        widgets::{field, fit, piece, put},
    },
};

/// Columns of a label.
const LABEL: usize = 13;

/// Draws the dialog and returns where the cursor is.
pub(super) fn draw(
    buf: &mut Buffer,
    state: &State,
    theme: Theme,
    area: Area,
    dialog: &LaunchDialog,
) -> Option<Position> {
    let is_low = is_low(area);
    let is_god = dialog.permission() == Some(Permission::Everything);
    let top = u16::from(!is_low);
    let (title, role) = if is_god {
        (" LAUNCH AN AGENT IN GOD MODE", Role::Warning)
    } else {
        (" LAUNCH AN AGENT", Role::Strong)
    };
    put(buf, area, top, vec![piece(title, theme.style(role))]);
    let mut cursor = None;
    let first = first_field(area);
    let (skipped, shown) = shown_fields(area, dialog.field);
    let fields = LaunchField::ALL.into_iter().skip(skipped).take(shown);
    for (row, (name, label)) in (first..area.height).zip(fields) {
        let is_focused = dialog.field == name;
        let role = match (is_focused, is_god) {
            (true, true) => Role::Warning,
            (true, false) => Role::Accent,
            (false, _) => Role::Muted,
        };
        let mark = if is_focused { "▌" } else { " " };
        let label = vec![
            piece(mark, theme.style(role)),
            piece(format!("{} ", fit(label, LABEL)), theme.style(role)),
        ];
        let inner = Area { y: area.y + row, height: 1, ..area };
        let mut line = dialog.line_of(name).clone();
        if !is_focused {
            // Where nobody types, what is too long is shown from its beginning.
            line.jump(false);
        }
        let at = field(buf, theme, inner, label, &line);
        cursor = if is_focused { at } else { cursor };
        if !is_focused && dialog.line_of(name).is_blank() {
            let x = u16::try_from(LABEL + 2).unwrap_or(0).min(area.width);
            let beside = Area { x: area.x + x, width: area.width - x, ..inner };
            put(buf, beside, 0, vec![piece(blank(name), theme.style(Role::Muted))]);
        }
    }
    let count = u16::try_from(shown).unwrap_or(0);
    let below = first + count + u16::from(!is_low);
    let mut told = told(state, dialog);
    if is_god && told.len() > usize::from(area.height.saturating_sub(below)) {
        // Where there is room for one line only, it is the warning.
        told.reverse();
    }
    if below >= area.height && dialog.wrong.is_some() {
        // Nobody can put right what is not said.
        for (text, role) in told.iter().take(1) {
            put(
                buf,
                Area { height: 1, ..area },
                0,
                vec![piece(" ".repeat(area.width.into()), theme.style(*role))],
            );
            put(buf, area, top, vec![piece(format!(" {text}"), theme.style(*role))]);
        }
    }
    for (row, (text, role)) in (below..area.height).zip(told) {
        put(buf, area, row, vec![piece(format!("  {text}"), theme.style(role))]);
    }
    cursor
}

/// What an empty field means.
fn blank(field: LaunchField) -> &'static str {
    match field {
        LaunchField::Prompt => "none; it waits for one",
        LaunchField::Model => "the agent's own",
        LaunchField::Name => "the project's, numbered; *3 starts three",
        LaunchField::Worktree => "none; works in the directory itself",
        LaunchField::Preset => "none",
        LaunchField::MaxTokens => "no limit but the budgets",
        _ => "",
    }
}

/// What is wrong, or what ⏎ will do, and what the agent may do then.
fn told(state: &State, dialog: &LaunchDialog) -> Vec<(String, Role)> {
    if let Some(wrong) = &dialog.wrong {
        return vec![(format!("× {wrong}"), Role::Failed)];
    }
    let order = match order_of(state, dialog) {
        Ok(order) => order,
        Err(wrong) => return vec![(wrong, Role::Muted)],
    };
    let enter = state.keys.label(Context::Launch, Action::Accept);
    let name = order.project;
    let what = program(dialog);
    let what = what.rsplit('/').next().unwrap_or_default();
    let directory = directory_of(state, dialog.directory.text().trim());
    let what = if order.count > 1 { format!("{} × {what}", order.count) } else { what.to_owned() };
    let place = match &order.worktree {
        None => String::new(),
        Some(wish) if wish.branch.is_empty() => ", in a worktree on a new branch".to_owned(),
        Some(wish) => format!(", in a worktree on {}", wish.branch),
    };
    let mut told = vec![if order.register.is_some() {
        let path = shorten(state, &directory);
        (
            format!("{enter} makes {path} the project {name} and starts {what} in it{place}"),
            Role::Text,
        )
    } else {
        (format!("{enter} starts {what} in project {name}{place}"), Role::Text)
    }];
    let permission = dialog.permission().unwrap_or_default();
    if agent_command::is_known(&program(dialog)) {
        let is_god = permission == Permission::Everything;
        let role = if is_god { Role::Warning } else { Role::Muted };
        told.push((format!("it {}", permission.allows()), role));
    }
    told
}
