//! A statement with its values written into it, so that it can travel with others in one text.
//!
//! Not for anything but short statements with simple values, on a server that is told to take texts as
//! they stand (`standard_conforming_strings`): what is planned anew each time must be cheap to plan.

use std::fmt::Write as _;

use crate::daemon::store::query::{Query, Value};

/// Returns the text; `None` when a value is not of the simple kinds.
pub(super) fn inlined(query: &Query) -> Option<String> {
    let mut text = String::with_capacity(query.sql.len() + 64);
    let mut rest: &str = &query.sql;
    while let Some((before, after)) = rest.split_once('$') {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = after.split_at_checked(digits)?;
        let place: usize = number.parse().ok()?;
        text.push_str(before);
        literal(&mut text, query.values.get(place.checked_sub(1)?)?)?;
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

fn literal(text: &mut String, value: &Value) -> Option<()> {
    match value {
        Value::Text(value) => write!(text, "'{}'", value.replace('\'', "''")),
        Value::Integer(number) => write!(text, "{number}"),
        Value::Time(time) => write!(text, "'{}'::timestamptz", time.to_rfc3339()),
        _ => return None,
    }
    .ok()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn values_stand_where_their_numbers_stood() {
        let time = DateTime::from_timestamp(0, 1_000).unwrap_or_default();
        let query = Query::new("UPDATE t SET at = $2, n = $3 WHERE name = $1 OR other = $1");
        let query = query.bind(r"it's \' $2").bind(time).bind(-7_i64);
        assert_eq!(
            inlined(&query).as_deref(),
            Some(
                "UPDATE t SET at = '1970-01-01T00:00:00.000001+00:00'::timestamptz, n = -7 \
                 WHERE name = 'it''s \\'' $2' OR other = 'it''s \\'' $2'"
            )
        );
    }

    #[test]
    fn what_is_not_simple_or_missing_is_not_written() {
        assert_eq!(inlined(&Query::new("SELECT $1").bind(serde_json::json!({}))), None);
        assert_eq!(inlined(&Query::new("SELECT $2").bind("a")), None);
        assert_eq!(inlined(&Query::new("SELECT $").bind("a")), None);
        assert_eq!(inlined(&Query::new("SELECT 1")).as_deref(), Some("SELECT 1"));
    }
}
