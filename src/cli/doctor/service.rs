//! The daemon: does it answer, is it ours, who keeps it, does it outlive a logout, may it hold limits.

use std::{fs, path::Path, time::Duration};

use super::{Daemon, Findings, Machine};
use crate::{
    cli::{
        ask::ask,
        systemd::{Manager, lingers},
    },
    config::environment,
};

const LIMIT: Duration = Duration::from_secs(3);

pub(super) async fn examine(machine: &Machine, found: &mut Findings) {
    match &machine.daemon {
        Err(failure) => {
            let hint =
                if failure.hint.is_empty() { "stratavore daemon logs" } else { &failure.hint };
            found.broken("daemon", format!("it does not answer: {}", failure.message), hint);
        }
        Ok(None) => {
            found.ok("daemon", "none runs; the first command starts one");
            manager(None, found).await;
        }
        Ok(Some(daemon)) => {
            running(daemon, found);
            manager(Some(daemon.status.pid), found).await;
        }
    }
    groups(machine, found);
}

fn running(daemon: &Daemon, found: &mut Findings) {
    let (status, own) = (&daemon.status, env!("CARGO_PKG_VERSION"));
    let restart = "stratavore daemon restart; runners go on";
    if status.version == own {
        found.ok("daemon", format!("version {own}, process {}", status.pid));
    } else {
        let what = format!("it is version {}, this program {own}", status.version);
        found.warn("daemon", what, restart);
    }
    let program = fs::read_link(format!("/proc/{}/exe", status.pid)).unwrap_or_default();
    if program.to_string_lossy().ends_with(" (deleted)") {
        found.warn("daemon", "its program was replaced since it started", restart);
    }
    match &daemon.health {
        Err(failure) => found.broken("daemon", failure.message.clone(), &failure.hint),
        Ok(parts) => {
            for part in parts.iter().filter(|part| part.state != "ok") {
                let what = format!("{} is {}: {}", part.name, part.state, part.detail);
                found.warn("daemon", what, "stratavore daemon logs --tail 50");
            }
        }
    }
}

/// Looks at who keeps the daemon running.
async fn manager(pid: Option<u32>, found: &mut Findings) {
    if !Path::new("/run/systemd/system").exists() {
        found.note("service", "systemd does not run here; commands start the daemon", "");
        return;
    }
    match pid.and_then(Manager::unit_of) {
        Some((manager, unit)) => {
            found.ok("service", format!("{} runs the daemon as {unit}", manager.command()));
            unit_is_right(manager, &unit, found).await;
            if !manager.is_user() || lingers().await != Some(false) {
                return;
            }
            found.warn(
                "service",
                "your services end when you log out, agents included",
                "loginctl enable-linger",
            );
        }
        None if kills_at_logout().await => found.warn(
            "service",
            "what you started ends when you log out (KillUserProcesses=yes), agents included",
            "stratavore install, and loginctl enable-linger",
        ),
        None => found.ok("service", "the daemon is kept by no service manager; commands start it"),
    }
}

/// Looks whether a restart of the unit leaves agents alone.
async fn unit_is_right(manager: Manager, unit: &str, found: &mut Findings) {
    let words = ["show", unit, "--property=KillMode,OOMPolicy,Type,WatchdogUSec"];
    let Ok(answer) = manager.question(&words).await else { return };
    let value = |name: &str| {
        let lines = answer.text.lines().filter_map(|line| line.split_once('='));
        lines.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    };
    let wrong = |name, good| value(name).filter(|value| value != good && !value.is_empty());
    if let Some(mode) = wrong("KillMode", "process") {
        found.broken(
            "service",
            format!("{unit} has KillMode={mode}: its restart ends all agents"),
            "KillMode=process in the unit; stratavore install writes a right one",
        );
    }
    if let Some(policy) = wrong("OOMPolicy", "continue") {
        found.warn(
            "service",
            format!("{unit} has OOMPolicy={policy}: an agent out of memory takes all with it"),
            "OOMPolicy=continue in the unit",
        );
    }
    if wrong("Type", "notify").is_some() {
        let what = format!("{unit} is not Type=notify: nobody notices a daemon that hangs");
        found.note("service", what, "Type=notify and WatchdogSec=30 in the unit");
    }
}

/// Whether the login manager ends what a user leaves behind.
async fn kills_at_logout() -> bool {
    let Some(busctl) = environment::find_program("busctl") else { return false };
    let manager = "org.freedesktop.login1.Manager";
    let words = [
        "get-property",
        "org.freedesktop.login1",
        "/org/freedesktop/login1",
        manager,
        "KillUserProcesses",
    ];
    let answer = ask(busctl, words, LIMIT).await;
    answer.is_ok_and(|answer| answer.text.trim() == "b true") && lingers().await != Some(true)
}

/// Says whether the kernel can hold projects to their limits.
fn groups(machine: &Machine, found: &mut Findings) {
    let parts = machine.daemon().and_then(|daemon| daemon.health.as_ref().ok());
    let told = parts.and_then(|parts| parts.iter().find(|part| part.name == "limits"));
    if let Some(part) = told {
        found.ok("control groups", part.detail.clone());
    } else if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        let what = "cgroup v2; a daemon under systemd can hold projects to memory and CPU";
        found.ok("control groups", what);
    } else {
        found.note(
            "control groups",
            "memory and cpu are not in cgroup v2 here: limits are told, not enforced",
            "boot with systemd.unified_cgroup_hierarchy=1",
        );
    }
}
