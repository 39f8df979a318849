//! A value that must not be shown: a password, a token, an address that holds one.
//!
//! Invariant: neither `Debug` nor serialisation gives it away, so that no log line, error, panic or
//! listing of the configuration can; who needs it asks for it by name.
//!
//! Every one may also stand in a file of its own: `<key>_file` in a configuration, the variable of the
//! key with `_FILE`, or a credential of systemd that has the key's name.

use std::{
    borrow::Cow,
    fs,
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use crate::domain::redact::redact;

/// What stands in its place.
const MASK: &str = "********";

/// The keys whose values are secrets.
pub(super) const KEYS: &[&str] = &[
    "database.postgresql.password",
    "database.url",
    "docker.rabbitmq.password",
    "docker.rabbitmq.url",
    "docker.telegram.token",
    "notify.ntfy.token",
    "notify.webhook.secret",
    "observability.otlp.authorization",
    "storage.s3.access_key",
    "storage.s3.secret_key",
];

/// Shows an address without its password.
pub(super) fn address<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&without_password(text))
}

/// To make ready what finds secrets takes ten times as long as a quick command's answer: not for an address that
/// is a host and a port alone.
fn without_password(text: &str) -> Cow<'_, str> {
    let host = text.split_once("://").map_or("", |(_, host)| host);
    let is_bare = !host.is_empty()
        && host.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '.' | ':' | '-'));
    if is_bare || text.is_empty() { Cow::Borrowed(text) } else { redact(text) }
}

/// Shows an address that is a secret from its path on: whoever knows it can write there.
pub(super) fn secret_address<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&host_of(text))
}

fn host_of(text: &str) -> String {
    let host = text.find("://").map_or(0, |at| at + 3);
    let rest = text.get(host..).unwrap_or_default();
    match rest.find(['/', '?', '#']) {
        Some(path) if rest.len() > path + 1 => {
            format!("{}/{MASK}", without_password(text.get(..host + path).unwrap_or_default()))
        }
        _ => without_password(text).into_owned(),
    }
}

/// Bytes that a file with a secret may have.
const LONGEST: u64 = 64 << 10;

/// A secret text; empty when none is configured.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(SecretString);

impl Secret {
    /// The text itself, for whom it is meant.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.reveal().is_empty()
    }

    /// What may be shown: nothing, or that there is one.
    fn shown(&self) -> &'static str {
        if self.is_empty() { "" } else { MASK }
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.reveal() == other.reveal()
    }
}

impl Eq for Secret {}

/// Returns the secret that `<key>_file` gives a file for.
pub(super) fn of_file_key(key: &str) -> Option<&'static str> {
    let base = key.strip_suffix("_file")?;
    KEYS.iter().copied().find(|secret| *secret == base)
}

/// Reads a secret from its file, with whether others can read it; a line break at its end is none of it.
///
/// # Errors
///
/// When it is no regular file, is too long, is no text or cannot be read.
pub(super) fn read(path: &Path) -> io::Result<(String, bool)> {
    // Without O_NONBLOCK the open of a fifo would wait for a writer.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other(format!("it has more than {LONGEST} bytes")));
    }
    let text = text.trim_end_matches(['\n', '\r']).to_owned();
    Ok((text, meta.mode() & 0o077 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_is_secret_in_it() {
        let webhook = "https://bob:pw12345@hooks.example:8443/services/T0/XYZ?token=abcdef";
        let told = host_of(webhook);
        assert!(told.ends_with("hooks.example:8443/********"), "{told}");
        assert!(!told.contains("pw12345"), "{told}");
        assert_eq!(host_of("https://ntfy.sh/my-topic"), "https://ntfy.sh/********");
        assert_eq!(host_of("https://ntfy.sh?topic=mine"), "https://ntfy.sh/********");
        assert_eq!(without_password("http://127.0.0.1:4317"), "http://127.0.0.1:4317");
        let told = without_password("http://me:pw12345@127.0.0.1:1");
        assert!(!told.contains("pw12345"), "{told}");
        assert_eq!(host_of(""), "");
    }
}
