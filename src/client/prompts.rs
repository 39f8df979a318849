//! Prompts, from the client's side.

use std::time::Duration;

use super::{Client, failed, request_within};
use crate::{
    domain::{
        failure::Failure,
        prompt::{Delivery, PromptWish, QueuedPrompt, START, When},
    },
    proto::{
        send_prompt_request,
        v1::{CancelPromptRequest, ListPromptsRequest},
    },
};

/// A call that types and waits for the start of a turn takes so much longer than the agent's rest.
const MARGIN: Duration = Duration::from_secs(15);

impl Client {
    /// Sends a prompt; returns what is known of it.
    ///
    /// # Errors
    ///
    /// When nothing was typed, and why: the agent is not at rest, asks something, or is another one.
    pub async fn send_prompt(&self, runner: &str, wish: &PromptWish) -> Result<Delivery, Failure> {
        let patience = match wish.when {
            When::AtRest(patience) => patience,
            When::Queued | When::Now => Duration::ZERO,
        };
        let limit = self.limit.max(patience + START + MARGIN);
        let request = request_within(send_prompt_request(runner, wish), limit);
        Ok(self.prompts().send_prompt(request).await.map_err(failed)?.into_inner().into())
    }

    /// Returns the queue, the oldest first: of one runner unless the word is empty.
    ///
    /// # Errors
    ///
    /// When there is no such runner.
    pub async fn list_prompts(
        &self,
        runner: &str,
        all: bool,
    ) -> Result<Vec<QueuedPrompt>, Failure> {
        let request = self.request(ListPromptsRequest { runner: runner.to_owned(), all });
        let answer = self.prompts().list_prompts(request).await.map_err(failed)?.into_inner();
        answer.prompts.into_iter().map(TryInto::try_into).collect()
    }

    /// Takes a prompt back that waits; returns it.
    ///
    /// # Errors
    ///
    /// `PROMPT_NOT_FOUND`, or `NOT_QUEUED` when it is typed already.
    pub async fn cancel_prompt(&self, id: &str) -> Result<QueuedPrompt, Failure> {
        let request = self.request(CancelPromptRequest { id: id.to_owned() });
        self.prompts().cancel_prompt(request).await.map_err(failed)?.into_inner().try_into()
    }
}
