//! How fast a supervisor answers a hook, and how fast a change of state reaches who watches:
//! `./tests/run agents verdict`. Figures are no assertions.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use stratavore::domain::{activity::ActivityState, hook::HookReport, launch::HOOK_VARIABLE};
use tokio::time::{sleep, timeout};

use crate::{
    figures,
    world::{LONGEST, World},
};

/// Hooks that are answered.
const HOOKS: usize = 20_000;

/// Changes that are watched, of each pace.
const CHANGES: usize = 200;

/// An agent that changes its state as often as this is told at once each time; one that never stops is
/// told at the pace of `supervisor/pace.rs`.
const CALM: Duration = Duration::from_millis(250);

/// Reports as an agent does, and waits to be told to change its state.
const AGENT: &str = "#!/bin/sh\n\
                     say() { printf '\\033]7501;state=%s\\033\\\\' \"$1\"; }\n\
                     say idle\nwhile read -r state; do say \"$state\"; done\n";

/// Prints the figures.
pub(crate) async fn run() {
    let place = tempfile::tempdir().expect("failed to create a directory");
    let (home, work) = (place.path().join("home"), place.path().join("work"));
    fs::create_dir_all(&work).expect("failed to create a directory");
    let program = place.path().join("claude");
    fs::write(&program, AGENT).expect("failed to write the agent");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("failed to allow it");
    let mut world = World::start(place.path(), (&home, &work), &[]).await;
    let environment = vec![("PATH".into(), "/usr/bin:/bin".into())];
    let launched = world.launch(vec![program.into()], environment, None).await;
    launched.expect("failed to launch");
    let is_idle =
        |it: &stratavore::domain::runner::Runner| it.activity.state == ActivityState::Idle;
    let runner = world.until("idle", is_idle).await.expect("it rests");
    let pid = runner.pid.expect("it runs");
    let meter = meter_of(pid);
    let mut took = Vec::with_capacity(HOOKS);
    for number in 0..HOOKS {
        took.push(answered(&meter, number));
    }
    println!("{:28} {}", "a hook is answered", figures::of(took, "ms"));
    let lates = watched(&mut world, CALM).await;
    println!("{:28} {}", "a state is seen after", figures::of(lates, "ms"));
    let lates = watched(&mut world, Duration::ZERO).await;
    println!("{:28} {}", "of one that never rests", figures::of(lates, "ms"));
    world.end().await;
}

/// Has the agent change its state, with a pause before each; returns how many milliseconds later each
/// was seen.
async fn watched(world: &mut World, pause: Duration) -> Vec<f64> {
    let mut lates = Vec::with_capacity(CHANGES);
    for number in 0..CHANGES {
        let state = if number % 2 == 0 { "working" } else { "idle" };
        sleep(pause).await;
        world.client.send_text(&world.name, state, true).await.expect("failed to type");
        // Rest is told as `done` until somebody has looked, and again as `idle` when that was so.
        let wanted: &[_] = match state {
            "working" => &[ActivityState::Working],
            _ => &[ActivityState::Idle, ActivityState::Done],
        };
        while let Ok(Some((runner, late))) =
            timeout(Duration::from_secs(10), world.seen.recv()).await
        {
            if wanted.contains(&runner.activity.state) {
                lates.push(late);
                break;
            }
        }
    }
    lates
}

/// Where a process's hooks report to.
fn meter_of(pid: u32) -> String {
    let all = fs::read(format!("/proc/{pid}/environ")).expect("failed to read its environment");
    let prefix = format!("{HOOK_VARIABLE}=");
    let mut all = all.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let found = all.find_map(|pair| pair.strip_prefix(&prefix).map(str::to_owned));
    found.expect("it has no meter")
}

/// Tells of a tool as a hook does, with a connection of its own; returns the milliseconds until its answer.
fn answered(meter: &str, number: usize) -> f64 {
    let report = HookReport {
        event: "PreToolUse".to_owned(),
        name: "Bash".to_owned(),
        tool: format!("Bash(cargo test {number})"),
        ..HookReport::default()
    };
    let body = serde_json::to_vec(&report).expect("it is JSON");
    let (host, path) = meter.trim_start_matches("http://").split_once('/').expect("an address");
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let begin = Instant::now();
    let mut socket = TcpStream::connect(host).expect("the supervisor listens");
    socket.write_all(&[head.as_bytes(), &body].concat()).expect("it takes a report");
    socket.set_read_timeout(Some(LONGEST)).expect("a limit");
    // The connection stays open: an answer ends where its length says.
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    while !is_whole(&answer) {
        let count = socket.read(&mut piece).expect("it answers");
        assert!(count > 0, "it leaves: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
    let took = begin.elapsed().as_secs_f64() * 1000.0;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    took
}

/// Whether an answer is there with all of its body.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}
