//! Calls about sessions.

use tonic::{Request, Response, Status};

use super::Shared;
use crate::proto::{
    failure_to_status,
    v1::{
        GetSessionRequest, ListSessionsRequest, ListSessionsResponse, Session,
        sessions_server::Sessions,
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

    async fn get_session(
        &self,
        request: Request<GetSessionRequest>,
    ) -> Result<Response<Session>, Status> {
        let session = self.services.get_session(&request.into_inner().id).await;
        session.map(|session| Response::new((&session).into())).map_err(|e| failure_to_status(&e))
    }
}
