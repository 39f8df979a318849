//! Failures as callers meet them: RFC 9457.

use axum::{
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::failure::{Failure, FailureKind};

/// What went wrong, as it is told.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody<'a> {
    /// Names the kind of problem for ever: `urn:stratavore:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The kind, for people.
    title: &'a str,
    /// The status of the answer.
    status: u16,
    /// What it is this time.
    detail: &'a str,
    /// A stable word in capitals, such as `RUNNER_NOT_FOUND`.
    code: &'a str,
    /// What to do next.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    hint: &'a str,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    code: String,
    detail: String,
    hint: String,
    /// Seconds to wait before the next try.
    retry_after: Option<u64>,
}

impl Problem {
    /// Returns a problem of the API's own.
    pub(super) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let (code, detail) = (code.to_owned(), detail.into());
        Self { status, code, detail, hint: String::new(), retry_after: None }
    }

    /// Returns it as it is told.
    fn body(&self) -> ProblemBody<'_> {
        ProblemBody {
            kind: format!("urn:stratavore:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: &self.code,
            hint: &self.hint,
        }
    }

    /// Returns what is said of a request that did not come through the guard; there is none.
    pub(super) fn unguarded() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "nobody looked who calls")
    }

    /// Returns the same with what to do next.
    #[must_use]
    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// Returns the same with how long to wait.
    #[must_use]
    pub(super) fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = match failure.kind {
            FailureKind::Usage => StatusCode::BAD_REQUEST,
            FailureKind::NotFound => StatusCode::NOT_FOUND,
            FailureKind::Conflict => StatusCode::CONFLICT,
            FailureKind::Denied => StatusCode::FORBIDDEN,
            FailureKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            FailureKind::Limit => StatusCode::TOO_MANY_REQUESTS,
            FailureKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, &failure.reason, failure.message).with_hint(failure.hint)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body()).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"stratavore\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// Answers what is not there.
pub(super) async fn no_route(uri: Uri) -> Problem {
    let what = format!("there is no `{}`", uri.path().escape_debug());
    Problem::new(StatusCode::NOT_FOUND, "NO_ROUTE", what)
        .with_hint("GET /api/v1/openapi.json describes what is there")
}

/// Answers what cannot be done to what is there.
pub(super) async fn no_method(method: Method, uri: Uri) -> Problem {
    let what = format!("`{}` does not take {method}", uri.path().escape_debug());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "NO_METHOD", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_becomes_a_problem_that_programs_can_read() {
        let failure = Failure::not_found("RUNNER_NOT_FOUND", "no runner `x`").with_hint("look");
        let problem = serde_json::to_value(Problem::from(failure).body()).unwrap();
        let wanted = serde_json::json!({
            "type": "urn:stratavore:problem:RUNNER_NOT_FOUND", "title": "Not Found",
            "status": 404, "detail": "no runner `x`", "code": "RUNNER_NOT_FOUND", "hint": "look",
        });
        assert_eq!(problem, wanted);
        let answer = Problem::new(StatusCode::UNAUTHORIZED, "X", "x").after(3).into_response();
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["retry-after"], "3");
        assert!(answer.headers().contains_key("www-authenticate"));
    }
}
