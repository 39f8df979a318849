//! The queue to the broker: how full it is, what is parked, and what to do about it; alerts.

use uuid::Uuid;

use super::Services;
use crate::{
    daemon::store::TOGETHER,
    domain::{
        event::EventType,
        failure::Failure,
        node::Node,
        outbox::{OutboxCounts, OutboxEntry},
    },
};

/// Entries listed at most.
const MOST: u32 = 10_000;

impl Services {
    /// Returns how much waits for the broker.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn outbox_counts(&self) -> Result<OutboxCounts, Failure> {
        Ok(self.store.outbox_counts().await?)
    }

    /// Returns what waits for the broker, or only what is parked, oldest first; limit 0 means 100.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn outbox_list(
        &self,
        only_parked: bool,
        limit: u32,
    ) -> Result<Vec<OutboxEntry>, Failure> {
        let limit = if limit == 0 { 100 } else { limit.min(MOST) };
        Ok(self.store.outbox_list(only_parked, limit).await?)
    }

    /// Lets a parked event, or all of them, be tried again; returns how many.
    ///
    /// # Errors
    ///
    /// `OUTBOX_NOT_FOUND` when none is parked so.
    pub async fn outbox_retry(&self, event: Option<Uuid>) -> Result<u64, Failure> {
        let data = serde_json::json!({ "event_id": event });
        let caused = self.context.system_event(EventType::OutboxRetried, data);
        let services = self.clone();
        self.detached(async move { Ok(services.store.outbox_retry(event, caused).await?) }).await
    }

    /// Takes a parked event out of the queue, so that what follows it goes on.
    ///
    /// # Errors
    ///
    /// `OUTBOX_NOT_FOUND` when it is not parked.
    pub async fn outbox_discard(&self, event: Uuid) -> Result<(), Failure> {
        let data = serde_json::json!({ "event_id": event });
        let caused = self.context.system_event(EventType::OutboxDiscarded, data);
        let services = self.clone();
        self.detached(async move { Ok(services.store.outbox_discard(event, caused).await?) }).await
    }

    /// Gives up all that waits where no daemon publishes any more: kept for a broker that never comes, it
    /// would keep the event log from ever being shortened. Returns how many events that were.
    ///
    /// # Errors
    ///
    /// `BROKER_CONFIGURED` while a daemon publishes, `OUTBOX_EMPTY` when nothing waits.
    pub async fn outbox_discard_all(&self) -> Result<u64, Failure> {
        let own = self.context.origin.publishes.then(|| "this daemon".to_owned());
        let nodes = self.store.node_list().await?;
        let other = nodes.iter().find(|node| node.relays && node.is_reachable());
        if let Some(who) = own.or_else(|| other.map(Node::name)) {
            let what = format!("{who} publishes to a broker: what waits is on its way");
            return Err(Failure::conflict("BROKER_CONFIGURED", what)
                .with_hint("stratavore outbox discard EVENT takes out what is parked"));
        }
        let waiting = self.store.outbox_counts().await?.waiting;
        if waiting == 0 {
            let what = "nothing waits for a broker";
            return Err(Failure::not_found("OUTBOX_EMPTY", what));
        }
        let data = serde_json::json!({ "all": true, "events": waiting });
        let caused = self.context.system_event(EventType::OutboxDiscarded, data);
        let services = self.clone();
        self.detached(async move {
            let mut discarded = 0;
            let mut caused = Some(caused);
            loop {
                let gone = services.store.outbox_discard_some(caused.take(), TOGETHER).await?;
                discarded += gone;
                if gone < u64::from(TOGETHER) {
                    return Ok(discarded);
                }
            }
        })
        .await
    }

    /// Records what this daemon did for all.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn record(
        &self,
        event_type: EventType,
        data: serde_json::Value,
    ) -> Result<(), Failure> {
        let event = self.context.system_event(event_type, data);
        Ok(self.store.event_append(vec![event]).await?)
    }

    /// Records that something needs an operator; a failure to do so is logged.
    pub async fn alert(&self, severity: &str, component: &str, message: &str) {
        self.record_alert(severity, component, message, false).await;
    }

    /// Records that what a component alerted of is over; a failure to do so is logged.
    pub async fn alert_is_over(&self, component: &str, message: &str) {
        self.record_alert("info", component, message, true).await;
    }

    async fn record_alert(&self, severity: &str, component: &str, message: &str, ends: bool) {
        let mut data = serde_json::json!({
            "severity": severity, "component": component, "message": message,
        });
        if ends {
            data["ends"] = true.into();
        }
        if let Err(error) = self.record(EventType::SystemAlert, data).await {
            tracing::warn!(%error, component, message, "failed to record an alert");
        }
    }
}
