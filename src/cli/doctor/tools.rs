//! What else is needed: git, and a clock that is right.

use std::{path::Path, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Findings, Machine};
use crate::{cli::ask::ask, config::environment, domain::clock::to_micros};

const LIMIT: Duration = Duration::from_secs(3);

/// The oldest git whose listings of worktrees we read.
const GIT: (u32, u32) = (2, 36);

/// When this was written; a clock before it is wrong.
const WRITTEN: i64 = 1_790_000_000;

pub(super) async fn examine(machine: &Machine, found: &mut Findings) {
    git(found).await;
    clock(machine, found).await;
}

async fn git(found: &mut Findings) {
    let fix = "install git 2.36 or newer; without it there are no worktrees and no diff";
    let Some(path) = environment::find_program("git") else {
        found.warn("git", "there is none", fix);
        return;
    };
    match ask(path, ["--version"], LIMIT).await {
        Err(why) => found.warn("git", format!("it does not tell its version: {why}"), fix),
        Ok(answer) => match git_version(answer.first_line()) {
            Some(version) if version >= GIT => found.ok("git", answer.first_line()),
            Some(_) => found.warn("git", format!("{} is old", answer.first_line()), fix),
            None => found.warn("git", format!("`{}` is no version", answer.first_line()), fix),
        },
    }
}

/// Reads `git version 2.39.5 (…)`.
fn git_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix("git version ")?.split(['.', ' ']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

async fn clock(machine: &Machine, found: &mut Findings) {
    let now = to_micros(Utc::now());
    if now.timestamp() < WRITTEN {
        found.broken("clock", format!("it says {}", now.format("%F %T UTC")), "set the clock");
        return;
    }
    let places = machine.places.as_ref().ok();
    let newest = places.and_then(|places| changed_at(&places.database()));
    if let Some(newest) = newest.filter(|newest| *newest - now > TimeDelta::minutes(1)) {
        let what = format!("the database was written in the future ({})", newest.format("%F %T"));
        found.warn("clock", what, "the clock went back; budgets' periods and ages are wrong");
    }
    let zone = iana_time_zone::get_timezone();
    match (&zone, synchronised().await) {
        (Err(_), _) => found.warn(
            "clock",
            "the time zone is not known: days of budgets begin at midnight UTC",
            "set TZ, or timedatectl set-timezone",
        ),
        (Ok(zone), Some(false)) => found.warn(
            "clock",
            format!("{zone}; it is not synchronised"),
            "timedatectl set-ntp true; machines that share a database need clocks that agree",
        ),
        (Ok(zone), Some(true)) => found.ok("clock", format!("{zone}, synchronised")),
        (Ok(zone), None) => found.ok("clock", zone.clone()),
    }
}

fn changed_at(path: &Path) -> Option<DateTime<Utc>> {
    Some(path.metadata().ok()?.modified().ok()?.into())
}

/// Whether the clock follows others; `None` when nobody knows.
async fn synchronised() -> Option<bool> {
    let program = environment::find_program("timedatectl")?;
    let words = ["show", "--property=NTPSynchronized", "--value"];
    match ask(program, words, LIMIT).await.ok()?.text.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_git_are_read() {
        assert_eq!(git_version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(git_version("git version 2.50.windows.1"), Some((2, 50)));
        assert_eq!(git_version("gti"), None);
    }
}
