//! Answers to agents' questions, from the client's side.

use chrono::{DateTime, Utc};

use super::{Client, failed};
use crate::{
    domain::{answer::Answer, failure::Failure},
    proto::{
        to_timestamp,
        v1::{AnswerRunnerRequest, answer_runner_request},
    },
};

impl Client {
    /// Answers the question that a runner has asked at this time: the activity's `since`.
    ///
    /// # Errors
    ///
    /// `NOT_ASKED` when it asks something else by now or was answered already, or when that is no
    /// answer to it.
    pub async fn answer(
        &self,
        runner: &str,
        asked: DateTime<Utc>,
        answer: &Answer,
    ) -> Result<(), Failure> {
        let answer = match answer {
            Answer::Approve => answer_runner_request::Answer::Approve(true),
            Answer::Deny => answer_runner_request::Answer::Approve(false),
            Answer::Choose(number) => answer_runner_request::Answer::Choice((*number).into()),
            Answer::Reply(text) => answer_runner_request::Answer::Reply(text.clone()),
        };
        let request = AnswerRunnerRequest {
            runner: runner.to_owned(),
            asked: Some(to_timestamp(asked)),
            answer: Some(answer),
            by: "dashboard".to_owned(),
        };
        self.runners().answer_runner(self.request(request)).await.map_err(failed).map(drop)
    }
}
