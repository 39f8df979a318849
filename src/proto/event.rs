//! Events and their filters on the wire.

use serde_json::Value;

use super::{
    time::{from_timestamp, or_epoch, to_timestamp},
    v1,
};
use crate::domain::event::{Event, EventFilter};

/// The header of a subscription's answer that tells from which position it begins.
pub const POSITION: &str = "stratavore-position";

impl From<&Event> for v1::Event {
    fn from(event: &Event) -> Self {
        Self {
            position: event.position,
            event_id: event.event_id.clone(),
            timestamp: Some(to_timestamp(event.timestamp)),
            event_type: event.event_type.clone(),
            entity_type: event.entity_type.clone(),
            entity_id: event.entity_id.clone(),
            sequence: event.sequence,
            project: event.project.clone(),
            runner: event.runner.clone(),
            user_id: event.user_id.clone(),
            hostname: event.hostname.clone(),
            node_id: event.node_id.clone(),
            trace_id: event.trace_id.clone(),
            data: event.data.to_string(),
        }
    }
}

impl From<v1::Event> for Event {
    fn from(wire: v1::Event) -> Self {
        Self {
            position: wire.position,
            event_id: wire.event_id,
            timestamp: or_epoch(wire.timestamp.as_ref()),
            event_type: wire.event_type,
            entity_type: wire.entity_type,
            entity_id: wire.entity_id,
            sequence: wire.sequence,
            project: wire.project,
            runner: wire.runner,
            user_id: wire.user_id,
            hostname: wire.hostname,
            node_id: wire.node_id,
            trace_id: wire.trace_id,
            data: serde_json::from_str(&wire.data).unwrap_or(Value::Null),
        }
    }
}

impl From<&EventFilter> for v1::EventFilter {
    fn from(filter: &EventFilter) -> Self {
        Self {
            project: filter.project.clone(),
            r#type: filter.event_type.clone(),
            runner: filter.runner.clone(),
            since: filter.since.map(to_timestamp),
            until: filter.until.map(to_timestamp),
        }
    }
}

impl From<v1::EventFilter> for EventFilter {
    fn from(wire: v1::EventFilter) -> Self {
        Self {
            project: wire.project,
            event_type: wire.r#type,
            runner: wire.runner,
            since: wire.since.as_ref().and_then(from_timestamp),
            until: wire.until.as_ref().and_then(from_timestamp),
        }
    }
}
