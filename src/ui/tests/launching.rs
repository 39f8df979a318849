//! The launch dialog: models, permissions, presets.

use super::{fleet, key, press, project, screen, state};
use crate::{
    config::presets::Preset,
    domain::{
        key::{Key, KeyPress},
        project::Project,
    },
    ui::{
        effect::Effect,
        event::UiEvent,
        state::{LaunchField, Mode, State},
        update::update,
    },
};

fn open(size: (u16, u16)) -> State {
    let mut state = state(size, fleet());
    press(&mut state, "N");
    state
}

fn to(state: &mut State, field: LaunchField) {
    for _ in 0..LaunchField::ALL.len() {
        let Mode::Launch(dialog) = &state.mode else { panic!("no dialog") };
        if dialog.field == field {
            return;
        }
        key(state, Key::Tab);
    }
    panic!("{field:?} is not reached");
}

fn launched(state: &mut State) -> Vec<String> {
    let effects = key(state, Key::Enter);
    let Some(Effect::Launch(order)) = effects.first() else { panic!("{:?}", state.mode) };
    order.command.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

#[test]
fn god_mode_is_said_in_words_and_in_the_colour_of_a_warning() {
    let mut state = open((80, 24));
    to(&mut state, LaunchField::Permissions);
    key(&mut state, Key::Up);
    insta::assert_snapshot!(screen(&state));
    let command = launched(&mut state);
    assert!(command.contains(&"--dangerously-skip-permissions".to_owned()), "{command:?}");
}

#[test]
fn what_a_program_cannot_be_told_is_said_before_it_is_tried() {
    let mut state = open((80, 24));
    press(&mut state, "fix it");
    to(&mut state, LaunchField::Command);
    update(&mut state, UiEvent::Key(KeyPress::parse("ctrl-u").unwrap()));
    press(&mut state, "bash");
    assert!(screen(&state).contains("bash: how it is told a prompt is not known"));
    assert_eq!(key(&mut state, Key::Enter), []);
    assert!(matches!(state.mode, Mode::Launch(_)));
}

#[test]
fn presets_fill_in_and_are_kept() {
    let mut state = open((120, 40));
    let preset = Preset {
        command: "codex".to_owned(),
        model: "gpt-6-sol".to_owned(),
        permissions: "edits".to_owned(),
        prompt: "review the last commit".to_owned(),
        ..Preset::default()
    };
    state.presets.insert("review".to_owned(), preset.clone());
    to(&mut state, LaunchField::Preset);
    key(&mut state, Key::Down);
    let Mode::Launch(dialog) = &state.mode else { panic!("no dialog") };
    let usual = dialog.directory.text().to_owned();
    assert_eq!(dialog.as_preset(&usual), preset);
    let kept = dialog.as_preset("/elsewhere");
    assert_eq!(kept.project, usual, "the directory is kept where it is not the usual one");
    let keep = |state: &mut State| update(state, UiEvent::Key(KeyPress::parse("ctrl-s").unwrap()));
    press(&mut state, "2");
    assert_eq!(keep(&mut state), [Effect::KeepPreset("review2".to_owned(), preset.clone())]);
    assert_eq!(state.presets.get("review2"), Some(&preset));
    assert_eq!(
        launched(&mut state).join(" "),
        "codex -a on-request -s workspace-write --model gpt-6-sol -- review the last commit"
    );
    let mut state = open((120, 40));
    assert_eq!(keep(&mut state), [], "it has no name yet");
    let all = Preset {
        project: "api".to_owned(),
        worktree: "new".to_owned(),
        name: "*3".to_owned(),
        max_tokens: "100k".to_owned(),
        ..preset
    };
    state.presets.insert("all".to_owned(), all.clone());
    to(&mut state, LaunchField::Preset);
    key(&mut state, Key::Down);
    let Mode::Launch(dialog) = &state.mode else { panic!("no dialog") };
    assert_eq!(dialog.as_preset("/elsewhere"), all);
}

#[test]
fn versions_are_shown_as_they_are_told() {
    let mut state = state((120, 40), Vec::new());
    update(&mut state, UiEvent::Version("codex".to_owned(), "0.169.0".to_owned()));
    assert!(screen(&state).contains("claude 2.1.328   codex 0.169.0"), "{}", screen(&state));
}

#[test]
fn versions_are_asked_for_once_and_only_when_they_matter() {
    let mut state = state((120, 40), fleet());
    assert!(!press(&mut state, "j").contains(&Effect::AskVersions));
    assert!(press(&mut state, "N").contains(&Effect::AskVersions));
    key(&mut state, Key::Escape);
    assert!(!press(&mut state, "N").contains(&Effect::AskVersions));
}

#[test]
fn another_agent_of_the_selected_runners_project_is_what_is_offered() {
    let mut all = fleet();
    for runner in &mut all {
        if runner.name == "web-1" {
            runner.command = vec!["codex".to_owned()];
            runner.cwd.push("src");
        }
    }
    let mut state = state((120, 40), all);
    press(&mut state, "jN");
    let Mode::Launch(dialog) = &state.mode else { panic!("no dialog") };
    assert_eq!((dialog.directory.text(), dialog.command.text()), ("~/src/web", "codex"));
    to(&mut state, LaunchField::Directory);
    update(&mut state, UiEvent::Projects(vec![project("api")]));
    update(&mut state, UiEvent::Key(KeyPress::parse("ctrl-u").unwrap()));
    press(&mut state, "api");
    let effects = key(&mut state, Key::Enter);
    let Some(Effect::Launch(order)) = effects.first() else { panic!("{:?}", state.mode) };
    assert_eq!((order.project.as_str(), order.register.is_none()), ("api", true));
    assert_eq!(order.cwd.to_str(), Some("/home/ann/src/api"));
}

#[test]
fn without_an_agent_one_key_starts_the_shell() {
    let mut state = state((80, 24), Vec::new());
    assert!(screen(&state).contains("s shell"));
    state.here.found.clear();
    let shown = screen(&state);
    assert!(shown.contains("start bash here") && !shown.contains("s shell"), "{shown}");
    assert!(!shown.contains("start a shell here"), "{shown}");
}

#[test]
fn of_projects_that_share_a_directory_the_selected_rows_is_meant() {
    let shared = |name: &str| Project { path: "/home/ann/src/web".into(), ..project(name) };
    for all in [["web", "zoo"], ["zoo", "web"]] {
        let mut state = state((120, 40), fleet());
        update(&mut state, UiEvent::Projects(all.map(shared).to_vec()));
        press(&mut state, "jN");
        let effects = key(&mut state, Key::Enter);
        let Some(Effect::Launch(order)) = effects.first() else { panic!("{:?}", state.mode) };
        assert_eq!(order.project, "web");
        press(&mut state, "jN");
        to(&mut state, LaunchField::Directory);
        update(&mut state, UiEvent::Key(KeyPress::parse("ctrl-u").unwrap()));
        press(&mut state, "zoo");
        let effects = key(&mut state, Key::Enter);
        let Some(Effect::Launch(order)) = effects.first() else { panic!("{:?}", state.mode) };
        assert_eq!(order.project, "zoo");
    }
}

#[test]
fn a_script_is_not_taken_over_and_is_shown_from_its_beginning() {
    let mut all = fleet();
    let script = format!("sleep {}; echo the end", "1 ".repeat(80));
    for runner in &mut all {
        if runner.name == "web-1" {
            runner.command = vec!["bash".to_owned(), "-c".to_owned(), script.clone()];
        }
    }
    let mut state = state((120, 40), all);
    press(&mut state, "jN");
    let Mode::Launch(dialog) = &state.mode else { panic!("no dialog") };
    assert_eq!(dialog.command.text(), "claude");
    to(&mut state, LaunchField::Command);
    for _ in 0..20 {
        if screen(&state).contains("bash -c \"sleep") {
            return;
        }
        key(&mut state, Key::Down);
    }
    panic!("its beginning is never shown: {}", screen(&state));
}
