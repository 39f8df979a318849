//! The dialog of a state that is wrong, beside the screen that tells it where there is room.

use ratatui::buffer::Buffer;

use crate::{
    domain::amount::named,
    ui::{
        keymap::{Action, Context},
        state::{CorrectDialog, Geometry, State, correct_area, wrap},
        theme::{Role, Theme},
        widgets::{fit, piece, put},
    },
};

/// Other runners that are named, at most.
const NAMED: usize = 5;

/// Draws it.
pub(super) fn draw(
    buf: &mut Buffer,
    state: &State,
    theme: Theme,
    areas: &Geometry,
    dialog: &CorrectDialog,
) {
    let area = correct_area(areas);
    let wide = usize::from(area.width);
    for row in 0..area.height {
        put(buf, area, row, vec![piece(" ".repeat(wide), theme.style(Role::Text))]);
    }
    put(
        buf,
        area,
        0,
        vec![
            piece(format!(" {} IS NOT ", dialog.name), theme.style(Role::Strong)),
            piece(dialog.was.clone(), theme.style(Role::Muted)),
        ],
    );
    let (rows, at): (Vec<(usize, String)>, usize) = match &dialog.draft {
        None => {
            let all = dialog.offered().into_iter();
            (all.map(|(at, (word, kind))| (at, offered(word, kind))).collect(), dialog.chosen)
        }
        Some(draft) => (draft.lines.iter().cloned().enumerate().collect(), dialog.line),
    };
    let heading = match &dialog.draft {
        None => " It is really …".to_owned(),
        Some(draft) if draft.lines.is_empty() => format!(" It is really {}.", draft.truth),
        Some(draft) => format!(" It is really {}, as this line tells:", draft.truth),
    };
    let below = said(state, dialog, wide.saturating_sub(2));
    let room = usize::from(area.height.saturating_sub(3)).saturating_sub(below.len()).max(1);
    let under = rows.iter().position(|(place, _)| *place == at).unwrap_or(0);
    let from = (under + 1).saturating_sub(room);
    let hidden = hidden(from, rows.len().saturating_sub(from + room));
    let marks = piece(hidden, theme.style(Role::Accent));
    put(buf, area, 1, vec![piece(heading, theme.style(Role::Text)), marks]);
    let mut row = 2;
    for (place, text) in rows.iter().skip(from).take(room) {
        let is_under = *place == at;
        let mark = if is_under { "▌" } else { " " };
        let role = if is_under { Role::Strong } else { Role::Text };
        let pieces = vec![
            piece(mark, theme.style(Role::Accent)),
            piece(format!("{} ", place + 1), theme.style(Role::Muted)),
            piece(fit(text, wide.saturating_sub(4)), theme.style(role)),
        ];
        put(buf, area, row, pieces);
        row += 1;
    }
    for (text, role) in below {
        row += 1;
        put(buf, area, row, vec![piece(format!(" {text}"), theme.style(role))]);
    }
}

/// How many rows there are above and below those that have room.
fn hidden(above: usize, below: usize) -> String {
    let marks = [(above, "↑"), (below, "↓")].into_iter().filter(|(count, _)| *count > 0);
    marks.map(|(count, sign)| format!("   {sign} {count} more")).collect::<Vec<_>>().concat()
}

fn offered(word: &str, kind: &str) -> String {
    match (word, kind) {
        ("idle", _) => "idle: it waits for a prompt".to_owned(),
        ("working", _) => "working: a turn is in progress".to_owned(),
        (_, "permission") => "blocked: it asks whether it may".to_owned(),
        (_, "question") => "blocked: it asks something".to_owned(),
        (_, "trust") => "blocked: it asks whether the directory is trusted".to_owned(),
        (_, "auth") => "blocked: it wants a login".to_owned(),
        (_, "onboarding") => "blocked: it wants to be set up first".to_owned(),
        _ => "error: its last turn has failed".to_owned(),
    }
}

/// What the next key does, and what was tried.
fn said(state: &State, dialog: &CorrectDialog, room: usize) -> Vec<(String, Role)> {
    let enter = state.keys.label(Context::Correct, Action::Accept);
    let (text, role) = match &dialog.draft {
        _ if dialog.is_asking => ("looking at its screen …".to_owned(), Role::Muted),
        None => (
            format!("{enter} drafts a rule from its screen and tries it on all known ones"),
            Role::Muted,
        ),
        Some(draft) if !draft.refused.is_empty() => (
            format!("No rule: {}. {enter} keeps the screen all the same.", draft.refused),
            Role::Warning,
        ),
        Some(draft) => {
            let tried = match draft.tested {
                0 => "no other screen is known that it could be wrong about".to_owned(),
                1 => "tried on 1 known screen, wrong about none".to_owned(),
                count => format!("tried on {count} known screens, wrong about none"),
            };
            let text = format!(
                "{enter} teaches it: every {} whose screen says so is {} from now on; {tried}",
                draft.runner.agent, draft.truth
            );
            match draft.changes.get(dialog.line).map_or(&[][..], Vec::as_slice) {
                [] => (text, Role::Text),
                names => {
                    (format!("{text}. It changes {}, too", named(names, NAMED)), Role::Warning)
                }
            }
        }
    };
    wrap(&text, room).into_iter().map(|text| (text, role)).collect()
}
