//! A program of the user's that is told by HTTP: JSON by POST, signed.
//!
//! The header `Stratavore-Signature` is `t=<seconds>,v1=<hex>`: HMAC-SHA256 with the secret over the
//! seconds, a full stop and the body. Whoever checks both keeps out strangers and what they recorded.
//! `Idempotency-Key` is the event's id: a repetition has the same.

use chrono::Utc;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Client, Url};
use sha2::Sha256;

use super::{ANSWERING, Fault, Outgoing, client, judge, unheard};
use crate::{
    config::{Secret, WebhookConfig},
    domain::chain::to_hex,
};

/// Where the program listens.
#[derive(Debug)]
pub(super) struct Webhook {
    client: Client,
    url: Url,
    secret: Secret,
}

impl Webhook {
    /// Returns the way to the program of a configuration.
    pub(super) fn new(config: &WebhookConfig) -> Result<Self, String> {
        let url = Url::parse(&config.url).map_err(|error| error.to_string())?;
        Ok(Self { client: client(ANSWERING)?, url, secret: config.secret.clone() })
    }

    pub(super) async fn send(&self, it: &Outgoing<'_>) -> Result<(), Fault> {
        let body = serde_json::to_vec(it.told).map_err(|error| Fault::Never(error.to_string()))?;
        let mut request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("idempotency-key", it.told.event_id.to_string())
            .header("stratavore-event", &it.told.event_type);
        if !self.secret.is_empty() {
            let signature = sign(self.secret.reveal(), Utc::now().timestamp(), &body);
            request = request.header("stratavore-signature", signature);
        }
        let response = request.body(body).send().await.map_err(unheard)?;
        judge(&response)
    }
}

/// Returns the signature of a body at a time.
fn sign(secret: &str, seconds: i64, body: &[u8]) -> String {
    // A key of any length is one; there is nothing to fail.
    let Ok(mut code) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    code.update(seconds.to_string().as_bytes());
    code.update(b".");
    code.update(body);
    let bytes: [u8; 32] = code.finalize().into_bytes().into();
    format!("t={seconds},v1={}", to_hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_others_compute() {
        // printf '1800000000.{"a":1}' | openssl dgst -sha256 -hmac s3cret
        let expected =
            "t=1800000000,v1=476d445fc5d734bcaf69961f0de38cb8c2ec42450829655895ca5e064c0765c9";
        assert_eq!(sign("s3cret", 1_800_000_000, br#"{"a":1}"#), expected);
    }
}
