//! How long to wait before the next attempt to connect. Pure: chance is handed in.

use std::time::Duration;

/// After the first failure.
const FIRST: Duration = Duration::from_millis(50);
/// While it may be a restart.
const SOON: Duration = Duration::from_secs(2);
/// When it stays away.
const LATE: Duration = Duration::from_secs(10);
/// Attempts after which it stays away: about half a minute.
const PATIENT: u32 = 20;

/// Counts the failures since the last connection.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Returns the time to wait: doubled with each failure up to [`SOON`], later [`LATE`], of which
    /// a random part of up to a half is taken off, so that daemons do not come back in step.
    pub(super) fn next(&mut self, chance: u64) -> Duration {
        let limit = if self.failures < PATIENT { SOON } else { LATE };
        let whole = FIRST.saturating_mul(1 << self.failures.min(16)).min(limit);
        self.failures = self.failures.saturating_add(1);
        let half = u64::try_from(whole.as_micros() / 2).unwrap_or(u64::MAX);
        whole.saturating_sub(Duration::from_micros(chance % half.max(1)))
    }

    /// Begins anew after a connection that was good for something.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_two_and_then_to_ten_seconds_and_never_to_nothing() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..40).map(|_| backoff.next(0)).collect();
        assert_eq!(waits[..3], [FIRST, FIRST * 2, FIRST * 4]);
        assert_eq!((waits[10], waits[39]), (SOON, LATE));
        backoff.reset();
        for chance in [1, 24_999, 25_000, u64::MAX] {
            let wait = Backoff::default().next(chance);
            assert!(wait > FIRST / 2 && wait <= FIRST, "{wait:?}");
        }
        assert_eq!(backoff.next(0), FIRST);
    }
}
