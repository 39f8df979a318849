//! What commands share: configuration, places, the connection, the runtime.

use std::{path::PathBuf, pin::pin, time::Duration};

use super::top::GlobalArgs;
use crate::{
    client::Client,
    config::{self, Config, ConfigError, Loaded, Places, Sources, environment},
    domain::{failure::Failure, launch::Environment},
};

/// The reason of the failure that means: the person pressed ctrl-c.
pub(super) const INTERRUPTED: &str = "INTERRUPTED";

/// Between two looks for the next daemon.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Loaded once for a command.
#[derive(Debug)]
pub(super) struct Context {
    pub loaded: Loaded,
    pub places: Places,
    /// The file of the user's own settings, whether it exists or not.
    pub file: Option<PathBuf>,
    pub timeout: Option<Duration>,
    /// Why the configuration is not in force: then no daemon is started.
    pub refused: Option<Failure>,
}

impl Context {
    /// Loads the configuration and finds the places. Where a wrong configuration is no reason to leave agents to
    /// themselves, `is_forgiving`, the defaults are in force instead.
    pub(super) fn load(global: &GlobalArgs, is_forgiving: bool) -> Result<Self, Failure> {
        let mut sources = Sources::of_process(global.config.clone());
        if global.debug {
            sources.flags.push(("logging.level".into(), "debug".into(), "--debug".into()));
        }
        let (loaded, refused) = match config::load(&sources) {
            Ok(loaded) => (loaded, None),
            Err(error) if is_forgiving && global.config.is_none() => {
                (Loaded::default(), Some(config_failure(&error)))
            }
            Err(error) => return Err(config_failure(&error)),
        };
        let places = Places::from_environment()
            .map_err(|error| Failure::usage("NO_ROOT", error.to_string()))?;
        let file = sources
            .explicit
            .or_else(|| environment::config_home().map(|home| config::user_file(&home)));
        Ok(Self { loaded, places, file, timeout: global.timeout, refused })
    }

    /// What is in force.
    pub(super) fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// Connects to the daemon, starting it if none runs.
    pub(super) async fn client(&self) -> Result<Client, Failure> {
        if let Some(refused) = &self.refused {
            return self.running_client().await?.ok_or_else(|| refused.clone());
        }
        match self.timeout {
            Some(limit) => Client::connect_or_start_within(&self.places, limit).await,
            None => Client::connect_or_start(&self.places).await,
        }
    }

    /// Connects to the daemon if one runs.
    pub(super) async fn running_client(&self) -> Result<Option<Client>, Failure> {
        match self.timeout {
            Some(limit) => Client::connect_if_running_within(&self.places, limit).await,
            None => Client::connect_if_running(&self.places).await,
        }
    }

    /// Waits for the next daemon after one has left, without starting one: somebody may have stopped it
    /// on purpose.
    pub(super) async fn next_client(&self) -> Result<Client, Failure> {
        loop {
            tokio::time::sleep(RECONNECT_PAUSE).await;
            if let Some(client) = self.running_client().await? {
                return Ok(client);
            }
        }
    }
}

/// Returns the failure of a configuration that was refused.
pub(super) fn config_failure(error: &ConfigError) -> Failure {
    Failure::usage("BAD_CONFIG", error.to_string())
        .with_hint("correct it there; stratavore config validate looks again")
}

/// Runs a command's future to its end, or until ctrl-c.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("start the runtime: {error}")))?;
    // Some are large: what is moved further is a pointer.
    let future = pin!(future);
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = future => outcome,
            _ = tokio::signal::ctrl_c() => Err(Failure::unavailable(INTERRUPTED, "interrupted")),
        }
    });
    // A blocking read of standard input would otherwise be waited for.
    runtime.shutdown_background();
    outcome
}

/// The environment that launched agents get, before the daemon filters it.
pub(super) fn environment_of_client() -> Environment {
    environment::all()
}

/// The file mode creation mask of this process.
pub(super) fn umask() -> u32 {
    use rustix::{fs::Mode, process::umask};
    // It can only be read by setting it; no other thread runs yet.
    let mask = umask(Mode::from_raw_mode(0o077));
    umask(mask);
    mask.bits()
}

/// The directory we stand in.
pub(super) fn current_dir() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        Failure::not_found("NO_DIRECTORY", format!("find the current directory: {error}"))
            .with_hint("cd to a directory that exists")
    })
}
