//! Tokens of the HTTP API, from the client's side.

use std::time::Duration;

use super::{Client, failed};
use crate::{
    domain::{
        api_token::{ApiToken, Scope},
        failure::Failure,
    },
    proto::v1::{self, CreateTokenRequest, ListTokensRequest, RevokeTokenRequest},
};

impl Client {
    /// Makes a token; returns it with its text.
    ///
    /// # Errors
    ///
    /// When the name is none, or taken.
    pub async fn create_token(
        &self,
        name: &str,
        scope: Scope,
        lifetime: Option<Duration>,
    ) -> Result<(ApiToken, String), Failure> {
        let request = CreateTokenRequest {
            name: name.to_owned(),
            scope: scope.as_str().to_owned(),
            lifetime_seconds: lifetime.map_or(0, |time| time.as_secs().max(1)),
        };
        let answer = self.tokens().create_token(self.request(request)).await;
        let wire = answer.map_err(failed)?.into_inner();
        Ok((told(wire.token)?, wire.text))
    }

    /// Returns all tokens, the newest first.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn list_tokens(&self) -> Result<Vec<ApiToken>, Failure> {
        let answer = self.tokens().list_tokens(self.request(ListTokensRequest {})).await;
        let tokens = answer.map_err(failed)?.into_inner().tokens;
        tokens.into_iter().map(TryInto::try_into).collect()
    }

    /// Revokes a token by its name or id.
    ///
    /// # Errors
    ///
    /// When there is none, or it is revoked already.
    pub async fn revoke_token(&self, token: &str) -> Result<ApiToken, Failure> {
        let request = RevokeTokenRequest { token: token.to_owned() };
        let answer = self.tokens().revoke_token(self.request(request)).await;
        told(answer.map_err(failed)?.into_inner().token)
    }
}

fn told(token: Option<v1::ApiToken>) -> Result<ApiToken, Failure> {
    token.ok_or_else(|| Failure::internal("no token came back"))?.try_into()
}
