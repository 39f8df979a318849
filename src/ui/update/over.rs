//! The mouse over what stands over the screen: the palette, the themes, the keys, dialogs. What is
//! under them is not clicked by accident.

use super::{list, palette, themes};
use crate::{
    terminal::keys::{MouseAction, MouseButton, MouseEvent},
    ui::{
        effect::Effect,
        keymap::Action,
        state::{
            LaunchField, Mode, State, first_field, geometry, palette_area, shown_fields,
            themes_area,
        },
    },
};

/// Applies what the mouse did; `None` if nothing stands over the screen.
pub(super) fn on_mouse(state: &mut State, mouse: MouseEvent) -> Option<Vec<Effect>> {
    let action = match mouse.action {
        MouseAction::ScrollUp => Some(Action::Up),
        MouseAction::ScrollDown => Some(Action::Down),
        _ => None,
    };
    let is_press = mouse.action == MouseAction::Press(MouseButton::Left);
    let areas = geometry(state);
    match (&mut state.mode, action) {
        (Mode::Palette(_), Some(action)) => Some(palette::act(state, action)),
        (Mode::Palette(palette), None) => {
            let area = palette_area(&areas);
            let rows = usize::from(area.height.saturating_sub(1));
            let row = mouse.row.checked_sub(area.y + 1).map(usize::from);
            let at = row.map(|row| palette.top(rows) + row);
            match at.filter(|_| is_press && area.contains(mouse.col, mouse.row)) {
                Some(at) if at < palette.found.len() => {
                    palette.at = at;
                    Some(palette::act(state, Action::Accept))
                }
                _ => Some(Vec::new()),
            }
        }
        (Mode::Themes(_), Some(action)) => Some(themes::act(state, action)),
        (Mode::Themes(_), None) => {
            let area = themes_area(state, areas.body);
            let row = mouse.row.checked_sub(area.y + 1).map(usize::from);
            match row.filter(|_| is_press && area.contains(mouse.col, mouse.row)) {
                Some(row) if row < state.themes.all.len() => Some(themes::show(state, row)),
                _ => Some(Vec::new()),
            }
        }
        (Mode::Launch(dialog), None) => {
            let row = mouse.row.checked_sub(areas.body.y + first_field(areas.body));
            let (first, count) = shown_fields(areas.body, dialog.field);
            let row = row.map(usize::from).filter(|row| *row < count);
            let field = row.and_then(|row| LaunchField::ALL.get(first + row));
            if let Some((field, _)) = field.filter(|_| is_press) {
                dialog.field = *field;
            }
            Some(Vec::new())
        }
        (Mode::Help(_), Some(action)) => Some(list::on_help(state, action)),
        (
            Mode::Help(_) | Mode::Launch(_) | Mode::Quotas(_) | Mode::Budget(_) | Mode::Line(_),
            _,
        ) => Some(Vec::new()),
        _ => None,
    }
}
