//! A conversation from its first prompt to its second life, as the daemon tells it:
//! `./tests/run agents life [claude claude@2.1.20 …]`.
//!
//! The first prompt is given with the launch; what is recorded as used must be what was billed; the
//! conversation is known by an id, and goes on in another process under the same one.

use std::path::Path;

use chrono::Utc;
use stratavore::domain::{
    activity::ActivityState::{Done, Idle, Starting, Working},
    agent::Agent,
    agent_command::{self, Permission, Wishes},
    runner::Runner,
    session::Session,
    size::TerminalSize,
    usage::Quality,
};
use tokio::time::{Duration, Instant, sleep};

use crate::{
    stage::{Setting, Stage},
    world::told,
};

/// How long it may take until what was said is known.
const SOON: Duration = Duration::from_secs(25);

/// Runs it with the agent in a folder; returns how much is wrong.
pub(crate) async fn run(folder: &str, installed: &Path) -> usize {
    let Some(mut stage) = Stage::open(folder, installed, &Setting::default()).await else {
        return 1;
    };
    let first = first(&mut stage).await;
    if stage.tell("first prompt", first).await {
        let usage = stage.world.settle_usage(&stage.mock).await;
        stage.tell("usage", usage).await;
        // What an agent is billed for while it is ended nobody can tell: that total would be a floor.
        stage.mock.rest(SOON);
        let second = second(&mut stage).await;
        stage.tell("resumed", second).await;
        let usage = stage.world.settle_usage(&stage.mock).await;
        stage.tell("usage", usage).await;
        let cut = cut(&mut stage).await;
        stage.tell("ended in a turn", cut).await;
    }
    stage.close().await
}

/// Launches it with a prompt and sends another one.
async fn first(stage: &mut Stage) -> Result<String, String> {
    let takes_one = stage.agent != Agent::Aider;
    let prompt = if takes_one { "@mock say first" } else { "" };
    let wishes =
        Wishes { model: String::new(), permission: Permission::Own, prompt: prompt.to_owned() };
    let command = agent_command::command(stage.command.clone(), None, &wishes)?;
    let began = Utc::now();
    let launched = stage.world.launch(command, stage.environment.clone(), None).await?;
    if takes_one {
        stage.world.reach(&[Done], began).await?;
    } else {
        stage.world.until("its first rest", |it| it.activity.state != Starting).await?;
        stage.world.turn(prompt).await?;
    }
    stage.world.turn("@mock say second").await?;
    let runner = stage.world.until("a conversation", |it| it.session_id.is_some()).await?;
    let id = runner.session_id.unwrap_or_default();
    let session = known(stage, &id, prompt).await?;
    let said = format!("{} told by {}", session.id, runner.activity.source.as_str());
    let notes = launched.warnings.join("; ");
    Ok(if notes.is_empty() { said } else { format!("{said}; noted: {notes}") })
}

/// The conversation as it is recorded, with its first prompt; where an agent has no hooks, its first request
/// makes it known, and its transcript tells what was said.
async fn known(stage: &Stage, id: &str, prompt: &str) -> Result<Session, String> {
    let end = Instant::now() + SOON;
    loop {
        let why = match stage.world.client.get_session(id).await {
            Ok(session) if session.first_prompt.contains(prompt) => return Ok(session),
            Ok(session) => format!("its first prompt is `{}`", session.first_prompt),
            Err(failure) => told(failure),
        };
        if Instant::now() >= end {
            return Err(why);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Ends it in the middle of an answer: what that used is not known, and the total says so.
async fn cut(stage: &mut Stage) -> Result<String, String> {
    let world = &mut stage.world;
    let before = Utc::now();
    // Of opencode it is one from the first title on, which it does not write down.
    let is_sure = stage.agent != Agent::Opencode;
    if is_sure && world.runner().await.usage_quality == Quality::Floor {
        return Err("the total is a floor before".to_owned());
    }
    world.prompt("@mock slow 20").await?;
    world.reach(&[Working], before).await?;
    world.client.stop(&world.name, None, false).await.map_err(told)?;
    let is_floor = |runner: &Runner| runner.usage_quality == Quality::Floor;
    let runner = world.until("a floor", is_floor).await?;
    Ok(format!("{} tokens, {}", runner.tokens_used, runner.usage_quality.as_str()))
}

/// Ends it, goes on with its conversation, and says one more thing in it.
async fn second(stage: &mut Stage) -> Result<String, String> {
    let world = &mut stage.world;
    let id = world.runner().await.session_id.unwrap_or_default();
    world.client.stop(&world.name, None, false).await.map_err(told)?;
    let with = (&stage.environment, TerminalSize::new(120, 40), 0o022);
    let before = Utc::now();
    let runner = world.client.resume_session(&id, false, with).await.map_err(told)?;
    world.name = runner.name;
    world.reach(&[Idle, Done], before).await?;
    world.turn("@mock say third").await?;
    let now = world.runner().await.session_id.unwrap_or_default();
    if now != id {
        return Err(format!("the conversation is {now} now, and was {id}"));
    }
    let end = Instant::now() + SOON;
    loop {
        let mut reading = world.client.read_transcript(&id).await.map_err(told)?;
        let mut said = Vec::new();
        while let Some(one) = reading.next().await.map_err(told)? {
            said.push(one.text);
        }
        let has = |word: &str| said.iter().any(|text| text.contains(word));
        if has("second") && has("third") {
            return Ok(format!("in the same conversation, {} messages", said.len()));
        }
        if Instant::now() >= end {
            return Err(format!("its transcript has not both prompts: {said:?}"));
        }
        sleep(Duration::from_millis(200)).await;
    }
}
