//! Whether there is room for another runner: on the disk for what it leaves there, and in the system for
//! its terminal and its processes.

use super::Services;
use crate::{
    domain::failure::Failure,
    process::room::{self, Stock},
};

/// Bytes that must be free below the root for a runner to start: its record, how it ends, and what
/// the database writes about it; also for those that run already.
pub(super) const ROOM: u64 = 16 << 20;

impl Services {
    /// Refuses to start anything where nothing could be kept of it: on a disk that is full an agent would
    /// run without a record, and how it ended would be lost.
    pub(super) fn check_room(&self) -> Result<(), Failure> {
        let root = self.context.places.root();
        let full = |what: String| {
            let what = format!("no room in {}: {what}", root.display());
            let hint = format!("df -h {}; runners that run already go on", root.display());
            Err(Failure::unavailable("DISK_FULL", what).with_hint(hint))
        };
        // A file system that cannot tell is asked by writing.
        let Ok(system) = rustix::fs::statvfs(root) else { return Ok(()) };
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        if free < ROOM {
            return full(format!("{} MiB are free, {} are needed", free >> 20, ROOM >> 20));
        }
        // Where files are not counted, there are none at all.
        if system.f_files > 0 && system.f_favail == 0 {
            return full("no more files can be made".to_owned());
        }
        if system.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
            return full("it is mounted read-only".to_owned());
        }
        Ok(())
    }
}

/// Refuses to start what the system would not let start, and names what is used up.
pub(super) fn check_system() -> Result<(), Failure> {
    let Some(scarcest) = room::scarcest().filter(|stock| stock.room() == 0) else {
        return Ok(());
    };
    let Stock { what, used, most, remedy, .. } = scarcest;
    let what = format!("no room for another runner: {used} of {most} {what} are in use");
    Err(Failure::unavailable("SYSTEM_LIMIT", what).with_hint(remedy))
}

/// Says for how many more runners the system has room, and what would run out first.
pub(super) fn describe_room() -> Result<String, String> {
    let Some(scarcest) = room::scarcest() else { return Ok("unknown".to_owned()) };
    let Stock { what, used, most, remedy, .. } = &scarcest;
    let text = format!("{} more runners; then {what} run out ({used} of {most})", scarcest.room());
    if scarcest.room() == 0 { Err(format!("{text}: {remedy}")) } else { Ok(text) }
}
