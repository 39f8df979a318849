//! Sessions on the wire.

use super::{
    time::{from_timestamp, or_epoch, to_timestamp},
    v1,
};
use crate::domain::{
    session::Session,
    usage::{Cost, Quality},
};

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
            agent: session.agent.clone(),
            node_id: session.node_id.clone(),
            cwd: session.cwd.clone(),
            model: session.model.clone(),
            last_message_at: session.last_message_at.map(to_timestamp),
            cost_nanos: session.cost.0,
            usage_quality: session.quality.as_str().to_owned(),
            origin: session.origin.clone(),
            resumed_from: session.resumed_from.clone().unwrap_or_default(),
            first_prompt: session.first_prompt.clone(),
            transcript: session.transcript.clone(),
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
            agent: wire.agent,
            node_id: wire.node_id,
            cwd: wire.cwd,
            model: wire.model,
            last_message_at: wire.last_message_at.as_ref().and_then(from_timestamp),
            cost: Cost(wire.cost_nanos),
            quality: Quality::parse(&wire.usage_quality),
            origin: wire.origin,
            resumed_from: Some(wire.resumed_from).filter(|from| !from.is_empty()),
            first_prompt: wire.first_prompt,
            transcript: wire.transcript,
        }
    }
}
