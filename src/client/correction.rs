//! Corrections of states that are wrong, from the client's side.

use super::{Client, failed};
use crate::{
    domain::{
        correction::{Correction, CorrectionRequest},
        failure::Failure,
    },
    proto::v1::CorrectRunnerRequest,
};

impl Client {
    /// Says what a runner is really at; returns what was learnt from it, or would be.
    ///
    /// # Errors
    ///
    /// When there is no such runner, it has ended, or nothing can be kept.
    pub async fn correct(&self, request: &CorrectionRequest) -> Result<Correction, Failure> {
        let request = self.request(CorrectRunnerRequest::from(request));
        let answer = self.runners().correct_runner(request).await;
        answer.map_err(failed)?.into_inner().try_into()
    }
}
