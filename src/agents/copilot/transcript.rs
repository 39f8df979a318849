//! Copilot's events: `session-state/<conversation>/events.jsonl`.
//!
//! `session.usage_record` is one call of a model, under the id that telemetry gives it;
//! `session.shutdown` sums up. Copilot's own cost counts credits and is left out.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::{
    agents::{
        json::{List, Object, Scalar},
        tokens,
        transcript::{CostState, Entry, Message, Opened, Recent, Role, record},
    },
    domain::{agent::Agent, usage::Tokens},
};

/// What a line needs of those before it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// The conversation.
    conversation: String,
    /// Whether the agent is at work.
    working: bool,
    /// Whether the last request has no answer yet, or one that asked for tools.
    tools: bool,
    /// Responses, by id.
    recent: Recent,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Line<'a> {
    #[serde(borrow)]
    r#type: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    id: Scalar<'a>,
    /// A subagent's.
    #[serde(borrow)]
    agent_id: Scalar<'a>,
    #[serde(borrow)]
    data: Object<Data<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Data<'a> {
    #[serde(borrow)]
    session_id: Scalar<'a>,
    #[serde(borrow)]
    selected_model: Scalar<'a>,
    #[serde(borrow)]
    start_time: Scalar<'a>,
    #[serde(borrow)]
    context: Object<Context<'a>>,
    #[serde(borrow)]
    content: Scalar<'a>,
    #[serde(borrow)]
    message_id: Scalar<'a>,
    #[serde(borrow)]
    title: Scalar<'a>,
    tool_requests: List<Object<Nothing>, 1>,
    #[serde(borrow)]
    usage: Object<Usage<'a>>,
    #[serde(borrow)]
    accounting_snapshot: Object<Snapshot<'a>>,
}

#[derive(Deserialize, Default)]
struct Nothing {}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Context<'a> {
    #[serde(borrow)]
    cwd: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Usage<'a> {
    #[serde(borrow)]
    api_call_id: Scalar<'a>,
    #[serde(borrow)]
    model: Scalar<'a>,
    #[serde(borrow)]
    interaction_type: Scalar<'a>,
    #[serde(borrow)]
    input_tokens: Scalar<'a>,
    #[serde(borrow)]
    output_tokens: Scalar<'a>,
    #[serde(borrow)]
    cache_read_tokens: Scalar<'a>,
    #[serde(borrow)]
    cache_write_tokens: Scalar<'a>,
    #[serde(borrow)]
    reasoning_tokens: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Snapshot<'a> {
    #[serde(borrow)]
    model_metrics: Object<BTreeMap<Cow<'a, str>, Object<Metrics<'a>>>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metrics<'a> {
    #[serde(borrow)]
    usage: Object<Usage<'a>>,
}

impl Usage<'_> {
    fn tokens(&self) -> Tokens {
        tokens::inclusive(
            self.input_tokens.tokens(),
            self.cache_read_tokens.tokens(),
            self.cache_write_tokens.tokens(),
            self.output_tokens.tokens(),
            self.reasoning_tokens.tokens(),
        )
    }
}

impl State {
    /// Reads a line.
    pub(in crate::agents) fn line(&mut self, line: &[u8], found: &mut dyn FnMut(Entry)) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
        let at = line.timestamp.at();
        let is_side = !line.agent_id.str().is_empty();
        let Object(data) = line.data;
        let message = |role| {
            let id = data.message_id.text().unwrap_or(line.id.str()).to_owned();
            Entry::Message(Message { id, role, text: data.content.owned(), at })
        };
        match line.r#type.str() {
            "session.start" | "session.resume" => self.opened(&data, found),
            "session.usage_record" => self.usage(&data.usage.0, &line.timestamp, found),
            "session.shutdown" => found(Entry::Cost(self.cost(&data))),
            "session.title_changed" if !data.title.str().is_empty() => {
                found(Entry::Title(data.title.owned()));
            }
            "user.message" => {
                if !is_side && !std::mem::replace(&mut self.working, true) {
                    found(Entry::TurnStarted { at });
                }
                found(message(Role::User));
            }
            // What is broken off ends its round, too, but without an answer.
            "assistant.turn_start" if !is_side => self.tools = true,
            "assistant.message" => {
                if !is_side {
                    self.tools = !data.tool_requests.0.is_empty();
                }
                if !data.content.str().is_empty() {
                    found(message(Role::Assistant));
                }
            }
            // A round ends with each answer; the turn with one that asks for no tool.
            "assistant.turn_end"
                if !is_side && !self.tools && std::mem::take(&mut self.working) =>
            {
                found(Entry::TurnEnded { at, interrupted: false });
            }
            "session.error" if std::mem::take(&mut self.working) => {
                found(Entry::TurnEnded { at, interrupted: false });
            }
            "abort" if std::mem::take(&mut self.working) => {
                found(Entry::TurnEnded { at, interrupted: true });
            }
            _ => {}
        }
    }

    fn opened(&mut self, data: &Data<'_>, found: &mut dyn FnMut(Entry)) {
        let id = data.session_id.str();
        if id.is_empty() || id == self.conversation {
            return;
        }
        id.clone_into(&mut self.conversation);
        found(Entry::Opened(Opened {
            conversation: id.to_owned(),
            cwd: data.context.0.cwd.owned(),
            model: data.selected_model.owned(),
            at: data.start_time.at(),
            ..Opened::default()
        }));
    }

    fn usage(&mut self, usage: &Usage<'_>, at: &Scalar<'_>, found: &mut dyn FnMut(Entry)) {
        let (id, tokens) = (usage.api_call_id.str(), usage.tokens());
        if tokens.total() == 0 || id.is_empty() {
            return;
        }
        let Some(tokens) = self.recent.grown(id, tokens) else { return };
        let mut record = record(Agent::Copilot, id, tokens);
        record.conversation.clone_from(&self.conversation);
        record.model = usage.model.owned();
        record.at = at.at().unwrap_or_default();
        let kind = usage.interaction_type.str();
        if kind.contains("subagent") {
            "subagent".clone_into(&mut record.purpose);
        } else if !kind.is_empty() && kind != "conversation-agent" {
            kind.clone_into(&mut record.purpose);
        }
        found(Entry::Usage(record));
    }

    fn cost(&self, data: &Data<'_>) -> CostState {
        let mut state =
            CostState { conversation: self.conversation.clone(), ..CostState::default() };
        for (model, Object(metrics)) in &data.accounting_snapshot.0.model_metrics.0 {
            let tokens = metrics.usage.0.tokens();
            state.tokens += tokens;
            state.models.push((model.clone().into_owned(), tokens));
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::transcript::tests::{entries, said, used};

    const SAMPLE: &str = include_str!("../../../tests/fixtures/agents/copilot-1.0-events.jsonl");

    const INTERACTIVE: &str =
        include_str!("../../../tests/fixtures/agents/copilot-1.0-interactive-events.jsonl");

    #[test]
    fn a_turn_ends_with_its_answer_or_is_broken_off_or_fails_and_subagents_end_none() {
        let ends = entries(Agent::Copilot, INTERACTIVE).into_iter().filter_map(|it| match it {
            Entry::TurnEnded { interrupted, .. } => Some(interrupted),
            _ => None,
        });
        let ends: Vec<_> = ends.collect();
        // In a permission, in an answer, and in the last permission somebody broke it off.
        assert_eq!(ends, [false, false, true, true, false, false, false, false, true]);
    }

    #[test]
    fn each_call_counts_under_its_id_and_the_sum_agrees() {
        let entries = entries(Agent::Copilot, SAMPLE);
        let Entry::Opened(opened) = &entries[0] else { panic!("{:?}", entries[0]) };
        assert_eq!(opened.conversation, "22222222-2222-4222-8222-222222222222");
        assert_eq!((&*opened.cwd, &*opened.model), ("/tmp/rd/work-copilot", "gpt-mock"));
        let used = used(&entries);
        let keys: Vec<_> = used.iter().map(|it| &*it.key).collect();
        assert_eq!(keys, ["copilot:chatcmpl-mock000001", "copilot:chatcmpl-mock000002"]);
        let mut sum = Tokens::default();
        for it in &used {
            sum += it.tokens;
        }
        let Some(Entry::Cost(cost)) = entries.last() else { panic!("the sum comes last") };
        assert_eq!((cost.tokens, &*cost.models[0].0), (sum, "gpt-mock"));
        assert_eq!(said(&entries).len(), 3);
        let turns = entries.iter().filter(|it| matches!(it, Entry::TurnEnded { .. })).count();
        assert_eq!(turns, 1);
    }
}
