//! What waits to be published to a broker.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// An event on its way to the broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutboxEntry {
    /// Its place in the queue.
    pub id: i64,
    /// The event's id, by which consumers know a repetition.
    pub event_id: Uuid,
    /// The event's type.
    pub event_type: String,
    /// The entity it is about: its type and id. Entries of one leave in their order.
    #[schema(value_type = Vec<String>)]
    pub aggregate: (String, String),
    /// Counts the entity's events from 1 without gaps.
    pub sequence: u64,
    /// Where the broker routes it.
    pub routing_key: String,
    /// The event as JSON, the message's body.
    pub payload: Value,
    /// The trace it belongs to, or empty.
    pub trace_id: String,
    /// How often the broker refused it.
    pub attempts: u32,
    /// It is parked after so many refusals.
    pub max_attempts: u32,
    /// Since when it waits.
    pub created_at: DateTime<Utc>,
    /// When it was last tried.
    pub last_attempt_at: Option<DateTime<Utc>>,
    /// It is not tried again before.
    pub next_retry_at: Option<DateTime<Utc>>,
    /// When it was given up.
    pub parked_at: Option<DateTime<Utc>>,
    /// Why it was refused.
    pub error: Option<String>,
}

/// An event on its way to the broker, as the relay reads it: only what a message and its tries need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedEvent {
    /// Its place in the queue.
    pub id: i64,
    /// The event's id, by which consumers know a repetition.
    pub event_id: Uuid,
    /// The event's type.
    pub event_type: String,
    /// The entity it is about: its type and id. Events of one leave in their order.
    pub aggregate: Arc<(String, String)>,
    /// Where the broker routes it.
    pub routing_key: String,
    /// The event as JSON, the message's body, as it stands in the database.
    pub payload: Bytes,
    /// The trace it belongs to, or empty.
    pub trace_id: String,
    /// How often the broker refused it.
    pub attempts: u32,
    /// It is parked after so many refusals.
    pub max_attempts: u32,
    /// Since when it waits.
    pub created_at: DateTime<Utc>,
    /// It is not tried again before.
    pub next_retry_at: Option<DateTime<Utc>>,
    /// Whether it was given up.
    pub is_parked: bool,
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutboxCounts {
    /// Events not yet confirmed by the broker, parked ones included.
    pub waiting: u64,
    /// Events given up until somebody decides.
    pub parked: u64,
    /// Since when the oldest waits.
    pub oldest: Option<DateTime<Utc>>,
}
