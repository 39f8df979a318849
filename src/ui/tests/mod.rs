//! Tests of the dashboard without a terminal, a daemon or async: events in, effects and text out.

mod answers;
mod changes;
mod conversations;
mod correcting;
mod gallery;
mod launching;
mod lost;
mod messages;
mod notices;
mod pages;
mod palette;
mod panes;
mod progress;
mod quotas;
mod robust;
mod screens;
mod scrollback;
mod spending;
mod spent;
mod themes;
mod updates;

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use ratatui::{Terminal, backend::TestBackend};
use uuid::Uuid;

use super::{
    effect::Effect,
    event::{DaemonView, Outcome, UiEvent},
    state::{Checkout, State, Surroundings},
    theme::{Depth, Library, Theme},
    update::update,
    view,
};
use crate::{
    client::{ComponentView, RunnerUpdate},
    domain::{
        activity::{Activity, ActivitySource, ActivityState},
        event::Event,
        id::RunnerId,
        launch::Launched,
        project::{Project, ProjectStatus},
        runner::{Runner, RunnerStatus},
    },
    terminal::keys::{Key, KeyPress, Modifiers, MouseAction, MouseButton, MouseEvent},
};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn id(number: u128) -> RunnerId {
    Uuid::from_u128(number).into()
}

/// A running runner whose agent has been at `state` for so many seconds.
fn runner(number: u128, name: &str, state: ActivityState, seconds: i64) -> Runner {
    let since = now() - TimeDelta::seconds(seconds);
    let project = name.rsplit_once('-').unwrap().0;
    let activity = Activity {
        state,
        kind: None,
        message: None,
        source: ActivitySource::Osc7501,
        since: Some(since),
    };
    Runner {
        id: id(number),
        name: name.to_owned(),
        project: project.to_owned(),
        project_path: format!("/home/ann/src/{project}").into(),
        command: vec!["/usr/bin/claude".to_owned(), "--verbose".to_owned()],
        cwd: format!("/home/ann/src/{project}").into(),
        node_id: "node".to_owned(),
        pid: Some(100),
        supervisor_pid: Some(99),
        cpu_percent: 12.4,
        memory_mb: 340,
        processes: 3,
        max_restart_attempts: 3,
        created_at: since,
        started_at: since,
        updated_at: since,
        ..Runner::sample(activity)
    }
}

/// A launch that went well.
fn launched(runner: Runner) -> UiEvent {
    let launched = Launched { runner, repeated: false, warnings: Vec::new() };
    UiEvent::Outcome(Outcome::Launched(Box::new(launched)))
}

/// A runner of this name, whatever else.
pub(super) fn named(name: &str) -> Runner {
    runner(1, name, ActivityState::Working, 5)
}

fn blocked(number: u128, name: &str, kind: &str, text: &str, seconds: i64) -> Runner {
    let mut runner = runner(number, name, ActivityState::Blocked, seconds);
    runner.activity.kind = Some(kind.to_owned());
    runner.activity.message = Some(text.to_owned());
    runner
}

fn ended(number: u128, name: &str, code: i32, seconds: i64) -> Runner {
    let mut runner = runner(number, name, ActivityState::Idle, seconds);
    runner.status = if code == 0 { RunnerStatus::Terminated } else { RunnerStatus::Failed };
    runner.exit_code = Some(code);
    runner.reason = (code != 0).then(|| format!("exit code {code}"));
    runner.terminated_at = runner.activity.since;
    runner
}

fn project(name: &str) -> Project {
    Project {
        name: name.to_owned(),
        path: format!("/home/ann/src/{name}").into(),
        status: ProjectStatus::Active,
        description: String::new(),
        tags: Vec::new(),
        total_runners: 1,
        active_runners: 1,
        total_sessions: 0,
        total_tokens: 0,
        created_at: now(),
        last_accessed_at: now(),
    }
}

/// What is checked out somewhere.
fn checkout(branch: &str) -> Checkout {
    Checkout { branch: branch.to_owned(), added: 12, removed: 3 }
}

fn event(position: u64, runner: &str, event_type: &str, data: serde_json::Value) -> Event {
    Event {
        position,
        event_id: position.to_string(),
        timestamp: now(),
        event_type: event_type.to_owned(),
        entity_type: "runner".to_owned(),
        entity_id: String::new(),
        sequence: position,
        project: String::new(),
        runner: runner.to_owned(),
        user_id: String::new(),
        hostname: String::new(),
        node_id: String::new(),
        trace_id: String::new(),
        data,
    }
}

/// A state that is connected and lists these runners.
fn state(size: (u16, u16), runners: Vec<Runner>) -> State {
    let here = Surroundings {
        cwd: "/home/ann/src/shop".into(),
        home: Some("/home/ann".into()),
        git: Some("main".to_owned()),
        found: vec!["claude".to_owned(), "codex".to_owned()],
        versions: [("claude".to_owned(), "2.1.328".to_owned())].into(),
        own: std::collections::BTreeMap::new(),
        is_root: false,
        is_confined: false,
        missing: vec!["gemini".to_owned(), "opencode".to_owned()],
        shell: "/bin/bash".to_owned(),
        demo: false,
        leave: KeyPress::parse("ctrl-\\").ok(),
        leave_label: "ctrl-\\".to_owned(),
    };
    let mut state = State::new(here, now(), size);
    connect(&mut state);
    list(&mut state, runners);
    state
}

fn connect(state: &mut State) -> Vec<Effect> {
    let daemon = DaemonView {
        hostname: "laptop".to_owned(),
        version: "0.1.0".to_owned(),
        database: "SQLite".to_owned(),
        pid: 4711,
        started_at: Some(now() - TimeDelta::hours(3)),
        memory_kb: 21_504,
        root: "/home/ann/.local/state/stratavore".to_owned(),
        parts: vec![ComponentView {
            name: "database".to_owned(),
            state: "ok".to_owned(),
            detail: "SQLite".to_owned(),
        }],
        unwell: Vec::new(),
    };
    update(state, UiEvent::Connected(daemon))
}

fn list(state: &mut State, runners: Vec<Runner>) -> Vec<Effect> {
    let update_of = RunnerUpdate { runners, removed: Vec::new(), complete: true };
    update(state, UiEvent::Runners(update_of))
}

fn key(state: &mut State, key: Key) -> Vec<Effect> {
    update(state, UiEvent::Key(KeyPress { key, modifiers: Modifiers::default() }))
}

/// Presses keys as the configuration writes them, divided by blanks.
fn keys(state: &mut State, keys: &str) -> Vec<Effect> {
    let presses = keys.split_whitespace().map(|key| KeyPress::parse(key).unwrap());
    presses.flat_map(|press| update(state, UiEvent::Key(press))).collect()
}

const PRESS: MouseAction = MouseAction::Press(MouseButton::Left);

/// The mouse does something at a column and a row.
fn mouse(action: MouseAction, col: u16, row: u16) -> UiEvent {
    UiEvent::Mouse(MouseEvent { action, row, col, modifiers: Modifiers::default() })
}

fn press(state: &mut State, text: &str) -> Vec<Effect> {
    text.chars().flat_map(|c| key(state, Key::Char(c))).collect()
}

/// Parsed once.
static THEME: LazyLock<Theme> =
    LazyLock::new(|| Library::built_in().theme("mono", Depth::None, false));

/// What the screen shows, without blanks at line ends.
fn screen(state: &State) -> String {
    let mut terminal = Terminal::new(TestBackend::new(state.size.0, state.size.1)).unwrap();
    terminal.draw(|frame| view::draw(frame, state, *THEME)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..state.size.0).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    let rows = (0..state.size.1).map(|y| row(y).trim_end().to_owned());
    rows.collect::<Vec<_>>().join("\n")
}

/// A day's work: some of everything.
fn fleet() -> Vec<Runner> {
    let mut working = runner(2, "api-1", ActivityState::Working, 151);
    working.title = "⠂ Rename the schema's columns".to_owned();
    vec![
        blocked(1, "api-3", "permission", "Bash(git push origin fix-login)", 252),
        working,
        runner(3, "web-10", ActivityState::Working, 41),
        runner(4, "web-9", ActivityState::Working, 190),
        runner(5, "docs-1", ActivityState::Done, 360),
        runner(6, "docs-2", ActivityState::Idle, 7_300),
        ended(7, "etl-1", 1, 1_320),
        ended(8, "etl-2", 0, 90_000),
        blocked(9, "web-1", "question", "Which port should the server use?", 63),
    ]
}
