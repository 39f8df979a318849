//! A runner: one supervised running agent, and the table of what may happen to it.
//!
//! ```text
//!            ┌────────────── restart ──────────────┐
//!            ▼                                     │
//!  launch ▶ starting ──▶ running ◀──▶ paused       │
//!            │  │          │  │          │         │
//!            │  └──────────┼──┴─ stop ───┴▶ stopping
//!            │             │                  │
//!            └──▶ failed ◀─┴──▶ terminated ◀──┘
//! ```
//!
//! Invariant: a status changes only along [`RunnerStatus::may_become`]; everything else is refused
//! and changes nothing. `terminated` and `failed` are final for a run; a restart begins the next
//! run of the same runner.

use std::{ffi::OsString, path::PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::{
    activity::Activity,
    checkout::RunnerCheckout,
    hook::Hold,
    id::RunnerId,
    launch::RestartPolicy,
    usage::{Cost, Quality},
};

/// Where a runner stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunnerStatus {
    /// Accepted; its agent may or may not run yet.
    Starting,
    /// Its agent runs.
    Running,
    /// Its agent is stopped where it stands.
    Paused,
    /// Asked to leave.
    Stopping,
    /// Ended: on request, or by itself with exit code 0.
    Terminated,
    /// Ended badly, lost, or never began.
    Failed,
}

impl RunnerStatus {
    /// All of them, in the order of life.
    pub const ALL: [Self; 6] = [
        Self::Starting,
        Self::Running,
        Self::Paused,
        Self::Stopping,
        Self::Terminated,
        Self::Failed,
    ];

    /// The word for people, tables and the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Terminated => "terminated",
            Self::Failed => "failed",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether the runner has not ended.
    pub fn is_live(self) -> bool {
        !matches!(self, Self::Terminated | Self::Failed)
    }

    /// Whether a runner may go from this status to `next`.
    pub fn may_become(self, next: Self) -> bool {
        use RunnerStatus::{Failed, Paused, Running, Starting, Stopping, Terminated};
        matches!(
            (self, next),
            (Starting | Paused, Running)
                | (Running, Paused)
                | (Starting | Running | Paused, Stopping)
                | (Starting | Running | Paused | Stopping, Terminated | Failed)
                | (Terminated | Failed, Starting)
        )
    }

    /// The statuses from which `next` may be reached.
    pub fn sources_of(next: Self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |status| status.may_become(next))
    }
}

/// How an agent ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Exit {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal's name (`SIGKILL`); `None` when it exited.
    pub signal: Option<String>,
    /// When it was reaped.
    pub at: DateTime<Utc>,
    /// A stop had been asked for.
    pub stopped: bool,
    /// Nobody had asked for it, and the supervisor was told to end as well: the machine goes down.
    #[serde(default)]
    pub cut_off: bool,
    /// Processes that outlived the stop, as `name (pid)`.
    pub survivors: Vec<String>,
}

impl Exit {
    /// The status a runner ends with, and why if it failed.
    pub fn outcome(&self) -> (RunnerStatus, Option<String>) {
        match (self.stopped, self.code, &self.signal) {
            (false, ..) if self.cut_off => (RunnerStatus::Failed, Some(CUT_OFF.to_owned())),
            (true, ..) | (false, Some(0), _) => (RunnerStatus::Terminated, None),
            (false, Some(code), _) => (RunnerStatus::Failed, Some(format!("exit code {code}"))),
            (false, None, Some(signal)) => {
                (RunnerStatus::Failed, Some(format!("killed by {signal}")))
            }
            (false, None, None) => (RunnerStatus::Failed, Some("ended, nobody knows how".into())),
        }
    }
}

/// The runner's reason when its supervisor died.
pub const SUPERVISOR_LOST: &str = "supervisor lost";

/// The runner's reason when its supervisor did not answer, and was ended with it by force, as was asked.
pub const FORCED: &str = "ended by force with its supervisor, which did not answer";

/// The runner's reason when it and its supervisor were told to end by the system.
pub const CUT_OFF: &str = "cut off by the system";

/// The reason of a run that was live when the backup was made that its row is from.
pub const RESTORED: &str = "restored from a backup";

/// Whoever ran so long has not failed at its start: the next one is the first again.
const RAN_WELL: TimeDelta = TimeDelta::minutes(10);

/// Pauses between starts double from a second to this.
pub const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(1);

/// A runner as stored and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Runner {
    /// Its id.
    pub id: RunnerId,
    /// Its short name, `api-3`.
    pub name: String,
    /// Its project's name.
    pub project: String,
    /// Its project's directory.
    #[schema(value_type = String)]
    pub project_path: PathBuf,
    /// The program's short name.
    pub agent: String,
    /// Program and arguments, with what is not UTF-8 replaced.
    pub command: Vec<String>,
    /// Working directory.
    #[schema(value_type = String)]
    pub cwd: PathBuf,
    /// What was checked out there at the launch; `None` outside of git repositories.
    #[serde(default)]
    pub checkout: Option<RunnerCheckout>,
    /// Where it stands.
    pub status: RunnerStatus,
    /// Why it failed.
    pub reason: Option<String>,
    /// What its agent is doing.
    pub activity: Activity,
    /// The terminal's title.
    pub title: String,
    /// The node it runs on.
    pub node_id: String,
    /// Counts its starts from 1.
    pub run: u32,
    /// The agent's process.
    pub pid: Option<u32>,
    /// Its supervisor's process.
    pub supervisor_pid: Option<u32>,
    /// The last run's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended the last run.
    pub exit_signal: Option<String>,
    /// CPU of the whole tree, percent of one core, over the last heartbeat interval.
    pub cpu_percent: f64,
    /// Resident memory of the whole tree in MiB.
    pub memory_mb: u64,
    /// Processes in the tree.
    pub processes: u32,
    /// What happens when it fails: never, on-failure.
    pub restart: String,
    /// Automatic restarts since it last ran well; one more than are allowed where it was stopped after its end.
    pub restart_attempts: u32,
    /// Automatic restarts allowed.
    pub max_restart_attempts: u32,
    /// Tokens its agent used, as budgets count them.
    pub tokens_used: u64,
    /// What they cost.
    pub cost: Cost,
    /// How good these figures are.
    pub usage_quality: Quality,
    /// Requests that are not in what they cost: nobody knows their price.
    #[serde(default)]
    pub unpriced: u64,
    /// So many tokens it may use at most, in all its life.
    pub max_tokens: Option<u64>,
    /// Its agent is held by a budget.
    pub hold: Option<Hold>,
    /// The agent's conversation.
    pub session_id: Option<String>,
    /// Found alive by a daemon that did not know it.
    pub adopted: bool,
    /// Processes that outlived a stop.
    pub survivors: Vec<String>,
    /// When it was first launched.
    pub created_at: DateTime<Utc>,
    /// When the current or last run began.
    pub started_at: DateTime<Utc>,
    /// When its tree was last sampled.
    pub last_heartbeat: Option<DateTime<Utc>>,
    /// When the last run ended.
    pub terminated_at: Option<DateTime<Utc>>,
    /// When anything about it changed.
    pub updated_at: DateTime<Utc>,
}

impl Runner {
    /// The word for what it is at: what its agent is at while it runs, where that is known.
    pub fn at(&self) -> &'static str {
        match (self.status, self.activity.since) {
            (RunnerStatus::Running, Some(_)) => self.activity.state.as_str(),
            (status, _) => status.as_str(),
        }
    }

    /// Whether a budget holds it, and nothing that it asks itself goes before that.
    pub fn is_held(&self) -> bool {
        self.hold.is_some() && !self.activity.state.needs_person()
    }

    /// Why a budget holds it, by its name where the budget has its id.
    pub fn held_by(&self) -> Option<String> {
        let hold = self.hold.as_ref()?;
        Some(hold.reason.replace(&self.id.to_string(), &self.name))
    }

    /// Returns the title without the signs that many agents turn at its front.
    pub fn topic(&self) -> &str {
        let is_sign = |c: char| !c.is_alphanumeric() && !"\"'`([{<~/.$#@".contains(c);
        let text = self.title.trim_start_matches(is_sign).trim();
        // Some turn it between brackets.
        let inner = text.strip_prefix('[').and_then(|text| text.split_once(']'));
        let text = match inner {
            Some((sign, rest)) if !sign.contains(char::is_alphanumeric) => rest.trim(),
            _ => text,
        };
        // Gemini's tells its state and its directory.
        let is_state = ["Ready (", "Working… (", "Action Required ("];
        if is_state.iter().any(|state| text.starts_with(state)) {
            return "";
        }
        if text.is_empty() { self.title.trim() } else { text }
    }

    /// When it is started again by itself and how often it then was in a row, or `None` when it is not.
    pub fn next_start(&self) -> Option<(DateTime<Utc>, u32)> {
        let is_wanted = self.status == RunnerStatus::Failed
            // It was stopped after it had ended.
            && self.restart_attempts <= self.max_restart_attempts
            && RestartPolicy::parse(&self.restart) == Some(RestartPolicy::OnFailure)
            // It may still run where the backup was made: a second one would be worse than none.
            && self.reason.as_deref() != Some(RESTORED);
        let ended = self.terminated_at?;
        let attempts =
            if ended - self.started_at > RAN_WELL { 1 } else { self.restart_attempts + 1 };
        if !is_wanted || attempts > self.max_restart_attempts {
            return None;
        }
        let pause = TimeDelta::seconds(1 << (attempts - 1).min(10)).min(LONGEST_PAUSE);
        Some((ended + pause, attempts))
    }

    /// Whether it ended without having been asked to and without meaning to: with its supervisor, or by
    /// a signal as the system sends them when it goes down or is short of memory.
    pub fn was_cut_off(&self) -> bool {
        let by_signal = matches!(self.exit_signal.as_deref(), Some("SIGTERM" | "SIGHUP" | "SIGKILL"))
            // A shell's or an agent's own word for the same.
            || matches!(self.exit_code, Some(129 | 137 | 143));
        self.status == RunnerStatus::Failed
            && (matches!(self.reason.as_deref(), Some(SUPERVISOR_LOST | CUT_OFF)) || by_signal)
    }
}

/// A sample of one runner's process tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heartbeat {
    /// Whose.
    pub id: RunnerId,
    /// Percent of one core.
    pub cpu_percent: f64,
    /// Resident memory in MiB.
    pub memory_mb: u64,
    /// Processes in the tree.
    pub processes: u32,
}

/// Returns the short name of the program that a command runs: the file name of its first word, or
/// `demo` for our own scripted agent.
pub fn agent_of(command: &[OsString]) -> String {
    if command.get(1).is_some_and(|word| word == "demo-agent") {
        return "demo".to_owned();
    }
    let program = command.first().map_or("", |word| word.to_str().unwrap_or("program"));
    let base = program.rsplit('/').next().unwrap_or(program);
    let clean: String =
        base.chars().filter(char::is_ascii_graphic).take(crate::domain::name::MAX_NAME).collect();
    if clean.is_empty() { "program".to_owned() } else { clean }
}

#[cfg(test)]
impl Runner {
    /// A running runner of Claude Code since 1.8 Gs, for tests.
    pub(crate) fn sample(activity: Activity) -> Self {
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000);
        Self {
            id: RunnerId::random(),
            name: "api-1".into(),
            project: "api".into(),
            project_path: "/p".into(),
            agent: "claude".into(),
            command: Vec::new(),
            cwd: "/p".into(),
            checkout: None,
            status: RunnerStatus::Running,
            reason: None,
            activity,
            title: String::new(),
            node_id: "n".into(),
            run: 1,
            pid: None,
            supervisor_pid: None,
            exit_code: None,
            exit_signal: None,
            cpu_percent: 0.0,
            memory_mb: 0,
            processes: 0,
            restart: "never".into(),
            restart_attempts: 0,
            max_restart_attempts: 0,
            tokens_used: 0,
            cost: Cost::default(),
            usage_quality: Quality::default(),
            unpriced: 0,
            max_tokens: None,
            hold: None,
            session_id: None,
            adopted: false,
            survivors: Vec::new(),
            created_at: at,
            started_at: at,
            last_heartbeat: None,
            terminated_at: None,
            updated_at: at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_move_is_decided_and_ends_are_final_for_a_run() {
        use RunnerStatus::{Failed, Paused, Running, Starting, Stopping, Terminated};
        let legal = [
            (Starting, Running),
            (Starting, Stopping),
            (Starting, Failed),
            (Starting, Terminated),
            (Running, Paused),
            (Running, Stopping),
            (Running, Terminated),
            (Running, Failed),
            (Paused, Running),
            (Paused, Stopping),
            (Paused, Terminated),
            (Paused, Failed),
            (Stopping, Terminated),
            (Stopping, Failed),
            (Terminated, Starting),
            (Failed, Starting),
        ];
        for from in RunnerStatus::ALL {
            for to in RunnerStatus::ALL {
                assert_eq!(from.may_become(to), legal.contains(&(from, to)), "{from:?} → {to:?}");
            }
        }
    }

    #[test]
    fn an_exit_is_failed_unless_asked_for_or_zero() {
        let exit = |code: Option<i32>, signal: Option<&str>, stopped| {
            Exit {
                code,
                signal: signal.map(str::to_owned),
                at: Utc::now(),
                stopped,
                cut_off: false,
                survivors: vec![],
            }
            .outcome()
        };
        assert_eq!(exit(Some(0), None, false), (RunnerStatus::Terminated, None));
        assert_eq!(exit(Some(3), None, false).1.as_deref(), Some("exit code 3"));
        assert_eq!(exit(None, Some("SIGKILL"), false).1.as_deref(), Some("killed by SIGKILL"));
        assert_eq!(exit(None, Some("SIGKILL"), true).0, RunnerStatus::Terminated);
    }

    #[test]
    fn what_the_system_ends_has_failed_whatever_the_agent_says_of_it() {
        let exit = |code, stopped, cut_off| {
            let at = DateTime::<Utc>::default();
            Exit { code, signal: None, at, stopped, cut_off, survivors: Vec::new() }.outcome()
        };
        let failed = (RunnerStatus::Failed, Some(CUT_OFF.to_owned()));
        assert_eq!(exit(Some(0), false, true), failed);
        assert_eq!(exit(Some(143), false, true), failed);
        assert_eq!(exit(Some(0), true, true), (RunnerStatus::Terminated, None));
    }

    #[test]
    fn who_is_stopped_does_not_come_back_however_well_it_ran() {
        let failed = Runner {
            status: RunnerStatus::Failed,
            restart: "on-failure".into(),
            max_restart_attempts: 3,
            ..Runner::sample(Activity::default())
        };
        let next = |attempts, ran: TimeDelta| {
            let terminated_at = Some(failed.started_at + ran);
            let runner = Runner { restart_attempts: attempts, terminated_at, ..failed.clone() };
            runner.next_start().map(|(_, next)| next)
        };
        let (briefly, well) = (TimeDelta::seconds(1), RAN_WELL + TimeDelta::seconds(1));
        assert_eq!([0, 2, 3, 4].map(|it| next(it, briefly)), [Some(1), Some(3), None, None]);
        assert_eq!([0, 2, 3, 4].map(|it| next(it, well)), [Some(1), Some(1), Some(1), None]);
    }

    #[test]
    fn an_agent_is_named_by_its_program() {
        assert_eq!(agent_of(&["/usr/bin/vim".into(), "x".into()]), "vim");
        assert_eq!(agent_of(&[]), "program");
    }
}
