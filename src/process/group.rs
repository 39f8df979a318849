//! A process that leads a group of its own, which ends with whoever waits for it.

use rustix::process::{Pid, Signal, kill_process_group};

/// The group of a child. Dropping it ends every process of the group.
#[derive(Debug)]
pub struct Group(Option<Pid>);

impl Group {
    /// Returns the group that the process with this pid leads; none when it was collected already.
    pub fn of(leader: Option<u32>) -> Self {
        Self(leader.and_then(|pid| Pid::from_raw(pid.cast_signed())))
    }

    /// Ends every process of it.
    pub fn end(&self) {
        if let Some(pid) = self.0 {
            // It may be over already.
            kill_process_group(pid, Signal::KILL).ok();
        }
    }

    /// Its leader was collected: the number may soon be another's.
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}
