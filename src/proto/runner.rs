//! Runners, sizes and screens on the wire.

use super::{
    activity::some,
    link::v1 as link,
    time::{from_timestamp, or_epoch, to_timestamp},
    v1,
};
use crate::domain::{
    failure::Failure,
    hook::{Hold, HoldLevel},
    id::RunnerId,
    runner::{Runner, RunnerStatus},
    size::TerminalSize,
    usage::{Cost, Quality},
};

impl From<&Runner> for v1::Runner {
    fn from(runner: &Runner) -> Self {
        Self {
            id: runner.id.to_string(),
            name: runner.name.clone(),
            project: runner.project.clone(),
            project_path: runner.project_path.to_string_lossy().into_owned(),
            agent: runner.agent.clone(),
            command: runner.command.clone(),
            cwd: runner.cwd.to_string_lossy().into_owned(),
            status: runner.status.as_str().to_owned(),
            reason: runner.reason.clone().unwrap_or_default(),
            activity: Some((&runner.activity).into()),
            title: runner.title.clone(),
            node_id: runner.node_id.clone(),
            pid: runner.pid.unwrap_or(0),
            supervisor_pid: runner.supervisor_pid.unwrap_or(0),
            exit_code: runner.exit_code,
            exit_signal: runner.exit_signal.clone().unwrap_or_default(),
            cpu_percent: runner.cpu_percent,
            memory_mb: runner.memory_mb,
            processes: runner.processes,
            restart: runner.restart.clone(),
            restart_attempts: runner.restart_attempts,
            max_restart_attempts: runner.max_restart_attempts,
            tokens_used: runner.tokens_used,
            cost_nanos: runner.cost.0,
            usage_quality: runner.usage_quality.as_str().to_owned(),
            unpriced: runner.unpriced,
            max_tokens: runner.max_tokens.unwrap_or(0),
            hold: runner.hold.as_ref().map(|hold| hold.reason.clone()).unwrap_or_default(),
            hold_level: runner
                .hold
                .as_ref()
                .map(|hold| hold.level.as_str().to_owned())
                .unwrap_or_default(),
            session_id: runner.session_id.clone().unwrap_or_default(),
            created_at: Some(to_timestamp(runner.created_at)),
            started_at: Some(to_timestamp(runner.started_at)),
            last_heartbeat: runner.last_heartbeat.map(to_timestamp),
            terminated_at: runner.terminated_at.map(to_timestamp),
            adopted: runner.adopted,
            survivors: runner.survivors.clone(),
            updated_at: Some(to_timestamp(runner.updated_at)),
            run: runner.run,
            checkout: runner.checkout.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<v1::Runner> for Runner {
    type Error = Failure;

    fn try_from(wire: v1::Runner) -> Result<Self, Failure> {
        let garbled = |what: &str| Failure::internal(format!("understand the daemon: {what}"));
        let id: RunnerId = wire.id.parse().map_err(|_error| garbled("a runner without id"))?;
        let status = RunnerStatus::parse(&wire.status)
            .ok_or_else(|| garbled("a runner of unknown status"))?;
        Ok(Self {
            id,
            name: wire.name,
            project: wire.project,
            project_path: wire.project_path.into(),
            agent: wire.agent,
            command: wire.command,
            cwd: wire.cwd.into(),
            status,
            reason: some(wire.reason),
            activity: wire.activity.map(Into::into).unwrap_or_default(),
            title: wire.title,
            node_id: wire.node_id,
            run: wire.run,
            pid: (wire.pid != 0).then_some(wire.pid),
            supervisor_pid: (wire.supervisor_pid != 0).then_some(wire.supervisor_pid),
            exit_code: wire.exit_code,
            exit_signal: some(wire.exit_signal),
            cpu_percent: wire.cpu_percent,
            memory_mb: wire.memory_mb,
            processes: wire.processes,
            restart: wire.restart,
            restart_attempts: wire.restart_attempts,
            max_restart_attempts: wire.max_restart_attempts,
            tokens_used: wire.tokens_used,
            cost: Cost(wire.cost_nanos),
            usage_quality: Quality::parse(&wire.usage_quality),
            unpriced: wire.unpriced,
            max_tokens: (wire.max_tokens > 0).then_some(wire.max_tokens),
            hold: HoldLevel::parse(&wire.hold_level).map(|level| Hold { level, reason: wire.hold }),
            session_id: some(wire.session_id),
            adopted: wire.adopted,
            survivors: wire.survivors,
            created_at: or_epoch(wire.created_at.as_ref()),
            started_at: or_epoch(wire.started_at.as_ref()),
            last_heartbeat: wire.last_heartbeat.as_ref().and_then(from_timestamp),
            terminated_at: wire.terminated_at.as_ref().and_then(from_timestamp),
            updated_at: or_epoch(wire.updated_at.as_ref()),
            checkout: wire.checkout.map(Into::into),
        })
    }
}

/// Converts between the domain's size and the two wire forms of it.
macro_rules! size_conversions {
    ($($wire:ty),*) => {$(
        impl From<TerminalSize> for $wire {
            fn from(size: TerminalSize) -> Self {
                Self {
                    cols: size.cols().into(),
                    rows: size.rows().into(),
                    x_pixels: size.x_pixels().into(),
                    y_pixels: size.y_pixels().into(),
                }
            }
        }

        impl From<$wire> for TerminalSize {
            fn from(wire: $wire) -> Self {
                let narrow = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
                Self::new(narrow(wire.cols), narrow(wire.rows))
                    .with_pixels(narrow(wire.x_pixels), narrow(wire.y_pixels))
            }
        }
    )*};
}

size_conversions!(v1::TerminalSize, link::Size);
