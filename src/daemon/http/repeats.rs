//! Calls that are made again: a POST with an `Idempotency-Key` is done once.
//!
//! The first answer is given again to the same token, key and request. Kept in memory, for a day: a
//! daemon that was started anew does not know it any more. What must never happen twice, a launch,
//! hands its key on to the database.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
};
use tokio::time::Instant;

use super::problem::Problem;

/// An answer is kept for so long.
const KEPT: Duration = Duration::from_hours(24);

/// Answers that are kept at most; the oldest goes first.
const MOST: usize = 1000;

/// Bytes that an answer may have to be kept; those to a POST are small.
const LONGEST: usize = 256 << 10;

/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// An answer that can be given again.
#[derive(Debug, Clone)]
struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// A call under a key.
#[derive(Debug)]
struct Call {
    begun: Instant,
    /// What was asked for, as a hash.
    asked: String,
    /// Held while it is under way.
    answer: tokio::sync::Mutex<Option<Kept>>,
}

/// The calls that were made.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<HashMap<String, Arc<Call>>>);

impl Repeats {
    /// Makes a call, unless it was made before. It goes on to its end whatever becomes of the caller.
    pub(super) async fn once<F>(self: Arc<Self>, key: String, asked: String, call: F) -> Response
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let known = self.call(key, &asked, Instant::now());
        if known.asked != asked {
            let what = "this Idempotency-Key was used with another request";
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Problem::new(status, "IDEMPOTENCY_KEY_REUSED", what).into_response();
        }
        let made = tokio::spawn(async move {
            let mut answer = known.answer.lock().await;
            if let Some(kept) = &*answer {
                let mut headers = kept.headers.clone();
                headers.insert(REPLAYED, HeaderValue::from_static("true"));
                return (kept.status, headers, kept.body.clone()).into_response();
            }
            let (head, body) = call.await.into_parts();
            let Ok(body) = to_bytes(body, LONGEST).await else {
                let what = "the answer is too long to be kept";
                return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", what)
                    .into_response();
            };
            // What may be different the next time is tried again.
            let is_final =
                !head.status.is_server_error() && head.status != StatusCode::TOO_MANY_REQUESTS;
            if is_final {
                let (status, headers) = (head.status, head.headers.clone());
                *answer = Some(Kept { status, headers, body: body.clone() });
            }
            Response::from_parts(head, Body::from(body))
        });
        made.await.unwrap_or_else(|_panicked| Problem::unguarded().into_response())
    }

    /// Returns the call under a key, a new one if there was none.
    fn call(&self, key: String, asked: &str, now: Instant) -> Arc<Call> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|_, call| now.saturating_duration_since(call.begun) < KEPT);
        if calls.len() >= MOST && !calls.contains_key(&key) {
            let oldest = calls.iter().min_by_key(|(_, call)| call.begun);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                calls.remove(&oldest);
            }
        }
        let new = || Arc::new(Call { begun: now, asked: asked.to_owned(), answer: None.into() });
        Arc::clone(calls.entry(key).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Makes a call that counts how often it is made.
    async fn make(
        repeats: &Arc<Repeats>,
        key: &str,
        asked: &str,
        (made, status): (&Arc<AtomicU32>, StatusCode),
    ) -> (StatusCode, String) {
        let made = Arc::clone(made);
        let call = async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            (status, made.fetch_add(1, Ordering::Relaxed).to_string()).into_response()
        };
        let answer = Arc::clone(repeats).once(key.to_owned(), asked.to_owned(), call).await;
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn a_call_is_made_once_and_answered_as_often_as_it_comes() {
        let repeats = Arc::<Repeats>::default();
        let made = Arc::<AtomicU32>::default();
        let good = (&made, StatusCode::CREATED);
        let (a, b) = tokio::join!(make(&repeats, "k", "x", good), make(&repeats, "k", "x", good));
        assert_eq!((a.clone(), b), (a.clone(), a));
        assert_eq!(made.load(Ordering::Relaxed), 1);
        let (status, body) = make(&repeats, "k", "y", good).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(body.contains("IDEMPOTENCY_KEY_REUSED"), "{body}");
        let later = Instant::now() + KEPT;
        assert_eq!(repeats.call("k".to_owned(), "y", later).asked, "y", "a day is over");
    }

    #[tokio::test]
    async fn what_failed_is_tried_again_and_a_caller_that_leaves_changes_nothing() {
        let repeats = Arc::<Repeats>::default();
        let made = Arc::<AtomicU32>::default();
        let bad = (&made, StatusCode::SERVICE_UNAVAILABLE);
        make(&repeats, "k", "x", bad).await;
        let good = (&made, StatusCode::OK);
        let left = make(&repeats, "k", "x", good);
        assert!(tokio::time::timeout(Duration::from_millis(5), left).await.is_err());
        assert_eq!(make(&repeats, "k", "x", good).await, (StatusCode::OK, "1".into()));
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let (repeats, begun) = (Repeats::default(), Instant::now());
        for n in 0..=MOST {
            let at = begun + Duration::from_millis(n as u64);
            repeats.call(n.to_string(), "x", at);
        }
        let calls = repeats.0.lock().unwrap();
        assert_eq!(calls.len(), MOST);
        assert!(!calls.contains_key("0"));
    }
}
