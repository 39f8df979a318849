//! Sessions on the wire.

use super::{
    time::{from_timestamp, or_epoch, to_timestamp},
    v1,
};
use crate::domain::session::Session;

impl From<&Session> for v1::Session {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.clone(),
            runner_id: session.runner_id.clone(),
            project: session.project.clone(),
            started_at: Some(to_timestamp(session.started_at)),
            ended_at: session.ended_at.map(to_timestamp),
            message_count: session.message_count,
            tokens_used: session.tokens_used,
            resumable: session.resumable,
            summary: session.summary.clone(),
        }
    }
}

impl From<v1::Session> for Session {
    fn from(wire: v1::Session) -> Self {
        Self {
            id: wire.id,
            runner_id: wire.runner_id,
            project: wire.project,
            started_at: or_epoch(wire.started_at.as_ref()),
            ended_at: wire.ended_at.as_ref().and_then(from_timestamp),
            message_count: wire.message_count,
            tokens_used: wire.tokens_used,
            resumable: wire.resumable,
            summary: wire.summary,
        }
    }
}
