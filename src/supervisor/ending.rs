//! How a runner ends: reap, drain, sweep, tell, leave.
//!
//! ```text
//!  Running ─ agent reaped ▶ Draining ─ output ended or 500 ms ▶ Sweeping ─ tree empty ▶ Lingering ▶ Over
//! ```
//!
//! Viewers are told after the drain, the daemon after the sweep, when the survivors are known. The
//! record is on disk before either.

use std::time::{Duration, Instant};

use chrono::Utc;
use rustix::process::{
    Pid, Signal, WaitOptions, kill_process_group, test_kill_process_group, wait,
};

use super::{
    clock::monotonic,
    run::Supervisor,
    stop::{Step, Stop},
};
use crate::{
    domain::{clock::to_micros, runner::Exit},
    process::{ProcessId, Table, ignores, signal_name},
    proto::link::v1::{self as link, Reply, from_supervisor::Message},
    runner_dir::ExitRecord,
};

/// Output is waited for this long after the agent's end, when a child of it keeps the terminal.
const DRAIN: Duration = Duration::from_millis(500);

/// What an agent that ended by itself left behind may take to leave.
const LEFTOVER_GRACE: Duration = Duration::from_secs(1);

/// The disk is waited for this long before the end is told regardless.
const RECORDING: Duration = Duration::from_secs(1);

/// Terminals that were handed over are given this long to take the last output.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Messages are delivered this long before the supervisor leaves regardless.
const LINGER: Duration = Duration::from_secs(2);

/// How far the end has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// The agent lives.
    Running,
    /// It was reaped; its last output is read.
    Draining {
        /// How it ended.
        exit: Exit,
        /// Until when.
        until: Instant,
    },
    /// What it left behind is ended.
    Sweeping {
        /// How it ended.
        exit: Exit,
        /// The last screen.
        screen: Vec<String>,
    },
    /// Messages are delivered.
    Lingering {
        /// Until when.
        until: Instant,
    },
    /// Nothing left to do.
    Over,
}

impl Supervisor {
    /// Begins to end the runner because somebody asks for that.
    pub(super) fn begin_stop(&mut self, grace: Duration) {
        self.stop_asked = true;
        self.end_within(grace);
    }

    /// Begins to end the runner, or hastens an end that has begun.
    pub(super) fn end_within(&mut self, grace: Duration) {
        let now = monotonic();
        if let Some(stop) = &mut self.stop {
            stop.hasten(now, grace);
            return;
        }
        self.stop = Some(Stop::new(now, grace));
        if !grace.is_zero() {
            self.ask_to_leave();
        }
        self.status_due = Some(now);
    }

    /// Asks the agent and what it runs in the foreground to leave.
    fn ask_to_leave(&mut self) {
        let agent = i32::try_from(self.identity.pid).unwrap_or(0);
        self.signal_groups(Signal::TERM);
        // An interactive shell ignores SIGTERM and leaves at a hang-up.
        if ignores(agent, Signal::TERM) {
            self.signal_groups(Signal::HUP);
        }
        // Who is stopped cannot leave.
        self.resume();
    }

    fn signal_groups(&self, signal: Signal) {
        let agent = i32::try_from(self.identity.pid).ok().and_then(Pid::from_raw);
        let foreground = self.pty.foreground().filter(|group| Some(*group) != agent);
        // Our child is reaped by us alone: while it is not, its pid is nobody else's.
        let agent = agent.filter(|_| matches!(self.phase, Phase::Running));
        for group in agent.into_iter().chain(foreground) {
            kill_process_group(group, signal).ok();
        }
    }

    /// Collects every child that has ended; among them, some day, the agent.
    pub(super) fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid.as_raw_nonzero().get().unsigned_abs() != self.identity.pid {
                continue;
            }
            let exit = Exit {
                code: status.exit_status(),
                signal: status.terminating_signal().map(signal_name),
                at: to_micros(Utc::now()),
                stopped: self.stop_asked,
                cut_off: self.cut_off && !self.stop_asked,
                survivors: Vec::new(),
            };
            if !matches!(self.phase, Phase::Running) {
                continue;
            }
            self.record(&exit, Vec::new());
            self.pty.agent_left();
            self.phase = Phase::Draining { exit, until: monotonic() + DRAIN };
        }
    }

    /// Writes down how the agent ended.
    fn record(&self, exit: &Exit, screen: Vec<String>) {
        let record = ExitRecord { exit: Some(exit.clone()), launch_error: None, screen };
        // A full disk: the daemon hears it over the link, if it is there.
        self.dir.write_exit(self.spec.run, &record).ok();
    }

    /// When the phase or the stop needs attention.
    pub(super) fn phase_due(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Draining { until, .. } | Phase::Lingering { until } => Some(*until),
            _ => None,
        };
        let stopping = matches!(self.phase, Phase::Running | Phase::Sweeping { .. });
        let stop = self.stop.as_ref().filter(|_| stopping).map(Stop::due);
        phase.into_iter().chain(stop).min()
    }

    /// Takes the end as far as it goes now.
    pub(super) fn go_on(&mut self, now: Instant) {
        match &self.phase {
            Phase::Running => self.step_stop(now),
            Phase::Draining { until, exit } => {
                if self.pty.has_ended() || now >= *until {
                    let exit = exit.clone();
                    // The record is complete before anyone hears of the end.
                    self.log.close(RECORDING);
                    self.tell_viewers(&exit);
                    let screen = self.terminal.current().screen_text();
                    self.begin_sweep(now);
                    self.phase = Phase::Sweeping { exit, screen };
                    self.sweep(now);
                }
            }
            Phase::Sweeping { .. } => self.sweep(now),
            Phase::Lingering { until } => {
                let told = self.connections.iter_mut().all(|connection| {
                    let waits = connection.viewer().and_then(|v| v.tty().map(|t| t.outbox.len()));
                    connection.dead || connection.outbox.is_empty() && waits.unwrap_or(0) == 0
                });
                if told || now >= *until {
                    self.phase = Phase::Over;
                }
            }
            Phase::Over => {}
        }
    }

    /// Does what a stop has come to while the agent lives.
    fn step_stop(&mut self, now: Instant) {
        let Some(stop) = &mut self.stop else { return };
        match stop.step(now) {
            Step::Wait => {}
            Step::HangUp => self.signal_groups(Signal::HUP),
            Step::Kill => kill_all(&Table::scan()),
            // The kernel holds it, or it has become another user's.
            Step::GiveUp => {
                let table = Table::scan();
                kill_all(&table);
                let survivors = survivors(&table);
                self.answer_stops(&survivors);
            }
        }
    }

    /// Asks what is left of the tree to leave.
    fn begin_sweep(&mut self, now: Instant) {
        if self.stop.is_none() {
            self.stop = Some(Stop::new(now, LEFTOVER_GRACE));
        }
        self.hasten_leftovers(now);
        let own = own_pid();
        for process in Table::scan().below(own) {
            process.id.signal(Signal::TERM);
            process.id.signal(Signal::CONT);
        }
    }

    /// Gives what is left as much time as leftovers get. What was started through a launcher, which leaves
    /// at once (Qwen Code's does), is none: it has the time that the agent was given.
    fn hasten_leftovers(&mut self, now: Instant) {
        let group = i32::try_from(self.identity.pid).ok().and_then(Pid::from_raw);
        let is_leaving = group.is_some_and(|group| test_kill_process_group(group).is_ok());
        if let Some(stop) = self.stop.as_mut().filter(|_| !self.stop_asked || !is_leaving) {
            stop.hasten(now, LEFTOVER_GRACE);
        }
    }

    /// Ends what is left of the tree; when nothing is, or time is up, tells everybody.
    fn sweep(&mut self, now: Instant) {
        let table = Table::scan();
        let left = !table.below(own_pid()).is_empty();
        self.hasten_leftovers(now);
        let step = self.stop.as_mut().map_or(Step::GiveUp, |stop| stop.step(now));
        if left && step != Step::GiveUp {
            if step == Step::Kill {
                kill_all(&table);
            }
            return;
        }
        let survivors = survivors(&table);
        let Phase::Sweeping { exit, screen } = std::mem::replace(&mut self.phase, Phase::Over)
        else {
            return;
        };
        // The system tells all of a machine's processes to end: the agent may have been faster.
        let (stopped, cut_off) = (self.stop_asked, self.cut_off && !self.stop_asked);
        let exit = Exit { stopped, cut_off, survivors, ..exit };
        self.record(&exit, screen);
        // Before the end is told: the next run binds its own socket to this name.
        std::fs::remove_file(self.dir.link()).ok();
        self.tell_daemon(&exit);
        self.phase = Phase::Lingering { until: now + LINGER };
    }

    /// Tells viewers that the agent has ended, after the last of its output.
    fn tell_viewers(&mut self, exit: &Exit) {
        for id in self.connections.iter().map(|connection| connection.id).collect::<Vec<_>>() {
            // The last thing that is seen is the last thing that was shown, also by who lagged.
            if let Some(viewer) = self.connection(id).and_then(|connection| connection.viewer()) {
                viewer.picture_due = None;
            }
            self.catch_up(id);
        }
        let until = monotonic() + LAST_WORDS;
        for connection in &mut self.connections {
            if let Some(viewer) = connection.viewer() {
                if let Some(tty) = viewer.tty() {
                    // The agent is dead: nobody but viewers can be kept waiting. Afterwards the
                    // terminal is its owner's again, and nothing may be written to it.
                    tty.finish(until);
                }
                connection.closing = true;
                connection.send(Message::Exit(to_wire(exit)));
            }
        }
    }

    fn tell_daemon(&mut self, exit: &Exit) {
        for connection in self.connections.iter_mut().filter(|connection| connection.is_daemon()) {
            connection.send(Message::Exit(to_wire(exit)));
        }
        self.answer_stops(&exit.survivors);
    }

    /// Answers everybody who asked for the end.
    fn answer_stops(&mut self, survivors: &[String]) {
        for (id, number) in std::mem::take(&mut self.stop_replies) {
            let reply = Reply { number, survivors: survivors.to_vec(), ..Reply::default() };
            if let Some(connection) = self.connection(id) {
                connection.send(Message::Reply(reply));
            }
        }
    }
}

/// Kills everything below us.
fn kill_all(table: &Table) {
    for process in table.below(own_pid()) {
        process.id.signal(Signal::KILL);
    }
}

/// Names what is left below us.
fn survivors(table: &Table) -> Vec<String> {
    let left = table.below(own_pid());
    left.iter().map(|process| format!("{} ({})", process.name, process.id.pid)).collect()
}

fn own_pid() -> i32 {
    ProcessId::own().map_or(0, |own| own.pid)
}

fn to_wire(exit: &Exit) -> link::Exit {
    link::Exit {
        code: exit.code,
        signal: exit.signal.clone().unwrap_or_default(),
        at_us: exit.at.timestamp_micros(),
        survivors: exit.survivors.clone(),
        stopped: exit.stopped,
        cut_off: exit.cut_off,
    }
}
