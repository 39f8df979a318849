//! Waiting for what a server must reach: the only place here that sleeps.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(10);

/// Looks until there is a value; `None` when the time is over.
#[expect(clippy::disallowed_methods, reason = "tests measure real time and block on purpose")]
pub(crate) fn wait_for<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(value) = look() {
            return Some(value);
        }
        if begun.elapsed() > limit {
            return None;
        }
        std::thread::sleep(STEP);
    }
}
