//! Telemetry that the user has set up: it still arrives where they want it, and usage is read from
//! transcripts: `./tests/run agents telemetry [claude gemini]`.

use std::{ffi::OsString, path::Path};

use chrono::Utc;
use stratavore::domain::{
    activity::ActivityState::{Done, Idle},
    agent::Agent,
};

use crate::{
    mock::Mock,
    stage::{Setting, Stage},
};

/// Runs it with the agent in a folder; returns how much is wrong.
pub(crate) async fn run(folder: &str, installed: &Path) -> usize {
    let Some(mut stage) = Stage::open(folder, installed, &Setting::default()).await else {
        return 1;
    };
    let place = tempfile::tempdir().expect("failed to create a directory");
    // What the user has: it takes telemetry as well as anything.
    let theirs = Mock::named(place.path(), "theirs", 0.0);
    let went = launch(&mut stage, &theirs).await;
    if stage.tell("launch", went).await {
        let went = arrived(&mut stage, &theirs).await;
        stage.tell("their telemetry", went).await;
        let usage = stage.world.settle_usage(&stage.mock).await;
        stage.tell("usage", usage).await;
    }
    stage.close().await
}

fn settings(agent: Agent, address: &str) -> Vec<(OsString, OsString)> {
    let set: Vec<(&str, &str)> = match agent {
        Agent::Claude => vec![
            ("CLAUDE_CODE_ENABLE_TELEMETRY", "1"),
            ("OTEL_LOGS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", address),
            ("OTEL_LOGS_EXPORT_INTERVAL", "300"),
        ],
        _ => vec![
            ("GEMINI_TELEMETRY_ENABLED", "true"),
            ("GEMINI_TELEMETRY_TARGET", "local"),
            ("GEMINI_TELEMETRY_OTLP_ENDPOINT", address),
            ("GEMINI_TELEMETRY_OTLP_PROTOCOL", "http"),
        ],
    };
    set.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

async fn launch(stage: &mut Stage, theirs: &Mock) -> Result<String, String> {
    let mut environment = stage.environment.clone();
    environment.extend(settings(stage.agent, &theirs.address()));
    let began = Utc::now();
    let launched = stage.world.launch(stage.command.clone(), environment, None).await?;
    stage.world.reach(&[Idle, Done], began).await?;
    stage.world.turn("@mock say one").await?;
    stage.world.turn("@mock say two").await?;
    let told = launched.warnings.join("; ");
    if !told.contains("usage is read from transcripts") {
        return Err(format!("nothing is said of it: `{told}`"));
    }
    Ok(told)
}

async fn arrived(stage: &mut Stage, theirs: &Mock) -> Result<String, String> {
    let whole = |mock: &Mock| mock.billed().iter().filter(|it| !it.cut_off).count();
    for _ in 0..100 {
        if theirs.reported(stage.agent).len() >= whole(&stage.mock) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (reported, billed) = (theirs.reported(stage.agent).len(), whole(&stage.mock));
    let said = format!("{reported} of {billed} requests");
    if reported == billed && billed > 0 { Ok(said) } else { Err(said) }
}
