//! A daemon of its own with one real agent in a runner, and what is seen of it.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use chrono::Utc;
use stratavore::{
    client::Client,
    config::Places,
    domain::{
        activity::ActivityState,
        event::{Event, EventFilter},
        failure::Failure,
        launch::{Environment, LaunchRequest, Launched, RestartPolicy},
        prompt::{PromptWish, When},
        runner::Runner,
        size::TerminalSize,
    },
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use crate::mock::Mock;

/// The program under test.
const EXE: &str = env!("CARGO_BIN_EXE_stratavore");

/// How long a state may take to come; opencode takes ten seconds to start on a slow machine.
pub(crate) const LONGEST: Duration = Duration::from_secs(90);

/// How long usage may be behind what was billed.
const BEHIND: Duration = Duration::from_secs(20);

/// A daemon of its own, with what is seen of its one runner.
pub(crate) struct World {
    /// The daemon's root.
    root: PathBuf,
    /// The home of the daemon's user, where its rules are.
    user: PathBuf,
    /// What is configured by the environment.
    settings: Vec<(&'static str, &'static str)>,
    /// The connection.
    pub(crate) client: Client,
    /// Runners as they change, and how many milliseconds after they did.
    pub(crate) seen: mpsc::UnboundedReceiver<(Runner, f64)>,
    /// The runner's name; empty before it was launched.
    pub(crate) name: String,
}

impl World {
    /// Starts a daemon below `place` with a project `work` in a directory, for a user with this home.
    pub(crate) async fn start(
        place: &Path,
        (home, work): (&Path, &Path),
        settings: &[(&'static str, &'static str)],
    ) -> Self {
        let (root, user) = (place.join("s"), home.to_owned());
        std::fs::create_dir_all(user.join(".config/stratavore")).expect("failed to make a home");
        let settings = settings.to_vec();
        stratavore(&root, &user, &settings, &["daemon", "start"]);
        let words = ["new", "work", "--path", &work.display().to_string()];
        stratavore(&root, &user, &settings, &words);
        let (client, seen) = connect(&root).await;
        Self { root, user, settings, client, seen, name: String::new() }
    }

    /// Writes the user's rules of approval.
    pub(crate) fn write_approvals(&self, text: &str) {
        let file = self.user.join(".config/stratavore/approvals.yaml");
        std::fs::write(file, text).expect("failed to write the rules");
    }

    /// Launches a command in project `work`; it is this world's runner from then on.
    ///
    /// # Errors
    ///
    /// Says why it is refused.
    pub(crate) async fn launch(
        &mut self,
        command: Vec<OsString>,
        environment: Environment,
        max_tokens: Option<u64>,
    ) -> Result<Launched, String> {
        let request = LaunchRequest {
            request_id: None,
            project: "work".to_owned(),
            name: String::new(),
            command,
            cwd: None,
            worktree: None,
            environment,
            size: TerminalSize::new(120, 40),
            restart: RestartPolicy::Never,
            umask: 0o022,
            max_tokens,
        };
        let launched = self.client.launch(&request).await.map_err(told)?;
        self.name.clone_from(&launched.runner.name);
        Ok(launched)
    }

    /// The runner as it is now.
    pub(crate) async fn runner(&self) -> Runner {
        self.client.get_runner(&self.name).await.expect("the runner is gone")
    }

    /// Sends a prompt when the agent is at rest; returns what is told of it.
    ///
    /// # Errors
    ///
    /// Says why it is not sent.
    pub(crate) async fn prompt(&self, text: &str) -> Result<String, String> {
        let wish = PromptWish {
            text: text.to_owned(),
            submit: true,
            run: None,
            session: String::new(),
            when: When::AtRest(Duration::from_secs(30)),
        };
        let sent = self.client.send_prompt(&self.name, &wish).await.map_err(told)?;
        Ok(sent.sentence())
    }

    /// Types keys one after the other.
    ///
    /// # Errors
    ///
    /// Says why they are not typed.
    pub(crate) async fn keys(&self, keys: &[u8]) -> Result<(), String> {
        for key in keys {
            self.client
                .send_keys(&self.name, Bytes::copy_from_slice(&[*key]))
                .await
                .map_err(told)?;
            sleep(Duration::from_millis(400)).await;
        }
        Ok(())
    }

    /// Waits until the runner is as it is wanted.
    ///
    /// # Errors
    ///
    /// Says how it is instead, after [`LONGEST`].
    pub(crate) async fn until(
        &mut self,
        what: &str,
        is_wanted: impl Fn(&Runner) -> bool,
    ) -> Result<Runner, String> {
        let end = Instant::now() + LONGEST;
        loop {
            let runner = self.runner().await;
            if is_wanted(&runner) {
                return Ok(runner);
            }
            let left = end.saturating_duration_since(Instant::now());
            // Every change is told; what changes without being told is looked at now and then.
            let pause = left.min(Duration::from_secs(1));
            if left.is_zero() {
                let (status, activity) = (runner.status, &runner.activity);
                return Err(format!("{what} does not come: {status:?} {activity:?}"));
            }
            drop(timeout(pause, self.seen.recv()).await);
        }
    }

    /// Waits until the agent is in one of these states, which began after a time.
    ///
    /// # Errors
    ///
    /// As [`Self::until`].
    pub(crate) async fn reach(
        &mut self,
        states: &[ActivityState],
        after: chrono::DateTime<Utc>,
    ) -> Result<Runner, String> {
        let is_it = |runner: &Runner| {
            let activity = &runner.activity;
            states.contains(&activity.state) && activity.since.is_some_and(|since| since >= after)
        };
        self.until(&format!("{states:?}"), is_it).await
    }

    /// Sends a prompt and waits until the turn is over.
    ///
    /// # Errors
    ///
    /// Says what does not come.
    pub(crate) async fn turn(&mut self, text: &str) -> Result<Runner, String> {
        let before = Utc::now();
        let sent = self.prompt(text).await?;
        let reached = self.reach(&[ActivityState::Done, ActivityState::Idle], before).await;
        reached.map_err(|why| format!("{sent}, and {why}"))
    }

    /// Waits until as many tokens are recorded as were billed, side requests counted or not; returns what
    /// is said of it.
    ///
    /// # Errors
    ///
    /// Says by how much they differ.
    pub(crate) async fn settle_usage(&self, mock: &Mock) -> Result<String, String> {
        let end = Instant::now() + BEHIND;
        loop {
            let billed = mock.billed();
            let sum = |with_sides: bool| -> u64 {
                let whole = billed.iter().filter(|it| !it.cut_off && (with_sides || !it.is_side));
                whole.map(|it| it.tokens.counted()).sum()
            };
            let runner = self.runner().await;
            let used = runner.tokens_used;
            let quality = runner.usage_quality.as_str();
            let count = billed.len();
            if used == sum(true) && used > 0 {
                return Ok(format!("{used} tokens of {count} requests, {quality}"));
            }
            if Instant::now() >= end {
                if used == sum(false) && used > 0 {
                    return Ok(format!("{used} tokens, {quality}, without side requests"));
                }
                let all = sum(true);
                return Err(format!("{used} tokens recorded, {all} billed in {count} requests"));
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// The events of a kind, oldest first.
    pub(crate) async fn events(&self, kind: &str) -> Vec<Event> {
        let filter = EventFilter { event_type: kind.to_owned(), ..EventFilter::default() };
        self.client.list_events(&filter, 1000).await.unwrap_or_default()
    }

    /// What the runner shows, without blank lines.
    pub(crate) async fn print_screen(&self) {
        let lines = self.client.screen(&self.name).await.map_or(Vec::new(), |it| it.lines);
        for line in lines.iter().filter(|line| !line.trim().is_empty()) {
            println!("            | {line}");
        }
        let told = self.client.explain(&self.name).await.map_or(Vec::new(), |it| it.words);
        for (source, word) in told {
            let (state, at) = (word.state.as_str(), word.at.format("%H:%M:%S%.3f"));
            println!("            {} says {state} since {at}", source.as_str());
        }
    }

    /// Kills the daemon and starts it again.
    pub(crate) async fn kill_daemon(&mut self) {
        let pid = std::fs::read_to_string(Places::at(&self.root).lock()).unwrap_or_default();
        drop(Command::new("kill").args(["-9", pid.trim()]).status());
        sleep(Duration::from_millis(500)).await;
        stratavore(&self.root, &self.user, &self.settings, &["daemon", "start"]);
        (self.client, self.seen) = connect(&self.root).await;
    }

    /// Ends the runner and the daemon.
    pub(crate) async fn end(self) {
        if !self.name.is_empty() {
            drop(self.client.stop(&self.name, Some(Duration::from_secs(5)), false).await);
        }
        stratavore(&self.root, &self.user, &self.settings, &["daemon", "stop"]);
    }
}

/// What is told of a failure.
pub(crate) fn told(failure: Failure) -> String {
    if failure.hint.is_empty() {
        return failure.message;
    }
    format!("{}; {}", failure.message, failure.hint)
}

fn stratavore(root: &Path, user: &Path, settings: &[(&str, &str)], words: &[&str]) {
    let status = Command::new(EXE)
        .args(words)
        .env("STRATAVORE_HOME", root)
        .env("HOME", user)
        .env_remove("XDG_CONFIG_HOME")
        .env("STRATAVORE_DOCKER_PROMETHEUS_ENABLED", "false")
        .env("STRATAVORE_API_ENABLED", "false")
        .envs(settings.iter().copied())
        .env_remove("STRATAVORE_RUNNER")
        .stdout(Stdio::null())
        .status();
    assert!(status.is_ok_and(|it| it.success()), "failed: stratavore {words:?}");
}

/// Connects and watches.
async fn connect(root: &Path) -> (Client, mpsc::UnboundedReceiver<(Runner, f64)>) {
    let client = Client::connect_if_running(&Places::at(root)).await;
    let client = client.ok().flatten().expect("the daemon does not run");
    let mut stream = client.watch_runners().await.expect("failed to watch");
    let (sender, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(Some(update)) = stream.next().await {
            for runner in update.runners {
                let since = runner.activity.since.unwrap_or_default();
                let late = (Utc::now() - since).num_microseconds().unwrap_or(0);
                #[expect(clippy::cast_precision_loss, reason = "microseconds of seconds")]
                let late = late as f64 / 1000.0;
                if sender.send((runner, late)).is_err() {
                    return;
                }
            }
        }
    });
    (client, seen)
}
