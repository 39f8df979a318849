//! Writes down that the first key of the log was shown: whoever has it can check the log, and write it anew.
//!
//! `audit key` works without a daemon and leaves a file; the event is written by the daemon that runs, or
//! by the next one.

use std::{fs, io::ErrorKind, path::Path};

use chrono::{DateTime, Utc};

use crate::{daemon::services::Services, domain::event::EventType};

/// Writes it down when the file is there.
pub(super) async fn note(services: &Services, file: &Path) {
    let Some(at) = shown_at(file) else { return };
    // Two events are better than none: the file goes when the event is there.
    match services.record(EventType::AuditKeyShown, serde_json::json!({ "at": at })).await {
        Ok(()) => remove(file),
        Err(error) => tracing::warn!(%error, "failed to record that the key was shown"),
    }
}

/// Returns when the key was shown, by the file that was left then.
fn shown_at(file: &Path) -> Option<DateTime<Utc>> {
    fs::symlink_metadata(file).ok()?.modified().ok().map(DateTime::from)
}

fn remove(file: &Path) {
    if let Err(error) = fs::remove_file(file)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(%error, file = %file.display(), "failed to remove a file");
    }
}
