//! Calls about tokens of the HTTP API.

use std::time::Duration;

use tonic::{Request, Response, Status};

use super::Shared;
use crate::{
    domain::{api_token::Scope, failure::Failure},
    proto::{
        failure_to_status,
        v1::{
            CreateTokenRequest, CreateTokenResponse, ListTokensRequest, ListTokensResponse,
            RevokeTokenRequest, RevokeTokenResponse, tokens_server::Tokens,
        },
    },
};

/// Who acts here: whoever may use the socket, with the command line or a program like it.
const BY: &str = "cli";

#[tonic::async_trait]
impl Tokens for Shared {
    async fn create_token(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        let wire = request.into_inner();
        let Some(scope) = Scope::parse(&wire.scope) else {
            let all = Scope::ALL.map(Scope::as_str).join(", ");
            let what = format!("`{}` is no scope: {all}", wire.scope.escape_debug());
            return Err(failure_to_status(&Failure::usage("BAD_SCOPE", what)));
        };
        let seconds = wire.lifetime_seconds;
        let lifetime = (seconds > 0).then(|| Duration::from_secs(seconds));
        let made = self.services.create_token(&wire.name, scope, lifetime, BY).await;
        let (token, text) = made.map_err(|e| failure_to_status(&e))?;
        Ok(Response::new(CreateTokenResponse { token: Some(token.into()), text }))
    }

    async fn list_tokens(
        &self,
        _request: Request<ListTokensRequest>,
    ) -> Result<Response<ListTokensResponse>, Status> {
        let tokens = self.services.list_tokens().await.map_err(|e| failure_to_status(&e))?;
        let tokens = tokens.into_iter().map(Into::into).collect();
        Ok(Response::new(ListTokensResponse { tokens }))
    }

    async fn revoke_token(
        &self,
        request: Request<RevokeTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        let revoked = self.services.revoke_token(&request.into_inner().token, BY).await;
        let token = revoked.map_err(|e| failure_to_status(&e))?;
        Ok(Response::new(RevokeTokenResponse { token: Some(token.into()) }))
    }
}
