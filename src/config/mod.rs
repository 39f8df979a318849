//! L1: configuration: what is in force, and where each value comes from.
//!
//! Layers, later ones win: defaults < `/etc/stratavore/stratavore.yaml` < the user's file <
//! environment (`STRATAVORE_` + path in capitals) < flags. Every value remembers its origin. One
//! section a file; the struct with its defaults is the schema, and an unknown key is an error.
//! This is the only module that reads the process environment.

pub mod agents;
mod api;
pub mod approvals;
mod attach;
mod audit;
mod daemon;
mod dashboard;
mod database;
pub mod environment;
mod events;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod keys;
mod layers;
mod logging;
mod notify;
mod observability;
pub mod places;
pub mod presets;
pub mod prices;
mod prometheus;
mod rabbitmq;
mod runner;
mod secret;
mod storage;
mod telegram;
pub mod wishes;
pub mod worktree;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::agent_command::Permission;

pub use self::{
    agents::AgentsConfig,
    api::ApiConfig,
    attach::AttachConfig,
    audit::AuditConfig,
    daemon::DaemonConfig,
    dashboard::DashboardConfig,
    database::{DatabaseConfig, PostgresqlConfig},
    events::EventsConfig,
    keys::KeysConfig,
    layers::{Origin, Sources, nearest},
    logging::LoggingConfig,
    notify::{NotifyConfig, NtfyConfig, WebhookConfig},
    observability::{ObservabilityConfig, OtlpConfig},
    places::Places,
    prometheus::PrometheusConfig,
    rabbitmq::{DockerConfig, RabbitMqConfig},
    runner::RunnerConfig,
    secret::Secret,
    storage::{S3Config, StorageConfig},
    telegram::TelegramConfig,
    worktree::WorktreeConfig,
};

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The daemon.
    pub daemon: DaemonConfig,
    /// Where state and events are kept.
    pub database: DatabaseConfig,
    /// Broker, metrics and Telegram. The name is historical; Docker is not needed.
    pub docker: DockerConfig,
    /// The HTTP API.
    pub api: ApiConfig,
    /// How long events are kept.
    pub events: EventsConfig,
    /// What makes the event log tamper-evident.
    pub audit: AuditConfig,
    /// How known agents are run, and agents of your own; all their keys are in `agents.md`.
    pub agents: AgentsConfig,
    /// How agents are run.
    pub runner: RunnerConfig,
    /// Worktrees of runners.
    pub worktree: WorktreeConfig,
    /// Attached terminals.
    pub attach: AttachConfig,
    /// Packed copies of transcripts.
    pub storage: StorageConfig,
    /// Log files.
    pub logging: LoggingConfig,
    /// Traces of the daemon's work.
    pub observability: ObservabilityConfig,
    /// How the dashboard looks.
    pub dashboard: DashboardConfig,
    /// Who is told, and how, that somebody is needed.
    pub notify: NotifyConfig,
    /// Launches by a name, for the dashboard's launch dialog; see Keys with a structure.
    pub presets: presets::Presets,
    /// What models cost: each price takes the place of the bundled list's; see Keys with a structure.
    pub prices: Vec<prices::ModelPrice>,
    /// The keys of the dashboard.
    pub keys: KeysConfig,
}

/// A configuration with the origin of every value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    /// The origin of each leaf that is set, by its path, `daemon.stop_grace_seconds`.
    pub origins: BTreeMap<String, Origin>,
    /// Files of one secret each that can be read by others.
    pub open_secrets: Vec<PathBuf>,
    /// Files of settings that can be.
    pub open_files: Vec<PathBuf>,
}

impl Loaded {
    /// Returns the files that can be read by others although they hold secrets; worth a warning. Asked when it is
    /// to be told only: to look for secrets takes longer than a quick command's answer.
    pub fn exposed(&self) -> Vec<PathBuf> {
        let files = self.open_files.iter().filter(|path| layers::holds_secret(path));
        self.open_secrets.iter().chain(files).cloned().collect()
    }

    /// Returns each leaf's value by its path, for display: without secrets.
    ///
    /// # Errors
    ///
    /// Never for what was loaded.
    pub fn values(&self) -> Result<BTreeMap<String, serde_json::Value>, ConfigError> {
        layers::leaves(&self.config)
    }

    /// Returns where the value of a leaf came from, in words.
    pub fn origin(&self, key: &str) -> String {
        self.origins.get(key).map_or_else(|| "default".to_owned(), ToString::to_string)
    }
}

/// Why a configuration was refused. Every message names the file or the variable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The file named by `--config` does not exist or cannot be read.
    #[error("read configuration `{path}`: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// Not YAML, or not a mapping.
    #[error("configuration `{path}`: {why}")]
    Syntax {
        /// The file.
        path: String,
        /// With line and column where there is one.
        why: String,
    },
    /// A key that does not exist.
    #[error("unknown key `{key}` in {origin}{}", nearest.as_ref().map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default())]
    UnknownKey {
        /// Its full path.
        key: String,
        /// Where it stands.
        origin: String,
        /// The nearest key that does exist.
        nearest: Option<String>,
    },
    /// A value of the wrong type or out of range.
    #[error("`{key}` in {origin}: {why}")]
    BadValue {
        /// Its full path.
        key: String,
        /// Where it stands.
        origin: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Loads the configuration from its layers.
///
/// # Errors
///
/// The first thing that is wrong in any layer; nothing is half applied.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let loaded = layers::load(sources)?;
    // That the defaults are in order, a test has seen.
    if !loaded.origins.is_empty() {
        check(&loaded)?;
    }
    Ok(loaded)
}

/// Returns the user's configuration file for a home directory: `~/.config/stratavore/…`.
pub fn user_file(config_home: &Path) -> PathBuf {
    config_home.join("stratavore").join("stratavore.yaml")
}

/// Returns where configuration is looked for, with a name for each place.
pub fn directories() -> Vec<(String, PathBuf)> {
    let system = ("system".to_owned(), PathBuf::from("/etc/stratavore"));
    let user = environment::config_home().map(|home| user_file(&home));
    let user = user.and_then(|file| file.parent().map(PathBuf::from));
    std::iter::once(system).chain(user.map(|dir| ("user".to_owned(), dir))).collect()
}

/// Checks the ranges that types alone cannot express.
fn check(loaded: &Loaded) -> Result<(), ConfigError> {
    let config = &loaded.config;
    let ranges = [
        ("daemon.heartbeat_interval_seconds", config.daemon.heartbeat_interval_seconds, 1, 3600),
        ("daemon.reconcile_interval_seconds", config.daemon.reconcile_interval_seconds, 1, 3600),
        ("database.postgresql.port", config.database.postgresql.port, 1, 65_535),
        ("database.postgresql.max_connections", config.database.postgresql.max_connections, 2, 100),
        (
            "database.postgresql.connection_timeout",
            config.database.postgresql.connection_timeout,
            1,
            60,
        ),
        ("database.postgresql.query_timeout", config.database.postgresql.query_timeout, 1, 300),
        ("docker.prometheus.port", config.docker.prometheus.port, 0, 65_535),
        ("audit.checkpoint_seconds", config.audit.checkpoint_seconds, 1, 3600),
        ("runner.stop_grace_seconds", config.runner.stop_grace_seconds, 0, 3600),
        ("runner.history_lines", config.runner.history_lines, 0, 1_000_000),
        ("runner.history_kb", config.runner.history_kb, 16, 1_048_576),
        ("runner.output_log_mb", config.runner.output_log_mb, 1, 1_048_576),
        ("runner.max_restart_attempts", config.runner.max_restart_attempts.into(), 0, 1000),
        ("api.requests_per_second", config.api.requests_per_second, 1, 10_000),
        ("api.connections", config.api.connections, 1, 10_000),
        ("worktree.setup_seconds", config.worktree.setup_seconds, 1, 3600),
        ("storage.interval_seconds", config.storage.interval_seconds, 10, 86_400),
        ("storage.keep_days", config.storage.keep_days, 0, 36_500),
        ("notify.dwell_seconds", config.notify.dwell_seconds, 0, 3600),
        ("notify.cooldown_seconds", config.notify.cooldown_seconds, 0, 86_400),
        ("notify.presence_seconds", config.notify.presence_seconds, 0, 3600),
        ("logging.max_files", config.logging.max_files.into(), 1, 365),
    ];
    let bad = |key: &str, why: String| ConfigError::BadValue {
        key: key.to_owned(),
        origin: loaded.origins.get(key).map_or_else(|| "defaults".into(), ToString::to_string),
        why,
    };
    for (key, value, low, high) in ranges {
        if !(low..=high).contains(&value) {
            return Err(bad(key, format!("{value} is not between {low} and {high}")));
        }
    }
    let mode = config.database.postgresql.ssl_mode.as_str();
    if !PostgresqlConfig::SSL_MODES.contains(&mode) {
        let why = format!("`{mode}` is none of {}", PostgresqlConfig::SSL_MODES.join(", "));
        return Err(bad("database.postgresql.ssl_mode", why));
    }
    let url = config.database.url.reveal();
    if !url.is_empty() && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        let why = "it does not begin with postgres://; without it the embedded database is used";
        return Err(bad("database.url", why.to_owned()));
    }
    worktree::check(&config.worktree).map_err(|why| bad("worktree.directory", why))?;
    config.docker.rabbitmq.check().map_err(|(key, why)| bad(key, why))?;
    config.docker.telegram.check().map_err(|(key, why)| bad(key, why))?;
    config.observability.otlp.check().map_err(|(key, why)| bad(key, why))?;
    config.api.check().map_err(|(key, why)| bad(key, why))?;
    config.notify.check().map_err(|(key, why)| bad(key, why))?;
    if let Err(why) = attach::parse_key(&config.attach.detach_key) {
        return Err(bad("attach.detach_key", why));
    }
    if tracing_level(&config.logging.level).is_none() {
        let why = format!("`{}` is none of error, warn, info, debug, trace", config.logging.level);
        return Err(bad("logging.level", why));
    }
    let is_default = |key: &str| !loaded.origins.contains_key(key);
    for (name, preset) in &config.presets {
        if Permission::parse(&preset.permissions).is_none() {
            let all = Permission::ALL.map(Permission::as_str).join(", ");
            let why = format!("`{}` is none of {all}", preset.permissions);
            return Err(bad(&format!("presets.{name}.permissions"), why));
        }
    }
    config.agents.check().map_err(|(key, why)| bad(&key, why))?;
    keys::checked(&config.keys, is_default).map_err(|wrong| bad(&wrong.path, wrong.why))?;
    Ok(())
}

/// Parses a level's name.
pub fn tracing_level(name: &str) -> Option<tracing::Level> {
    ["error", "warn", "info", "debug", "trace"].contains(&name).then(|| name.parse().ok()).flatten()
}
