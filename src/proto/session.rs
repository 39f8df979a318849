//! Sessions on the wire.

use super::{
    time::{from_timestamp, or_epoch, to_timestamp},
    v1,
};
use crate::domain::{
    session::{Conversation, Hit, SearchFilter, Session, Utterance},
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
            unpriced: session.unpriced,
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
            unpriced: wire.unpriced,
            origin: wire.origin,
            resumed_from: Some(wire.resumed_from).filter(|from| !from.is_empty()),
            first_prompt: wire.first_prompt,
            transcript: wire.transcript,
        }
    }
}

impl From<&SearchFilter> for v1::SearchSessionsRequest {
    fn from(wanted: &SearchFilter) -> Self {
        Self {
            words: wanted.words.clone(),
            project: wanted.project.clone(),
            agent: wanted.agent.clone(),
            since: wanted.since.map(to_timestamp),
            limit: wanted.limit,
        }
    }
}

impl From<v1::SearchSessionsRequest> for SearchFilter {
    fn from(wire: v1::SearchSessionsRequest) -> Self {
        Self {
            words: wire.words,
            project: wire.project,
            agent: wire.agent,
            since: wire.since.as_ref().and_then(from_timestamp),
            limit: wire.limit,
        }
    }
}

impl From<Hit> for v1::SessionHit {
    fn from(hit: Hit) -> Self {
        Self {
            session: hit.session,
            project: hit.project,
            agent: hit.agent,
            summary: hit.summary,
            first_prompt: hit.first_prompt,
            role: hit.role,
            at: Some(to_timestamp(hit.at)),
            snippet: hit.snippet,
        }
    }
}

impl From<v1::SessionHit> for Hit {
    fn from(wire: v1::SessionHit) -> Self {
        Self {
            session: wire.session,
            project: wire.project,
            agent: wire.agent,
            summary: wire.summary,
            first_prompt: wire.first_prompt,
            role: wire.role,
            at: or_epoch(wire.at.as_ref()),
            snippet: wire.snippet,
        }
    }
}

impl From<Utterance> for v1::ReadTranscriptResponse {
    fn from(said: Utterance) -> Self {
        Self { role: said.role, at: said.at.map(to_timestamp), text: said.text }
    }
}

impl From<v1::ReadTranscriptResponse> for Utterance {
    fn from(wire: v1::ReadTranscriptResponse) -> Self {
        Self { role: wire.role, at: wire.at.as_ref().and_then(from_timestamp), text: wire.text }
    }
}

impl From<Conversation> for v1::Conversation {
    fn from(found: Conversation) -> Self {
        Self {
            agent: found.agent,
            id: found.id,
            path: found.path,
            cwd: found.cwd,
            size: found.size,
            at: found.at.map(to_timestamp),
            about: found.about,
            project: found.project,
            known: found.is_known,
        }
    }
}

impl From<v1::Conversation> for Conversation {
    fn from(wire: v1::Conversation) -> Self {
        Self {
            agent: wire.agent,
            id: wire.id,
            path: wire.path,
            cwd: wire.cwd,
            size: wire.size,
            at: wire.at.as_ref().and_then(from_timestamp),
            about: wire.about,
            project: wire.project,
            is_known: wire.known,
        }
    }
}
