//! Clients that launch, stop, kill, restart, pause, type, resize, watch, budget and look, and write down what
//! they asked and what they were told. What has an unknown outcome is tried again, on another daemon where
//! there is one.

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use stratavore::{
    client::Client,
    config::Places,
    domain::{
        budget::{BudgetChange, BudgetScope, Limit, Period},
        failure::{Failure, FailureKind},
        launch::{LaunchRequest, RestartPolicy},
        runner::Runner,
        size::TerminalSize,
    },
};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::{
    history::{Call, Op, Outcome, Seen, Watched},
    random::Random,
    viewer::Viewer,
    work::{Employed, Kind, Workshop},
};

/// After so long a client gives a call up; what came of it is unknown.
const PATIENCE: Duration = Duration::from_secs(6);
/// A client has so many live runners at most.
const LIVE: usize = 4;
/// A launch of unknown outcome is tried so often.
const TRIES: usize = 4;
/// A budget that is never used up.
const PLENTY: u64 = 1_000_000_000;
/// A project whose failures people are told of, so often at most by one client: a channel takes one message
/// a second.
pub(crate) const LOUD: &str = "loud";
const CRIES: usize = 4;

/// A daemon as clients know it.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    /// Where it lives.
    pub places: Places,
    /// What marks the agents that it starts.
    pub home: PathBuf,
    /// The id of its node.
    pub node: String,
    /// Where its agents come from.
    pub workshop: Workshop,
}

/// What clients write down.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// What they asked and were told.
    pub calls: Vec<Call>,
    /// Whom they asked for.
    pub employed: Vec<Employed>,
    /// What they watched.
    pub watched: Vec<Watched>,
}

/// What all clients share.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    /// What they write down.
    pub notes: Arc<Mutex<Notes>>,
    /// While it is set, every call is cut off in its middle.
    pub cut: Arc<AtomicBool>,
    /// The beginning of the time.
    pub begun: Instant,
}

impl Desk {
    /// Returns one with nothing on it.
    pub(crate) fn new(begun: Instant) -> Self {
        Self { notes: Arc::default(), cut: Arc::default(), begun }
    }

    /// Opens the notes.
    pub(crate) fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A runner that a client knows.
#[derive(Debug, Clone)]
struct Mine {
    id: String,
    door: usize,
    /// `None` of somebody else's.
    kind: Option<Kind>,
}

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
    /// What it shares.
    pub desk: Desk,
    connections: Vec<Option<Client>>,
    mine: Vec<Mine>,
    ended: Vec<String>,
    cries: usize,
}

impl Load {
    /// Returns one that has done nothing yet.
    pub(crate) fn new(
        client: usize,
        doors: Vec<Door>,
        project: &str,
        random: Random,
        desk: Desk,
    ) -> Self {
        let connections = doors.iter().map(|_| None).collect();
        let project = project.to_owned();
        let (mine, ended) = Default::default();
        Self { client, doors, project, random, desk, connections, mine, ended, cries: 0 }
    }

    /// Works until it is told to stop.
    pub(crate) async fn run(mut self, stop: tokio_util::sync::CancellationToken) {
        while !stop.is_cancelled() {
            let what = self.random.below(100);
            match what {
                _ if self.mine.len() >= LIVE => self.end().await,
                0..42 => self.launch().await,
                42..56 => self.end().await,
                56..62 => self.restart().await,
                62..68 => self.pause().await,
                68..78 => self.send().await,
                78..82 => self.resize().await,
                82..87 => self.watch(),
                87..90 => self.budget().await,
                90..94 => self.list().await,
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
        let cut = self.desk.cut.load(Ordering::Relaxed);
        let impatient = cut || self.random.percent(8);
        let limit = if impatient { self.random.millis(0, 30) } else { PATIENCE };
        let silent = || Failure::unavailable("GIVEN_UP", "no answer in time");
        let connecting = timeout(PATIENCE, self.client(door)).await;
        let client = connecting.unwrap_or_else(|_late| Err(silent()))?;
        let answer = timeout(limit, call(client)).await.unwrap_or_else(|_late| Err(silent()));
        if let Err(failure) = &answer
            && (cut || failure.kind == FailureKind::Unavailable)
        {
            self.connections[door] = None;
        }
        answer
    }

    fn note(&self, op: Op, key: &str, outcome: Outcome) {
        let at = self.desk.begun.elapsed();
        let call = Call { client: self.client, op, key: key.to_owned(), outcome, at };
        self.desk.notes().calls.push(call);
    }

    async fn launch(&mut self) {
        let request = Uuid::new_v4();
        let kind = match self.random.below(100) {
            0..30 => Kind::Brief(0),
            30..38 => Kind::Brief(3),
            38..62 => Kind::Sleeper,
            62..75 => Kind::Counter,
            75..87 => Kind::Reader,
            87..92 => Kind::Spender,
            92..98 => Kind::Parent,
            _ => Kind::Intruder,
        };
        // Some failures are told to people.
        let loud = kind == Kind::Brief(3) && self.cries < CRIES;
        self.cries += usize::from(loud);
        let project = if loud { LOUD.to_owned() } else { self.project.clone() };
        let mut door = self.random.below(self.doors.len());
        // The command is the same at every try: it is the same request.
        let (employed, command) = self.doors[door].workshop.employ(request, kind, &project);
        self.desk.notes().employed.push(employed.clone());
        let launch = self.request(request, project, command, &employed, door);
        for _ in 0..TRIES {
            let answer = self.call(door, async |client| client.launch(&launch).await).await;
            let outcome = outcome(answer.as_ref().map(|launched| Some(&launched.runner)));
            let unknown = matches!(outcome, Outcome::Info(_));
            self.note(Op::Launch, &request.to_string(), outcome);
            match answer {
                Ok(launched) => {
                    let runner = launched.runner;
                    let (id, door) = (runner.id.to_string(), self.door_of(&runner));
                    if matches!(kind, Kind::Brief(_)) {
                        self.ended.push(id);
                    } else {
                        self.mine.push(Mine { id, door, kind: Some(kind) });
                    }
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
        let (id, door) = (runner.id.to_string(), self.door_of(&runner));
        self.mine.push(Mine { id, door, kind: None });
        self.end().await;
    }

    fn request(
        &self,
        request: Uuid,
        project: String,
        command: Vec<OsString>,
        employed: &Employed,
        door: usize,
    ) -> LaunchRequest {
        let home = self.doors[door].home.clone().into_os_string();
        let path = OsString::from("/usr/local/bin:/usr/bin:/bin");
        let witness = employed.witness.clone().into_os_string();
        LaunchRequest {
            request_id: Some(request),
            project,
            name: String::new(),
            command,
            cwd: None,
            worktree: None,
            environment: vec![
                ("HOME".into(), home),
                ("PATH".into(), path),
                ("CHAOS_WITNESS".into(), witness),
            ],
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
        let mine = self.mine.swap_remove(self.random.below(self.mine.len()));
        let (id, door) = (mine.id.clone(), mine.door);
        let force = self.random.percent(40);
        let grace = Some(Duration::from_millis(500));
        let answer = self.call(door, async |client| client.stop(&id, grace, force).await).await;
        let outcome = outcome(answer.as_ref().map(|(runner, _)| Some(runner)));
        if matches!(outcome, Outcome::Ok(_)) {
            self.ended.push(id.clone());
        } else if matches!(outcome, Outcome::Info(_)) {
            self.mine.push(mine);
        }
        self.note(Op::Stop, &id, outcome);
    }

    /// Returns one of its runners of these kinds.
    fn one_of(&mut self, kinds: &[Kind]) -> Option<(String, usize)> {
        let of = |mine: &&Mine| mine.kind.is_some_and(|kind| kinds.contains(&kind));
        let among: Vec<_> = self.mine.iter().filter(of).cloned().collect();
        self.random.choose(&among).map(|mine| (mine.id.clone(), mine.door))
    }

    async fn restart(&mut self) {
        let Some(Mine { id, door, .. }) = self.random.choose(&self.mine).cloned() else { return };
        let grace = Some(Duration::from_millis(500));
        let answer = self.call(door, async |client| client.restart(&id, grace, false).await).await;
        self.note(Op::Restart, &id, outcome(answer.as_ref().map(Some)));
    }

    /// Stops one where it stands and lets it go on; nobody whose own clock is asked how long a line took.
    async fn pause(&mut self) {
        let Some((id, door)) = self.one_of(&[Kind::Sleeper, Kind::Parent]) else { return };
        for paused in [true, false] {
            let answer = self.call(door, async |c| c.set_paused(&id, paused).await).await;
            self.note(Op::Pause(paused), &id, outcome(answer.as_ref().map(Some)));
        }
    }

    /// Types a line that is typed once in the world.
    async fn send(&mut self) {
        let Some((id, door)) = self.one_of(&[Kind::Reader]) else { return };
        let line = format!("line-{}", Uuid::new_v4());
        let answer = self.call(door, async |c| c.send_text(&id, &line, true).await).await;
        self.note(Op::Send, &line, outcome(answer.as_ref().map(|_| None)));
    }

    /// Gives one another size; nobody who may be watched, since a terminal of another size than the
    /// runner's is drawn for instead of given what the agent says.
    async fn resize(&mut self) {
        let Some((id, door)) = self.one_of(&[Kind::Sleeper, Kind::Reader]) else { return };
        let side = |random: &mut Random, end| u16::try_from(random.below(end)).unwrap_or(1);
        let size = TerminalSize::new(side(&mut self.random, 300), side(&mut self.random, 120));
        if let Ok(got) = self.call(door, async |c| c.resize(&id, size).await).await {
            assert_eq!((got.cols(), got.rows()), (size.cols(), size.rows()), "{id} was resized");
        }
    }

    /// Watches one for a while, whatever happens to the daemon meanwhile.
    fn watch(&mut self) {
        let Some((runner, door)) = self.one_of(&[Kind::Counter]) else { return };
        let viewer = Viewer::start(self.doors[door].places.clone(), runner.clone());
        let (desk, time) = (self.desk.clone(), self.random.millis(200, 4000));
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            let seen = viewer.seen().into_iter();
            let watched = seen.map(|stretch| Watched { runner: runner.clone(), stretch });
            desk.notes().watched.extend(watched);
        });
    }

    /// Gives the project another budget, of which there is plenty.
    async fn budget(&mut self) {
        let door = self.random.below(self.doors.len());
        let change = BudgetChange {
            scope: BudgetScope::Project(self.project.clone()),
            period: if self.random.percent(50) { Period::Daily } else { Period::Hourly },
            limit: Limit::Tokens(PLENTY + self.random.below(1000) as u64),
            action: None,
            count_cache_reads: None,
            enforce_estimates: None,
            time_zone: None,
        };
        self.call(door, async |client| client.set_budget(change).await).await.ok();
    }

    /// Looks at all runners through any daemon, and writes down those it knows.
    async fn list(&mut self) {
        let door = self.random.below(self.doors.len());
        let project = self.project.clone();
        let answer = self.call(door, async |c| c.list_runners(&project, "", 0).await).await;
        for runner in answer.unwrap_or_default() {
            let id = runner.id.to_string();
            if self.mine.iter().map(|mine| &mine.id).chain(&self.ended).any(|known| *known == id) {
                self.note(Op::Get, &id, outcome(Ok(Some(&runner))));
            }
        }
    }

    /// Looks at a runner through any daemon: those that share a database say the same.
    async fn get(&mut self) {
        let mine: Vec<_> = self.mine.iter().map(|mine| mine.id.clone()).collect();
        let among = if self.random.percent(50) { &mine } else { &self.ended };
        let Some(id) = self.random.choose(among).cloned() else { return };
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
