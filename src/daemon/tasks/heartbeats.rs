//! Samples the process trees of all runners at each tick, and tells the broker, if there is one: what
//! finds no room there is dropped, since the next tick tells the same anew. Memory that answers needed is
//! given back at the same time: nothing wakes up for it.

use serde_json::json;
use uuid::Uuid;

use super::ticks;
use crate::{
    daemon::{
        broker::{Message, Transient},
        services::Services,
    },
    domain::runner::Heartbeat,
};

/// The type that the messages have.
const TYPE: &str = "runner.heartbeat";

/// Samples until it is cancelled.
pub(super) async fn run(services: Services, broker: Option<Transient>) {
    let seconds = services.context().config.daemon.heartbeat_interval_seconds;
    let mut ticks = ticks(seconds);
    loop {
        ticks.tick().await;
        services.give_back_memory().await;
        let beats = match services.heartbeat().await {
            Ok(beats) => beats,
            Err(error) => {
                tracing::warn!(%error, "failed to record heartbeats");
                continue;
            }
        };
        let Some(broker) = &broker else { continue };
        let told = beats.iter().filter(|beat| broker.try_publish(message(&services, beat))).count();
        if told < beats.len() {
            let dropped = beats.len() - told;
            tracing::debug!(dropped, "the broker is too slow for heartbeats");
        }
    }
}

/// Returns what the broker is told of a runner.
fn message(services: &Services, beat: &Heartbeat) -> Message {
    let context = services.context();
    let (id, now) = (beat.id.to_string(), context.clock.now());
    let body = json!({
        "runner_id": id,
        "node_id": context.origin.node_id,
        "hostname": context.origin.hostname,
        "timestamp": now,
        "cpu_percent": beat.cpu_percent,
        "memory_mb": beat.memory_mb,
        "processes": beat.processes,
    });
    Message {
        id: Uuid::now_v7(),
        routing_key: format!("{TYPE}.{id}"),
        event_type: TYPE.to_owned(),
        timestamp: now,
        body: body.to_string().into(),
    }
}
