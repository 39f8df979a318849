//! Launching: from the first screen with one key, or from the dialog with everything filled in.

use std::path::{Path, PathBuf};

use crate::{
    domain::project::NewProject,
    ui::{
        effect::{Effect, LaunchOrder},
        keymap::Action,
        state::{LaunchDialog, LaunchField, Mode, State, TextLine, project_for, unique_name},
        words,
    },
};

/// Opens the dialog: this directory, and the command that was launched last or the first found.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let newest = state.runners.values().max_by_key(|runner| runner.created_at);
    let command = newest.map_or_else(|| default_command(state), |runner| line_of(&runner.command));
    state.mode = Mode::Launch(LaunchDialog {
        field: LaunchField::Command,
        directory: TextLine::new(&shorten(state, &state.here.cwd)),
        command: TextLine::new(&command),
        wrong: None,
    });
    vec![Effect::ListProjects]
}

/// Applies an action on the first screen.
pub(super) fn on_welcome(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::LaunchFound => launch_here(state, &default_command(state)),
        Action::LaunchShell => launch_here(state, &state.here.shell.clone()),
        Action::Launch => open(state),
        Action::Demo => {
            state.say("run `stratavore demo` in a shell: scripted agents, no account, no network");
            Vec::new()
        }
        Action::Help => {
            state.mode = Mode::Help(0);
            Vec::new()
        }
        Action::Quit => vec![Effect::Quit],
        _ => Vec::new(),
    }
}

/// Applies an action in the dialog.
pub(super) fn on_dialog(state: &mut State, action: Action) -> Vec<Effect> {
    let Mode::Launch(dialog) = &state.mode else { return Vec::new() };
    let mut dialog = dialog.clone();
    match action {
        Action::Accept => {
            let directory = expand(state, dialog.directory.text().trim());
            match order(state, &directory, dialog.command.text()) {
                Ok(order) => {
                    state.mode = Mode::List;
                    return start(state, order);
                }
                Err(wrong) => dialog.wrong = Some(wrong),
            }
        }
        Action::NextField => {
            dialog.field = match dialog.field {
                LaunchField::Directory => LaunchField::Command,
                LaunchField::Command => LaunchField::Directory,
            };
        }
        Action::NextChoice => choose(state, &mut dialog, true),
        Action::PreviousChoice => choose(state, &mut dialog, false),
        Action::Cancel => {
            state.mode = Mode::List;
            return Vec::new();
        }
        _ => {}
    }
    state.mode = Mode::Launch(dialog);
    Vec::new()
}

/// Returns what launching this command line in this directory takes, or what is wrong with it.
pub(in crate::ui) fn order(
    state: &State,
    directory: &Path,
    line: &str,
) -> Result<LaunchOrder, String> {
    let command = words::split(line)?;
    if command.is_empty() {
        return Err("the command is empty".to_owned());
    }
    if !directory.is_absolute() {
        return Err("the directory must be an absolute path or begin with ~".to_owned());
    }
    let known = project_for(&state.projects, directory);
    let project = known
        .map_or_else(|| unique_name(&state.projects, directory), |project| project.name.clone());
    let register = known.is_none().then(|| NewProject {
        name: project.clone(),
        path: directory.to_owned(),
        description: String::new(),
        tags: Vec::new(),
    });
    let (cwd, size) = (directory.to_owned(), state.launch_size());
    Ok(LaunchOrder { project, register, command, cwd, size })
}

/// Returns the path that the user typed.
pub(in crate::ui) fn expand(state: &State, text: &str) -> PathBuf {
    match (text.strip_prefix('~'), &state.here.home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            home.join(rest.trim_start_matches('/'))
        }
        _ => PathBuf::from(text),
    }
}

/// Returns a path as the user would type it.
pub(in crate::ui) fn shorten(state: &State, path: &Path) -> String {
    let below = state.here.home.as_ref().and_then(|home| path.strip_prefix(home).ok());
    match below {
        Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

/// The command of the first agent found, or the shell.
pub(in crate::ui) fn default_command(state: &State) -> String {
    state.here.found.first().unwrap_or(&state.here.shell).clone()
}

fn launch_here(state: &mut State, command: &str) -> Vec<Effect> {
    match order(state, &state.here.cwd.clone(), command) {
        Ok(order) => start(state, order),
        Err(wrong) => {
            state.complain(wrong);
            Vec::new()
        }
    }
}

fn start(state: &mut State, order: LaunchOrder) -> Vec<Effect> {
    if !state.is_current() {
        state.complain("not connected to the daemon; wait until it is back");
        return Vec::new();
    }
    let program = order.command.first().map(|word| word.to_string_lossy().into_owned());
    state.say(format!("launching {} in {} …", program.unwrap_or_default(), order.project));
    vec![Effect::Launch(Box::new(order))]
}

/// Replaces the field by the next suggestion: known directories, agents found, commands in use.
fn choose(state: &State, dialog: &mut LaunchDialog, forward: bool) {
    let mut choices: Vec<String> = match dialog.field {
        LaunchField::Directory => {
            let projects = state.projects.iter().map(|project| shorten(state, &project.path));
            std::iter::once(shorten(state, &state.here.cwd)).chain(projects).collect()
        }
        LaunchField::Command => {
            let used = state.runners.values().map(|runner| line_of(&runner.command));
            let found = state.here.found.iter().chain([&state.here.shell]);
            found.cloned().chain(used).collect()
        }
    };
    let mut seen = std::collections::BTreeSet::new();
    choices.retain(|choice| seen.insert(choice.clone()));
    let line = dialog.line();
    let at = choices.iter().position(|choice| choice == line.text());
    let count = choices.len();
    let next = match at {
        None => 0,
        Some(at) if forward => (at + 1) % count,
        Some(at) => (at + count - 1) % count,
    };
    if let Some(choice) = choices.get(next) {
        *line = TextLine::new(choice);
    }
}

/// Returns a command as it would be typed.
fn line_of(command: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    let quoted = command.iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
