//! Asks the agents that were found for their versions, beside everything else: the first frame
//! waits for none of them, and one that does not answer is ended.

use std::{process::Stdio, time::Duration};

use futures_util::{StreamExt as _, stream};
use tokio::{process::Command, sync::mpsc, time::timeout};

use super::event::UiEvent;
use crate::{config::environment, domain::agent::version_in};

/// How long an agent may take to tell its version: those written for Node take seconds on a small machine.
const PATIENCE: Duration = Duration::from_secs(15);
/// Agents that are asked at once: more make each of them slower on a small machine.
const TOGETHER: usize = 2;
/// What is looked at of what it says, in bytes.
const MAX: usize = 4096;

/// Asks them in a task of its own; each answer is told as it comes.
pub(super) fn ask(names: &[String], events: &mpsc::Sender<UiEvent>) {
    let (names, events) = (names.to_vec(), events.clone());
    tokio::spawn(async move {
        let asking = stream::iter(names).for_each_concurrent(TOGETHER, |name| {
            let events = events.clone();
            async move {
                if let Some(version) = version(&name).await {
                    // The loop may have ended.
                    events.send(UiEvent::Version(name, version)).await.ok();
                }
            }
        });
        asking.await;
    });
}

async fn version(name: &str) -> Option<String> {
    let mut command = Command::new(environment::find_program(name)?);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    version_in(&String::from_utf8_lossy(output.stdout.get(..MAX).unwrap_or(&output.stdout)))
}
