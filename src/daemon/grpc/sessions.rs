//! Calls about sessions.

use tonic::{Request, Response, Status};

use super::{
    Shared,
    streams::{Answers, answer_with},
};
use crate::{
    daemon::services::Resume,
    domain::{agent::Agent, failure::Failure},
    proto::{
        MAX_MESSAGE, failure_to_status, from_env_vars,
        v1::{
            FindConversationsRequest, FindConversationsResponse, GetSessionRequest,
            ImportConversationRequest, ListSessionsRequest, ListSessionsResponse,
            ReadTranscriptRequest, ReadTranscriptResponse, ResumeSessionRequest, Runner,
            SearchSessionsRequest, SearchSessionsResponse, Session, sessions_server::Sessions,
        },
    },
};

/// Conversations of one answer: it must fit into a message.
const MOST_FOUND: usize = MAX_MESSAGE / 2048;

#[tonic::async_trait]
impl Sessions for Shared {
    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let wire = request.into_inner();
        let sessions = self.services.list_sessions(&wire.project, &wire.runner, wire.limit).await;
        let sessions = sessions.map_err(|failure| failure_to_status(&failure))?;
        let sessions = sessions.iter().map(Into::into).collect();
        Ok(Response::new(ListSessionsResponse { sessions }))
    }

    async fn resume_session(
        &self,
        request: Request<ResumeSessionRequest>,
    ) -> Result<Response<Runner>, Status> {
        let wire = request.into_inner();
        let resume = Resume {
            is_new: wire.new_runner,
            environment: from_env_vars(wire.environment),
            size: wire.size.map(Into::into).unwrap_or_default(),
            umask: wire.umask.unwrap_or(0o022),
        };
        let runner = self.services.resume_session(&wire.session, resume).await;
        runner.map(|runner| Response::new((&runner).into())).map_err(|e| failure_to_status(&e))
    }

    async fn get_session(
        &self,
        request: Request<GetSessionRequest>,
    ) -> Result<Response<Session>, Status> {
        let session = self.services.get_session(&request.into_inner().id).await;
        session.map(|session| Response::new((&session).into())).map_err(|e| failure_to_status(&e))
    }

    async fn search_sessions(
        &self,
        request: Request<SearchSessionsRequest>,
    ) -> Result<Response<SearchSessionsResponse>, Status> {
        let hits = self.services.search_sessions(request.into_inner().into()).await;
        let hits = hits.map_err(|failure| failure_to_status(&failure))?;
        let hits = hits.into_iter().map(Into::into).collect();
        Ok(Response::new(SearchSessionsResponse { hits }))
    }

    type ReadTranscriptStream = Answers<ReadTranscriptResponse>;

    async fn read_transcript(
        &self,
        request: Request<ReadTranscriptRequest>,
    ) -> Result<Response<Self::ReadTranscriptStream>, Status> {
        let read = self.services.read_transcript(&request.into_inner().session).await;
        let (_, mut reading) = read.map_err(|failure| failure_to_status(&failure))?;
        Ok(Response::new(answer_with(&self.stop, |sender| async move {
            while let Some(said) = reading.recv().await {
                let answer = said.map(Into::into).map_err(|failure| failure_to_status(&failure));
                if sender.send(answer).await.is_err() {
                    return;
                }
            }
        })))
    }

    async fn find_conversations(
        &self,
        request: Request<FindConversationsRequest>,
    ) -> Result<Response<FindConversationsResponse>, Status> {
        let wire = request.into_inner();
        let agent = known_agent(&wire.agent).map_err(|failure| failure_to_status(&failure))?;
        let environment = from_env_vars(wire.environment);
        let found = self.services.find_conversations_on_disk(agent, environment).await;
        let found = found.map_err(|failure| failure_to_status(&failure))?;
        let conversations = found.into_iter().take(MOST_FOUND).map(Into::into).collect();
        Ok(Response::new(FindConversationsResponse { conversations }))
    }

    async fn import_conversation(
        &self,
        request: Request<ImportConversationRequest>,
    ) -> Result<Response<Session>, Status> {
        let wire = request.into_inner();
        let refuse = |failure: Failure| failure_to_status(&failure);
        let agent = known_agent(&wire.agent).map_err(refuse)?;
        let agent = agent.ok_or_else(|| refuse(no_agent(&wire.agent)))?;
        let environment = from_env_vars(wire.environment);
        let imported =
            self.services.import_conversation(agent, &wire.path, &wire.project, environment).await;
        imported.map(|session| Response::new((&session).into())).map_err(refuse)
    }
}

/// The agent that a word names; `None` for an empty one.
fn known_agent(word: &str) -> Result<Option<Agent>, Failure> {
    if word.is_empty() {
        return Ok(None);
    }
    let agent = Agent::ALL.into_iter().find(|agent| agent.as_str() == word);
    agent.map(Some).ok_or_else(|| no_agent(word))
}

fn no_agent(word: &str) -> Failure {
    let all = Agent::ALL.map(Agent::as_str).join(", ");
    Failure::usage("BAD_AGENT", format!("`{}` is none of {all}", word.escape_debug()))
}
