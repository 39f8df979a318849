//! Finds out what is wrong with this machine and says how to mend it.
//!
//! Works with and without a daemon, and with a configuration that is refused: that is when it is needed.
//! One area a file; each only looks, changes nothing, and takes a few seconds at most.

mod agents;
mod data;
mod limits;
mod places;
mod program;
mod service;
mod terminal;
mod tools;

use serde::Serialize;

use crate::{
    client::{Client, ComponentView, StatusView},
    config::{self, ConfigError, Loaded, Places, Sources},
    domain::failure::Failure,
};

/// The reason of the failure that means: only warnings were found, and they were told. Exit code 1.
pub(super) const WARNED: &str = "WARNED";

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something works less well, or will not work some day.
    Warning,
    /// Something does not work.
    Broken,
}

impl Level {
    /// The word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Broken => "broken",
        }
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What it is about.
    pub area: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What it is.
    pub what: String,
    /// How it is mended; empty where there is nothing to mend.
    pub fix: String,
}

/// What was found, in the order in which it is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, area: &'static str, level: Level, what: impl Into<String>, fix: &str) {
        self.0.push(Finding { area, level, what: what.into(), fix: fix.to_owned() });
    }

    fn ok(&mut self, area: &'static str, what: impl Into<String>) {
        self.add(area, Level::Ok, what, "");
    }

    fn note(&mut self, area: &'static str, what: impl Into<String>, fix: &str) {
        self.add(area, Level::Note, what, fix);
    }

    fn warn(&mut self, area: &'static str, what: impl Into<String>, fix: &str) {
        self.add(area, Level::Warning, what, fix);
    }

    fn broken(&mut self, area: &'static str, what: impl Into<String>, fix: &str) {
        self.add(area, Level::Broken, what, fix);
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Finding] {
        &self.0
    }

    /// The worst level, `Ok` when there are none.
    pub(super) fn worst(&self) -> Level {
        self.0.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
    }

    /// How many are of a level.
    pub(super) fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }
}

/// What everything else is looked at with.
#[derive(Debug)]
pub(super) struct Machine {
    /// What is in force, or why nothing is.
    pub loaded: Result<Loaded, ConfigError>,
    /// Where everything lives, or why nowhere.
    pub places: Result<Places, String>,
    /// The daemon, if one answers, or why it does not.
    pub daemon: Result<Option<Daemon>, Failure>,
}

/// A daemon that answers.
#[derive(Debug)]
pub(super) struct Daemon {
    /// The way to it.
    pub client: Client,
    /// What it is.
    pub status: StatusView,
    /// How its parts are.
    pub health: Result<Vec<ComponentView>, Failure>,
}

impl Machine {
    /// Looks at configuration, places and daemon.
    pub(super) async fn look(sources: &Sources) -> Self {
        let loaded = config::load(sources);
        let places = Places::from_environment().map_err(|error| error.to_string());
        let daemon = match &places {
            Ok(places) => reach(places).await,
            Err(_) => Ok(None),
        };
        Self { loaded, places, daemon }
    }

    /// The daemon that answers.
    pub(super) fn daemon(&self) -> Option<&Daemon> {
        self.daemon.as_ref().ok().and_then(Option::as_ref)
    }
}

/// Connects to the daemon if one runs, and asks it how it is.
async fn reach(places: &Places) -> Result<Option<Daemon>, Failure> {
    let Some(client) = Client::connect_if_running(places).await? else { return Ok(None) };
    let status = client.status().await?;
    let health = client.health().await;
    Ok(Some(Daemon { client, status, health }))
}

/// Looks at everything.
pub(super) async fn examine(machine: &Machine) -> Findings {
    let mut found = Findings::default();
    program::examine(machine, &mut found);
    places::examine(machine, &mut found);
    limits::examine(machine, &mut found);
    data::examine(machine, &mut found).await;
    service::examine(machine, &mut found).await;
    agents::examine(&mut found).await;
    tools::examine(machine, &mut found).await;
    terminal::examine(&mut found).await;
    found
}
