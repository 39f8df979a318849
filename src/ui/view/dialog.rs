//! The launch dialog: one column, everything filled in, and what will happen said in words.

use ratatui::{buffer::Buffer, layout::Position};

use super::{
    prompt::field,
    text::{piece, put},
};
use crate::ui::{
    state::{Area, LaunchDialog, LaunchField, State},
    theme::{Role, Theme},
    update::{expand, order, shorten},
};

/// Draws the dialog and returns where the cursor is.
pub(super) fn draw(
    buf: &mut Buffer,
    state: &State,
    theme: Theme,
    area: Area,
    dialog: &LaunchDialog,
) -> Option<Position> {
    // Where it is low, the fields matter and the air between them does not.
    let is_low = area.height < 9;
    let row = |roomy: u16, low: u16| if is_low { low } else { roomy };
    put(buf, area, row(1, 0), vec![piece(" LAUNCH AN AGENT", theme.style(Role::Strong))]);
    let mut cursor = None;
    let fields = [
        (LaunchField::Directory, " directory ", &dialog.directory, row(3, 1)),
        (LaunchField::Command, " command   ", &dialog.command, row(4, 2)),
    ];
    for (name, label, line, at) in fields {
        let is_focused = dialog.field == name;
        let role = if is_focused { Role::Accent } else { Role::Muted };
        let mark = if is_focused { "▌" } else { " " };
        let label = vec![piece(mark, theme.style(role)), piece(label, theme.style(role))];
        if at < area.height {
            let inner = Area { y: area.y + at, height: 1, ..area };
            let at = field(buf, theme, inner, label, line);
            cursor = if is_focused { at } else { cursor };
        }
    }
    let told = match &dialog.wrong {
        Some(wrong) => piece(format!(" × {wrong}"), theme.style(Role::Failed)),
        None => piece(format!("  {}", outcome(state, dialog)), theme.style(Role::Muted)),
    };
    put(buf, area, row(6, 3), vec![told]);
    cursor
}

/// What ⏎ will do.
fn outcome(state: &State, dialog: &LaunchDialog) -> String {
    let directory = expand(state, dialog.directory.text().trim());
    match order(state, &directory, dialog.command.text()) {
        Err(wrong) => wrong,
        Ok(order) => {
            let program = order.command.first().map(|word| word.to_string_lossy().into_owned());
            let program = program.unwrap_or_default();
            let name = order.project;
            if order.register.is_some() {
                let path = shorten(state, &directory);
                format!("⏎ makes {path} the project {name} and starts {program} in it")
            } else {
                format!("⏎ starts {program} in project {name}")
            }
        }
    }
}
