//! The section `database`: the embedded file, or a PostgreSQL server that several nodes may share.

use serde::{Deserialize, Serialize};

use super::Secret;

/// Where state and events are kept. Without a host and a URL, in a file of the root directory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://user:password@host:port/database`; replaces the single settings.
    pub url: Secret,
    /// Use the embedded file although a server is configured: to go on while it is away.
    /// `stratavore database copy` later brings over what was recorded meanwhile.
    pub local: bool,
    /// The server.
    pub postgresql: PostgresqlConfig,
}

/// A PostgreSQL server, version 14 or newer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresqlConfig {
    /// The server's name, address, or the directory of its socket; empty for none.
    pub host: String,
    /// Its port, 1…65535.
    pub port: u64,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// disable, prefer, require, verify-ca or verify-full.
    pub ssl_mode: String,
    /// Connections of one daemon, 2…100: one writes, the others read.
    pub max_connections: u64,
    /// Seconds until a connection that does not come about is given up, 1…60.
    pub connection_timeout: u64,
    /// Seconds until a statement is given up, 1…300.
    pub query_timeout: u64,
}

impl Default for PostgresqlConfig {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 5432,
            database: "stratavore_state".into(),
            user: "stratavore".into(),
            password: Secret::default(),
            ssl_mode: "prefer".into(),
            max_connections: 8,
            connection_timeout: 5,
            query_timeout: 5,
        }
    }
}

impl PostgresqlConfig {
    /// The modes of TLS, as libpq names them.
    pub const SSL_MODES: [&'static str; 5] =
        ["disable", "prefer", "require", "verify-ca", "verify-full"];
}

impl DatabaseConfig {
    /// Whether a server is configured and to be used.
    pub fn is_postgresql(&self) -> bool {
        !self.local && self.names_postgresql()
    }

    /// Whether a server is configured at all.
    pub fn names_postgresql(&self) -> bool {
        !self.url.is_empty() || !self.postgresql.host.is_empty()
    }
}
