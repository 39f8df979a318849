//! Clients that launch, stop, kill, restart, pause and look, and write down what they asked and what
//! they were told. What has an unknown outcome is tried again, on another daemon where there is one.

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use stratavore::{
    client::Client,
    config::Places,
    domain::{
        failure::{Failure, FailureKind},
        launch::{LaunchRequest, RestartPolicy},
        runner::Runner,
        size::TerminalSize,
    },
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    history::{Call, Op, Outcome, Seen},
    random::Random,
};

/// After so long a client gives a call up; what came of it is unknown.
const PATIENCE: Duration = Duration::from_secs(6);
/// A client has so many live runners at most.
const LIVE: usize = 4;
/// A launch of unknown outcome is tried so often.
const TRIES: usize = 4;

/// A daemon as clients know it.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    /// Where it lives.
    pub places: Places,
    /// What marks the agents that it starts.
    pub home: PathBuf,
    /// The id of its node.
    pub node: String,
}

/// What all clients write to.
pub(crate) type Calls = Arc<Mutex<Vec<Call>>>;

/// A client.
pub(crate) struct Load {
    /// Its number.
    pub client: usize,
    /// The daemons it may speak to.
    pub doors: Vec<Door>,
    /// Its project.
    pub project: String,
    /// What it does.
    pub random: Random,
    /// What it writes down.
    pub calls: Calls,
    connections: Vec<Option<Client>>,
    mine: Vec<(String, usize)>,
    ended: Vec<(String, usize)>,
}

impl Load {
    /// Returns one that has done nothing yet.
    pub(crate) fn new(
        client: usize,
        doors: Vec<Door>,
        project: &str,
        random: Random,
        calls: Calls,
    ) -> Self {
        let connections = doors.iter().map(|_| None).collect();
        let project = project.to_owned();
        let (mine, ended) = Default::default();
        Self { client, doors, project, random, calls, connections, mine, ended }
    }

    /// Works until it is told to stop.
    pub(crate) async fn run(mut self, stop: tokio_util::sync::CancellationToken) {
        while !stop.is_cancelled() {
            let what = self.random.below(100);
            match what {
                _ if self.mine.len() >= LIVE => self.end().await,
                0..50 => self.launch().await,
                50..70 => self.end().await,
                70..78 => self.restart().await,
                78..86 => self.pause().await,
                86..92 => self.list().await,
                _ => self.get().await,
            }
            tokio::time::sleep(self.random.millis(1, 60)).await;
        }
    }

    /// Returns a connection to a daemon, if one can be made now.
    async fn client(&mut self, door: usize) -> Result<Client, Failure> {
        if let Some(Some(client)) = self.connections.get(door) {
            return Ok(client.clone());
        }
        let places = &self.doors[door].places;
        let found = Client::connect_if_running(places).await?;
        let absent = || Failure::unavailable("ABSENT", "no daemon runs");
        let client = found.ok_or_else(absent)?;
        self.connections[door] = Some(client.clone());
        Ok(client)
    }

    /// Makes a call, sometimes so impatiently that it is dropped at some point on its way.
    async fn call<T>(
        &mut self,
        door: usize,
        call: impl AsyncFnOnce(Client) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let impatient = self.random.percent(8);
        let limit = if impatient { self.random.millis(0, 30) } else { PATIENCE };
        let silent = || Failure::unavailable("GIVEN_UP", "no answer in time");
        let connecting = timeout(PATIENCE, self.client(door)).await;
        let client = connecting.unwrap_or_else(|_late| Err(silent()))?;
        let answer = timeout(limit, call(client)).await.unwrap_or_else(|_late| Err(silent()));
        if let Err(failure) = &answer
            && failure.kind == FailureKind::Unavailable
        {
            self.connections[door] = None;
        }
        answer
    }

    fn note(&self, op: Op, key: &str, outcome: Outcome) {
        let call = Call { client: self.client, op, key: key.to_owned(), outcome };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    async fn launch(&mut self) {
        let request = Uuid::new_v4();
        let command: &[&str] = match self.random.below(10) {
            0..4 => &["true"],
            4 => &["sh", "-c", "exit 3"],
            _ => &["sleep", "600"],
        };
        let short = command.first() != Some(&"sleep");
        let mut door = self.random.below(self.doors.len());
        for _ in 0..TRIES {
            let launch = self.request(request, command, door);
            let answer = self.call(door, async |client| client.launch(&launch).await).await;
            let outcome = outcome(answer.as_ref().map(|launched| Some(&launched.runner)));
            let unknown = matches!(outcome, Outcome::Info(_));
            self.note(Op::Launch, &request.to_string(), outcome);
            match answer {
                Ok(launched) => {
                    let runner = launched.runner;
                    let known = (runner.id.to_string(), self.door_of(&runner));
                    if short { self.ended.push(known) } else { self.mine.push(known) }
                }
                Err(failure) if failure.kind == FailureKind::Limit => self.make_room(door).await,
                Err(_) if unknown => {
                    door = (door + 1) % self.doors.len();
                    tokio::time::sleep(self.random.millis(20, 400)).await;
                    continue;
                }
                Err(_) => {}
            }
            return;
        }
    }

    /// Returns the door of the daemon that a runner belongs to.
    fn door_of(&self, runner: &Runner) -> usize {
        self.doors.iter().position(|door| door.node == runner.node_id).unwrap_or(0)
    }

    /// Ends one of the project's runners: those whose launch was given up hold places, too.
    async fn make_room(&mut self, door: usize) {
        let project = self.project.clone();
        let answer = self.call(door, async |c| c.list_runners(&project, "live", 0).await).await;
        let Some(runner) = self.random.choose(&answer.unwrap_or_default()).cloned() else { return };
        self.mine.push((runner.id.to_string(), self.door_of(&runner)));
        self.end().await;
    }

    fn request(&self, request: Uuid, command: &[&str], door: usize) -> LaunchRequest {
        let home = self.doors[door].home.clone().into_os_string();
        let path = OsString::from("/usr/local/bin:/usr/bin:/bin");
        LaunchRequest {
            request_id: Some(request),
            project: self.project.clone(),
            name: String::new(),
            command: command.iter().map(OsString::from).collect(),
            cwd: None,
            worktree: None,
            environment: vec![("HOME".into(), home), ("PATH".into(), path)],
            size: TerminalSize::default(),
            restart: RestartPolicy::Never,
            umask: 0o022,
            max_tokens: None,
        }
    }

    /// Ends one of its runners, now and then with force.
    async fn end(&mut self) {
        if self.mine.is_empty() {
            return;
        }
        let (id, door) = self.mine.swap_remove(self.random.below(self.mine.len()));
        let force = self.random.percent(40);
        let grace = Some(Duration::from_millis(500));
        let answer = self.call(door, async |client| client.stop(&id, grace, force).await).await;
        let outcome = outcome(answer.as_ref().map(|(runner, _)| Some(runner)));
        if matches!(outcome, Outcome::Ok(_)) {
            self.ended.push((id.clone(), door));
        } else if matches!(outcome, Outcome::Info(_)) {
            self.mine.push((id.clone(), door));
        }
        self.note(Op::Stop, &id, outcome);
    }

    async fn restart(&mut self) {
        let Some((id, door)) = self.random.choose(&self.mine).cloned() else { return };
        let grace = Some(Duration::from_millis(500));
        let answer = self.call(door, async |client| client.restart(&id, grace, false).await).await;
        self.note(Op::Restart, &id, outcome(answer.as_ref().map(Some)));
    }

    async fn pause(&mut self) {
        let Some((id, door)) = self.random.choose(&self.mine).cloned() else { return };
        for paused in [true, false] {
            let answer = self.call(door, async |c| c.set_paused(&id, paused).await).await;
            self.note(Op::Pause(paused), &id, outcome(answer.as_ref().map(Some)));
        }
    }

    /// Looks at all runners through any daemon, and writes down those it knows.
    async fn list(&mut self) {
        let door = self.random.below(self.doors.len());
        let project = self.project.clone();
        let answer = self.call(door, async |c| c.list_runners(&project, "", 0).await).await;
        for runner in answer.unwrap_or_default() {
            let id = runner.id.to_string();
            if self.mine.iter().chain(&self.ended).any(|(known, _)| *known == id) {
                self.note(Op::Get, &id, outcome(Ok(Some(&runner))));
            }
        }
    }

    /// Looks at a runner through any daemon: those that share a database say the same.
    async fn get(&mut self) {
        let among = if self.random.percent(50) { &self.mine } else { &self.ended };
        let Some((id, _)) = self.random.choose(among).cloned() else { return };
        let door = self.random.below(self.doors.len());
        let answer = self.call(door, async |client| client.get_runner(&id).await).await;
        self.note(Op::Get, &id, outcome(answer.as_ref().map(Some)));
    }
}

/// Says what came of a call: only a refusal says that nothing was done.
fn outcome(answer: Result<Option<&Runner>, &Failure>) -> Outcome {
    match answer {
        Ok(runner) => Outcome::Ok(runner.map(|runner| Seen {
            id: runner.id.to_string(),
            run: runner.run.into(),
            ended: !runner.status.is_live(),
        })),
        Err(failure) => match failure.kind {
            FailureKind::Unavailable | FailureKind::Internal => {
                Outcome::Info(format!("{}: {}", failure.reason, failure.message))
            }
            _ => Outcome::Fail(failure.reason.clone()),
        },
    }
}
