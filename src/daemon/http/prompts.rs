//! Prompts, and answers to what agents ask.

use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params, Path},
    guard::Actor,
    lists::{Page, Paging},
};
use crate::domain::{
    answer,
    correction::{Correction, CorrectionRequest, Truth},
    prompt::{Delivery, PromptWish, QueuedPrompt, REST, When},
};

/// The longest that a call may wait for an agent to be at rest.
const LONGEST: Duration = Duration::from_hours(1);

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes.viewer.routes(routes!(list_prompts));
    routes.operator = routes
        .operator
        .routes(routes!(send_prompt))
        .routes(routes!(cancel_prompt))
        .routes(routes!(answer_runner))
        .routes(routes!(correct_runner));
    routes
}

/// When a prompt is typed.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WhenBody {
    /// As soon as the agent is at rest, but within `patience_ms`.
    #[default]
    AtRest,
    /// As soon as the agent is at rest, whenever that is.
    Queued,
    /// At once.
    Now,
}

/// A prompt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PromptBody {
    /// What is typed.
    text: String,
    /// When.
    #[serde(default)]
    when: WhenBody,
    /// So long is waited for the agent to be at rest; half a minute if nothing is said.
    #[serde(default)]
    patience_ms: Option<u64>,
    /// Enter is not pressed after it.
    #[serde(default)]
    no_submit: bool,
    /// The run of the runner that it is meant for.
    #[serde(default)]
    run: Option<u32>,
    /// The conversation that it is meant for.
    #[serde(default)]
    session: String,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Which {
    /// Those too that are over.
    all: bool,
}

/// An answer to what a runner's agent asks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AnswerBody {
    /// yes, no, the number of a choice, or a text of one's own.
    answer: String,
    /// When the question was asked: `activity.since` of the runner. Another question is not answered.
    asked_at: DateTime<Utc>,
}

/// That an answer was given.
#[derive(Debug, Serialize, ToSchema)]
struct Answered {
    /// What was answered.
    answer: String,
}

/// What a runner is really at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CorrectionBody {
    /// idle, working, blocked or error.
    #[schema(pattern = "^(idle|working|blocked|error|done)$")]
    state: String,
    /// Why it is blocked: permission, question, auth, trust or onboarding.
    #[schema(pattern = "^(permission|question|auth|trust|onboarding)?$")]
    #[serde(default)]
    kind: String,
    /// The line of the screen that tells it; the best one, if nothing is said.
    #[serde(default)]
    line: Option<String>,
    /// Only to be drafted: nothing is kept.
    #[serde(default)]
    draft: bool,
}

/// Types a prompt when the agent is ready for one; tells what is known of it.
#[utoipa::path(post, path = "/runners/{runner}/prompts", tag = "prompts",
    request_body = PromptBody, params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "What became of it", body = Delivery)))]
async fn send_prompt(
    State(http): State<Http>,
    Path(runner): Path<String>,
    Json(body): Json<PromptBody>,
) -> Answer<Delivery> {
    let patience = body.patience_ms.map_or(REST, |ms| Duration::from_millis(ms).min(LONGEST));
    let wish = PromptWish {
        text: body.text,
        submit: !body.no_submit,
        run: body.run,
        session: body.session,
        when: match body.when {
            WhenBody::AtRest => When::AtRest(patience),
            WhenBody::Queued => When::Queued,
            WhenBody::Now => When::Now,
        },
    };
    Ok(Json(http.services.send_prompt(&runner, wish).await?))
}

/// Lists the prompts that wait for a runner.
#[utoipa::path(get, path = "/runners/{runner}/prompts", tag = "prompts",
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it"), Which, Paging),
    responses((status = 200, description = "A page of prompts", body = Page<QueuedPrompt>)))]
async fn list_prompts(
    State(http): State<Http>,
    Path(runner): Path<String>,
    Params(which): Params<Which>,
    Params(paging): Params<Paging>,
) -> Answer<Page<QueuedPrompt>> {
    let prompts = http.services.list_prompts(&runner, which.all).await?;
    paging.cut(prompts, |prompt| prompt.id.to_string())
}

/// Takes back a prompt that waits.
#[utoipa::path(delete, path = "/prompts/{prompt}", tag = "prompts",
    params(("prompt" = String, Path, description = "Its id")),
    responses((status = 200, description = "It is not typed", body = QueuedPrompt)))]
async fn cancel_prompt(
    State(http): State<Http>,
    Path(prompt): Path<String>,
) -> Answer<QueuedPrompt> {
    Ok(Json(http.services.cancel_prompt(&prompt).await?))
}

/// Answers what a runner's agent asks.
#[utoipa::path(post, path = "/runners/{runner}/answer", tag = "prompts",
    request_body = AnswerBody, params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "It is answered", body = Answered)))]
async fn answer_runner(
    State(http): State<Http>,
    actor: Actor,
    Path(runner): Path<String>,
    Json(body): Json<AnswerBody>,
) -> Answer<Answered> {
    let answer = answer::Answer::parse(&body.answer);
    let told = answer.to_string();
    http.services.answer(&runner, body.asked_at, answer, &actor.name).await?;
    Ok(Json(Answered { answer: told }))
}

/// Says what a runner is really at, where its state is wrong; a rule is learnt from it.
#[utoipa::path(post, path = "/runners/{runner}/correct", tag = "prompts",
    request_body = CorrectionBody, params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "What was learnt", body = Correction)))]
async fn correct_runner(
    State(http): State<Http>,
    Path(runner): Path<String>,
    Json(body): Json<CorrectionBody>,
) -> Answer<Correction> {
    let truth = Truth::parse(&body.state, &body.kind)?;
    let (line, is_draft) = (body.line, body.draft);
    let request = CorrectionRequest { runner, truth, looked: None, line, is_draft };
    Ok(Json(http.services.correct(request).await?))
}
