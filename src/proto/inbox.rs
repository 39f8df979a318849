//! Items of the attention inbox on the wire.

use uuid::Uuid;

use super::{
    time::{from_timestamp, or_epoch, to_timestamp},
    v1,
};
use crate::domain::{
    answer::Answer,
    digest::{Digest, RunnerDigest},
    failure::Failure,
    id::RunnerId,
    inbox::{Class, Item, ItemState, Reason},
    usage::{Cost, Quality},
};

impl From<Item> for v1::Item {
    fn from(item: Item) -> Self {
        Self {
            id: item.id.to_string(),
            class: item.class.as_str().to_owned(),
            reason: item.reason.as_str().to_owned(),
            state: item.state.as_str().to_owned(),
            runner_id: item.runner_id.to_string(),
            runner: item.runner,
            project: item.project,
            node_id: item.node_id,
            agent: item.agent,
            message: item.message,
            lines: item.lines,
            has_channel: !item.channel.is_empty(),
            asked_at: Some(to_timestamp(item.asked_at)),
            cost_then_nanos: item.cost_then.0,
            cost_nanos: item.cost.0,
            usage_quality: item.quality.as_str().to_owned(),
            opened_at: Some(to_timestamp(item.opened_at)),
            snoozed_until: item.snoozed_until.map(to_timestamp),
            closed_at: item.closed_at.map(to_timestamp),
            closed_by: item.closed_by,
            answer: item.answer,
            resolution: item.resolution,
        }
    }
}

impl TryFrom<v1::Item> for Item {
    type Error = Failure;

    fn try_from(wire: v1::Item) -> Result<Self, Failure> {
        let bad = || Failure::internal("the daemon told of an item that this program cannot read");
        Ok(Self {
            id: Uuid::parse_str(&wire.id).map_err(|_error| bad())?,
            class: Class::parse(&wire.class).ok_or_else(bad)?,
            reason: Reason::parse(&wire.reason).ok_or_else(bad)?,
            state: ItemState::parse(&wire.state).ok_or_else(bad)?,
            runner_id: wire.runner_id.parse::<RunnerId>().map_err(|_error| bad())?,
            runner: wire.runner,
            project: wire.project,
            node_id: wire.node_id,
            agent: wire.agent,
            message: wire.message,
            lines: wire.lines,
            channel: if wire.has_channel { "agent".to_owned() } else { String::new() },
            asked_at: or_epoch(wire.asked_at.as_ref()),
            cost_then: Cost(wire.cost_then_nanos),
            cost: Cost(wire.cost_nanos),
            quality: Quality::parse(&wire.usage_quality),
            opened_at: or_epoch(wire.opened_at.as_ref()),
            snoozed_until: wire.snoozed_until.as_ref().and_then(from_timestamp),
            closed_at: wire.closed_at.as_ref().and_then(from_timestamp),
            closed_by: wire.closed_by,
            answer: wire.answer,
            resolution: wire.resolution,
        })
    }
}

impl From<Digest> for v1::Digest {
    fn from(digest: Digest) -> Self {
        let runner = |one: RunnerDigest| v1::digest::Runner {
            runner: one.runner,
            project: one.project,
            turns: one.turns,
            questions: one.questions,
            waited_seconds: one.waited_seconds,
            is_waiting: one.is_waiting,
            failed: one.failed,
            has_ended: one.has_ended,
            tokens: one.tokens,
            cost_nanos: one.cost.0,
        };
        Self {
            since: Some(to_timestamp(digest.since)),
            until: Some(to_timestamp(digest.until)),
            runners: digest.runners.into_iter().map(runner).collect(),
            decisions: digest.decisions,
            alerts: digest.alerts,
            is_cut: digest.is_cut,
            is_first: digest.is_first,
        }
    }
}

impl From<v1::Digest> for Digest {
    fn from(wire: v1::Digest) -> Self {
        let runner = |one: v1::digest::Runner| RunnerDigest {
            runner: one.runner,
            project: one.project,
            turns: one.turns,
            questions: one.questions,
            waited_seconds: one.waited_seconds,
            is_waiting: one.is_waiting,
            failed: one.failed,
            has_ended: one.has_ended,
            tokens: one.tokens,
            cost: Cost(one.cost_nanos),
        };
        Self {
            since: or_epoch(wire.since.as_ref()),
            until: or_epoch(wire.until.as_ref()),
            runners: wire.runners.into_iter().map(runner).collect(),
            decisions: wire.decisions,
            alerts: wire.alerts,
            is_cut: wire.is_cut,
            is_first: wire.is_first,
        }
    }
}

impl From<Answer> for v1::answer_item_request::Answer {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Approve => Self::Approve(true),
            Answer::Deny => Self::Approve(false),
            Answer::Choose(number) => Self::Choice(number.into()),
            Answer::Reply(text) => Self::Reply(text),
        }
    }
}

impl From<v1::answer_item_request::Answer> for Answer {
    fn from(wire: v1::answer_item_request::Answer) -> Self {
        use v1::answer_item_request::Answer as Wire;
        match wire {
            Wire::Approve(true) => Self::Approve,
            Wire::Approve(false) => Self::Deny,
            Wire::Choice(number) => Self::Choose(u8::try_from(number).unwrap_or(u8::MAX)),
            Wire::Reply(text) => Self::Reply(text),
        }
    }
}
