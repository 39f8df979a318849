//! Calls that are made again: a POST with an `Idempotency-Key` is done once.
//!
//! The first answer is given again to the same token, key and request, for a day. It is in memory and in
//! the database, so that a daemon that was started anew, or another one of a shared database, knows it
//! too. Where the database is away, memory alone remembers: a runner must be stopped also then. A launch
//! hands its key on, and is never done twice, whatever is known here.
//!
//! Invariant: what was begun and not finished is not begun again; whether it was done is not known.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tokio::time::Instant;
use uuid::Uuid;

use super::problem::Problem;
use crate::{
    daemon::services::Services,
    domain::{
        failure::Failure,
        repeat::{KeptAnswer, Repeat},
    },
};

/// An answer is kept for so long.
const KEPT: Duration = Duration::from_hours(24);

/// Answers that are kept in memory; the oldest goes first.
const MOST: usize = 1000;

/// Bytes that an answer may have to be kept in memory, and in the database; those to a POST are small.
const LONGEST: usize = 256 << 10;
const LONGEST_ON_DISK: usize = 16 << 10;

/// After so many calls those that are too many are forgotten.
const PRUNING: u32 = 500;

/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Marks an answer, in its extensions, that holds a secret: it is not written down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secret;

/// What remembers calls beyond this process.
pub(super) trait Memory: Send + Sync + 'static {
    /// Begins a call, unless it was begun already.
    fn begin(&self, key: Uuid, asked: &str)
    -> impl Future<Output = Result<Repeat, Failure>> + Send;

    /// Keeps its answer, or forgets the call.
    fn finish(
        &self,
        key: Uuid,
        answer: Option<KeptAnswer>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Forgets what is old, and the oldest of too many.
    fn prune(&self) -> impl Future<Output = Result<(), Failure>> + Send;
}

impl Memory for Services {
    async fn begin(&self, key: Uuid, asked: &str) -> Result<Repeat, Failure> {
        self.begin_call(key, asked).await
    }

    async fn finish(&self, key: Uuid, answer: Option<KeptAnswer>) -> Result<(), Failure> {
        self.finish_call(key, answer).await
    }

    async fn prune(&self) -> Result<(), Failure> {
        self.prune_calls().await
    }
}

/// What a key stands for.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// The key, together with whose it is.
    pub key: Uuid,
    /// What was asked for, as a hash.
    pub asked: String,
    /// The call itself hands the key on to the database.
    pub is_remembered: bool,
}

/// An answer that can be given again.
#[derive(Debug, Clone)]
struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Kept {
    /// Returns the answer once more.
    fn again(&self) -> Response {
        let mut headers = self.headers.clone();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        (self.status, headers, self.body.clone()).into_response()
    }

    /// Returns what is written down of it.
    fn on_disk(&self, is_secret: bool) -> KeptAnswer {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let body = if is_secret || self.body.len() > LONGEST_ON_DISK {
            None
        } else {
            String::from_utf8(self.body.to_vec()).ok()
        };
        let content_type = kind.unwrap_or_default().to_owned();
        KeptAnswer { status: self.status.as_u16(), content_type, body }
    }
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
pub(super) struct Repeats {
    calls: Mutex<HashMap<Uuid, Arc<Call>>>,
    /// New ones since the database was told to forget.
    since: AtomicU32,
}

impl Repeats {
    /// Makes a call, unless it was made before. It goes on to its end whatever becomes of the caller.
    pub(super) async fn once<M, F>(self: Arc<Self>, memory: M, named: Named, call: F) -> Response
    where
        M: Memory,
        F: Future<Output = Response> + Send + 'static,
    {
        let known = self.call(named.key, &named.asked, Instant::now());
        if known.asked != named.asked {
            return other_request().into_response();
        }
        let made = tokio::spawn(async move {
            let mut answer = known.answer.lock().await;
            if let Some(kept) = &*answer {
                return kept.again();
            }
            let is_written = match begin(&memory, &named).await {
                Ok(is_written) => is_written,
                Err(known) => return known,
            };
            let (head, body) = call.await.into_parts();
            let is_secret = head.extensions.get::<Secret>().is_some();
            let body = to_bytes(body, LONGEST).await;
            // What may be different the next time is tried again.
            let is_final =
                !head.status.is_server_error() && head.status != StatusCode::TOO_MANY_REQUESTS;
            let (status, headers) = (head.status, head.headers.clone());
            let kept = match &body {
                Ok(body) if is_final => Some(Kept { status, headers, body: body.clone() }),
                _ => None,
            };
            if is_written {
                let written = kept.as_ref().map(|kept| kept.on_disk(is_secret));
                finish(&memory, named.key, written).await;
                if self.since.fetch_add(1, Ordering::Relaxed) >= PRUNING {
                    self.since.store(0, Ordering::Relaxed);
                    memory.prune().await.ok();
                }
            }
            *answer = kept;
            let Ok(body) = body else {
                let what = "the answer is too long to be kept";
                return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", what)
                    .into_response();
            };
            Response::from_parts(head, Body::from(body))
        });
        made.await.unwrap_or_else(|_panicked| Problem::unguarded().into_response())
    }

    /// Returns the call under a key, a new one if there was none.
    fn call(&self, key: Uuid, asked: &str, now: Instant) -> Arc<Call> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|_, call| now.saturating_duration_since(call.begun) < KEPT);
        if calls.len() >= MOST && !calls.contains_key(&key) {
            let oldest = calls.iter().min_by_key(|(_, call)| call.begun);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                calls.remove(&oldest);
            }
        }
        let new = || Arc::new(Call { begun: now, asked: asked.to_owned(), answer: None.into() });
        Arc::clone(calls.entry(key).or_insert_with(new))
    }
}

/// Writes down that a call is begun; returns whether that is to be finished, or what is answered instead.
async fn begin(memory: &impl Memory, named: &Named) -> Result<bool, Response> {
    if named.is_remembered {
        return Ok(false);
    }
    match memory.begin(named.key, &named.asked).await {
        Ok(Repeat::New) => Ok(true),
        Ok(Repeat::Other) => Err(other_request().into_response()),
        Ok(Repeat::Unfinished) => {
            let what = "a call with this Idempotency-Key was begun and not finished: it is under way, \
                        or the daemon ended with it; whether it was done is not known";
            Err(Problem::new(StatusCode::CONFLICT, "IDEMPOTENCY_UNSETTLED", what)
                .with_hint("look whether it was done; then use another key")
                .into_response())
        }
        Ok(Repeat::Done(answer)) => Err(given(answer)),
        Err(error) => {
            tracing::debug!(%error, "a call is remembered in memory alone");
            Ok(false)
        }
    }
}

/// Returns an answer that was written down.
fn given(answer: KeptAnswer) -> Response {
    let Some(body) = answer.body else {
        let what = "the call with this Idempotency-Key was made, and its answer is not kept: it held \
                    a secret, or was too long";
        return Problem::new(StatusCode::CONFLICT, "IDEMPOTENCY_ANSWER_GONE", what)
            .with_hint("look what it did; to do it again, use another key")
            .into_response();
    };
    let mut headers = HeaderMap::new();
    if let Some(kind) = HeaderValue::from_str(&answer.content_type).ok().filter(|it| !it.is_empty())
    {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    Kept { status, headers, body: body.into() }.again()
}

async fn finish(memory: &impl Memory, key: Uuid, answer: Option<KeptAnswer>) {
    if let Err(error) = memory.finish(key, answer).await {
        tracing::warn!(%error, "failed to keep the answer to a call");
    }
}

fn other_request() -> Problem {
    let what = "this Idempotency-Key was used with another request";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was asked, and what was answered.
    type Row = (String, Option<KeptAnswer>);

    /// A database: its rows by their keys.
    #[derive(Debug, Clone, Default)]
    struct Disk(Arc<Mutex<HashMap<Uuid, Row>>>);

    impl Memory for Disk {
        async fn begin(&self, key: Uuid, asked: &str) -> Result<Repeat, Failure> {
            let mut rows = self.0.lock().unwrap();
            Ok(match rows.get(&key) {
                None => {
                    rows.insert(key, (asked.to_owned(), None));
                    Repeat::New
                }
                Some((other, _)) if other != asked => Repeat::Other,
                Some((_, None)) => Repeat::Unfinished,
                Some((_, Some(answer))) => Repeat::Done(answer.clone()),
            })
        }

        async fn finish(&self, key: Uuid, answer: Option<KeptAnswer>) -> Result<(), Failure> {
            let mut rows = self.0.lock().unwrap();
            match answer {
                Some(answer) => rows.get_mut(&key).unwrap().1 = Some(answer),
                None => drop(rows.remove(&key)),
            }
            Ok(())
        }

        async fn prune(&self) -> Result<(), Failure> {
            Ok(())
        }
    }

    /// A daemon: what it has in memory, the database, and how often a call was made.
    #[derive(Debug, Clone, Default)]
    struct Node {
        repeats: Arc<Repeats>,
        disk: Disk,
        made: Arc<AtomicU32>,
    }

    impl Node {
        /// Returns the daemon that comes after it.
        fn next(&self) -> Self {
            Self { repeats: Arc::default(), ..self.clone() }
        }

        /// Makes a call; its answer is how often one was made before.
        async fn make(&self, key: u128, asked: &str, status: StatusCode) -> (u16, String) {
            self.make_marked(key, asked, status, false).await
        }

        async fn make_marked(
            &self,
            key: u128,
            asked: &str,
            status: StatusCode,
            is_secret: bool,
        ) -> (u16, String) {
            let made = Arc::clone(&self.made);
            let call = async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let count = made.fetch_add(1, Ordering::Relaxed).to_string();
                let mut answer = (status, count).into_response();
                if is_secret {
                    answer.extensions_mut().insert(Secret);
                }
                answer
            };
            let key = Uuid::from_u128(key);
            let named = Named { key, asked: asked.to_owned(), is_remembered: false };
            let answer = Arc::clone(&self.repeats).once(self.disk.clone(), named, call).await;
            let status = answer.status().as_u16();
            let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
            (status, String::from_utf8_lossy(&body).into_owned())
        }
    }

    #[tokio::test]
    async fn a_call_is_made_once_and_answered_as_often_as_it_comes() {
        let node = Node::default();
        let created = StatusCode::CREATED;
        let (a, b) = tokio::join!(node.make(1, "x", created), node.make(1, "x", created));
        assert_eq!((a.clone(), b), (a.clone(), a.clone()));
        let next = node.next();
        assert_eq!(next.make(1, "x", created).await, a, "a daemon that is started anew knows it");
        assert_eq!(node.made.load(Ordering::Relaxed), 1);
        for node in [&node, &next, &node.next()] {
            let (status, body) = node.make(1, "y", created).await;
            assert_eq!(status, 422);
            assert!(body.contains("IDEMPOTENCY_KEY_REUSED"), "{body}");
        }
        let later = Instant::now() + KEPT;
        let key = Uuid::from_u128(1);
        assert_eq!(node.repeats.call(key, "y", later).asked, "y", "a day is over");
    }

    #[tokio::test]
    async fn what_failed_is_tried_again_and_a_caller_that_leaves_changes_nothing() {
        let node = Node::default();
        node.make(1, "x", StatusCode::SERVICE_UNAVAILABLE).await;
        let left = node.make(1, "x", StatusCode::OK);
        assert!(tokio::time::timeout(Duration::from_millis(5), left).await.is_err());
        assert_eq!(node.make(1, "x", StatusCode::OK).await, (200, "1".into()));
        assert_eq!(node.next().make(1, "x", StatusCode::OK).await, (200, "1".into()));
    }

    #[tokio::test]
    async fn what_was_begun_and_not_finished_is_not_made_again() {
        let node = Node::default();
        node.disk.begin(Uuid::from_u128(1), "x").await.unwrap();
        let (status, body) = node.make(1, "x", StatusCode::OK).await;
        assert_eq!(status, 409);
        assert!(body.contains("IDEMPOTENCY_UNSETTLED"), "{body}");
        assert_eq!(node.made.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn an_answer_with_a_secret_is_in_memory_alone() {
        let node = Node::default();
        let first = node.make_marked(1, "x", StatusCode::CREATED, true).await;
        assert_eq!(node.make_marked(1, "x", StatusCode::CREATED, true).await, first);
        assert!(!format!("{:?}", node.disk).contains("body: Some"));
        let (status, body) = node.next().make(1, "x", StatusCode::CREATED).await;
        assert_eq!(status, 409);
        assert!(body.contains("IDEMPOTENCY_ANSWER_GONE"), "{body}");
        assert_eq!(node.made.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let (repeats, begun) = (Repeats::default(), Instant::now());
        for n in 0..=MOST {
            let at = begun + Duration::from_millis(n as u64);
            repeats.call(Uuid::from_u128(n as u128), "x", at);
        }
        let calls = repeats.calls.lock().unwrap();
        assert_eq!(calls.len(), MOST);
        assert!(!calls.contains_key(&Uuid::from_u128(0)));
    }
}
