//! How long events are on their way: told when the broker confirms them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    daemon::{
        broker::Outcome,
        services::Services,
        trace::{self, Trace},
    },
    domain::outbox::QueuedEvent,
};

/// What was handed to the broker and is not settled; the broker's window bounds it.
#[derive(Debug, Default)]
pub(super) struct Underway(HashMap<Uuid, Sent>);

#[derive(Debug)]
struct Sent {
    created_at: DateTime<Utc>,
    trace_id: String,
    event_type: String,
}

impl Underway {
    /// An entry goes out.
    pub(super) fn sent(&mut self, entry: &QueuedEvent) {
        let sent = Sent {
            created_at: entry.created_at,
            trace_id: entry.trace_id.clone(),
            event_type: entry.event_type.clone(),
        };
        self.0.insert(entry.event_id, sent);
    }

    /// This became of it.
    pub(super) fn settled(&mut self, event: Uuid, outcome: &Outcome, services: &Services) {
        let Some(sent) = self.0.remove(&event) else { return };
        if *outcome == Outcome::Confirmed {
            services.note_relayed(sent.created_at);
            let about = [("event.type", &*sent.event_type)];
            trace::record(&Trace::of(&sent.trace_id), "publish", sent.created_at, &about);
        }
    }
}
