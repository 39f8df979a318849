//! How long the event log and what was published are kept.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::sleep;

use super::Services;
use crate::{
    daemon::store::{Keep, TOGETHER},
    domain::{event::EventType, failure::Failure},
};

/// What somebody has marked as delivered by hand is kept so long.
const DELIVERED: TimeDelta = TimeDelta::days(1);

/// Between two transactions that remove, so that others get their turn.
const PAUSE: Duration = Duration::from_millis(100);

impl Services {
    /// Removes what need not be kept any longer, in parts; returns how many events and how many
    /// delivered entries of the outbox went. With a shared database only one daemon does it.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn prune(&self) -> Result<(u64, u64), Failure> {
        let (mut events, mut entries) = (0, 0);
        if !self.store.keeps_log() {
            return Ok((0, 0));
        }
        let now = self.context.clock.now();
        let settings = &self.context.config.events;
        let days = i64::try_from(settings.retention_days).ok().filter(|days| *days > 0);
        let age = days.and_then(TimeDelta::try_days);
        let keep = Keep {
            since: age.and_then(|age| now.checked_sub_signed(age)),
            rows: settings.retention_rows,
        };
        loop {
            let caused = self.context.system_event(EventType::EventsPruned, serde_json::json!({}));
            let gone = self.store.event_prune(keep, caused).await?;
            events += gone;
            if gone == 0 {
                break;
            }
            sleep(PAUSE).await;
        }
        let before = now - DELIVERED;
        if self.store.outbox_has_delivered(before).await? {
            loop {
                let gone = self.store.outbox_prune(before, TOGETHER).await?;
                entries += gone;
                if gone < u64::from(TOGETHER) {
                    break;
                }
                sleep(PAUSE).await;
            }
        }
        Ok((events, entries))
    }
}
