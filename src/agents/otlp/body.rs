//! The envelope of an OTLP/HTTP JSON body, and one record of it as named values.
//!
//! Numbers arrive as numbers or as strings, times as nanoseconds or as text; both are taken. Bounded:
//! a body by [`LARGEST_BODY`], a record by the number of its attributes; one record is held at a time.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::agents::json::{List, Scalar};

/// Largest body that is read, in bytes; the agents' own batches are below 1 MiB.
pub const LARGEST_BODY: usize = 16 << 20;

/// Attributes of one record that are read; the agents send 40 at most.
const MOST_ATTRIBUTES: usize = 200;

/// The lists within lists of a body of `/v1/logs` and of `/v1/traces`, from the outside.
const LISTS: [[&str; 2]; 3] =
    [["resourceLogs", "resourceSpans"], ["scopeLogs", "scopeSpans"], ["logRecords", "spans"]];

/// Hands each log record and span of a body to `visit`, in order. Of a body that breaks off, those
/// before the break.
pub(super) fn each(body: &[u8], mut visit: impl FnMut(&Record<'_>)) {
    if body.len() > LARGEST_BODY {
        return;
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    drop(Holder { depth: 0, visit: &mut visit }.deserialize(&mut json));
}

/// An object that holds one of [`LISTS`]; records are handed on as they are read, none is kept.
struct Holder<'f, F> {
    /// Which of the lists.
    depth: usize,
    /// Takes the records.
    visit: &'f mut F,
}

impl<'de, F: FnMut(&Record<'_>)> DeserializeSeed<'de> for Holder<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&Record<'_>)> Visitor<'de> for Holder<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if LISTS[self.depth].contains(&&*key) {
                map.next_value_seed(Listed { depth: self.depth, visit: &mut *self.visit })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// One of [`LISTS`].
struct Listed<'f, F> {
    /// Which.
    depth: usize,
    /// Takes the records.
    visit: &'f mut F,
}

impl<'de, F: FnMut(&Record<'_>)> DeserializeSeed<'de> for Listed<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&Record<'_>)> Visitor<'de> for Listed<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let depth = self.depth + 1;
        if depth == LISTS.len() {
            while let Some(record) = list.next_element::<Record<'_>>()? {
                (self.visit)(&record);
            }
            return Ok(());
        }
        while list.next_element_seed(Holder { depth, visit: &mut *self.visit })?.is_some() {}
        Ok(())
    }
}

/// A log record or a span.
#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Record<'a> {
    /// A log record's text, for some agents its name.
    #[serde(borrow)]
    body: Scalar<'a>,
    /// Named values.
    #[serde(borrow)]
    attributes: List<Attribute<'a>, MOST_ATTRIBUTES>,
    /// When it was.
    #[serde(borrow)]
    time_unix_nano: Scalar<'a>,
    /// When it was seen.
    #[serde(borrow)]
    observed_time_unix_nano: Scalar<'a>,
    /// When a span ended.
    #[serde(borrow)]
    end_time_unix_nano: Scalar<'a>,
}

impl Record<'_> {
    /// The event's name: the attribute `event.name`, else the text of the body; empty without both.
    pub fn name(&self) -> &str {
        self.text("event.name").or(self.body.text()).unwrap_or_default()
    }

    /// A text; `None` when it is missing, empty or something else.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.value(key)?.text().filter(|text| !text.is_empty())
    }

    /// A count; `None` when it is missing or no sensible count.
    pub fn count(&self, key: &str) -> Option<u64> {
        self.value(key)?.count()
    }

    /// A number; `None` when it is missing or something else.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.value(key)?.number()
    }

    /// When it was: the first of its times that is one; 1970 when none is.
    pub fn at(&self) -> DateTime<Utc> {
        let written = self
            .text("event.timestamp")
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
            .map(|at| at.with_timezone(&Utc));
        let nanos = [&self.end_time_unix_nano, &self.time_unix_nano, &self.observed_time_unix_nano]
            .into_iter()
            .filter_map(Scalar::nanos)
            .find(|nanos| *nanos > 0)
            .map(DateTime::from_timestamp_nanos);
        written.or(nanos).unwrap_or_default()
    }

    /// The value of an attribute.
    fn value(&self, key: &str) -> Option<&Scalar<'_>> {
        self.attributes.0.iter().find(|it| it.key.text() == Some(key)).map(|it| &it.value)
    }
}

/// A named value.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Attribute<'a> {
    /// Its name.
    #[serde(borrow)]
    key: Scalar<'a>,
    /// Its value.
    #[serde(borrow)]
    value: Scalar<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(json: &str) -> Record<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_come_as_numbers_and_as_texts() {
        let record = record(
            r#"{"attributes":[{"key":"a","value":{"intValue":"7"}},{"key":"b","value":{"intValue":8}},
               {"key":"c","value":{"stringValue":"9"}},{"key":"d","value":{"doubleValue":0.5}},
               {"key":"e","value":{"intValue":-1}},{"key":"f","value":{"intValue":99999999999999999999}},
               {"key":"g","value":{"arrayValue":{"values":[{"intValue":1}]}}},{"key":"h"},
               {"key":"i","value":{"stringValue":"inf"}},{"key":"j\u0041","value":{"stringValue":"x\ny"}}]}"#,
        );
        assert_eq!([record.count("a"), record.count("b"), record.count("c")], [7, 8, 9].map(Some));
        assert_eq!(record.number("d"), Some(0.5));
        for nonsense in ["e", "f", "g", "h", "i", "missing"] {
            assert_eq!(record.count(nonsense), None, "{nonsense}");
        }
        assert_eq!(record.text("jA"), Some("x\ny"));
    }

    #[test]
    fn the_first_time_that_is_one_is_when_it_was() {
        let at = |json: &str| record(json).at().timestamp_millis();
        let written = r#"{"attributes":[{"key":"event.timestamp","value":{"stringValue":"2026-11-20T07:28:13.246Z"}}],"timeUnixNano":"5"}"#;
        assert_eq!(at(written), 1_795_159_693_246);
        let seen = r#"{"timeUnixNano":"0","observedTimeUnixNano":1795159693246554591}"#;
        assert_eq!(at(seen), 1_795_159_693_246);
        assert_eq!(at("{}"), 0);
    }
}
