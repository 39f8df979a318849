//! A call of a prepared statement with its values written into the text, so that it can travel with others
//! in one.
//!
//! Not for anything but simple values, on a server that is told to take texts as they stand
//! (`standard_conforming_strings`).

use std::fmt::Write as _;

use crate::daemon::store::query::Value;

/// Returns the call; `None` when a value is not of the simple kinds.
pub(super) fn call(name: &str, values: &[Value]) -> Option<String> {
    let mut text = format!("EXECUTE {name}");
    for (n, value) in values.iter().enumerate() {
        text.push_str(if n == 0 { "(" } else { ", " });
        match value {
            Value::Text(value) => write!(text, "'{}'", value.replace('\'', "''")),
            Value::Integer(number) => write!(text, "{number}"),
            Value::Time(time) => write!(text, "'{}'", time.to_rfc3339()),
            _ => return None,
        }
        .ok()?;
    }
    text.push_str(if values.is_empty() { "" } else { ")" });
    Some(text)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn values_are_written_as_they_are() {
        let time = DateTime::from_timestamp(0, 1_000).unwrap_or_default();
        let values = [r"it's \' $2".into(), time.into(), (-7_i64).into()];
        assert_eq!(
            call("lock_1", &values).as_deref(),
            Some(r"EXECUTE lock_1('it''s \'' $2', '1970-01-01T00:00:00.000001+00:00', -7)")
        );
        assert_eq!(call("lock_1", &[]).as_deref(), Some("EXECUTE lock_1"));
        assert_eq!(call("lock_1", &["a".into(), serde_json::json!({}).into()]), None);
    }
}
