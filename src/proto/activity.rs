//! Activities on the public wire and on the link.

use chrono::DateTime;

use super::{
    link::v1 as link,
    time::{from_timestamp, or_epoch, to_timestamp},
    v1,
};
use crate::domain::{
    activity::{Activity, ActivitySource, ActivityState},
    evidence::{Explanation, Word},
    failure::Failure,
};

impl From<&Activity> for v1::Activity {
    fn from(activity: &Activity) -> Self {
        Self {
            state: activity.state.as_str().to_owned(),
            kind: activity.kind.clone().unwrap_or_default(),
            message: activity.message.clone().unwrap_or_default(),
            source: activity.source.as_str().to_owned(),
            since: activity.since.map(to_timestamp),
        }
    }
}

impl From<v1::Activity> for Activity {
    fn from(wire: v1::Activity) -> Self {
        Self {
            state: ActivityState::parse(&wire.state).unwrap_or_default(),
            kind: some(wire.kind),
            message: some(wire.message),
            source: ActivitySource::parse(&wire.source),
            since: wire.since.as_ref().and_then(from_timestamp),
        }
    }
}

impl From<&Explanation> for v1::ExplainRunnerResponse {
    fn from(told: &Explanation) -> Self {
        let word = |(source, word): &(ActivitySource, Word)| v1::SourceWord {
            source: source.as_str().to_owned(),
            state: word.state.as_str().to_owned(),
            kind: word.kind.clone().unwrap_or_default(),
            message: word.message.clone().unwrap_or_default(),
            at: Some(to_timestamp(word.at)),
            rule: told.rule_of(*source).unwrap_or_default().to_owned(),
        };
        Self {
            runner: Some((&told.runner).into()),
            words: told.words.iter().map(word).collect(),
            author: told.author.map(|author| author.as_str().to_owned()).unwrap_or_default(),
        }
    }
}

impl TryFrom<v1::ExplainRunnerResponse> for Explanation {
    type Error = Failure;

    fn try_from(wire: v1::ExplainRunnerResponse) -> Result<Self, Failure> {
        let runner =
            wire.runner.ok_or_else(|| Failure::internal("understand the daemon: no runner"))?;
        let word = |word: v1::SourceWord| {
            let source = ActivitySource::parse(&word.source);
            let state = ActivityState::parse(&word.state).unwrap_or_default();
            let said = (state, some(word.kind), some(word.message));
            (source, Word::new(said, or_epoch(word.at.as_ref())))
        };
        let rule = |word: &v1::SourceWord| {
            Some((ActivitySource::parse(&word.source), some(word.rule.clone())?))
        };
        Ok(Self {
            runner: runner.try_into()?,
            rules: wire.words.iter().filter_map(rule).collect(),
            words: wire.words.into_iter().map(word).collect(),
            author: some(wire.author).map(|author| ActivitySource::parse(&author)),
        })
    }
}

impl link::Status {
    /// Returns what the agent is doing, as the supervisor saw it.
    pub fn to_activity(&self) -> Activity {
        Activity {
            state: ActivityState::parse(&self.activity).unwrap_or_default(),
            kind: some(self.kind.clone()),
            message: some(self.message.clone()),
            source: ActivitySource::parse(&self.source),
            since: (self.since_us > 0)
                .then(|| DateTime::from_timestamp_micros(self.since_us))
                .flatten(),
        }
    }

    /// Writes what the agent is doing into the message.
    pub fn set_activity(&mut self, activity: &Activity) {
        activity.state.as_str().clone_into(&mut self.activity);
        self.kind = activity.kind.clone().unwrap_or_default();
        self.message = activity.message.clone().unwrap_or_default();
        activity.source.as_str().clone_into(&mut self.source);
        self.since_us = activity.since.map_or(0, |since| since.timestamp_micros());
    }
}

/// Returns `None` for an empty text.
pub(super) fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
