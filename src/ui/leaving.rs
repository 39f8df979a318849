//! Leaves when it was asked to, also when the loop cannot; and knows whether somebody waits outside.
//!
//! A thread of its own, which sleeps until the process is asked to leave: the loop may be stuck in a
//! write to a terminal that nobody reads.

use std::{
    io::{self, Read as _},
    os::unix::net::UnixStream,
    process, thread,
    time::Duration,
};

use rustix::process::{Signal, getpgid, getpgrp, getsid};
use signal_hook::low_level::pipe;

use crate::domain::failure::Failure;

/// How long leaving in order may take.
const LEAVING: Duration = Duration::from_secs(3);

/// Whether a shell with job control waits for us: the leader of our session lives and is of another
/// group. Without one nobody would ever continue us.
pub(super) fn has_shell() -> bool {
    let leader = getsid(None).ok().filter(|leader| *leader != getpgrp());
    leader.is_some_and(|leader| getpgid(Some(leader)).is_ok())
}

/// Ends the process some time after it was asked to leave, if it still is there: a terminal that does
/// not read holds up the loop in the middle of a frame.
///
/// # Errors
///
/// When the system refuses a thread or a descriptor.
pub(super) fn in_time() -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::internal(format!("watch signals: {error}"));
    let (mut asked, ask) = UnixStream::pair().map_err(failed)?;
    for kind in [Signal::TERM, Signal::HUP] {
        let ask = ask.try_clone().map_err(failed)?;
        pipe::register(kind.as_raw(), ask).map_err(failed)?;
    }
    let watch = move || {
        let mut signals = [0];
        if asked.read_exact(&mut signals).is_ok() && asked.set_read_timeout(Some(LEAVING)).is_ok() {
            // Asked once more, it leaves at once.
            asked.read_exact(&mut signals).ok();
            #[expect(
                clippy::exit,
                clippy::disallowed_methods,
                reason = "the loop, which would leave in order, is stuck"
            )]
            process::exit(128 + Signal::TERM.as_raw());
        }
    };
    thread::Builder::new().name("leave-in-time".to_owned()).spawn(watch).map_err(failed)?;
    Ok(())
}
