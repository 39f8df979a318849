//! What handlers are given, and what they give: as axum's, but whatever is wrong is a [`Problem`].

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};

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
        query
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|wrong| Problem::new(StatusCode::BAD_REQUEST, "BAD_QUERY", wrong.body_text()))
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
        let mut reader = serde_json::Deserializer::from_slice(text);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let at = error.path().to_string();
            let what = if at == "." { String::new() } else { format!("`{at}`: ") };
            let what = format!("{what}{}", error.into_inner());
            Problem::new(StatusCode::BAD_REQUEST, "BAD_BODY", what)
        })?;
        reader.end().map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "BAD_BODY", error.to_string())
        })?;
        Ok(Self(value))
    }
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
