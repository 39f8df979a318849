//! The envelope of an OTLP/HTTP JSON body, and one record of it as named values.
//!
//! Numbers arrive as numbers or as strings, times as nanoseconds or as text; both are taken. Bounded:
//! a body by [`LARGEST_BODY`], a record by the number of its attributes; one record is held at a time.

use std::{borrow::Cow, fmt, marker::PhantomData};

use chrono::{DateTime, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// Largest body that is read, in bytes; the agents' own batches are below 1 MiB.
pub const LARGEST_BODY: usize = 16 << 20;

/// Attributes of one record that are read; the agents send 40 at most.
const MOST_ATTRIBUTES: usize = 200;

/// More tokens than any request has: a count beyond is nonsense.
const MOST_TOKENS: u64 = 10_000_000_000;

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
    drop(Object { depth: 0, visit: &mut visit }.deserialize(&mut json));
}

/// An object that holds one of [`LISTS`]; records are handed on as they are read, none is kept.
struct Object<'f, F> {
    /// Which of the lists.
    depth: usize,
    /// Takes the records.
    visit: &'f mut F,
}

impl<'de, F: FnMut(&Record<'_>)> DeserializeSeed<'de> for Object<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&Record<'_>)> Visitor<'de> for Object<'_, F> {
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
                map.next_value_seed(List { depth: self.depth, visit: &mut *self.visit })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// One of [`LISTS`].
struct List<'f, F> {
    /// Which.
    depth: usize,
    /// Takes the records.
    visit: &'f mut F,
}

impl<'de, F: FnMut(&Record<'_>)> DeserializeSeed<'de> for List<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&Record<'_>)> Visitor<'de> for List<'_, F> {
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
            while let Some(record) = list.next_element()? {
                (self.visit)(&record);
            }
            return Ok(());
        }
        while list.next_element_seed(Object { depth, visit: &mut *self.visit })?.is_some() {}
        Ok(())
    }
}

/// A log record or a span.
#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Record<'a> {
    /// A log record's text, for some agents its name.
    #[serde(borrow)]
    body: Value<'a>,
    /// Named values.
    #[serde(borrow)]
    attributes: Bounded<Attribute<'a>, MOST_ATTRIBUTES>,
    /// When it was.
    #[serde(borrow)]
    time_unix_nano: Value<'a>,
    /// When it was seen.
    #[serde(borrow)]
    observed_time_unix_nano: Value<'a>,
    /// When a span ended.
    #[serde(borrow)]
    end_time_unix_nano: Value<'a>,
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
        let number = self.number(key)?;
        #[expect(clippy::cast_precision_loss, reason = "a bound")]
        let sensible = (0.0..=MOST_TOKENS as f64).contains(&number);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be within the range"
        )]
        sensible.then_some(number as u64)
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
            .filter_map(Value::nanos)
            .find(|nanos| *nanos > 0)
            .map(DateTime::from_timestamp_nanos);
        written.or(nanos).unwrap_or_default()
    }

    /// The value of an attribute.
    fn value(&self, key: &str) -> Option<&Value<'_>> {
        self.attributes.0.iter().find(|it| it.key == key).map(|it| &it.value)
    }
}

/// A named value.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Attribute<'a> {
    /// Its name.
    #[serde(borrow)]
    key: Cow<'a, str>,
    /// Its value.
    #[serde(borrow)]
    value: Value<'a>,
}

/// A value: bare, or within `{"stringValue": …}` and its like. Lists and maps are not kept.
#[derive(Debug, Default, Clone, PartialEq)]
enum Value<'a> {
    /// Nothing that we keep.
    #[default]
    Nothing,
    /// A text, or a number as text.
    Text(Cow<'a, str>),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
}

impl Value<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Value::Text(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            #[expect(clippy::cast_precision_loss, reason = "counts and prices are far below 2^52")]
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::Nothing => None,
        }
    }

    fn nanos(&self) -> Option<i64> {
        match self {
            Value::Text(text) => text.parse().ok(),
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// Takes any JSON for a [`Value`].
struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Value::Nothing, Value::Int))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Value::Nothing;
        while let Some(kind) = map.next_key::<Cow<'_, str>>()? {
            if matches!(&*kind, "stringValue" | "intValue" | "doubleValue") {
                found = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// The first `MOST` elements of a list; none when it is no list.
#[derive(Debug)]
struct Bounded<T, const MOST: usize>(Vec<T>);

impl<T, const MOST: usize> Default for Bounded<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Bounded<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BoundedVisitor::<T, MOST>(PhantomData))
    }
}

/// Takes a list, or nothing, for a [`Bounded`].
struct BoundedVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for BoundedVisitor<T, MOST> {
    type Value = Bounded<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Bounded(Vec::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < MOST {
            match list.next_element()? {
                Some(element) => kept.push(element),
                None => return Ok(Bounded(kept)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Bounded(kept))
    }
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

    #[test]
    fn a_list_beyond_its_bound_is_cut() {
        let list: Bounded<u8, 3> = serde_json::from_str("[1,2,3,4,5]").unwrap();
        assert_eq!(list.0, [1, 2, 3]);
        assert!(serde_json::from_str::<Bounded<u8, 3>>("null").unwrap().0.is_empty());
    }
}
