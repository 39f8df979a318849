//! Samples what is said of real agents through whole sessions, and compares it with what was done to
//! them: `./tests/run agents status [claude codex gemini opencode]`.
//!
//! Each step does one thing and names the states that may follow, in their order; any other state in
//! between is wrong. How long a state takes from the source's own signal to a watcher is measured.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bytes::Bytes;
use chrono::Utc;
use stratavore::{
    client::Client,
    config::Places,
    domain::{
        activity::ActivityState,
        agent::Agent,
        answer::Answer,
        launch::{LaunchRequest, RestartPolicy},
        prompt::{PromptWish, When},
        runner::Runner,
        size::TerminalSize,
    },
};
use tokio::{sync::mpsc, time::timeout};

use crate::{clients, mock::Mock};
use ActivityState::{Blocked, Done, Error, Idle, Working};

/// The program under test.
const EXE: &str = env!("CARGO_BIN_EXE_stratavore");

/// How long a state may take to come; opencode takes ten seconds to start on a slow machine.
const LONGEST: Duration = Duration::from_secs(90);

/// What is done to an agent.
enum Deed {
    /// Nothing: it was started.
    Start,
    /// A prompt is sent.
    Prompt(&'static str),
    /// Keys are typed.
    Keys(&'static [u8]),
    /// What it asks is answered with yes.
    Approve,
    /// The daemon is killed and started again.
    DaemonDies,
}

/// A deed and the states that follow it, each one of several.
type Step = (&'static str, Deed, &'static [&'static [ActivityState]]);

const REST: &[ActivityState] = &[Done, Idle];

/// What is done to each agent.
fn script(agent: Agent) -> Vec<Step> {
    use Deed::{Approve, DaemonDies, Keys, Prompt, Start};
    let shell = match agent {
        Agent::Codex => {
            r#"@mock tool exec_command {"cmd":"touch a1","sandbox_permissions":"require_escalated","justification":"ok?"}"#
        }
        _ => "@mock sh touch a1",
    };
    // What has only a title may be through with its work before it is drawn.
    let works = agent != Agent::Gemini;
    let escape: &[u8] = if agent == Agent::Opencode { b"\x1b\x1b" } else { b"\x1b" };
    let mut steps: Vec<Step> = vec![
        ("start", Start, &[&[Idle]]),
        ("a turn", Prompt("@mock slow 3"), &[&[Working], &[Done]]),
        (
            "permission",
            Prompt(shell),
            if works { &[&[Working], &[Blocked]] } else { &[&[Blocked]] },
        ),
        ("allowed", Approve, if works { &[&[Working], &[Done]] } else { &[&[Done]] }),
        ("turn begins", Prompt("@mock slow 20"), &[&[Working]]),
        // Who has only a title does not tell an end from an interruption.
        ("esc", Keys(escape), if works { &[&[Idle]] } else { &[REST] }),
    ];
    if agent == Agent::Claude {
        let question = r#"@mock tool AskUserQuestion {"questions":[{"question":"Which?","header":"R","options":[{"label":"R","description":"r"},{"label":"B","description":"b"}],"multiSelect":false}]}"#;
        steps.push(("question", Prompt(question), &[&[Working], &[Blocked]]));
        steps.push(("esc at it", Keys(b"\x1b"), &[&[Idle]]));
        steps.push(("/compact", Prompt("/compact"), &[&[Working], REST]));
        steps.push(("after it", Prompt("@mock say x"), &[&[Working], &[Done]]));
    }
    if agent != Agent::Gemini {
        steps.push(("error", Prompt("@mock err 400"), &[&[Working], &[Error]]));
        steps.push(("after it", Prompt("@mock say x"), &[&[Working], &[Done]]));
    }
    steps.push(("turn begins", Prompt("@mock slow 12"), &[&[Working]]));
    steps.push(("daemon dies", DaemonDies, &[&[Done]]));
    steps
}

/// Runs every agent that is wanted; returns how much is wrong.
pub(crate) fn run(wanted: &[String], installed: &Path) -> usize {
    let all = [Agent::Claude, Agent::Codex, Agent::Gemini, Agent::Opencode];
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("failed to start a runtime");
    let mut wrong = 0;
    for agent in all {
        if wanted.is_empty() || wanted.iter().any(|name| name == agent.as_str()) {
            wrong += runtime.block_on(one(agent, installed));
        }
    }
    wrong
}

/// A daemon of its own, with what is seen of its one runner.
struct World {
    home: PathBuf,
    client: Client,
    seen: mpsc::UnboundedReceiver<(Runner, f64)>,
    name: String,
}

impl World {
    fn stratavore(home: &Path, words: &[&str]) {
        let status = Command::new(EXE)
            .args(words)
            .env("STRATAVORE_HOME", home)
            .env("STRATAVORE_DOCKER_PROMETHEUS_ENABLED", "false")
            .env("STRATAVORE_API_ENABLED", "false")
            .env_remove("STRATAVORE_RUNNER")
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.is_ok_and(|it| it.success()), "failed: stratavore {words:?}");
    }

    /// Connects and watches.
    async fn connect(home: &Path) -> (Client, mpsc::UnboundedReceiver<(Runner, f64)>) {
        let client = Client::connect_if_running(&Places::at(home)).await;
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

    async fn runner(&self) -> Runner {
        self.client.get_runner(&self.name).await.expect("the runner is gone")
    }

    async fn perform(&mut self, deed: &Deed) -> Result<(), String> {
        let failed = |failure: stratavore::domain::failure::Failure| failure.message;
        match deed {
            Deed::Start => Ok(()),
            Deed::Prompt(text) => {
                let wish = PromptWish {
                    text: (*text).to_owned(),
                    submit: true,
                    run: None,
                    session: String::new(),
                    when: When::AtRest(Duration::from_secs(30)),
                };
                let sent = self.client.send_prompt(&self.name, &wish).await.map_err(failed)?;
                println!("          {}", sent.sentence());
                Ok(())
            }
            Deed::Keys(keys) => {
                for key in *keys {
                    let key = Bytes::copy_from_slice(&[*key]);
                    self.client.send_keys(&self.name, key).await.map_err(failed)?;
                    std::thread::sleep(Duration::from_millis(400));
                }
                Ok(())
            }
            Deed::Approve => {
                // The dialog is drawn a moment after it is told.
                std::thread::sleep(Duration::from_millis(700));
                let asked = self.runner().await.activity.since.unwrap_or_default();
                self.client.answer(&self.name, asked, &Answer::Approve).await.map_err(failed)
            }
            Deed::DaemonDies => {
                let pid =
                    std::fs::read_to_string(Places::at(&self.home).lock()).unwrap_or_default();
                drop(Command::new("kill").args(["-9", pid.trim()]).status());
                std::thread::sleep(Duration::from_millis(500));
                Self::stratavore(&self.home, &["daemon", "start"]);
                (self.client, self.seen) = Self::connect(&self.home).await;
                Ok(())
            }
        }
    }
}

async fn one(agent: Agent, installed: &Path) -> usize {
    let place = tempfile::tempdir().expect("failed to create a directory");
    let mock = Mock::start(place.path());
    let client = clients::Client::new(agent, installed, place.path(), mock.address());
    let Some(version) = client.version() else {
        println!("{:9} not installed below {}", agent.as_str(), installed.display());
        return 1;
    };
    println!("{:9} {version}", agent.as_str());
    let home = place.path().join("s");
    World::stratavore(&home, &["daemon", "start"]);
    let (program, environment, work) = client.interactive();
    World::stratavore(&home, &["new", "work", "--path", &work.display().to_string()]);
    let (connected, seen) = World::connect(&home).await;
    let mut world = World { home: home.clone(), client: connected, seen, name: String::new() };
    let request = LaunchRequest {
        request_id: None,
        project: "work".to_owned(),
        name: String::new(),
        command: program,
        cwd: None,
        worktree: None,
        environment,
        size: TerminalSize::new(120, 40),
        restart: RestartPolicy::Never,
        umask: 0o022,
        max_tokens: None,
    };
    let launched = world.client.launch(&request);
    world.name = launched.await.expect("failed to launch").runner.name;
    let (mut wrong, mut lates) = (0, Vec::new());
    for (name, deed, wanted) in script(agent) {
        let before = world.runner().await.activity;
        let outcome = match world.perform(&deed).await {
            Ok(()) => follow(&mut world, &before, wanted, &mut lates).await,
            Err(why) => Err(why),
        };
        match outcome {
            Ok(told) => println!("          {name:14} {told}"),
            Err(why) => {
                println!("          {name:14} WRONG: {why}");
                wrong += 1;
                for line in world.client.screen(&world.name).await.map_or(Vec::new(), |it| it.lines)
                {
                    if !line.trim().is_empty() {
                        println!("            | {line}");
                    }
                }
                // What follows would compare with another state than it is.
                break;
            }
        }
    }
    lates.sort_by(f64::total_cmp);
    let at = |share: usize| lates.get((lates.len() * share / 100).min(lates.len().wrapping_sub(1)));
    if let (Some(middle), Some(most)) = (at(50), lates.last()) {
        let count = lates.len();
        println!(
            "          signal to watcher: {count} changes, p50 {middle:.1} ms, max {most:.1} ms"
        );
    }
    drop(world.client.stop(&world.name, Some(Duration::from_secs(5)), false).await);
    World::stratavore(&home, &["daemon", "stop"]);
    wrong
}

/// Waits until all that is wanted was seen, in its order, and nothing else.
async fn follow(
    world: &mut World,
    before: &stratavore::domain::activity::Activity,
    wanted: &[&[ActivityState]],
    lates: &mut Vec<f64>,
) -> Result<String, String> {
    let mut told = Vec::new();
    let mut last = before.clone();
    let mut at = 0;
    while at < wanted.len() {
        let next = timeout(LONGEST, world.seen.recv()).await;
        let Ok(Some((runner, late))) = next else {
            return Err(format!("after {} nothing of {:?} came", told.join(", "), wanted[at]));
        };
        let activity = runner.activity;
        let is_same = (activity.state, activity.since) == (last.state, last.since);
        let is_old = before.since.is_some() && activity.since < before.since;
        if is_same || is_old || activity.state == ActivityState::Starting {
            continue;
        }
        last = activity.clone();
        told.push(format!(
            "{} ({} {late:.0} ms)",
            activity.state.as_str(),
            activity.source.as_str()
        ));
        let is_wanted =
            |at: usize| wanted.get(at).is_some_and(|states| states.contains(&activity.state));
        if is_wanted(at) {
            at += 1;
        } else if at > 0 && is_wanted(at - 1) {
            // It says the same again, with more words.
        } else if at == 0 && activity.state == before.state {
            // A better source says the same, a moment after it has begun to speak.
        } else if at == 0 && activity.state == Idle && matches!(before.state, Done | Error) {
            // Codex takes whoever types for one who has looked.
        } else if at == 0 && activity.state == Working {
            // Whatever came of it, it has worked before.
        } else {
            return Err(format!("{}, where {:?} was to come", told.join(", "), wanted[at]));
        }
        // A daemon that has just started tells what is old.
        if before.since.is_some() && late < 10_000.0 {
            lates.push(late);
        }
    }
    Ok(told.join(", "))
}
