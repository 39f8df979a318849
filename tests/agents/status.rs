//! Samples what is said of real agents through whole sessions, and compares it with what was done to
//! them: `./tests/run agents status [claude codex gemini opencode qwen copilot]`.
//!
//! Each step does one thing and names the states that may follow, in their order; any other state in
//! between is wrong. How long a state takes from the source's own signal to a watcher is measured.

use std::{path::Path, time::Duration};

use chrono::{DateTime, Utc};
use stratavore::domain::{
    activity::{Activity, ActivityState},
    agent::Agent,
    answer::Answer,
};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    stage::{Setting, Stage},
    world::{LONGEST, World, told},
};
use ActivityState::{Blocked, Done, Error, Idle, Working};

/// What is done to an agent.
enum Deed {
    /// Nothing: it was started.
    Start,
    /// A prompt is sent.
    Prompt(&'static str),
    /// Keys are typed.
    Keys(&'static [u8]),
    /// Keys are typed by somebody who has seen what is there.
    SeenKeys(&'static [u8]),
    /// What it asks is answered with yes.
    Approve,
    /// Nothing: this is what was said last in its conversation.
    Said(&'static str),
    /// The daemon is killed and started again.
    DaemonDies,
}

/// A deed and the states that follow it, each one of several.
type Step = (&'static str, Deed, &'static [&'static [ActivityState]]);

/// How long it may take until what was said is known.
const SOON: Duration = Duration::from_secs(10);

/// A dialog is drawn a moment after it is told, and nobody is quicker than this.
const DRAWING: Duration = Duration::from_millis(700);

const REST: &[ActivityState] = &[Done, Idle];

/// Whether hooks of this Claude Code tell that a turn ended in an error; before, it is seen on the screen
/// behind an end.
fn hooks_tell_errors(version: &str) -> bool {
    let numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    numbers.flatten().take(3).collect::<Vec<_>>() >= vec![2, 1, 78]
}

/// What is done to each agent.
fn script(agent: Agent, version: &str) -> Vec<Step> {
    use Deed::{Approve, DaemonDies, Keys, Prompt, SeenKeys, Start};
    let shell = match agent {
        Agent::Codex => {
            r#"@mock tool exec_command {"cmd":"touch a1","sandbox_permissions":"require_escalated","justification":"ok?"}"#
        }
        _ => "@mock sh touch a1",
    };
    // What has only a title, or a screen, may be through with its work before it is drawn.
    let works = !matches!(agent, Agent::Gemini | Agent::Copilot);
    let escape: &[u8] = match agent {
        Agent::Opencode => b"\x1b\x1b",
        Agent::Copilot => b"\x03",
        _ => b"\x1b",
    };
    // Who has hooks only tells neither an interruption nor an error, its title and its screen do not name them.
    let tells_ends = works && agent != Agent::Qwen;
    let mut steps: Vec<Step> = vec![
        ("start", Start, &[&[Idle]]),
        ("a turn", Prompt("@mock slow 3"), &[&[Working], &[Done]]),
        (
            "permission",
            Prompt(shell),
            if works { &[&[Working], &[Blocked]] } else { &[&[Blocked]] },
        ),
        ("allowed", Approve, if works { &[&[Working], &[Done]] } else { &[&[Done]] }),
        ("turn begins", Prompt("@mock slow 20"), &[&[Working]]),
        // Who has only a title does not tell an end from an interruption.
        ("esc", Keys(escape), if tells_ends { &[&[Idle]] } else { &[REST] }),
    ];
    steps.push(("turn begins", Prompt("@mock slow 20"), &[&[Working]]));
    steps.push(("esc, seen", SeenKeys(escape), if tells_ends { &[&[Idle]] } else { &[REST] }));
    if agent == Agent::Claude {
        let question = r#"@mock tool AskUserQuestion {"questions":[{"question":"Which?","header":"R","options":[{"label":"R","description":"r"},{"label":"B","description":"b"}],"multiSelect":false}]}"#;
        steps.push(("question", Prompt(question), &[&[Working], &[Blocked]]));
        steps.push(("esc at it", SeenKeys(b"\x1b"), &[&[Idle]]));
        steps.push(("/compact", Prompt("/compact"), &[&[Working], REST]));
        steps.push(("after it", Prompt("@mock say x"), &[&[Working], &[Done]]));
    }
    if tells_ends {
        let is_seen = agent == Agent::Claude && !hooks_tell_errors(version);
        let error: &[&[_]] =
            if is_seen { &[&[Working], &[Done], &[Error]] } else { &[&[Working], &[Error]] };
        steps.push(("error", Prompt("@mock err 400"), error));
        steps.push(("after it", Prompt("@mock say x"), &[&[Working], &[Done]]));
    }
    steps.push(("turn begins", Prompt("@mock slow 12"), &[&[Working]]));
    if agent == Agent::Qwen {
        // It puts the prompt that was broken off back into its line.
        steps.push(("its own text", Deed::Said("@mock slow 12"), &[]));
    }
    steps.push(("daemon dies", DaemonDies, &[&[Done]]));
    steps
}

/// Runs an agent through its script; returns how much is wrong.
pub(crate) async fn run(folder: &str, installed: &Path) -> usize {
    let Some(mut stage) = Stage::open(folder, installed, &Setting::default()).await else {
        return 1;
    };
    let (command, environment) = (stage.command.clone(), stage.environment.clone());
    let launched = stage.world.launch(command, environment, None).await;
    let mut is_well = stage.tell("launch", launched.map(|it| it.runner.name)).await;
    let mut lates = Vec::new();
    let version = stage.client.version().unwrap_or_default();
    for (name, deed, wanted) in script(stage.agent, &version) {
        // What follows would compare with another state than it is.
        if !is_well {
            break;
        }
        // Some are ready before anybody asks.
        let before = match deed {
            Deed::Start => Activity::default(),
            _ => stage.world.runner().await.activity,
        };
        let performed = perform(&mut stage.world, &deed).await;
        // What began while there was no daemon is as late as its start.
        let from = matches!(deed, Deed::DaemonDies).then(Utc::now).or(before.since);
        let outcome = match performed {
            Ok(()) => follow(&mut stage.world, (&before, from), wanted, &mut lates).await,
            Err(why) => Err(why),
        };
        is_well = stage.tell(name, outcome).await;
    }
    println!("          {:18} {}", "signal to watcher", crate::figures::of(lates, "ms"));
    stage.close().await
}

async fn perform(world: &mut World, deed: &Deed) -> Result<(), String> {
    match deed {
        Deed::Start => Ok(()),
        Deed::Prompt(text) => {
            println!("          {:18} {}", "", world.prompt(text).await?);
            Ok(())
        }
        Deed::Keys(keys) => world.keys(keys).await,
        Deed::SeenKeys(keys) => {
            sleep(DRAWING).await;
            world.keys(keys).await
        }
        Deed::Approve => {
            sleep(DRAWING).await;
            let asked = world.runner().await.activity.since.unwrap_or_default();
            world.client.answer(&world.name, asked, &Answer::Approve).await.map_err(told)
        }
        Deed::Said(text) => said_last(world, text).await,
        Deed::DaemonDies => {
            world.kill_daemon().await;
            Ok(())
        }
    }
}

/// Waits until a person is known to have said this last.
async fn said_last(world: &World, wanted: &str) -> Result<(), String> {
    let end = Instant::now() + SOON;
    loop {
        let session = world.runner().await.session_id.unwrap_or_default();
        let mut reading = world.client.read_transcript(&session).await.map_err(told)?;
        let mut last = String::new();
        while let Some(one) = reading.next().await.map_err(told)? {
            if one.role == "user" {
                last = one.text;
            }
        }
        if last == wanted {
            return Ok(());
        }
        if Instant::now() >= end {
            return Err(format!("`{last}` was said last"));
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until all that is wanted was seen, in its order, and nothing else; measures what began after `from`.
async fn follow(
    world: &mut World,
    (before, from): (&Activity, Option<DateTime<Utc>>),
    wanted: &[&[ActivityState]],
    lates: &mut Vec<f64>,
) -> Result<String, String> {
    let mut told = Vec::new();
    let mut last = before.clone();
    let mut at = 0;
    let end = Instant::now() + LONGEST;
    while at < wanted.len() {
        let next = timeout_at(end, world.seen.recv()).await;
        let Ok(Some((runner, late))) = next else {
            return Err(format!("after {} nothing of {:?} came", told.join(", "), wanted[at]));
        };
        let activity = runner.activity;
        let is_same = (activity.state, activity.since) == (last.state, last.since);
        let is_old = before.since.is_some() && activity.since < before.since;
        if is_same || is_old || activity.state == ActivityState::Starting {
            continue;
        }
        last = activity.clone();
        told.push(format!(
            "{} ({} {late:.0} ms)",
            activity.state.as_str(),
            activity.source.as_str()
        ));
        let is_wanted =
            |at: usize| wanted.get(at).is_some_and(|states| states.contains(&activity.state));
        if is_wanted(at) {
            at += 1;
        } else if at > 0 && is_wanted(at - 1) {
            // It says the same again, with more words.
        } else if at == 0 && activity.state == before.state {
            // A better source says the same, a moment after it has begun to speak.
        } else if at == 0 && activity.state == Idle && matches!(before.state, Done | Error) {
            // Codex takes whoever types for one who has looked.
        } else if at == 0 && activity.state == Working {
            // Whatever came of it, it has worked before.
        } else {
            return Err(format!("{}, where {:?} was to come", told.join(", "), wanted[at]));
        }
        // A daemon that has just started tells what is old.
        if from.is_some() && activity.since >= from && late < 10_000.0 {
            lates.push(late);
        }
    }
    Ok(told.join(", "))
}
