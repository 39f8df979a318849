//! Statements as `PREPARE` and `EXECUTE` say them, with their values written into the text, so that several
//! travel to the server in one: each is planned once and sees what was committed before it begins.
//!
//! Not for anything but simple values, on a server that is told to take texts as they stand
//! (`standard_conforming_strings`).

use std::fmt::Write as _;

use chrono::SecondsFormat;

use crate::daemon::store::query::{Query, Value};

/// Returns what prepares a statement under a name; `None` when a value is not of the simple kinds.
pub(super) fn preparation(name: &str, query: &Query) -> Option<String> {
    let kinds: Vec<_> = query.values.iter().map(kind).collect::<Option<_>>()?;
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    Some(format!("PREPARE {name}{kinds} AS {}", query.sql))
}

/// Returns what calls it; `None` when a value is not of the simple kinds.
pub(super) fn call(name: &str, values: &[Value]) -> Option<String> {
    let mut text = format!("EXECUTE {name}");
    for (n, value) in values.iter().enumerate() {
        text.push_str(if n == 0 { "(" } else { ", " });
        match value {
            Value::Text(value) | Value::OptionalText(Some(value)) | Value::JsonText(value) => {
                quote(&mut text, value);
            }
            Value::Integer(number) | Value::OptionalInteger(Some(number)) => {
                write!(text, "{number}").ok()?;
            }
            Value::Id(id) | Value::OptionalId(Some(id)) => write!(text, "'{id}'").ok()?,
            Value::Time(time) | Value::OptionalTime(Some(time)) => {
                // More digits would be rounded, where they are cut off everywhere else.
                write!(text, "'{}'", time.to_rfc3339_opts(SecondsFormat::Micros, true)).ok()?;
            }
            Value::Json(value) => quote(&mut text, &value.to_string()),
            Value::OptionalText(None)
            | Value::OptionalInteger(None)
            | Value::OptionalId(None)
            | Value::OptionalTime(None) => text.push_str("NULL"),
            _ => return None,
        }
    }
    text.push_str(if values.is_empty() { "" } else { ")" });
    Some(text)
}

/// What the server calls the kind of a value.
fn kind(value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Text(_) | Value::OptionalText(_) => "text",
        Value::Integer(_) | Value::OptionalInteger(_) => "bigint",
        Value::Id(_) | Value::OptionalId(_) => "uuid",
        Value::Time(_) | Value::OptionalTime(_) => "timestamptz",
        Value::Json(_) | Value::JsonText(_) => "jsonb",
        _ => return None,
    })
}

fn quote(text: &mut String, value: &str) {
    text.push('\'');
    text.push_str(&value.replace('\'', "''"));
    text.push('\'');
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn values_are_written_as_they_are() {
        let time = DateTime::from_timestamp(0, 1_999).unwrap_or_default();
        let query = Query::new("UPDATE t SET a = $1")
            .bind(r"it's \' $2")
            .bind(time)
            .bind(-7_i64)
            .bind(Uuid::nil())
            .bind(serde_json::json!(["a'b"]))
            .bind(None::<String>)
            .bind(Some(3_i64));
        assert_eq!(
            call("first_1", &query.values).as_deref(),
            Some(
                r#"EXECUTE first_1('it''s \'' $2', '1970-01-01T00:00:00.000001Z', -7, '00000000-0000-0000-0000-000000000000', '["a''b"]', NULL, 3)"#
            )
        );
        assert_eq!(
            preparation("first_1", &query).as_deref(),
            Some(
                "PREPARE first_1 (text, timestamptz, bigint, uuid, jsonb, text, bigint) AS UPDATE t SET a = $1"
            )
        );
    }

    #[test]
    fn what_has_no_values_needs_no_brackets_and_what_is_not_simple_is_not_written() {
        let query = Query::new("DELETE FROM t");
        assert_eq!(call("first_1", &[]).as_deref(), Some("EXECUTE first_1"));
        assert_eq!(preparation("f", &query).as_deref(), Some("PREPARE f AS DELETE FROM t"));
        let query = query.bind(0.5_f64);
        assert_eq!((call("f", &query.values), preparation("f", &query)), (None, None));
    }
}
