//! Launching: from the first screen with one key, or from the dialog with everything filled in.

use std::path::{Path, PathBuf};

use super::launch_dialog;
use crate::{
    domain::{
        agent::Agent,
        agent_command::{self, Permission, Wishes},
        failure::Failure,
        project::NewProject,
        quota::QuotaChange,
        runner::agent_of,
    },
    ui::{
        effect::{Effect, LaunchOrder},
        keymap::Action,
        state::{Confirm, Deed, Mode, State, project_for, unique_name},
        words,
    },
};

/// Applies an action on the first screen.
pub(super) fn on_welcome(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::LaunchFound => launch_here(state, &default_command(state)),
        Action::LaunchShell => launch_here(state, &state.here.shell.clone()),
        Action::Launch => launch_dialog::open(state),
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

/// Returns what launching this command line in this directory takes, or what is wrong with it; of the
/// projects of this directory, the one of this name is preferred.
pub(in crate::ui) fn order(
    state: &State,
    (directory, preferred): (&Path, &str),
    line: &str,
    wishes: &Wishes,
) -> Result<LaunchOrder, String> {
    let command = words::split(line)?;
    if command.is_empty() {
        return Err("the command is empty".to_owned());
    }
    if !directory.is_absolute() {
        return Err("the directory must be a project, an absolute path or begin with ~".to_owned());
    }
    let program = command.first().map(|word| agent_of(std::slice::from_ref(word)));
    let version = program.as_ref().and_then(|name| state.here.versions.get(name));
    let own = command.first().and_then(|word| state.here.own.get(word.to_str()?));
    let command = if let Some(own) = own.filter(|_| command.len() == 1) {
        // Its conversation gets its id when it is started.
        own.fill(wishes, "{session_id}").map_err(|why| format!("{line} {why}"))?
    } else {
        if wishes.permission == Permission::Everything {
            let agent = program.as_deref().and_then(Agent::of);
            let (is_root, is_confined) = (state.here.is_root, state.here.is_confined);
            agent_command::may_be_god(agent, is_root, is_confined)?;
        }
        agent_command::command(command, version.map(String::as_str), wishes)?
    };
    let known = project_for(&state.projects, directory, preferred);
    let project = known
        .map_or_else(|| unique_name(&state.projects, directory), |project| project.name.clone());
    let register = known.is_none().then(|| NewProject {
        name: project.clone(),
        path: directory.to_owned(),
        description: String::new(),
        tags: Vec::new(),
        quotas: QuotaChange::new(),
    });
    let (cwd, size) = (directory.to_owned(), state.launch_size());
    let (name, worktree, max_tokens) = (String::new(), None, None);
    let count = 1;
    Ok(LaunchOrder { project, register, name, command, cwd, worktree, size, max_tokens, count })
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
    match order(state, (&state.here.cwd.clone(), ""), command, &Wishes::default()) {
        Ok(order) => start(state, order),
        Err(wrong) => {
            state.complain(wrong);
            Vec::new()
        }
    }
}

pub(super) fn start(state: &mut State, order: LaunchOrder) -> Vec<Effect> {
    if !state.is_current() {
        state.complain("not connected to the daemon; wait until it is back");
        return Vec::new();
    }
    let program = order.command.first().map(|word| word.to_string_lossy().into_owned());
    let program = program.unwrap_or_default();
    let what = if order.count > 1 { format!("{} × {program}", order.count) } else { program };
    state.say(format!("launching {what} in {} …", order.project));
    vec![Effect::Launch(Box::new(order))]
}

/// Asks whether a set-up command may be run; the launch waits for the answer.
pub(super) fn ask_for_trust(state: &mut State, order: Box<LaunchOrder>, failure: &Failure) {
    if state.mode != Mode::List {
        // Keys that are meant for something else must not be the answer.
        state.complain(format!("failed to launch: {}", failure.message));
        return;
    }
    let question = format!("{}. Allow it from now on?", failure.message);
    state.mode = Mode::Confirm(Confirm { deed: Deed::TrustSetup(order, state.now), question });
    state.is_dirty = true;
}

/// Returns a command as it would be typed.
pub(super) fn line_of(command: &[String]) -> String {
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
