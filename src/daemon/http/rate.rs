//! How often a caller may call: a bucket for each, which fills up with time.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::time::Instant;

/// Seconds' worth of calls that may come at once.
const BURST: f64 = 10.0;

/// Callers that are remembered.
const REMEMBERED: usize = 4096;

/// The buckets.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    /// What was in each bucket, and when.
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Rate {
    /// Lets everybody call so often in a second.
    #[expect(clippy::cast_precision_loss, reason = "it is ten thousand at most")]
    pub(super) fn new(per_second: u64) -> Self {
        Self { per_second: per_second as f64, buckets: Mutex::default() }
    }

    /// Takes a call out of a caller's bucket; an empty one tells after how many seconds to come again.
    pub(super) fn take(&self, caller: &str, now: Instant) -> Result<(), u64> {
        let most = self.per_second * BURST;
        let filled = |(held, at): &(f64, Instant)| {
            (held + now.saturating_duration_since(*at).as_secs_f64() * self.per_second).min(most)
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED && !buckets.contains_key(caller) {
            // A full bucket is as good as none.
            buckets.retain(|_, bucket| filled(bucket) < most);
            if buckets.len() >= REMEMBERED {
                return Err(1);
            }
        }
        let held = buckets.get(caller).map_or(most, filled);
        if held >= 1.0 {
            buckets.insert(caller.to_owned(), (held - 1.0, now));
            return Ok(());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a second or two"
        )]
        let wait = ((1.0 - held) / self.per_second).ceil() as u64;
        Err(wait.max(1))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_caller_is_held_up_alone_and_not_for_long() {
        let (rate, now) = (Rate::new(2), Instant::now());
        for _ in 0..20 {
            assert_eq!(rate.take("a", now), Ok(()));
        }
        assert_eq!(rate.take("a", now), Err(1));
        assert_eq!(rate.take("b", now), Ok(()));
        assert_eq!(rate.take("a", now + Duration::from_millis(500)), Ok(()));
        assert_eq!(rate.take("a", now + Duration::from_millis(500)), Err(1));
    }

    #[test]
    fn many_callers_do_not_fill_the_memory() {
        let (rate, now) = (Rate::new(1), Instant::now());
        for n in 0..REMEMBERED {
            assert_eq!(rate.take(&n.to_string(), now), Ok(()));
        }
        assert_eq!(rate.take("one more", now), Err(1));
        let later = now + Duration::from_secs(1);
        assert_eq!(rate.take("one more", later), Ok(()));
        assert_eq!(rate.buckets.lock().unwrap().len(), 1);
    }
}
