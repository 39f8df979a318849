//! Which brokers are configured, in the form the client wants, and in one that may be shown.

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};

use crate::config::RabbitMqConfig;

/// Seconds between heartbeats; a peer that is silent for twice as long is gone.
const HEARTBEAT: u16 = 10;

/// The ports that brokers listen on.
const PLAIN_PORT: u16 = 5672;
const TLS_PORT: u16 = 5671;

/// The user whose password everybody knows, admitted from the same machine only.
const GUEST: &str = "guest";

/// One broker.
#[derive(Clone)]
pub(super) struct Address {
    /// With the password: must not be shown.
    pub(super) uri: AMQPUri,
}

impl Address {
    /// Its name and port.
    pub(super) fn shown(&self) -> String {
        let AMQPAuthority { host, port, .. } = &self.uri.authority;
        format!("{host}:{port}")
    }

    /// Its host and port.
    pub(super) fn place(&self) -> (String, u16) {
        (self.uri.authority.host.clone(), self.uri.authority.port)
    }

    /// The user.
    pub(super) fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }
}

/// Returns the brokers to try, in turn.
///
/// # Errors
///
/// A sentence, without the secret, when there is none or an address cannot be understood.
pub(super) fn addresses(config: &RabbitMqConfig) -> Result<Vec<Address>, String> {
    if !config.url.is_empty() {
        // The parser's own message may quote what it could not parse.
        let mut uri: AMQPUri = config.url.reveal().parse().map_err(|_secret: String| {
            "docker.rabbitmq.url is not of the form amqp://user:password@host:port/vhost".to_owned()
        })?;
        uri.query.heartbeat = uri.query.heartbeat.or(Some(HEARTBEAT));
        return Ok(vec![Address { uri }]);
    }
    let first = Some(&config.host).filter(|host| !host.is_empty());
    let all = first.into_iter().chain(&config.hosts);
    let found: Vec<_> = all.map(|host| address(config, host)).collect::<Result<_, _>>()?;
    if found.is_empty() { Err("no broker is configured".to_owned()) } else { Ok(found) }
}

fn address(config: &RabbitMqConfig, host: &str) -> Result<Address, String> {
    let usual = if config.tls { TLS_PORT } else { PLAIN_PORT };
    let configured = u16::try_from(config.port).unwrap_or(0);
    let port = if configured == 0 { usual } else { configured };
    let (host, port) = match split(host.trim()) {
        (host, None) => (host, port),
        (host, Some(port)) => {
            let port = port.parse().ok().filter(|&port| port != 0);
            (host, port.ok_or_else(|| format!("the port of the broker `{host}` is no number"))?)
        }
    };
    let password = match config.password.reveal() {
        "" if config.user == GUEST => GUEST,
        password => password,
    };
    let uri = AMQPUri {
        scheme: if config.tls { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo { username: config.user.clone(), password: password.to_owned() },
            host: host.to_owned(),
            port,
        },
        vhost: config.vhost.clone(),
        query: AMQPQueryString { heartbeat: Some(HEARTBEAT), ..AMQPQueryString::default() },
    };
    Ok(Address { uri })
}

/// Splits `name`, `name:port`, `1.2.3.4:port`, `::1` or `[::1]:port`.
fn split(text: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_their_own_port_or_the_usual_one() {
        let shown = |config: &RabbitMqConfig| -> Vec<String> {
            addresses(config).unwrap().iter().map(Address::shown).collect()
        };
        let hosts = ["a", "b:1", "::1", "[::1]:2", " c "].map(str::to_owned).to_vec();
        let config = RabbitMqConfig { host: "first".into(), hosts, ..RabbitMqConfig::default() };
        let plain = ["first:5672", "a:5672", "b:1", "::1:5672", "::1:2", "c:5672"];
        assert_eq!(shown(&config), plain);
        let config = RabbitMqConfig { hosts: Vec::new(), tls: true, ..config };
        assert_eq!(shown(&config), ["first:5671"]);
        assert_eq!(shown(&RabbitMqConfig { port: 7, ..config.clone() }), ["first:7"]);
        let bad = RabbitMqConfig { host: "h:x".into(), ..config };
        assert!(addresses(&bad).is_err());
        assert!(addresses(&RabbitMqConfig::default()).is_err());
    }

    #[test]
    fn only_guest_has_a_password_that_is_not_configured() {
        let password = |user: &str, password: &str| {
            let config = RabbitMqConfig {
                host: "h".into(),
                user: user.into(),
                password: password.into(),
                ..RabbitMqConfig::default()
            };
            addresses(&config).unwrap().remove(0).uri.authority.userinfo.password
        };
        assert_eq!(password("guest", ""), "guest");
        assert_eq!(password("guest", "p"), "p");
        assert_eq!(password("u", ""), "");
    }

    #[test]
    fn a_url_that_cannot_be_parsed_is_not_quoted() {
        let config =
            RabbitMqConfig { url: "amqp://u:hunter2@[h".into(), ..RabbitMqConfig::default() };
        let why = addresses(&config).err().unwrap();
        assert!(!why.contains("hunter2") && why.contains("docker.rabbitmq.url"), "{why}");
        let config =
            RabbitMqConfig { url: "amqp://u:p@h:7/v%2f".into(), ..RabbitMqConfig::default() };
        let found = addresses(&config).unwrap().remove(0);
        assert_eq!((found.shown().as_str(), found.uri.vhost.as_str()), ("h:7", "v/"));
        assert_eq!(found.uri.query.heartbeat, Some(HEARTBEAT));
    }
}
