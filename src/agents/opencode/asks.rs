//! What opencode asks a person, as its server lists and tells it, and how that is answered.

use serde_json::{Value, json};

use crate::{
    agents::control::{Ask, AskKind, Verdict},
    domain::answer::Answer,
};

/// The choices of a permission, as the agent's own dialog has them.
const CHOICES: [&str; 3] = ["Allow once", "Allow always", "Reject"];

/// Returns what is sent to answer an ask: path and body.
///
/// # Errors
///
/// Says why that is no answer to it, in words that follow the runner's name.
pub fn reply(ask: &Ask, answer: &Answer) -> Result<(String, Value), &'static str> {
    let id = &ask.id;
    match &ask.kind {
        AskKind::Permission => {
            let body = match ask.verdict(answer)? {
                Verdict::Once => json!({ "reply": "once" }),
                Verdict::Always => json!({ "reply": "always" }),
                Verdict::No(why) if why.is_empty() => json!({ "reply": "reject" }),
                Verdict::No(why) => json!({ "reply": "reject", "message": why }),
            };
            Ok((format!("/permission/{id}/reply"), body))
        }
        AskKind::Question(_) if *answer == Answer::Deny => {
            Ok((format!("/question/{id}/reject"), json!({})))
        }
        AskKind::Question(_) => {
            let (_, label) = ask.labels(answer)?;
            Ok((format!("/question/{id}/reply"), json!({ "answers": [[label]] })))
        }
    }
}

/// Reads a permission that is asked for.
pub(super) fn permission(it: &Value) -> Option<Ask> {
    let tool = text(&it["permission"]).to_owned();
    let patterns: Vec<_> = it["patterns"].as_array()?.iter().map(text).collect();
    let ask = Ask {
        id: id(&it["id"])?,
        session: text(&it["sessionID"]).to_owned(),
        kind: AskKind::Permission,
        text: format!("{tool}({})", patterns.join(", ")),
        tool,
        input: it["metadata"].clone(),
        choices: CHOICES.map(str::to_owned).to_vec(),
    };
    Some(ask.bounded())
}

/// Reads questions that are asked together.
pub(super) fn question(it: &Value) -> Option<Ask> {
    let all: Vec<_> = it["questions"].as_array()?.iter().collect();
    let first = all.first()?;
    let labels = |question: &Value| {
        let options = question["options"].as_array().into_iter().flatten();
        options.map(|option| text(&option["label"]).to_owned()).collect::<Vec<_>>()
    };
    let ask = Ask {
        id: id(&it["id"])?,
        session: text(&it["sessionID"]).to_owned(),
        text: text(&first["question"]).to_owned(),
        tool: String::new(),
        input: Value::Null,
        choices: labels(first),
        kind: AskKind::Question(
            all.iter().map(|question| (String::new(), labels(question))).collect(),
        ),
    };
    Some(ask.bounded())
}

/// An id that may stand in a path.
fn id(value: &Value) -> Option<String> {
    let id = text(value);
    let is_plain = id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    (is_plain && !id.is_empty() && id.len() <= 128).then(|| id.to_owned())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
