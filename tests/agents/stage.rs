//! What a scene with a real agent needs: a stand-in, the agent in a home of its own, and a daemon.

use std::{ffi::OsString, path::Path};

use stratavore::domain::{agent::Agent, launch::Environment};

use crate::{clients, mock::Mock, world::World};

/// All of it; ends with it.
pub(crate) struct Stage {
    /// The agent.
    pub(crate) agent: Agent,
    /// The stand-in for its models.
    pub(crate) mock: Mock,
    /// The daemon.
    pub(crate) world: World,
    /// How the agent is started in a terminal.
    pub(crate) command: Vec<OsString>,
    /// With which environment.
    pub(crate) environment: Environment,
    /// The agent, and where it is.
    pub(crate) client: clients::Client,
    /// What is wrong so far.
    wrong: usize,
    /// Removed last.
    _place: tempfile::TempDir,
}

/// What a scene is set up with.
#[derive(Default)]
pub(crate) struct Setting {
    /// What is configured by the environment of the daemon.
    pub(crate) configured: Vec<(&'static str, &'static str)>,
    /// Seconds that each answer of the stand-in takes.
    pub(crate) pace: f64,
}

impl Stage {
    /// Sets one up for the agent in a folder; prints its version, or that there is none.
    pub(crate) async fn open(folder: &str, installed: &Path, setting: &Setting) -> Option<Self> {
        let place = tempfile::tempdir().expect("failed to create a directory");
        let mock = Mock::named(place.path(), "mock", setting.pace);
        let client = clients::Client::new(folder, installed, place.path(), mock.address());
        let agent = clients::agent(folder)?;
        let Some(version) = client.version() else {
            println!("{folder:9} not installed below {}", installed.display());
            return None;
        };
        println!("{folder:9} {version}");
        let (command, environment) = client.interactive();
        let places = (client.home(), client.work());
        let world = World::start(place.path(), places, &setting.configured).await;
        Some(Self { agent, mock, world, command, environment, client, wrong: 0, _place: place })
    }

    /// Prints how a step went; with the screen where it went wrong. Returns whether it went well.
    pub(crate) async fn tell(&mut self, step: &str, went: Result<String, String>) -> bool {
        let is_well = went.is_ok();
        match went {
            Ok(told) => println!("          {step:18} {told}"),
            Err(why) => {
                self.wrong += 1;
                println!("          {step:18} WRONG: {why}");
                if !self.world.name.is_empty() {
                    self.world.print_screen().await;
                }
            }
        }
        is_well
    }

    /// Ends it; returns how much was wrong.
    pub(crate) async fn close(self) -> usize {
        self.world.end().await;
        self.wrong
    }
}
