//! Tells the outside where the event log stands: a line in a file and, where a broker is configured,
//! an event. Whoever cuts the log's end off, or puts an older copy in its place, contradicts them.

use std::{
    fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf,
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

use crate::{
    daemon::{services::Services, store::DatabaseStatus},
    domain::{chain::Checkpoint, event::EventType},
};

/// Writes checkpoints while the log grows, this often at most.
pub(super) async fn run(
    services: Services,
    mut checkpoints: watch::Receiver<Option<Checkpoint>>,
    file: PathBuf,
) {
    let pause = Duration::from_secs(services.context().config.audit.checkpoint_seconds);
    let mut written = 0;
    loop {
        // The event that tells of a checkpoint is no reason for another one.
        let own = u64::from(services.context().origin.publishes);
        let is_news =
            |now: &Option<Checkpoint>| now.as_ref().is_some_and(|now| now.position > written + own);
        let Ok(checkpoint) = checkpoints.wait_for(is_news).await.map(|now| (*now).clone()) else {
            return;
        };
        if let Some(checkpoint) = checkpoint {
            written = checkpoint.position;
            tell(&services, checkpoint, file.clone()).await;
        }
        sleep(pause).await;
    }
}

/// Writes where the log stands when the daemon leaves.
pub async fn write_last(checkpoint: Option<Checkpoint>, file: PathBuf) {
    if let Some(checkpoint) = checkpoint {
        write(checkpoint, file).await;
    }
}

async fn tell(services: &Services, checkpoint: Checkpoint, file: PathBuf) {
    if services.context().origin.publishes && *services.database().borrow() == DatabaseStatus::Up {
        let data = serde_json::json!(checkpoint);
        if let Err(error) = services.record(EventType::AuditCheckpoint, data).await {
            tracing::warn!(%error, "failed to publish a checkpoint of the event log");
        }
    }
    write(checkpoint, file).await;
}

async fn write(checkpoint: Checkpoint, file: PathBuf) {
    let shown = file.display().to_string();
    let written = tokio::task::spawn_blocking(move || append(&file, &checkpoint)).await;
    if let Ok(Err(error)) = written {
        tracing::warn!(%error, file = shown, "failed to write a checkpoint of the event log");
    }
}

fn append(file: &std::path::Path, checkpoint: &Checkpoint) -> std::io::Result<()> {
    let mut line = serde_json::to_string(checkpoint)?;
    line.push('\n');
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()
}
