//! The section `docker.prometheus`: where the daemon's metrics can be scraped.
//!
//! As for the broker, the outer section's name is the original's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Metrics in Prometheus' text format at `/metrics`. Without a password, and so on the loopback
/// interface by default; they name projects and models, never what is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusConfig {
    /// Whether metrics are served.
    pub enabled: bool,
    /// The address that is listened on. Whoever can reach another one than a loopback address can read
    /// the metrics.
    pub listen: IpAddr,
    /// The port, 0…65535; 0 for a free one, which `stratavore health` names.
    pub port: u64,
}

impl Default for PrometheusConfig {
    fn default() -> Self {
        Self { enabled: true, listen: Ipv4Addr::LOCALHOST.into(), port: 9091 }
    }
}

impl PrometheusConfig {
    /// Where to listen, if at all.
    pub fn address(&self) -> Option<SocketAddr> {
        let port = u16::try_from(self.port).ok()?;
        self.enabled.then(|| SocketAddr::new(self.listen, port))
    }
}
