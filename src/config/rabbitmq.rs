//! The section `docker.rabbitmq`: the broker that events are published to.
//!
//! The name of the outer section is the one that configurations of the original carry; nothing here
//! has to do with containers.

use serde::{Deserialize, Serialize};

use super::{PrometheusConfig, Secret, TelegramConfig};

/// Broker, metrics and Telegram. The name is historical; Docker is not needed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DockerConfig {
    /// The broker.
    pub rabbitmq: RabbitMqConfig,
    /// The bot.
    pub telegram: TelegramConfig,
    /// The metrics.
    pub prometheus: PrometheusConfig,
}

/// A RabbitMQ broker, version 3.10 or newer; none unless `host`, `hosts` or `url` is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RabbitMqConfig {
    /// `amqp://user:password@host:port/vhost` or `amqps://…`; replaces the settings from `host` to
    /// `tls`.
    pub url: Secret,
    /// The broker's name or address; empty for none.
    pub host: String,
    /// Nodes of a cluster, `name` or `name:port`, tried in turn after `host`.
    pub hosts: Vec<String>,
    /// The port, 1…65535; 0 for the usual one, 5672 or with TLS 5671.
    pub port: u64,
    /// The user.
    pub user: String,
    /// The user's password. If it is empty and the user is `guest`, it is the broker's own default, `guest`.
    pub password: Secret,
    /// The virtual host.
    pub vhost: String,
    /// Whether to speak TLS; the certificate is checked against the system's.
    pub tls: bool,
    /// The topic exchange that events go to.
    pub exchange: String,
    /// Whether the broker confirms each message. Only `true` is accepted: without confirmations
    /// events would be lost unnoticed.
    pub publisher_confirms: bool,
}

impl Default for RabbitMqConfig {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            host: String::new(),
            hosts: Vec::new(),
            port: 0,
            user: "guest".into(),
            password: Secret::default(),
            vhost: "/".into(),
            tls: false,
            exchange: "stratavore.events".into(),
            publisher_confirms: true,
        }
    }
}

impl RabbitMqConfig {
    /// Whether a broker is configured at all.
    pub fn is_configured(&self) -> bool {
        !self.url.is_empty() || !self.host.is_empty() || !self.hosts.is_empty()
    }

    /// Says what is wrong, with the key it is wrong at; the secrets are never part of it.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if !self.publisher_confirms {
            let why = "events would be lost unnoticed without confirmations; remove the setting";
            return Err(("docker.rabbitmq.publisher_confirms", why.into()));
        }
        if self.port > 65_535 {
            let why = format!("{} is not between 0 and 65535", self.port);
            return Err(("docker.rabbitmq.port", why));
        }
        let url = self.url.reveal();
        if !url.is_empty() && !url.starts_with("amqp://") && !url.starts_with("amqps://") {
            return Err((
                "docker.rabbitmq.url",
                "it does not begin with amqp:// or amqps://".into(),
            ));
        }
        // `.dead` is appended for the dead-letter exchange, and names have 255 bytes.
        if self.exchange.is_empty() || self.exchange.len() > 250 {
            let why = "it has 1 to 250 bytes".to_owned();
            return Err(("docker.rabbitmq.exchange", why));
        }
        if self.hosts.iter().any(|host| host.trim().is_empty()) {
            return Err(("docker.rabbitmq.hosts", "one of them is empty".into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_configured_by_default() {
        let default = RabbitMqConfig::default();
        assert!(!default.is_configured());
        assert_eq!(default.check(), Ok(()));
        for config in [
            RabbitMqConfig { url: "amqp://h".into(), ..default.clone() },
            RabbitMqConfig { host: "h".into(), ..default.clone() },
            RabbitMqConfig { hosts: vec!["h:1".into()], ..default },
        ] {
            assert!(config.is_configured());
            assert_eq!(config.check(), Ok(()));
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_with_it() {
        let good = RabbitMqConfig { password: "hunter2".into(), ..RabbitMqConfig::default() };
        let cases = [
            (RabbitMqConfig { publisher_confirms: false, ..good.clone() }, "publisher_confirms"),
            (RabbitMqConfig { port: 65_536, ..good.clone() }, "port"),
            (RabbitMqConfig { url: "http://u:hunter2@h".into(), ..good.clone() }, "url"),
            (RabbitMqConfig { exchange: String::new(), ..good.clone() }, "exchange"),
            (RabbitMqConfig { hosts: vec![" ".into()], ..good }, "hosts"),
        ];
        for (config, key) in cases {
            let (found, why) = config.check().unwrap_err();
            assert_eq!(found, format!("docker.rabbitmq.{key}"));
            assert!(!why.contains("hunter2"), "{why}");
            assert!(!format!("{config:?}").contains("hunter2"));
        }
    }
}
