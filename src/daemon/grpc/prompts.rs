//! Calls about prompts. None of them is an agent's to make.

use tonic::{Request, Response, Status};

use super::Shared;
use crate::proto::{
    failure_to_status,
    v1::{
        CancelPromptRequest, ListPromptsRequest, ListPromptsResponse, QueuedPrompt,
        SendPromptRequest, SendPromptResponse, prompts_server::Prompts,
    },
};

#[tonic::async_trait]
impl Prompts for Shared {
    async fn send_prompt(
        &self,
        request: Request<SendPromptRequest>,
    ) -> Result<Response<SendPromptResponse>, Status> {
        let wire = request.into_inner();
        let runner = wire.runner.clone();
        let sent = self.services.send_prompt(&runner, wire.into()).await;
        sent.map(|sent| Response::new((&sent).into())).map_err(|e| failure_to_status(&e))
    }

    async fn list_prompts(
        &self,
        request: Request<ListPromptsRequest>,
    ) -> Result<Response<ListPromptsResponse>, Status> {
        let wire = request.into_inner();
        let found = self.services.list_prompts(&wire.runner, wire.all).await;
        let found = found.map_err(|failure| failure_to_status(&failure))?;
        Ok(Response::new(ListPromptsResponse { prompts: found.iter().map(Into::into).collect() }))
    }

    async fn cancel_prompt(
        &self,
        request: Request<CancelPromptRequest>,
    ) -> Result<Response<QueuedPrompt>, Status> {
        let taken = self.services.cancel_prompt(&request.into_inner().id).await;
        taken.map(|prompt| Response::new((&prompt).into())).map_err(|e| failure_to_status(&e))
    }
}
