//! L1: processes as the kernel shows them: one scan, trees, identities, signals, and what there is
//! room for; and memory of our own that is given back to it.
//!
//! Used by supervisors, which stop their tree, and by the daemon, which samples all trees and ends
//! what a dead supervisor left. Invariant: a signal goes to a process that was recognised by its
//! pid *and* start time, through a pidfd, so that a reused pid never hits a stranger.

mod group;
pub mod heap;
mod peer;
pub mod room;
mod table;

use std::{ffi::CStr, fs};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

pub use self::{
    group::Group,
    peer::{Ends, Neighbour, neighbours},
    table::{Process, Table, marked},
};

/// A process beyond any reuse of its pid, within one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// The process id.
    pub pid: i32,
    /// Its start in clock ticks since boot, field 22 of `/proc/PID/stat`.
    pub start_time: u64,
}

impl ProcessId {
    /// Returns the identity of the process that has this pid now, `None` if there is none.
    pub fn of(pid: i32) -> Option<Self> {
        start_time(pid).map(|start_time| Self { pid, start_time })
    }

    /// Returns our own identity.
    pub fn own() -> Option<Self> {
        Self::of(rustix::process::getpid().as_raw_nonzero().get())
    }

    /// Whether this very process is there and not a zombie.
    pub fn is_alive(self) -> bool {
        procfs::process::Process::new(self.pid)
            .and_then(|process| process.stat())
            .is_ok_and(|stat| stat.starttime == self.start_time && !matches!(stat.state, 'Z' | 'X'))
    }

    /// Sends a signal to this very process; does nothing when it is gone.
    pub fn signal(self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        // The handle was opened before the check: what is checked is what is signalled.
        if start_time(self.pid) == Some(self.start_time) {
            // It may have died in between, which is what most signals are for.
            pidfd_send_signal(handle, signal).ok();
        }
    }
}

/// Returns the start time of the process with this pid.
pub fn start_time(pid: i32) -> Option<u64> {
    procfs::process::Process::new(pid).ok()?.stat().ok().map(|stat| stat.starttime)
}

/// Returns the kernel's random identity of this boot, so that a reboot cannot look like a live pid.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Returns the supervisor that a process is below of, `Ok(None)` when it is below none.
///
/// A supervisor is known by its command line. An agent can pretend to be one, which only makes it
/// what it is: something inside a runner.
///
/// # Errors
///
/// When the process or one of its parents is gone or cannot be read: then nothing is known of it,
/// and it must not be trusted.
pub fn supervisor_above(pid: i32) -> Result<Option<i32>, UnknownProcess> {
    let mut current = pid;
    for _ in 0..DEEPEST {
        let Ancestor { parent, may_supervise } = ancestor(current).ok_or(UnknownProcess)?;
        if may_supervise {
            let command =
                fs::read(format!("/proc/{current}/cmdline")).map_err(|_gone| UnknownProcess)?;
            if command == SUPERVISOR_COMMAND {
                return Ok(Some(current));
            }
        }
        if parent == 0 {
            return Ok(None);
        }
        current = parent;
    }
    Err(UnknownProcess)
}

/// A process that is gone, or hidden: nothing can be said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownProcess;

/// What every supervisor calls itself before it starts anything.
pub const SUPERVISOR_NAME: &CStr = c"stratavore";

/// The command line that every supervisor is started with.
const SUPERVISOR_COMMAND: &[u8] = b"stratavore\0supervise\0";

/// A chain of parents ends at 1; the bound is against a table that changes while it is read.
const DEEPEST: usize = 256;

/// A process on the way up.
struct Ancestor {
    /// Its parent, 0 for the first of all.
    parent: i32,
    /// Its name is that of a supervisor, so that its command line is worth reading.
    may_supervise: bool,
}

/// Reads what the way up needs of a process, `None` when it is gone.
///
/// Read by hand: this is asked of every connection to the daemon. The name before the numbers may
/// hold anything, also parentheses.
fn ancestor(pid: i32) -> Option<Ancestor> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, rest) = stat.rsplit_once(')')?;
    let name = head.split_once('(').map_or("", |(_, name)| name);
    let parent = rest.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(Ancestor { parent, may_supervise: name.as_bytes() == SUPERVISOR_NAME.to_bytes() })
}

/// Whether a process ignores a signal.
pub fn ignores(pid: i32, signal: Signal) -> bool {
    procfs::process::Process::new(pid)
        .and_then(|process| process.status())
        .is_ok_and(|status| status.sigign & (1 << (signal.as_raw() - 1)) != 0)
}

/// Returns the name of a signal: `SIGKILL`, or `signal 35` for one without.
pub fn signal_name(number: i32) -> String {
    const NAMES: &[&str] = &[
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    let name = usize::try_from(number - 1).ok().and_then(|index| NAMES.get(index));
    name.map_or_else(|| format!("signal {number}"), |name| format!("SIG{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_recognised_by_its_start_time() {
        let me = ProcessId::own().unwrap();
        assert!(me.is_alive());
        let stranger = ProcessId { start_time: me.start_time + 1, ..me };
        assert!(!stranger.is_alive());
        // Were the start time not compared, this would end the test run.
        stranger.signal(Signal::KILL);
    }

    #[test]
    fn a_process_that_is_gone_is_unknown_and_not_outside() {
        let me = rustix::process::getpid().as_raw_nonzero().get();
        assert_eq!(supervisor_above(me), Ok(None));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        assert_eq!(supervisor_above(gone), Err(UnknownProcess));
    }

    #[test]
    fn signals_have_names() {
        assert_eq!(signal_name(9), "SIGKILL");
        assert_eq!(signal_name(31), "SIGSYS");
        assert_eq!(signal_name(40), "signal 40");
    }
}
