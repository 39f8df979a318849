//! What real agents want to do, decided by the rules and in the inbox: `./tests/run agents approvals
//! [claude codex]`. Codex is looked at twice: by itself, and beside its app-server.

use std::path::Path;

use chrono::Utc;
use stratavore::{
    client::ItemQuery,
    domain::{
        activity::ActivityState::{Blocked, Done, Idle},
        agent::Agent,
        answer::Answer,
        approval::Decision,
        inbox::Reason,
    },
};
use tokio::time::{Duration, Instant, sleep};

use crate::{
    stage::{Setting, Stage},
    world::{LONGEST, told},
};

/// What need not be asked, and what may not be.
const RULES: &str = "rules:\n  - deny: shell(touch denied*)\n  - allow: shell(touch allowed*)\n  \
                     - ask: shell(touch asked*)\n";

/// Runs it with the agent in a folder; returns how much is wrong.
pub(crate) async fn run(folder: &str, installed: &Path) -> usize {
    let modes: &[&[(&str, &str)]] = match crate::clients::agent(folder) {
        Some(Agent::Codex) => &[&[], &[("STRATAVORE_AGENTS_CODEX_MODE", "app-server")]],
        _ => &[&[]],
    };
    let mut wrong = 0;
    for configured in modes {
        let setting = Setting { configured: configured.to_vec(), ..Setting::default() };
        let Some(mut stage) = Stage::open(folder, installed, &setting).await else { return 1 };
        for (name, value) in &setting.configured {
            println!("          {name}={value}");
        }
        stage.world.write_approvals(RULES);
        let (command, environment) = (stage.command.clone(), stage.environment.clone());
        let began = Utc::now();
        let launched = stage.world.launch(command, environment, None).await;
        let at_rest = match launched {
            Ok(_) => stage.world.reach(&[Idle, Done], began).await.map(|it| it.name),
            Err(why) => Err(why),
        };
        if stage.tell("launch", at_rest).await {
            let went = by_rule(&mut stage, "allowed1", Decision::Allow).await;
            stage.tell("allowed by a rule", went).await;
            let went = by_rule(&mut stage, "denied1", Decision::Deny).await;
            stage.tell("denied by a rule", went).await;
            let went = by_person(&mut stage, "asked1", Answer::Approve).await;
            stage.tell("yes in the inbox", went).await;
            let went = by_person(&mut stage, "asked2", Answer::Deny).await;
            stage.tell("no in the inbox", went).await;
        }
        wrong += stage.close().await;
    }
    wrong
}

/// A prompt that has it make a file.
fn touch(agent: Agent, file: &str) -> String {
    match agent {
        Agent::Codex => format!(
            r#"@mock tool exec_command {{"cmd":"touch {file}","sandbox_permissions":"require_escalated","justification":"ok?"}}"#
        ),
        _ => format!("@mock sh touch {file}"),
    }
}

/// Whether the file comes, or the turn ends without it.
async fn is_made(stage: &Stage, file: &str) -> bool {
    let path = stage.client.work().join(file);
    let end = Instant::now() + Duration::from_secs(3);
    while !path.exists() && Instant::now() < end {
        sleep(Duration::from_millis(50)).await;
    }
    path.exists()
}

/// What a rule decides without anybody; the record says by which.
async fn by_rule(stage: &mut Stage, file: &str, wanted: Decision) -> Result<String, String> {
    let prompt = touch(stage.agent, file);
    let before = Utc::now();
    stage.world.turn(&prompt).await?;
    let is_allowed = wanted == Decision::Allow;
    if is_made(stage, file).await != is_allowed {
        return Err(format!("{file} is {}there", if is_allowed { "not " } else { "" }));
    }
    let events = stage.world.events("approval.").await;
    let is_it = |event: &&stratavore::domain::event::Event| {
        event.timestamp >= before && event.data["decision"] == wanted.as_str()
    };
    let event = events.iter().rev().find(is_it);
    let Some(event) = event else { return Err(format!("no event says so: {events:?}")) };
    let open = stage.world.client.list_items(ItemQuery::default()).await.map_err(told)?;
    if let Some(item) = open.iter().find(|item| item.reason == Reason::Permission) {
        return Err(format!("a question is left open: {}", item.message));
    }
    Ok(format!("{}, told as {}", event.data["rule"], event.data["event"]))
}

/// What a person answers in the inbox.
async fn by_person(stage: &mut Stage, file: &str, answer: Answer) -> Result<String, String> {
    let prompt = touch(stage.agent, file);
    let before = Utc::now();
    stage.world.prompt(&prompt).await?;
    let asked = stage.world.reach(&[Blocked], before).await?;
    let end = Instant::now() + LONGEST;
    let item = loop {
        let open = stage.world.client.list_items(ItemQuery::default()).await.map_err(told)?;
        if let Some(item) = open.into_iter().find(|item| item.reason == Reason::Permission) {
            break item;
        }
        if Instant::now() > end {
            return Err("no item of the inbox tells of it".to_owned());
        }
        sleep(Duration::from_millis(50)).await;
    };
    // Where keys are typed, the dialog is drawn a moment after it is told.
    sleep(Duration::from_millis(700)).await;
    let (id, yes) = (item.id.to_string(), answer == Answer::Approve);
    let item = stage.world.client.get_item(&id).await.map_err(told)?;
    let why = stage.world.client.explain(&stage.world.name).await.map_err(told)?;
    let sources: Vec<_> = why.words.iter().map(|(source, _)| source.as_str()).collect();
    let began = Instant::now();
    stage.world.client.answer_item(&id, None, answer, "test").await.map_err(told)?;
    stage.world.reach(&[Done, Idle], asked.activity.since.unwrap_or(before)).await?;
    let took = began.elapsed().as_millis();
    if is_made(stage, file).await != yes {
        return Err(format!("{file} is {}there", if yes { "not " } else { "" }));
    }
    let said = format!(
        "`{}`, told by {}, over {took} ms after the answer",
        item.message,
        sources.join(" and ")
    );
    if item.message.contains(file) { Ok(said) } else { Err(said) }
}
