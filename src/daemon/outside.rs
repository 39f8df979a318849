//! Whether this process is outside of every runner: what goes to the files of the root past the daemon is
//! for the user alone, and nobody else would look.

use crate::{
    config::environment,
    domain::failure::Failure,
    process::{UnknownProcess, supervisor_above},
};

/// Refuses a command that an agent has started.
///
/// # Errors
///
/// `AGENT_DENIED`, when this process is inside a runner or that cannot be told.
pub fn refuse_inside_runner() -> Result<(), Failure> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    judge(environment::inside_runner().is_some(), supervisor_above(own))
}

/// Decides by the mark in the environment, which an agent can take off, and by the parents, which it
/// cannot choose.
fn judge(is_marked: bool, above: Result<Option<i32>, UnknownProcess>) -> Result<(), Failure> {
    if !is_marked && above == Ok(None) {
        return Ok(());
    }
    let why = "a process inside a runner may only report for itself";
    Err(Failure::denied("AGENT_DENIED", why)
        .with_hint("run this from a terminal outside of the runner"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_outside_for_certain_may() {
        assert_eq!(judge(false, Ok(None)), Ok(()));
        for (is_marked, above) in [
            (true, Ok(None)),
            (false, Ok(Some(7))),
            (true, Ok(Some(7))),
            (false, Err(UnknownProcess)),
        ] {
            assert_eq!(judge(is_marked, above).unwrap_err().reason, "AGENT_DENIED");
        }
    }
}
