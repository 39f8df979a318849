//! The launch dialog: moving through its fields, suggestions, presets, launching.

use std::path::PathBuf;

use super::launch::{default_command, expand, line_of, order, shorten, start};
use crate::{
    domain::{
        agent_command::{self, Wishes},
        name::check_runner_name,
    },
    ui::{
        effect::{Effect, LaunchOrder},
        keymap::Action,
        state::{LaunchDialog, LaunchField, Mode, NEW_WORKTREE, State, TextLine},
        words,
    },
};

/// More are hardly meant.
const MOST_AT_ONCE: u32 = 20;

/// So many characters of a command are taken in at a glance.
const SHORT: usize = 40;

/// Opens the dialog: the project and the agent of the selected runner, else this directory and the
/// first agent found.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let like = state.selected_runner();
    let directory = usual_directory(state);
    let command = like.map(|runner| match runner.command.first() {
        // Its flags are fields of their own here.
        Some(program) if agent_command::is_known(program) => program.clone(),
        _ => line_of(&runner.command),
    });
    // A script that somebody wrote for one occasion is hardly what is wanted again.
    let command = command.filter(|line| is_short(line)).unwrap_or_else(|| default_command(state));
    let takes_prompt = agent_command::is_known(&command);
    state.mode = Mode::Launch(LaunchDialog {
        field: if takes_prompt { LaunchField::Prompt } else { LaunchField::Command },
        preset: TextLine::default(),
        directory: TextLine::new(&directory),
        project: like.map(|runner| runner.project.clone()).unwrap_or_default(),
        worktree: TextLine::default(),
        command: TextLine::new(&command),
        model: TextLine::default(),
        permissions: TextLine::new("own"),
        prompt: TextLine::default(),
        name: TextLine::default(),
        max_tokens: TextLine::default(),
        wrong: None,
    });
    vec![Effect::ListProjects]
}

/// Whether a command line is a command rather than a script.
fn is_short(line: &str) -> bool {
    line.chars().count() <= SHORT
}

/// The directory that is filled in beforehand.
fn usual_directory(state: &State) -> String {
    let like = state.selected_runner();
    let directory = like.map_or(&state.here.cwd, |runner| &runner.project_path);
    // A runner of an older supervisor may not say it.
    let is_known = directory.is_absolute();
    shorten(state, if is_known { directory } else { &state.here.cwd })
}

/// Asks for the versions of the agents once they are about to be shown or launched; each answer costs
/// the start of a program.
pub(super) fn versions_to_ask(state: &mut State) -> Option<Effect> {
    let is_time = state.is_empty() || matches!(state.mode, Mode::Launch(_));
    let is_due = is_time && !state.are_versions_asked && !state.here.found.is_empty();
    state.are_versions_asked |= is_due;
    is_due.then_some(Effect::AskVersions)
}

/// Applies an action in the dialog.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Mode::Launch(dialog) = &state.mode else { return Vec::new() };
    let mut dialog = dialog.clone();
    let mut effects = Vec::new();
    match action {
        Action::Accept => match order_of(state, &dialog) {
            Ok(order) => {
                state.mode = Mode::List;
                return start(state, order);
            }
            Err(wrong) => dialog.wrong = Some(wrong),
        },
        Action::NextField => dialog.field = dialog.field.next(true),
        Action::PreviousField => dialog.field = dialog.field.next(false),
        Action::NextChoice => choose(state, &mut dialog, true),
        Action::PreviousChoice => choose(state, &mut dialog, false),
        Action::KeepPreset => effects.extend(keep(state, &mut dialog)),
        Action::Cancel => {
            state.mode = Mode::List;
            return Vec::new();
        }
        _ => {}
    }
    state.mode = Mode::Launch(dialog);
    effects
}

/// Returns what launching what is filled in takes, or what is wrong with it.
pub(in crate::ui) fn order_of(state: &State, dialog: &LaunchDialog) -> Result<LaunchOrder, String> {
    let Some(permission) = dialog.permission() else {
        return Err(format!("there are no permissions `{}`", dialog.permissions.text().trim()));
    };
    let wishes = Wishes {
        model: dialog.model.text().trim().to_owned(),
        permission,
        prompt: dialog.prompt.text().trim().to_owned(),
    };
    let typed = dialog.directory.text().trim();
    let directory = directory_of(state, typed);
    let is_named = state.projects.iter().any(|project| project.name == typed);
    let place = (&*directory, if is_named { typed } else { &dialog.project });
    let name = dialog.name.text().trim().to_owned();
    let max_tokens = dialog.limit()?;
    if let Some(count) = name.strip_prefix('*') {
        // No name has a star: so many, by the project's numbers.
        let count = count.trim().parse().ok().filter(|count| (1..=MOST_AT_ONCE).contains(count));
        let count =
            count.ok_or_else(|| format!("`{name}` is no number from *1 to *{MOST_AT_ONCE}"))?;
        let order = order(state, place, dialog.command.text(), &wishes)?;
        let worktree = dialog.wish();
        if count > 1 && worktree.as_ref().is_some_and(|wish| !wish.branch.is_empty()) {
            return Err(format!(
                "one branch is not for several: `{NEW_WORKTREE}` gives each its own"
            ));
        }
        return Ok(LaunchOrder { worktree, max_tokens, count, ..order });
    }
    if !name.is_empty() {
        check_runner_name(&name).map_err(|error| error.to_string())?;
        if state.runners.values().any(|runner| runner.name == name) {
            return Err(format!("there is a runner {name} already"));
        }
    }
    let order = order(state, place, dialog.command.text(), &wishes)?;
    Ok(LaunchOrder { name, worktree: dialog.wish(), max_tokens, ..order })
}

/// Returns the directory that the user typed; a project's name stands for the project's.
pub(in crate::ui) fn directory_of(state: &State, text: &str) -> PathBuf {
    let named = state.projects.iter().find(|project| project.name == text);
    named.map_or_else(|| expand(state, text), |project| project.path.clone())
}

/// The program that is filled in.
pub(in crate::ui) fn program(dialog: &LaunchDialog) -> String {
    let words = words::split(dialog.command.text()).unwrap_or_default();
    words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Keeps what is filled in as a preset of the name that is filled in.
fn keep(state: &mut State, dialog: &mut LaunchDialog) -> Option<Effect> {
    let name = dialog.preset.text().trim().to_owned();
    if name.is_empty() || name.contains('.') {
        dialog.field = LaunchField::Preset;
        dialog.wrong = Some("give the preset a name, without dots".to_owned());
        return None;
    }
    if dialog.permission().is_none() {
        dialog.wrong = Some("these permissions do not exist".to_owned());
        return None;
    }
    let preset = dialog.as_preset(&usual_directory(state));
    state.presets.insert(name.clone(), preset.clone());
    Some(Effect::KeepPreset(name, preset))
}

/// Replaces the field by the next suggestion.
fn choose(state: &State, dialog: &mut LaunchDialog, forward: bool) {
    let program = program(dialog);
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut choices: Vec<String> = match dialog.field {
        LaunchField::Preset => state.presets.keys().cloned().collect(),
        LaunchField::Directory => {
            let projects = state.projects.iter().map(|project| shorten(state, &project.path));
            std::iter::once(shorten(state, &state.here.cwd)).chain(projects).collect()
        }
        LaunchField::Command => {
            let used = state.runners.values().map(|runner| line_of(&runner.command));
            let found = state.here.found.iter().chain(state.here.own.keys());
            let found = found.chain([&state.here.shell]);
            found.cloned().chain(used).collect()
        }
        LaunchField::Model => {
            let known = owned(agent_command::models(&program));
            std::iter::once(String::new()).chain(known).collect()
        }
        LaunchField::Permissions => {
            let own = state.here.own.get(&program);
            let own =
                own.map(|own| if own.god.is_empty() { &["own"][..] } else { &["own", "god"] });
            let own = own.map(owned);
            let known = agent_command::permissions(&program);
            own.unwrap_or_else(|| known.iter().map(|p| p.as_str().to_owned()).collect())
        }
        LaunchField::Worktree => owned(&["", NEW_WORKTREE]),
        // What is to be done next nobody else knows.
        LaunchField::Prompt | LaunchField::Name => Vec::new(),
        LaunchField::MaxTokens => owned(&["", "100k", "500k", "1M", "5M"]),
    };
    let mut seen = std::collections::BTreeSet::new();
    choices.retain(|choice| seen.insert(choice.clone()));
    let text = dialog.line().text().to_owned();
    let at = choices.iter().position(|choice| *choice == text);
    let count = choices.len();
    let next = match at {
        None => 0,
        Some(at) if forward => (at + 1) % count,
        Some(at) => (at + count - 1) % count,
    };
    let Some(choice) = choices.get(next) else { return };
    if let (LaunchField::Preset, Some(preset)) = (dialog.field, state.presets.get(choice)) {
        dialog.fill(choice, preset);
    } else {
        *dialog.line() = TextLine::new(choice);
        // What is too long for the field is told apart by how it begins.
        dialog.line().jump(is_short(choice));
    }
    dialog.wrong = None;
}
