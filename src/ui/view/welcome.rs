//! The first screen: no runners yet, so it says what was found and which key starts what.

use ratatui::{buffer::Buffer, text::Span};

use crate::ui::{
    keymap::{Action, Context},
    state::{Area, Connection, State, project_for, unique_name},
    theme::{Role, Theme},
    update::{default_command, shorten},
    widgets::{clip_front, fit, piece, put, total},
};

/// Draws what is shown before the daemon has answered.
pub(super) fn draw_waiting(buf: &mut Buffer, state: &State, theme: Theme, area: Area) {
    let text = match &state.connection {
        Connection::Lost(why) => format!(" {why}; trying again"),
        _ => " starting…".to_owned(),
    };
    put(
        buf,
        area,
        1.min(area.height.saturating_sub(1)),
        vec![piece(text, theme.style(Role::Muted))],
    );
}

/// Draws what was found here and what can be done with it.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, area: Area) {
    let wide = usize::from(area.width);
    let label = if wide >= 60 { 22 } else { 0 };
    let facts =
        [("Found on your PATH", found(state, theme)), ("This directory", here(state, theme, wide))];
    let mut lines: Vec<Vec<Span<'static>>> = Vec::new();
    if area.height >= 12 {
        lines.push(Vec::new());
        let text = "  No agents yet. They will go on when you leave this screen.";
        lines.push(vec![piece(text, theme.style(Role::Text))]);
        lines.push(Vec::new());
    }
    for (name, pieces) in facts {
        let label = piece(fit(&format!("  {name}"), label), theme.style(Role::Muted));
        let room = wide.saturating_sub(total(std::slice::from_ref(&label)));
        if total(&pieces) <= room {
            lines.push(std::iter::once(label).chain(pieces).collect());
            continue;
        }
        // What has no room beside the rest stands in a line of its own.
        let indent =
            piece(" ".repeat(total(std::slice::from_ref(&label))), theme.style(Role::Muted));
        let mut label = Some(label);
        for mut rest in pieces {
            rest.content = rest.content.trim_start_matches([' ', '·']).to_owned().into();
            lines.push(vec![label.take().unwrap_or_else(|| indent.clone()), rest]);
        }
    }
    if !state.projects.is_empty() {
        let names: Vec<&str> = state.projects.iter().map(|p| p.name.as_str()).collect();
        lines.push(vec![
            piece(fit("  Projects", label.max(11)), theme.style(Role::Muted)),
            piece(names.join("  "), theme.style(Role::Text)),
        ]);
    }
    if usize::from(area.height) >= lines.len() + 7 {
        lines.push(Vec::new());
    }
    let program = default_command(state);
    let program = program.rsplit('/').next().unwrap_or_default();
    for (action, text) in [
        (Action::LaunchFound, format!("start {program} here")),
        (Action::LaunchShell, "start a shell here".to_owned()),
        (Action::Launch, "choose a command and a directory".to_owned()),
        (Action::Demo, "see a demonstration: `stratavore demo`".to_owned()),
        (Action::Help, "all keys".to_owned()),
        (Action::Quit, "leave".to_owned()),
    ] {
        if action == Action::LaunchShell && state.here.found.is_empty() {
            // The first key starts it already.
            continue;
        }
        let key = state.keys.label(Context::Welcome, action);
        lines.push(vec![
            piece(format!("  {}", fit(&key, 4)), theme.style(Role::Accent)),
            piece(text, theme.style(Role::Text)),
        ]);
    }
    for (row, line) in (0..area.height).zip(lines) {
        put(buf, area, row, line);
    }
}

fn found(state: &State, theme: Theme) -> Vec<Span<'static>> {
    let missing = state.here.missing.join(", ");
    let named = |name: &String| match state.here.versions.get(name) {
        Some(version) => format!("{name} {version}"),
        None => name.clone(),
    };
    let names: Vec<String> = state.here.found.iter().map(named).collect();
    let (text, missing) = match (state.here.found.is_empty(), missing.is_empty()) {
        (true, _) => ("no agent that is known here".to_owned(), format!("   ({missing})")),
        (false, true) => (names.join("   "), String::new()),
        (false, false) => (names.join("   "), format!("   ({missing}: not installed)")),
    };
    vec![piece(text, theme.style(Role::Strong)), piece(missing, theme.style(Role::Muted))]
}

fn here(state: &State, theme: Theme, wide: usize) -> Vec<Span<'static>> {
    let cwd = &state.here.cwd;
    let git = match &state.here.git {
        Some(branch) => format!(" · git {branch}"),
        None => " · no git repository".to_owned(),
    };
    let project = match project_for(&state.projects, cwd, "") {
        Some(project) => format!(" · project {}", project.name),
        None => format!(" · becomes project {}", unique_name(&state.projects, cwd)),
    };
    vec![
        piece(clip_front(&shorten(state, cwd), (wide / 2).max(12)), theme.style(Role::Strong)),
        piece(git + &project, theme.style(Role::Muted)),
    ]
}
