//! Tokens of the HTTP API: what each may do, and how a right one is told from a guess.
//!
//! A token is `svt_<id>_<secret>`: the id finds the row, and of the secret only its SHA-256 is kept
//! there. Invariant: what is stored or shown does not let anybody in.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

/// What every token begins with, so that scanners for secrets know it.
pub const PREFIX: &str = "svt_";

/// What the name of a new token looks like: it is put into paths and shown in tables. Those that were
/// made before may have any other.
pub const NAME_PATTERN: &str = "^[A-Za-z0-9_][A-Za-z0-9._-]*$";

/// Bytes that a name may have.
pub const LONGEST_NAME: usize = 100;

/// What may be done; each scope holds those before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Looking.
    Viewer,
    /// Running agents, and answering them.
    Operator,
    /// Everything else: limits, tokens, what cannot be taken back.
    Admin,
}

impl Scope {
    /// All of them, the narrowest first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word for people, tables and the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// A token as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiToken {
    /// Its id.
    pub id: Uuid,
    /// What it is for, in the user's words.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: String,
    /// From when on it is not accepted; `None` for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl ApiToken {
    /// Whether it is accepted at this time.
    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// A word for how it stands.
    pub fn state(&self, now: DateTime<Utc>) -> &'static str {
        match (self.revoked_at, self.is_valid(now)) {
            (Some(_), _) => "revoked",
            (None, false) => "expired",
            (None, true) => "valid",
        }
    }
}

/// Checks the name of a new token.
///
/// # Errors
///
/// Says how a name is made.
pub fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_good = (1..=LONGEST_NAME).contains(&name.len())
        && name.chars().all(allowed)
        && !name.starts_with(['.', '-']);
    if is_good {
        return Ok(());
    }
    Err(format!(
        "a token's name has 1 to {LONGEST_NAME} letters, digits, `.`, `_` and `-`, and begins with \
         neither `.` nor `-`"
    ))
}

/// Returns the text of a token, which is shown once.
pub fn text(id: Uuid, secret: &[u8; 32]) -> String {
    format!("{PREFIX}{}_{}", id.simple(), hex::encode(secret))
}

/// Returns what is kept of a secret.
pub fn hash(secret: &[u8]) -> String {
    hex::encode(Sha256::digest(secret))
}

/// Returns the id in a token's text and what is kept of its secret; `None` for what is no token.
pub fn parse(text: &str) -> Option<(Uuid, String)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let bytes: Option<Vec<u8>> = secret
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let secret = bytes.filter(|bytes| bytes.len() == 32 && secret.len() == 64)?;
    Some((Uuid::try_parse(id).ok()?, hash(&secret)))
}

/// Whether two hashes are the same, in a time that does not tell where they differ.
pub fn is_same(a: &str, b: &str) -> bool {
    let differs = a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differs) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_pattern_says() {
        let pattern = regex::Regex::new(NAME_PATTERN).unwrap();
        let good = ["ci", "a.b", "A_b-1", "_x"];
        let long = "x".repeat(LONGEST_NAME + 1);
        let bad = [
            "",
            ".",
            "..",
            "...",
            ".a",
            "-x",
            "a b",
            " a",
            "a/b",
            "a%2f",
            "\u{202e}a",
            "é",
            "a\n",
            &long,
        ];
        for name in good.iter().chain(&bad) {
            let is_short = (1..=LONGEST_NAME).contains(&name.len());
            assert_eq!(check_name(name).is_ok(), pattern.is_match(name) && is_short, "{name:?}");
        }
        assert!(good.iter().all(|name| check_name(name).is_ok()));
        assert!(bad.iter().all(|name| check_name(name).is_err()));
    }

    #[test]
    fn a_token_is_recognised_and_a_guess_is_not() {
        let (id, secret) = (Uuid::from_u128(7), [9; 32]);
        let token = text(id, &secret);
        assert_eq!(parse(&token), Some((id, hash(&secret))));
        assert!(is_same(&hash(&secret), &parse(&token).unwrap().1));
        assert!(!is_same(&hash(&secret), &hash(&[8; 32])));
        assert!(!is_same("", &hash(&secret)));
        let short = token.get(..token.len() - 2).unwrap();
        for wrong in ["", "svt_", "svt_x_y", short, &format!("{token}00"), "svt_é_é"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert!(!hash(&secret).contains(&hex::encode(secret)));
    }

    #[test]
    fn scopes_are_ordered_and_ends_are_ends() {
        assert!(Scope::Viewer < Scope::Operator && Scope::Operator < Scope::Admin);
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let token = ApiToken {
            id: Uuid::nil(),
            name: "n".into(),
            scope: Scope::Viewer,
            created_at: at(0),
            created_by: "me".into(),
            expires_at: Some(at(9)),
            last_used_at: None,
            revoked_at: None,
        };
        assert_eq!([token.state(at(8)), token.state(at(9))], ["valid", "expired"]);
        let revoked = ApiToken { revoked_at: Some(at(1)), expires_at: None, ..token };
        assert_eq!(revoked.state(at(8)), "revoked");
    }
}
