//! What the screen shows, at the sizes people have and at the ones nobody has.

use super::{event, fleet, key, press, project, runner, screen, state};
use crate::{
    domain::{activity::ActivityState, size::TerminalSize},
    terminal::keys::Key,
    ui::{
        event::{Frame, UiEvent},
        state::State,
        update::update,
    },
};

/// The fleet with projects, events and a screen.
fn busy(size: (u16, u16)) -> State {
    let mut state = state(size, fleet());
    update(&mut state, UiEvent::Projects(vec![project("api"), project("web"), project("shop")]));
    // Times are local and so no part of a snapshot: events have a test of their own.
    let frame = Frame {
        size: TerminalSize::new(60, 10),
        full: true,
        bytes: b"All 214 tests pass.\r\n\r\n Do you want to proceed?\r\n 1. Yes\r\n 2. No"
            .as_slice()
            .into(),
    };
    let id = state.selected.unwrap();
    update(&mut state, UiEvent::Frame(id, Box::new(frame)));
    state
}

#[test]
fn phone() {
    insta::assert_snapshot!(screen(&busy((40, 12))), @r#"
 ?2 ●3 ✓1 ×1 ○1 ·1
────────────────────────────────────────
 NEEDS YOU
▌? api-3    4m permission Bash(git push…
 ? web-1    1m question Which port shou…
 WORKING
 ● api-1    2m working Rename the schem…
 ● web-9    3m working claude --verbose
 ● web-10  41s working claude --verbose
 DONE
 ✓ docs-1   6m done claude --v ↓ 6 more
 tab next  ⏎ attach  ? help  q quit
"#);
}

#[test]
fn classic() {
    insta::assert_snapshot!(screen(&busy((80, 24))), @r#"
 stratavore · laptop  2 need you  3 working  1 done  1 failed        daemon ok
────────────────────────────────────────────────────────────────────────────────
 NEEDS YOU
▌? api-3   permission   4m  claude  Bash(git push origin fix-login)
 ? web-1   question     1m  claude  Which port should the server use?
 WORKING
 ● api-1   working      2m  claude  Rename the schema's columns
 ● web-9   working      3m  claude  claude --verbose
 ● web-10  working     41s  claude  claude --verbose
 DONE
 ✓ docs-1  done         6m  claude  claude --verbose
 IDLE                                                                  ↓ 5 more
─ api-3 · claude · ~/src/api · permission 4m ───────────────────────────────────
All 214 tests pass.

 Do you want to proceed?
 1. Yes
 2. No





 tab next  ⏎ attach  i type  t send line  n new  x stop  ? help  q quit
"#);
}

#[test]
fn laptop() {
    insta::assert_snapshot!(screen(&busy((120, 40))), @r#"
 stratavore · laptop    2 need you   3 working   1 done   1 failed   1 idle   1 finished            daemon ok · SQLite
──────────────────────────────────────────────────────────────┬─ api-3 · claude · ~/src/api · permission 4m ────────────
 NEEDS YOU                                                    │All 214 tests pass.
▌? api-3   permission   4m  Bash(git push origin fix-login)   │
 ? web-1   question     1m  Which port should the server use? │ Do you want to proceed?
 WORKING                                                      │ 1. Yes
 ● api-1   working      2m  Rename the schema's columns       │ 2. No
 ● web-9   working      3m  claude --verbose                  │
 ● web-10  working     41s  claude --verbose                  │
 DONE                                                         │
 ✓ docs-1  done         6m  claude --verbose                  │
 IDLE                                                         │
 ○ docs-2  idle       2h01  claude --verbose                  │
 FAILED                                                       │
 × etl-1   failed      22m  exit code 1                       │
 FINISHED                                                     │
 · etl-2   finished    25h  exit code 0                       │
                                                              │
                                                              │
                                                              │
                                                              │
                                                              │
                                                              │
                                                              │
                                                              │
                                                              │
                                                              │
                                                              │
                                                              │
                                                              │
 PROJECTS   api 2   shop 0   web 3                            │
─ EVENTS ─────────────────────────────────────────────────────┤
 nothing yet                                                  │
                                                              │
                                                              │
                                                              │
                                                              │
                                                              │
                                                              │
 tab next that needs you  ⏎ attach  i type  t send line  n new  x stop  space pause  r restart  ? help  q quit
"#);
}

#[test]
fn large() {
    insta::assert_snapshot!(screen(&busy((200, 50))), @r#"
 stratavore · laptop    2 need you   3 working   1 done   1 failed   1 idle   1 finished                                                                                            daemon ok · SQLite
────────────────────────────────────────────────────────────────────────────────────────────────────────┬─ api-3 · claude · ~/src/api · permission 4m ──────────────────────────────────────────────────
 NEEDS YOU                                                                                              │All 214 tests pass.
▌? api-3   permission   4m  Bash(git push origin fix-login)          12 %  340 M  claude --verbose      │
 ? web-1   question     1m  Which port should the server use?        12 %  340 M  claude --verbose      │ Do you want to proceed?
 WORKING                                                                                                │ 1. Yes
 ● api-1   working      2m  Rename the schema's columns              12 %  340 M  claude --verbose      │ 2. No
 ● web-9   working      3m                                           12 %  340 M  claude --verbose      │
 ● web-10  working     41s                                           12 %  340 M  claude --verbose      │
 DONE                                                                                                   │
 ✓ docs-1  done         6m                                           12 %  340 M  claude --verbose      │
 IDLE                                                                                                   │
 ○ docs-2  idle       2h01                                           12 %  340 M  claude --verbose      │
 FAILED                                                                                                 │
 × etl-1   failed      22m  exit code 1                                           claude --verbose      │
 FINISHED                                                                                               │
 · etl-2   finished    25h  exit code 0                                           claude --verbose      │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
 PROJECTS   api 2   shop 0   web 3                                                                      │
─ EVENTS ───────────────────────────────────────────────────────────────────────────────────────────────┤
 nothing yet                                                                                            │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
                                                                                                        │
 tab next that needs you  ⏎ attach  i type  t send line  n new  x stop  space pause  r restart  / filter  p by project  ? help  q quit
"#);
}

#[test]
fn first_screen() {
    insta::assert_snapshot!(screen(&state((80, 24), Vec::new())), @r#"
 stratavore · laptop                                                 daemon ok
────────────────────────────────────────────────────────────────────────────────

  No agents yet. They will go on when you leave this screen.

  Found on your PATH  claude   codex   (gemini, opencode: not installed)
  This directory      ~/src/shop · git main · becomes project shop

  ⏎   start claude here
  s   start a shell here
  c   choose a command and a directory
  d   see a demonstration: `stratavore demo`
  ?   all keys
  q   leave









 ⏎ launch  s shell  c choose  d demo  ? help  q quit
"#);
}

#[test]
fn by_project() {
    let mut state = busy((80, 24));
    press(&mut state, "p");
    insta::assert_snapshot!(screen(&state), @r#"
 stratavore · laptop  2 need you  3 working  1 done  1 failed        daemon ok
────────────────────────────────────────────────────────────────────────────────
 api  1 need you  1 working  ~/src/api
▌? api-3   permission   4m  claude  Bash(git push origin fix-login)
 ● api-1   working      2m  claude  Rename the schema's columns
 docs  1 done  1 idle
 ✓ docs-1  done         6m  claude  claude --verbose
 ○ docs-2  idle       2h01  claude  claude --verbose
 etl  1 failed  1 finished
 × etl-1   failed      22m  claude  exit code 1
 · etl-2   finished    25h  claude  exit code 0
 shop  no runners  ~/src/shop                                          ↓ 4 more
─ api-3 · claude · ~/src/api · permission 4m ───────────────────────────────────
All 214 tests pass.

 Do you want to proceed?
 1. Yes
 2. No





 tab next  ⏎ attach  i type  t send line  n new  x stop  ? help  q quit
"#);
}

#[test]
fn question_and_line_and_filter() {
    let mut state = busy((80, 24));
    press(&mut state, "x");
    let asked = screen(&state);
    press(&mut state, "nthello");
    let line = screen(&state);
    key(&mut state, Key::Escape);
    press(&mut state, "/web");
    let last = |text: &str| text.lines().skip(22).map(str::to_owned).collect::<Vec<_>>().join("\n");
    let all = [asked, line, screen(&state)].map(|text| last(&text)).join("\n--\n");
    insta::assert_snapshot!(all, @r#"
 Stop api-3? Ends claude and its 2 other processes; its question stays open.
 y yes  n no, keep it
--
 to api-3 ❯ hello
 ⏎ send  esc back
--
 filter / web
 ⏎ keep  esc show all
"#);
}

#[test]
fn launch_dialog() {
    let mut state = busy((80, 12));
    press(&mut state, "n");
    insta::assert_snapshot!(screen(&state), @r#"
 stratavore · laptop  2 need you  3 working  1 done  1 failed        daemon ok
────────────────────────────────────────────────────────────────────────────────

 LAUNCH AN AGENT

  directory ~/src/shop
▌ command   /usr/bin/claude --verbose

  ⏎ starts /usr/bin/claude in project shop


 ⏎ launch  tab next field  ↑↓ suggestions  esc back
"#);
}

#[test]
fn help() {
    let mut state = busy((80, 30));
    press(&mut state, "?");
    insta::assert_snapshot!(screen(&state), @r#"
 stratavore · laptop  2 need you  3 working  1 done  1 failed        daemon ok
────────────────────────────────────────────────────────────────────────────────
 KEYS

  tab     Go to the next that needs you, longest waiting first
  ⏎       Attach: hand the whole terminal to the agent (also a)
  i       Type into the agent from here
  t       Write a line and submit it to the agent
  n       Launch a new agent
  x       Stop the runner, with time to save
  space   Pause the runner or let it go on
  r       Start the runner again
  /       Show only runners that match
  ?       Show or hide this list
  q       Leave; the agents go on
  X       Kill the runner at once
  p       Arrange by state or by project
  e       More room for the events, none, some
  f       Show or fold what is finished
  j ↓     Select the next runner
  k ↑     Select the runner before
  pgdn    Go a screenful down
  pgup    Go a screenful up
  g       Select the first runner
  G       Select the last runner
  esc     Clear the filter
  ctrl-l  Paint the screen anew
  ctrl-z  Go to the shell; fg comes back
  ctrl-\  Come back from an agent, attached or typed into
 esc back  j k more
"#);
}

#[test]
fn a_lost_daemon_is_said_in_words() {
    let mut state = busy((80, 24));
    update(&mut state, UiEvent::Disconnected("the connection was lost".to_owned()));
    let text = screen(&state);
    assert!(text.contains("reconnecting…"), "{text}");
    assert!(text.contains("api-3"), "{text}");
}

#[test]
fn events_say_who_and_what() {
    let mut state = busy((120, 40));
    let data = serde_json::json!({ "state": "blocked", "kind": "permission", "message": "rm" });
    let failed = serde_json::json!({ "reason": "exit code 3" });
    update(
        &mut state,
        UiEvent::Happened(vec![
            event(1, "api-3", "runner.activity", data),
            event(2, "etl-1", "runner.failed", failed),
        ]),
    );
    let text = screen(&state);
    for expected in ["api-3   permission: rm", "etl-1   failed: exit code 3"] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn everything_is_drawn_at_every_size_without_a_panic() {
    let sizes = (1..=10).flat_map(|cols| (1..=10).map(move |rows| (cols, rows)));
    let large = [(500, 200), (1, 200), (500, 1), (59, 15), (60, 16), (61, 17), (99, 8), (100, 9)];
    for size in sizes.chain(large) {
        for keys in ["", "p", "x", "thello", "/zzz", "?", "n", "i", "e", "ee"] {
            let mut state = busy((120, 40));
            update(&mut state, UiEvent::Resized(size.0, size.1));
            press(&mut state, keys);
            assert_eq!(screen(&state).split('\n').count(), usize::from(size.1), "{size:?}");
        }
        screen(&state(size, Vec::new()));
    }
}

#[test]
fn wide_characters_are_cut_by_columns() {
    let mut runner = runner(1, "api-1", ActivityState::Working, 5);
    runner.title = "日本語のとても長いタイトル".repeat(5);
    let state = state((50, 10), vec![runner]);
    let text = screen(&state);
    assert!(text.contains('…'), "{text}");
}
