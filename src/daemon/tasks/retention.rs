//! Keeps the event log as long as is configured, and what was removed for its time: one look an hour,
//! and no more when nothing is old.

use std::time::Duration;

use tokio::time::sleep;

use crate::daemon::services::Services;

/// The start has more important things to do.
const FIRST: Duration = Duration::from_mins(1);

/// Between two looks.
const LOOK: Duration = Duration::from_hours(1);

/// Removes what is old, until it is cancelled.
pub(super) async fn run(services: Services) {
    sleep(FIRST).await;
    loop {
        match services.prune().await {
            Ok((0, 0)) => {}
            Ok((events, entries)) => {
                tracing::info!(events, entries, "removed old events and delivered entries");
            }
            Err(error) => tracing::warn!(%error, "failed to remove old events"),
        }
        match services.notify_prune().await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "removed what is known of old notifications"),
            Err(error) => tracing::warn!(%error, "failed to remove old notifications"),
        }
        match services.empty_trash().await {
            Ok(0) => {}
            Ok(refs) => tracing::info!(refs, "removed what was kept of old worktrees and launches"),
            Err(error) => tracing::warn!(%error, "failed to empty the trash"),
        }
        if let Err(error) = services.prune_inbox().await {
            tracing::warn!(%error, "failed to remove old items of the inbox");
        }
        if let Err(error) = services.prune_calls().await {
            tracing::warn!(%error, "failed to forget old calls");
        }
        sleep(LOOK).await;
    }
}
