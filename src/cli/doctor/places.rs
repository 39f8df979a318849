//! The root directory: whose it is, how long its paths are, what file system it is on, what is free.

use std::{fs, path::Path};

use rustix::fs::{statfs, statvfs};

use super::{Findings, Machine};
use crate::config::Places;

/// Below this nothing is started.
const LEAST: u64 = 16 << 20;

/// Below this it may come to that soon: one runner records up to 64 MiB.
const LITTLE: u64 = 1 << 30;

/// File systems on other machines, as statfs(2) names them: SQLite's log needs memory that its users
/// share.
const REMOTE: &[(i64, &str)] = &[
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x0102_1997, "9p"),
];

/// Memory.
const TMPFS: i64 = 0x0102_1994;

pub(super) fn examine(machine: &Machine, found: &mut Findings) {
    let places = match &machine.places {
        Ok(places) => places,
        Err(why) => {
            found.broken("directories", why.clone(), "set HOME, or STRATAVORE_HOME");
            return;
        }
    };
    let wrong = places.check();
    for error in &wrong {
        found.broken("directories", error.to_string(), "");
    }
    let root = places.root();
    let shown = root.display();
    if wrong.is_empty() {
        let state = if root.exists() { "closed to others" } else { "made by the first command" };
        let longest = places.longest_socket();
        found.ok(
            "directories",
            format!("{shown}: {state}; sockets have {longest} of {} bytes", Places::MAX_SOCKET),
        );
    }
    if machine.loaded.as_ref().is_ok_and(|loaded| !loaded.config.database.is_postgresql()) {
        file(&places.database(), found);
    }
    if let Some(existing) = root.ancestors().find(|path| path.exists()) {
        disk(existing, found);
    }
}

/// Looks whether the database is where it was left.
fn file(database: &Path, found: &mut Findings) {
    let aside = database.parent().and_then(|root| fs::read_dir(root).ok());
    let broken: Vec<_> = aside
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.contains(".broken-"))
        .collect();
    if let Some(name) = broken.first() {
        found.note(
            "directories",
            format!("a damaged database was put aside: {name}"),
            "stratavore restore a backup, or remove it when nothing is missed",
        );
    }
}

fn disk(path: &Path, found: &mut Findings) {
    if let Ok(kind) = statfs(path).map(|fs| fs.f_type) {
        if let Some((_, name)) = REMOTE.iter().find(|(magic, _)| *magic == kind) {
            found.broken(
                "disk",
                format!("{} is on {name}, where SQLite can lose data", path.display()),
                "set STRATAVORE_HOME to a directory of a local disk",
            );
        } else if kind == TMPFS {
            found.warn(
                "disk",
                format!("{} is in memory: it is gone after a restart", path.display()),
                "set STRATAVORE_HOME to a directory of a disk",
            );
        }
    }
    let space = match statvfs(path) {
        Ok(space) => space,
        Err(error) => {
            let what = format!("nobody knows how much is free in {}: {error}", path.display());
            found.warn("disk", what, "");
            return;
        }
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let text = format!("{} MiB free", free >> 20);
    let fix = "stratavore runners remove --ended --older-than 7d, or make room otherwise";
    if free < LEAST {
        found.broken("disk", format!("{text}: nothing is started"), fix);
    } else if free < LITTLE {
        found.warn("disk", text, fix);
    } else {
        found.ok("disk", text);
    }
    // Some file systems have no fixed number of files and say 0.
    if space.f_files > 0 && space.f_favail < 1000 {
        let what = format!("room for {} more files only", space.f_favail);
        found.warn("disk", what, "remove files; each runner has about a dozen");
    }
}
