//! Tokens of the HTTP API on the wire.

use super::{from_timestamp, to_timestamp, v1};
use crate::domain::{
    api_token::{ApiToken, Scope},
    failure::Failure,
};

impl From<ApiToken> for v1::ApiToken {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name,
            scope: token.scope.as_str().to_owned(),
            created_at: Some(to_timestamp(token.created_at)),
            created_by: token.created_by,
            expires_at: token.expires_at.map(to_timestamp),
            last_used_at: token.last_used_at.map(to_timestamp),
            revoked_at: token.revoked_at.map(to_timestamp),
        }
    }
}

impl TryFrom<v1::ApiToken> for ApiToken {
    type Error = Failure;

    fn try_from(wire: v1::ApiToken) -> Result<Self, Failure> {
        let garbled = || Failure::internal("a token is garbled");
        Ok(Self {
            id: wire.id.parse().map_err(|_not_an_id| garbled())?,
            name: wire.name,
            scope: Scope::parse(&wire.scope).ok_or_else(garbled)?,
            created_at: wire.created_at.as_ref().and_then(from_timestamp).ok_or_else(garbled)?,
            created_by: wire.created_by,
            expires_at: wire.expires_at.as_ref().and_then(from_timestamp),
            last_used_at: wire.last_used_at.as_ref().and_then(from_timestamp),
            revoked_at: wire.revoked_at.as_ref().and_then(from_timestamp),
        })
    }
}
