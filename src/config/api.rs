//! The section `api`: the HTTP API.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

/// The HTTP API, for programs; commands and the dashboard do not need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Whether it is served.
    pub enabled: bool,
    /// Address and port; port 0 takes a free one, which `stratavore health` tells. Other machines are
    /// let in with a certificate only.
    pub listen: String,
    /// A file with the certificate and those it rests on, as PEM; empty for plain HTTP.
    pub tls_certificate: PathBuf,
    /// A file with the certificate's key, as PEM.
    pub tls_key: PathBuf,
    /// Names under which it may be called, beside `localhost` and addresses of its own.
    pub hosts: Vec<String>,
    /// Origins whose pages may call it (`https://board.example`); none by default.
    pub origins: Vec<String>,
    /// Calls that a token, or a caller without one, may make in a second, 1…10000; ten seconds' worth
    /// may come at once.
    pub requests_per_second: u64,
    /// Connections at the same time, 1…10000; then the one that is idle for the longest gives way.
    pub connections: u64,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: "127.0.0.1:8077".into(),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            hosts: Vec::new(),
            origins: Vec::new(),
            requests_per_second: 50,
            connections: 256,
        }
    }
}

impl ApiConfig {
    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        !self.tls_certificate.as_os_str().is_empty()
    }

    /// Says what is wrong, with the key it is wrong at.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let Ok(address) = self.listen.parse::<SocketAddr>() else {
            let why = format!("`{}` is no address and port like 127.0.0.1:8077", self.listen);
            return Err(("api.listen", why));
        };
        if self.is_tls() == self.tls_key.as_os_str().is_empty() {
            let why = "a certificate and its key are needed together".to_owned();
            return Err(("api.tls_key", why));
        }
        if !address.ip().is_loopback() && !self.is_tls() {
            let why = format!(
                "{address} can be reached from other machines, and tokens would travel in the \
                 clear: set api.tls_certificate and api.tls_key, or listen on 127.0.0.1"
            );
            return Err(("api.listen", why));
        }
        if let Some(host) = self.hosts.iter().find(|host| host.contains([':', '/'])) {
            return Err(("api.hosts", format!("`{host}` is no name without scheme and port")));
        }
        let is_origin = |text: &&String| {
            let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '*']))
        };
        if let Some(origin) = self.origins.iter().find(|origin| !is_origin(origin)) {
            let why = format!("`{origin}` is no origin like https://board.example");
            return Err(("api.origins", why));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_let_in_with_tls_only() {
        let default = ApiConfig::default();
        assert_eq!(default.check(), Ok(()));
        let of = |listen: &str| ApiConfig { listen: listen.into(), ..ApiConfig::default() };
        assert_eq!(of("[::1]:0").check(), Ok(()));
        for open in ["0.0.0.0:8077", "[::]:8077", "192.0.2.1:1"] {
            let (key, why) = of(open).check().unwrap_err();
            assert_eq!(key, "api.listen");
            assert!(why.contains("api.tls_certificate"), "{why}");
            let tls = ApiConfig { tls_certificate: "/c".into(), tls_key: "/k".into(), ..of(open) };
            assert_eq!(tls.check(), Ok(()));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = ApiConfig::default();
        for (config, key) in [
            (ApiConfig { listen: "localhost".into(), ..good.clone() }, "api.listen"),
            (ApiConfig { tls_key: "/k".into(), ..good.clone() }, "api.tls_key"),
            (ApiConfig { tls_certificate: "/c".into(), ..good.clone() }, "api.tls_key"),
            (ApiConfig { hosts: vec!["a:1".into()], ..good.clone() }, "api.hosts"),
            (ApiConfig { origins: vec!["*".into()], ..good.clone() }, "api.origins"),
            (ApiConfig { origins: vec!["https://a/b".into()], ..good }, "api.origins"),
        ] {
            assert_eq!(config.check().unwrap_err().0, key);
        }
    }
}
