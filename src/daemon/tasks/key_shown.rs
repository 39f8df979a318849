//! Writes down that the first key of the log was shown: whoever has it can check the log, and write it anew.
//!
//! `audit key` works without a daemon and leaves a file; the event is written by the daemon that runs, or
//! by the next one.

use std::{fs, io::ErrorKind, path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use tokio::time::sleep;

use crate::{daemon::services::Services, domain::event::EventType};

/// Looks for the file this often.
const LOOKING: Duration = Duration::from_secs(2);

/// Waits for the file, for ever.
pub(super) async fn run(services: Services, file: PathBuf) {
    loop {
        // Two events are better than none: the file goes when the event is there.
        if let Some(at) = shown_at(&file) {
            match services.record(EventType::AuditKeyShown, serde_json::json!({ "at": at })).await {
                Ok(()) => remove(&file),
                Err(error) => tracing::warn!(%error, "failed to record that the key was shown"),
            }
        }
        sleep(LOOKING).await;
    }
}

/// Returns when the key was shown, by the file that was left then.
fn shown_at(file: &std::path::Path) -> Option<DateTime<Utc>> {
    fs::symlink_metadata(file).ok()?.modified().ok().map(DateTime::from)
}

fn remove(file: &std::path::Path) {
    if let Err(error) = fs::remove_file(file)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(%error, file = %file.display(), "failed to remove a file");
    }
}
