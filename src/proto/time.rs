//! Times on the wire.

use chrono::{DateTime, Utc};

/// Returns the wire form of a time.
pub fn to_timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: time.timestamp_subsec_nanos().try_into().unwrap_or(0),
    }
}

/// Returns the time, `None` when it is out of range.
pub fn from_timestamp(wire: &prost_types::Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(wire.seconds, wire.nanos.try_into().ok()?)
}

/// Returns the time, or the epoch for one that is missing or out of range.
pub(super) fn or_epoch(wire: Option<&prost_types::Timestamp>) -> DateTime<Utc> {
    wire.and_then(from_timestamp).unwrap_or_default()
}
