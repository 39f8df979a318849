//! Tokens of the HTTP API: made, listed, revoked, recognised.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::timeout;
use uuid::Uuid;

use super::Services;
use crate::domain::{
    api_token::{self, ApiToken, Scope},
    event::EventType,
    failure::Failure,
};

/// What lasts longer is meant to last for ever.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// What goes on with a token asks so often whether it is still accepted: where other daemons revoke
/// tokens too, and where this one alone does, which rings as well.
const ASKING_OTHERS: Duration = Duration::from_secs(1);
const ASKING: Duration = Duration::from_mins(1);

impl Services {
    /// Makes a token; returns it with its text, which nobody is told again.
    ///
    /// # Errors
    ///
    /// `BAD_TOKEN_NAME`, or `TOKEN_EXISTS` when the name is taken.
    pub async fn create_token(
        &self,
        name: &str,
        scope: Scope,
        lifetime: Option<Duration>,
        by: &str,
    ) -> Result<(ApiToken, String), Failure> {
        api_token::check_name(name).map_err(|why| Failure::usage("BAD_TOKEN_NAME", why))?;
        let now = self.context.clock.now();
        let lasting = lifetime.map(|time| TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX));
        if lifetime.is_some_and(|time| time.is_zero() || time > LONGEST) {
            let what = "a token lasts a second at least, and 100 years at most";
            return Err(Failure::usage("BAD_EXPIRY", what));
        }
        let expires_at = lasting.map(|time| now + time);
        let mut secret = [0; 32];
        rustix::rand::getrandom(&mut secret, rustix::rand::GetRandomFlags::empty())
            .map_err(|error| Failure::internal(format!("read random bytes: {error}")))?;
        let token = ApiToken {
            id: Uuid::new_v4(),
            name: name.to_owned(),
            scope,
            created_at: now,
            created_by: by.to_owned(),
            expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        let event = self.context.token_event(EventType::TokenCreated, &token, by);
        let text = api_token::text(token.id, &secret);
        let hash = api_token::hash(&secret);
        let services = self.clone();
        self.detached(async move {
            services.store.token_create(&token, &hash, event).await?;
            Ok((token, text))
        })
        .await
    }

    /// Returns all tokens, the newest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn list_tokens(&self) -> Result<Vec<ApiToken>, Failure> {
        Ok(self.store.token_list().await?)
    }

    /// Revokes the token that a word names: its name, its id or a unique beginning of it.
    ///
    /// # Errors
    ///
    /// `TOKEN_NOT_FOUND`, `TOKEN_AMBIGUOUS`, or `TOKEN_REVOKED` when it is already.
    pub async fn revoke_token(&self, word: &str, by: &str) -> Result<ApiToken, Failure> {
        let all = self.store.token_list().await?;
        let has_id = |token: &ApiToken| {
            let word = word.replace('-', "").to_lowercase();
            word.len() >= 4 && token.id.simple().to_string().starts_with(&word)
        };
        // Names come again once they are revoked: the one in use is meant.
        let named = |token: &&ApiToken| token.name == word || has_id(token);
        let mut found: Vec<_> = all.into_iter().filter(|token| named(&token)).collect();
        if found.iter().any(|token| token.revoked_at.is_none()) {
            found.retain(|token| token.revoked_at.is_none());
        }
        let shown = word.escape_debug();
        if found.len() > 1 && found.iter().any(|token| token.revoked_at.is_none()) {
            let what = format!("`{shown}` could be any of {} tokens", found.len());
            return Err(Failure::not_found("TOKEN_AMBIGUOUS", what));
        }
        let token = found.into_iter().next().ok_or_else(|| {
            Failure::not_found("TOKEN_NOT_FOUND", format!("no token `{shown}`"))
                .with_hint("stratavore tokens list")
        })?;
        let event = self.context.token_event(EventType::TokenRevoked, &token, by);
        let revoked_at = Some(event.at);
        let services = self.clone();
        self.detached(async move {
            services.store.token_revoke(&token, event).await?;
            services.revoked.send_replace(());
            Ok(ApiToken { revoked_at, ..token })
        })
        .await
    }

    /// Returns when a token is no longer accepted: at its end, or soon after it was revoked. While the
    /// database is away nothing is known of revocations.
    pub async fn token_over(&self, token: &ApiToken) {
        let mut revoked = self.revoked.subscribe();
        let usual = if self.store.is_shared() { ASKING_OTHERS } else { ASKING };
        loop {
            let now = self.context.clock.now();
            if !token.is_valid(now) {
                return;
            }
            let left = token.expires_at.and_then(|end| (end - now).to_std().ok());
            // The sender lives as long as we do; a tick more, so that the end is not just before.
            let wait = left.map_or(usual, |left| usual.min(left + Duration::from_millis(1)));
            timeout(wait, revoked.changed()).await.ok();
            match self.store.token_get(token.id).await {
                Ok(Some((kept, _))) if kept.revoked_at.is_none() => {}
                Ok(_) => return,
                Err(error) => tracing::debug!(%error, "failed to look whether a token is revoked"),
            }
        }
    }

    /// Returns the token whose text this is, `None` when it is none that is accepted. Each call asks the
    /// database: a token that was revoked is refused at once.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn recognise_token(&self, text: &str) -> Result<Option<ApiToken>, Failure> {
        let Some((id, hash)) = api_token::parse(text) else { return Ok(None) };
        let Some((token, kept)) = self.store.token_get(id).await? else { return Ok(None) };
        let now = self.context.clock.now();
        if !api_token::is_same(&hash, &kept) || !token.is_valid(now) {
            return Ok(None);
        }
        let (store, used) = (self.store.clone(), token.clone());
        tokio::spawn(async move {
            if let Err(error) = store.token_used(&used, now).await {
                tracing::debug!(%error, "failed to note that a token was used");
            }
        });
        Ok(Some(token))
    }
}
