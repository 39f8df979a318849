//! The view of what a runner has changed, and launches into worktrees.

use super::{fleet, id, key, list, press, screen, state};
use crate::{
    domain::{
        checkout::{
            ChangeState, Changes, CommitLine, FileChange, RunnerCheckout, SETUP_NOT_TRUSTED,
            SetupChoice,
        },
        failure::Failure,
        key::Key,
        launch::Launched,
    },
    ui::{
        effect::Effect,
        event::{Outcome, UiEvent},
        state::{Mode, State, View},
        update::update,
    },
};

/// A day's work as the daemon tells it.
pub(super) fn changes() -> Changes {
    let file = |path: &str, status: &str, lines: Option<(u64, u64)>, state| FileChange {
        path: path.to_owned(),
        from: None,
        status: status.to_owned(),
        added: lines.map(|(added, _)| added),
        removed: lines.map(|(_, removed)| removed),
        state,
    };
    let moved = FileChange {
        from: Some("src/old_name.rs".to_owned()),
        ..file("src/new_name.rs", "renamed", Some((1, 1)), ChangeState::Committed)
    };
    let commit = |n: u8, subject: &str| CommitLine {
        id: format!("{n:x}").repeat(40),
        author: "Ann".to_owned(),
        at: super::now(),
        subject: subject.to_owned(),
    };
    let patch = "diff --git a/src/login.rs b/src/login.rs\nindex 1..2 100644\n--- a/src/login.rs\n\
         +++ b/src/login.rs\n@@ -1,3 +1,3 @@\n fn login() {\n-    todo!()\n+\tcheck(\"\x1b[31mred\")\n }\n\
         diff --git a/src/new_name.rs b/src/new_name.rs\n@@ -1 +1 @@\n-a\n+b\n\
         diff --git a/logo.png b/logo.png\nBinary files differ\n";
    Changes {
        runner: "api-3".to_owned(),
        directory: "/home/ann/src/api".to_owned(),
        branch: "fix-login".to_owned(),
        since: "abcdef0123456789abcdef0123456789abcdef01".to_owned(),
        files: vec![
            file("src/login.rs", "modified", Some((12, 3)), ChangeState::Uncommitted),
            moved,
            file("logo.png", "added", None, ChangeState::Untracked),
            file("notes\x1b[31m.md", "deleted", Some((0, 40)), ChangeState::Committed),
        ],
        commits: vec![commit(2, "tests for the login"), commit(1, "rename \u{9b}31m it")],
        notes: vec!["`data.bin` is not looked into: it has 200 MB, more than 10".to_owned()],
        patch: patch.into(),
        ..Changes::default()
    }
}

/// Shows what the first runner has changed.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let mut runners = fleet();
    for runner in &mut runners {
        runner.checkout = Some(RunnerCheckout::default());
    }
    list(state, runners);
    let effects = press(state, "c");
    update(state, UiEvent::Changes(id(1), Ok(Box::new(changes()))));
    effects
}

#[test]
fn files_are_gone_into_and_back_from() {
    let mut state = state((120, 40), fleet());
    press(&mut state, "c");
    assert_eq!(state.view, View::Dashboard, "outside of a repository there is nothing to show");
    let effects = open(&mut state);
    assert!(effects.contains(&Effect::ReadChanges(Some(id(1)))), "{effects:?}");
    let shown = screen(&state);
    for text in
        ["CHANGES of api-3", "4 files +13 -44, 2 commits", "logo.png", "tests for the login"]
    {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    assert!(
        !shown.contains(char::is_control) || shown.chars().all(|c| c == '\n' || !c.is_control())
    );
    press(&mut state, "jjj");
    key(&mut state, Key::Enter);
    let shown = screen(&state);
    assert!(shown.contains("CHANGES of api-3 · src/login.rs"), "{shown}");
    assert!(shown.contains("+   check(\"·[31mred\")") && !shown.contains("-a"), "{shown}");
    // It is looked at again while one reads, and the place is kept.
    press(&mut state, "jj");
    update(&mut state, UiEvent::Changes(id(1), Ok(Box::new(changes()))));
    assert_eq!(state.page.at, 2);
    update(&mut state, UiEvent::Changes(id(2), Err("of another".to_owned())));
    key(&mut state, Key::Escape);
    assert_eq!((state.view, state.page.at), (View::Changes, 3));
    // What the words do not match is not gone into.
    press(&mut state, "&logo");
    key(&mut state, Key::Enter);
    key(&mut state, Key::Enter);
    assert!(screen(&state).contains("Binary files differ"), "{}", screen(&state));
    key(&mut state, Key::Escape);
    let effects = key(&mut state, Key::Escape);
    assert!(effects.contains(&Effect::ReadChanges(None)), "{effects:?}");
    assert!(state.changes.is_none() && state.view == View::Dashboard);
}

#[test]
fn what_cannot_be_told_says_why() {
    let mut state = state((80, 24), fleet());
    open(&mut state);
    update(&mut state, UiEvent::Changes(id(1), Err("git is not installed".to_owned())));
    assert!(screen(&state).contains("git is not installed"));
    update(&mut state, UiEvent::Changes(id(1), Ok(Box::default())));
    assert!(screen(&state).contains("0 files +0 -0, 0 commits"), "{}", screen(&state));
    // Another view ends the reading, too.
    let effects = press(&mut state, "E");
    assert!(effects.contains(&Effect::ReadChanges(None)), "{effects:?}");
}

/// Fills in the launch dialog's worktree and launches.
fn launch(state: &mut State, worktree: &str) -> Vec<Effect> {
    press(state, "N");
    for _ in 0..5 {
        key(state, Key::Tab);
    }
    press(state, worktree);
    key(state, Key::Enter)
}

#[test]
fn a_launch_may_wish_for_a_worktree() {
    let mut state = state((80, 24), fleet());
    for (typed, branch) in [("", None), ("new", Some("")), ("fix/login", Some("fix/login"))] {
        let effects = launch(&mut state, typed);
        let Some(Effect::Launch(order)) = effects.first() else { panic!("{effects:?}") };
        assert_eq!(order.worktree.as_ref().map(|wish| wish.branch.as_str()), branch, "{typed}");
    }
    // Several get one each, but not the same.
    press(&mut state, "N");
    (0..5).for_each(|_| drop(key(&mut state, Key::Tab)));
    press(&mut state, "main");
    key(&mut state, Key::Tab);
    press(&mut state, "*3");
    assert!(screen(&state).contains("one branch is not for several"), "{}", screen(&state));
    key(&mut state, Key::Escape);
    let effects = launch(&mut state, "new");
    let Some(Effect::Launch(order)) = effects.first() else { panic!("{effects:?}") };
    let why =
        ".stratavore.yaml of api has `npm ci` run in new worktrees, and you have not allowed that";
    let failure = Failure::denied(SETUP_NOT_TRUSTED, why);
    let refused = || UiEvent::Outcome(Outcome::Untrusted(order.clone(), failure.clone()));
    update(&mut state, refused());
    assert!(screen(&state).contains("npm ci"), "{}", screen(&state));
    assert_eq!(press(&mut state, "y"), [], "a key that was for something else");
    let later = |state: &mut State| {
        let now = state.now + chrono::TimeDelta::seconds(1);
        update(state, UiEvent::Tick(now));
    };
    later(&mut state);
    assert!(!press(&mut state, "n").iter().any(|effect| matches!(effect, Effect::Launch(_))));
    update(&mut state, refused());
    later(&mut state);
    let effects = press(&mut state, "y");
    let Some(Effect::Launch(order)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(order.worktree.as_ref().map(|wish| wish.setup), Some(SetupChoice::Trust));
    // A question that comes while something is typed is no question: its keys mean other things.
    press(&mut state, "/");
    update(&mut state, refused());
    assert!(!matches!(state.mode, Mode::Confirm(_)));
}

#[test]
fn a_shared_directory_is_said_until_somebody_is_there() {
    let mut state = state((120, 40), fleet());
    let runner = fleet().remove(0);
    let warnings = vec!["api-1 works in the same directory: their changes mix".to_owned()];
    let launched = Launched { runner, repeated: false, warnings };
    update(&mut state, UiEvent::Outcome(Outcome::Launched(Box::new(launched))));
    update(&mut state, UiEvent::Tick(super::now() + chrono::TimeDelta::minutes(5)));
    assert!(screen(&state).contains("works in the same directory"), "{}", screen(&state));
}
