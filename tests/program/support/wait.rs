//! Waiting for what must come true: the only place that sleeps or reads the clock.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(10);

/// Returns the time of the monotonic clock.
#[expect(clippy::disallowed_methods, reason = "tests measure real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns how long ago a time was.
pub(crate) fn elapsed_since(begun: Instant) -> Duration {
    now().saturating_duration_since(begun)
}

/// Sleeps one step.
#[expect(clippy::disallowed_methods, reason = "the one polling helper; no runtime is blocked")]
fn step() {
    std::thread::sleep(STEP);
}

/// Looks until there is a value, and returns it with `Ok`, or `Err` when the time is over.
pub(crate) fn try_wait_value<T>(
    limit: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T, ()> {
    let begun = now();
    loop {
        if let Some(value) = look() {
            return Ok(value);
        }
        if elapsed_since(begun) > limit {
            return Err(());
        }
        step();
    }
}

/// Looks until there is a value; fails the test when the time is over.
#[track_caller]
pub(crate) fn wait_value<T>(what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
    match try_wait_value(limit, look) {
        Ok(value) => value,
        Err(()) => panic!("not within {limit:?}: {what}"),
    }
}

/// Looks until a condition holds; fails the test when the time is over.
#[track_caller]
pub(crate) fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    wait_value(what, limit, || condition().then_some(()));
}

/// Checks that a condition holds all the time; for what must *not* happen.
#[track_caller]
pub(crate) fn stays(what: &str, time: Duration, mut condition: impl FnMut() -> bool) {
    let begun = now();
    while elapsed_since(begun) < time {
        assert!(condition(), "no longer true after {:?}: {what}", elapsed_since(begun));
        step();
    }
}

/// Lets time pass: for a moment chosen at random, never to wait for something.
pub(crate) fn pause(time: Duration) {
    stays("time passes", time, || true);
}
