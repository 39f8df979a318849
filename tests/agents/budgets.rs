//! A budget that is crossed in the middle of a turn with subagents side by side, and a launch that has set
//! tokens aside: `./tests/run agents budgets [claude]`.
//!
//! What can be used beyond a limit is what was being answered when it was crossed, and what was begun before
//! anybody could know: that is counted here, response by response.

use std::path::Path;

use chrono::Utc;
use serde_json::json;
use stratavore::domain::{
    activity::ActivityState::{Done, Error, Idle, Working},
    budget::{BudgetChange, BudgetScope, Limit, Period},
};

use crate::{
    stage::{Setting, Stage},
    world::told,
};

/// Subagents at work side by side.
const TOGETHER: usize = 4;

/// Tokens that may be used; a request takes some 1,300.
const LIMIT: u64 = 20_000;

/// Seconds that an answer takes.
const PACE: f64 = 0.7;

/// A request that begins so many seconds after the limit was crossed was begun by somebody who should have
/// known: telemetry is 0.1 s behind, and on a busy machine more; the next tool asks then.
const KNOWN: f64 = 1.5;

/// Runs it with the agent in a folder; returns how much is wrong.
pub(crate) async fn run(folder: &str, installed: &Path) -> usize {
    let setting = Setting { pace: PACE, ..Setting::default() };
    let mut wrong = 0;
    for is_aside in [false, true] {
        let Some(mut stage) = Stage::open(folder, installed, &setting).await else { return 1 };
        let step = if is_aside { "--max-tokens" } else { "a budget" };
        let went = crossed(&mut stage, is_aside).await;
        stage.tell(step, went).await;
        if !is_aside {
            let went = refused_and_raised(&mut stage).await;
            stage.tell("afterwards", went).await;
        }
        wrong += stage.close().await;
    }
    wrong
}

/// Subagents, each of which uses one tool after the other.
fn prompt() -> String {
    let task = |number: usize| {
        let prompt = format!("@mock shN 20 sleep 0.{number}");
        let given = json!({ "description": format!("look {number}"),
                            "subagent_type": "general-purpose", "prompt": prompt });
        json!(["Agent", given])
    };
    let tasks: Vec<_> = (1..=TOGETHER).map(task).collect();
    format!("@mock tools {}", json!(tasks))
}

async fn crossed(stage: &mut Stage, is_aside: bool) -> Result<String, String> {
    let scope = BudgetScope::Project("work".to_owned());
    if !is_aside {
        set(stage, scope, LIMIT).await?;
    }
    let mut command = stage.command.clone();
    command.extend(["--allowedTools".into(), "Bash,Agent".into()]);
    let began = Utc::now();
    let aside = is_aside.then_some(LIMIT);
    stage.world.launch(command, stage.environment.clone(), aside).await?;
    stage.world.reach(&[Idle], began).await?;
    let before = Utc::now();
    stage.world.prompt(&prompt()).await?;
    stage.world.reach(&[Working], before).await?;
    let held = stage.world.until("a hold", |it| it.hold.is_some()).await?;
    let hold = held.hold.map(|hold| hold.reason).unwrap_or_default();
    stage.world.reach(&[Idle, Done, Error], before).await?;
    let recorded = stage.world.settle_usage(&stage.mock).await?;
    // Sorted by when they ended, as they were billed.
    let billed = stage.mock.billed();
    let (mut used, mut crossed_at, mut after, mut in_flight) = (0, None, Vec::new(), 0);
    for request in billed.iter().filter(|it| !it.cut_off) {
        used += request.tokens.counted();
        match crossed_at {
            None if used >= LIMIT => crossed_at = Some(request.time.1),
            Some(at) if request.time.0 <= at => in_flight += 1,
            Some(at) => after.push(request.time.0 - at),
            None => {}
        }
    }
    let Some(_) = crossed_at else { return Err(format!("{used} tokens do not cross {LIMIT}")) };
    let cut = billed.iter().filter(|it| it.cut_off).count();
    let over = used.saturating_sub(LIMIT);
    let late = after.iter().copied().fold(0.0, f64::max);
    let said = format!(
        "{over} tokens over {LIMIT}: {in_flight} responses in flight, {} begun after it (the last after \
         {late:.2} s), {cut} cut off; {recorded}; {hold}",
        after.len()
    );
    if late > KNOWN || in_flight > TOGETHER || after.len() > TOGETHER {
        return Err(said);
    }
    Ok(said)
}

/// Prompts and launches are refused with what is left; raised, it goes on.
async fn refused_and_raised(stage: &mut Stage) -> Result<String, String> {
    let asked = stage.mock.billed().len();
    let sent = stage.world.prompt("@mock say no").await;
    let launched = stage.world.launch(stage.command.clone(), stage.environment.clone(), None).await;
    let Err(refusal) = launched else { return Err("another launch is not refused".to_owned()) };
    if stage.mock.billed().len() != asked {
        return Err(format!("a prompt went through: {sent:?}"));
    }
    set(stage, BudgetScope::Project("work".to_owned()), 10 * LIMIT).await?;
    stage.world.until("the end of the hold", |it| it.hold.is_none()).await?;
    stage.world.turn("@mock say on").await?;
    if stage.mock.billed().len() == asked {
        return Err("after it was raised nothing is asked of the model".to_owned());
    }
    Ok(format!("launch: {refusal}; raised: it goes on"))
}

async fn set(stage: &Stage, scope: BudgetScope, tokens: u64) -> Result<(), String> {
    let change = BudgetChange {
        scope,
        period: Period::Total,
        limit: Limit::Tokens(tokens),
        action: None,
        count_cache_reads: None,
        enforce_estimates: None,
        time_zone: None,
    };
    stage.world.client.set_budget(change).await.map_err(told)
}
