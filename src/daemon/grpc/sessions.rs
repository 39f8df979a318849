//! Calls about sessions.

use tonic::{Request, Response, Status};

use super::Shared;
use crate::{
    daemon::services::Resume,
    proto::{
        failure_to_status, from_env_vars,
        v1::{
            GetSessionRequest, ListSessionsRequest, ListSessionsResponse, ResumeSessionRequest,
            Runner, Session, sessions_server::Sessions,
        },
    },
};

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
}
