//! What handlers are given, and what they give: as axum's, but whatever is wrong is a [`Problem`].

use std::fmt;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{guard::Actor, problem::Problem};

/// What a handler gives.
pub(super) type Answer<T> = Result<Json<T>, Problem>;

/// A part of the path.
#[derive(Debug)]
pub(super) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Self(value))
            .map_err(|wrong| Problem::new(StatusCode::BAD_REQUEST, "BAD_PATH", wrong.body_text()))
    }
}

/// What stands behind the `?`.
#[derive(Debug)]
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|axum::extract::Query(value)| Self(value)).map_err(|wrong| {
            let hint = "times are as RFC 3339 has them: 2026-01-31T12:00:00Z";
            Problem::new(StatusCode::BAD_REQUEST, "BAD_QUERY", wrong.body_text()).with_hint(hint)
        })
    }
}

/// A body. One that is missing is an empty object.
#[derive(Debug)]
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).cloned();
        let bytes =
            Bytes::from_request(request, state).await.map_err(|wrong: BytesRejection| {
                Problem::new(StatusCode::BAD_REQUEST, "BAD_BODY", wrong.body_text())
            })?;
        if !bytes.is_empty() {
            let kind = kind.as_ref().and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if kind != "application/json" {
                let what = "a body is JSON, and says so: Content-Type: application/json";
                return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "NOT_JSON", what));
            }
        }
        let text = if bytes.is_empty() { b"{}".as_slice() } else { bytes.as_ref() };
        let wrong = |what: String| Problem::new(StatusCode::BAD_REQUEST, "BAD_BODY", what);
        let Unique(mut value) = serde_json::from_slice(text)
            .map_err(|error| wrong(format!("the body is not JSON that can be taken: {error}")))?;
        // What derives its reading also takes fields by their place in a list.
        if !matches!(value, Value::Object(_)) {
            return Err(wrong("a body is an object".to_owned()));
        }
        whole_numbers(&mut value).map_err(wrong)?;
        let value = serde_path_to_error::deserialize(value).map_err(|error| {
            let at = error.path().to_string();
            let what = if at == "." { String::new() } else { format!("`{at}`: ") };
            wrong(format!("{what}{}", error.into_inner()))
        })?;
        Ok(Self(value))
    }
}

/// Any JSON in which no object names a field twice: which of the two is meant nobody can say (RFC 8259, 4).
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let Unique(value) = fields.next_value()?;
            if all.contains_key(&name) {
                return Err(de::Error::custom(format_args!(
                    "`{}` is there twice",
                    name.escape_debug()
                )));
            }
            all.insert(name, value);
        }
        Ok(Value::Object(all))
    }
}

/// Reads a field that is an object: not by its fields' places in a list. For `deserialize_with`.
pub(super) fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    if value.is_array() {
        return Err(de::Error::custom("it is an object, not a list"));
    }
    T::deserialize(value).map_err(de::Error::custom)
}

/// Makes whole numbers of those that are written with a point (`2.0`), as JSON's schemas have it, and
/// refuses those that no database holds.
fn whole_numbers(value: &mut Value) -> Result<(), String> {
    match value {
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
            Some(real) if real.fract() == 0.0 && real.abs() < 9e15 => *value = (real as i64).into(),
            None if number.as_i64().is_none() => return Err(format!("{number} is too large")),
            Some(_) | None => {}
        },
        Value::Array(items) => items.iter_mut().try_for_each(whole_numbers)?,
        Value::Object(fields) => fields.values_mut().try_for_each(whole_numbers)?,
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
    Ok(())
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unguarded)
    }
}
