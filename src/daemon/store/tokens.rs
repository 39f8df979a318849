//! Tokens of the HTTP API in the database.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Store, StoreError,
    query::{Query, Record, Write},
};
use crate::domain::{
    api_token::{ApiToken, Scope},
    event::NewEvent,
    failure::Failure,
};

/// How exact it is known when a token was last used.
const USED_STEP: TimeDelta = TimeDelta::minutes(1);

impl Store {
    /// Keeps a token with the hash of its secret.
    ///
    /// # Errors
    ///
    /// `TOKEN_EXISTS` when one that was not revoked has the name.
    pub async fn token_create(
        &self,
        token: &ApiToken,
        hash: &str,
        event: NewEvent,
    ) -> Result<(), StoreError> {
        let insert = Query::new(
            "INSERT INTO api_tokens (id, name, secret_hash, scope, created_at, created_by, \
             expires_at) SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS \
             (SELECT 1 FROM api_tokens WHERE name = $2 AND revoked_at IS NULL)",
        )
        .bind(token.id)
        .bind(token.name.as_str())
        .bind(hash)
        .bind(token.scope.as_str())
        .bind(token.created_at)
        .bind(token.created_by.as_str())
        .bind(token.expires_at);
        let what = format!("a token `{}` exists", token.name);
        let taken = Failure::conflict("TOKEN_EXISTS", what)
            .with_hint(format!("stratavore tokens revoke {}", token.name));
        self.write(Write::causing(vec![event]).require(insert, taken)).await?;
        Ok(())
    }

    /// Returns a token with the hash of its secret, `None` if there is none with this id.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn token_get(&self, id: Uuid) -> Result<Option<(ApiToken, String)>, StoreError> {
        let query = Query::new(
            "SELECT id, name, secret_hash, scope, created_at, created_by, expires_at, \
             last_used_at, revoked_at FROM api_tokens WHERE id = $1",
        );
        let rows = self.fetch(query.bind(id)).await?;
        rows.first().map(|row| Ok((decode(row)?, row.text("secret_hash")?))).transpose()
    }

    /// Returns all tokens, the newest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn token_list(&self) -> Result<Vec<ApiToken>, StoreError> {
        let query = Query::new(
            "SELECT id, name, scope, created_at, created_by, expires_at, last_used_at, \
             revoked_at FROM api_tokens ORDER BY created_at DESC, id",
        );
        self.list(query, decode).await
    }

    /// Takes note that a token is used, if that was long enough ago.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn token_used(&self, token: &ApiToken, now: DateTime<Utc>) -> Result<(), StoreError> {
        let before = now - USED_STEP;
        if token.last_used_at.is_some_and(|used| used > before) {
            return Ok(());
        }
        let query = Query::new(
            "UPDATE api_tokens SET last_used_at = $2 WHERE id = $1 \
             AND (last_used_at IS NULL OR last_used_at <= $3)",
        );
        let query = query.bind(token.id).bind(now).bind(before);
        self.write(Write::default().run(query).unflushed()).await?;
        Ok(())
    }

    /// Revokes a token.
    ///
    /// # Errors
    ///
    /// `TOKEN_REVOKED` when it is already.
    pub async fn token_revoke(&self, token: &ApiToken, event: NewEvent) -> Result<(), StoreError> {
        let query = Query::new(
            "UPDATE api_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        );
        let query = query.bind(token.id).bind(event.at);
        let what = format!("the token `{}` is revoked already", token.name);
        let revoked = Failure::conflict("TOKEN_REVOKED", what);
        self.write(Write::causing(vec![event]).require(query, revoked)).await?;
        Ok(())
    }
}

fn decode(row: &Record) -> Result<ApiToken, StoreError> {
    let scope = row.text("scope")?;
    Ok(ApiToken {
        id: row.id("id")?,
        name: row.text("name")?,
        scope: Scope::parse(&scope).ok_or(StoreError::Garbled(scope))?,
        created_at: row.time("created_at")?,
        created_by: row.text("created_by")?,
        expires_at: row.optional_time("expires_at")?,
        last_used_at: row.optional_time("last_used_at")?,
        revoked_at: row.optional_time("revoked_at")?,
    })
}
