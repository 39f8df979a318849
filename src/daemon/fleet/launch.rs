//! Starts a supervisor: the same program again, told what to do on its standard input.

use std::{process::Stdio, time::Duration};

use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    time::timeout,
};

use super::{Fleet, FleetError};
use crate::{
    config::{environment, places::make_private},
    domain::id::RunnerId,
    process::room::pass_on_open_files,
    proto::link::v1::{Identity, LaunchSpec, Ready},
};

/// How long a supervisor may take until its agent runs.
const LAUNCH_LIMIT: Duration = Duration::from_secs(10);

/// The running program, also when its file was replaced or removed meanwhile.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// A supervisor that runs and waits to be told what for. Dropping it makes it leave without having
/// started anything.
#[derive(Debug)]
pub struct Waiting(Child);

impl Waiting {
    /// Starts one.
    fn start() -> Result<Self, FleetError> {
        let mut command = Command::new(OWN_PROGRAM);
        command
            .arg0("stratavore")
            .arg("supervise")
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It opens its own log when it knows whose it is.
            .stderr(Stdio::null());
        for name in environment::DIAGNOSTIC {
            command.envs(environment::get(name).map(|value| (name, value)));
        }
        let child = command.spawn().map_err(|source| FleetError::Launch {
            errno: source.raw_os_error().unwrap_or(0),
            message: format!("start a supervisor: {source}"),
        })?;
        if let Some(pid) = child.id() {
            pass_on_open_files(pid);
        }
        Ok(Self(child))
    }

    /// Its process, `None` when it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.0.id()
    }

    /// Returns it unless it has died meanwhile.
    fn if_alive(mut self) -> Option<Self> {
        matches!(self.0.try_wait(), Ok(None)).then_some(self)
    }
}

impl Fleet {
    /// Returns a supervisor that waits for its specification. One is kept in reserve, started long
    /// before it is needed: starting a program takes longer than everything else in a launch.
    ///
    /// # Errors
    ///
    /// When there is none in reserve and none can be started.
    pub fn take_waiting(&self) -> Result<Waiting, FleetError> {
        let reserve = self.reserve().take();
        match reserve.and_then(Waiting::if_alive) {
            Some(waiting) => Ok(waiting),
            None => Waiting::start(),
        }
    }

    /// Puts a supervisor in reserve for the next launch.
    pub fn keep_reserve(&self) {
        let fleet = self.clone();
        // Starting a process blocks for a moment, and nobody waits for this one.
        tokio::task::spawn_blocking(move || {
            let mut reserve = fleet.reserve();
            if reserve.is_none() {
                // Without one, the next launch starts its own and says why it cannot.
                *reserve = Waiting::start().ok();
            }
        });
    }

    /// Tells a waiting supervisor what to run, and links it.
    ///
    /// # Errors
    ///
    /// `Launch` with the system's error number when the agent could not be started. After any other
    /// error the agent may run; the reconciler will find out. After success the supervisor may
    /// already be gone again: the caller settles a runner that is not linked.
    pub async fn launch(
        &self,
        id: RunnerId,
        waiting: Waiting,
        spec: &LaunchSpec,
    ) -> Result<Identity, FleetError> {
        let Waiting(mut child) = waiting;
        let dir = self.dir(id);
        make_private(dir.path())
            .map_err(|error| FleetError::Launch { errno: 0, message: error.to_string() })?;
        let bytes = spec.encode_to_vec();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let talk = async {
            if let Some(mut stdin) = stdin {
                stdin.write_all(&bytes).await?;
                stdin.shutdown().await?;
            }
            // For restarts; meanwhile the supervisor is at work.
            if let Err(error) = dir.write_spec(&bytes) {
                tracing::warn!(runner.id = %id, %error, "what it was started with is lost: it cannot be restarted");
            }
            let mut answer = Vec::new();
            if let Some(stdout) = stdout {
                stdout.take(1 << 20).read_to_end(&mut answer).await?;
            }
            Ok::<_, std::io::Error>(answer)
        };
        let answer = timeout(LAUNCH_LIMIT, talk).await.map_err(|_elapsed| FleetError::Silent)??;
        // The child goes on by itself: the runtime collects it when it ends.
        drop(child);
        let ready = Ready::decode(answer.as_slice()).unwrap_or_default();
        match (ready.identity, ready.error) {
            (Some(identity), _) => {
                // An agent that ended at once may have taken its supervisor along already; what
                // became of it is on disk.
                if let Err(error) = self.adopt_started(&dir.link()).await {
                    tracing::debug!(runner.id = identity.runner_id, %error, "a new supervisor is gone already");
                }
                Ok(identity)
            }
            (None, Some(error)) => {
                Err(FleetError::Launch { errno: error.errno, message: error.message })
            }
            (None, None) => Err(FleetError::Launch {
                errno: 0,
                message: format!("the supervisor died; see `{}`", dir.supervisor_log().display()),
            }),
        }
    }
}
