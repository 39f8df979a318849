//! Where the time comes from, so that tests can fix it.

use chrono::{DateTime, Utc};

/// Tells the wall-clock time. Only for display and records: ages that decide something are
/// measured by the one who decides.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Returns the current time, truncated to microseconds, which is what both databases keep.
    fn now(&self) -> DateTime<Utc>;
}

/// Truncates a time to what both databases keep.
pub fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}
