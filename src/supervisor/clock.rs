//! The one place where the supervisor asks for the time.

use std::time::Instant;

/// Returns the monotonic time, for deadlines.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(super) fn monotonic() -> Instant {
    Instant::now()
}
