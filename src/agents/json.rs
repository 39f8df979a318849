//! JSON whose shape is a stranger's: types that take anything in a field's place.
//!
//! A field of another type than expected is read as missing, so that it never costs the whole record.
//! What is skipped is not kept.

use std::{borrow::Cow, fmt, marker::PhantomData};

use chrono::{DateTime, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor, value},
};

/// More tokens than any request has: a count beyond is nonsense.
const MOST_TOKENS: f64 = 1e10;

/// A value: bare, or within `{"stringValue": …}` and its like, as OTLP has it. Lists and other objects
/// are not kept.
#[derive(Debug, Default, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// Nothing that we keep.
    #[default]
    Nothing,
    /// Yes or no.
    Bool(bool),
    /// A text, or a number as text.
    Text(Cow<'a, str>),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
}

impl Scalar<'_> {
    /// Returns the text; `None` when it is something else.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the text; empty when it is something else.
    pub fn str(&self) -> &str {
        self.text().unwrap_or_default()
    }

    /// Returns the text as one's own; empty when it is something else.
    pub fn owned(&self) -> String {
        self.str().to_owned()
    }

    /// Whether it is `true`.
    pub fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    /// Returns the number, which may be written as a text.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Text(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            #[expect(clippy::cast_precision_loss, reason = "counts and prices are far below 2^52")]
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Nothing | Self::Bool(_) => None,
        }
    }

    /// Returns the count; `None` when it is no sensible number of tokens.
    pub fn count(&self) -> Option<u64> {
        let number = self.number()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be within the range"
        )]
        (0.0..=MOST_TOKENS).contains(&number).then_some(number as u64)
    }

    /// Returns the count; 0 when there is none.
    pub fn tokens(&self) -> u64 {
        self.count().unwrap_or_default()
    }

    /// Returns the whole number of nanoseconds.
    pub fn nanos(&self) -> Option<i64> {
        match self {
            Self::Text(text) => text.parse().ok(),
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the time that a text (RFC 3339) or a number (milliseconds since 1970) is.
    pub fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Text(text) => {
                DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
            }
            Self::Int(millis) => DateTime::from_timestamp_millis(*millis),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Takes any JSON for a [`Scalar`].
struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_bool<E: Error>(self, yes: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(yes))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Scalar::Nothing, Scalar::Int))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Scalar::Nothing;
        while let Some(kind) = map.next_key::<Scalar<'_>>()? {
            if matches!(kind.str(), "stringValue" | "intValue" | "doubleValue") {
                found = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// The first `MOST` elements of a list; none when it is no list.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T, const MOST: usize>(pub Vec<T>);

impl<T, const MOST: usize> Default for List<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any::<Self>(PhantomData))
    }
}

/// An object; the default when it is something else.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any::<Self>(PhantomData))
    }
}

/// What can be read from some JSON and has a default for any other.
trait Lenient<'de>: Default {
    fn from_seq<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Lenient<'de> for List<T, MOST> {
    fn from_seq<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < MOST {
            match list.next_element()? {
                Some(element) => kept.push(element),
                None => return Ok(Self(kept)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self(kept))
    }
}

impl<'de, T: Deserialize<'de> + Default> Lenient<'de> for Object<T> {
    fn from_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(value::MapAccessDeserializer::new(map)).map(Self)
    }
}

/// Takes any JSON for a [`Lenient`].
struct Any<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::from_seq(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::from_map(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_beyond_its_bound_is_cut() {
        let list: List<u8, 3> = serde_json::from_str("[1,2,3,4,5]").unwrap();
        assert_eq!(list.0, [1, 2, 3]);
        assert!(serde_json::from_str::<List<u8, 3>>("null").unwrap().0.is_empty());
    }

    #[test]
    fn a_field_of_another_type_is_missing_and_costs_nothing_else() {
        #[derive(Deserialize, Default, Debug, PartialEq)]
        #[serde(default)]
        struct Inner<'a> {
            #[serde(borrow)]
            a: Scalar<'a>,
        }
        for other in ["null", "7", "\"x\"", "[1,{}]", "true", "1.5", "-1"] {
            let read: Object<Inner<'_>> = serde_json::from_str(other).unwrap();
            assert_eq!(read.0, Inner::default());
        }
        let read: Object<Inner<'_>> = serde_json::from_str("{\"a\":\"b\",\"c\":[]}").unwrap();
        assert_eq!(read.0.a.str(), "b");
    }

    #[test]
    fn times_are_texts_or_milliseconds() {
        let at = |scalar: Scalar<'_>| scalar.at().map(|at| at.timestamp_millis());
        assert_eq!(at(Scalar::Text("2026-11-20T07:28:13.246Z".into())), Some(1_795_159_693_246));
        assert_eq!(at(Scalar::Int(1_795_158_583_538)), Some(1_795_158_583_538));
        assert_eq!(at(Scalar::Int(i64::MAX)), None);
    }
}
