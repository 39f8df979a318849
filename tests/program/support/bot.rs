//! A stand-in for the Bot API and for programs that are told by HTTP, which misbehaves when it is told
//! to: asks for time, fails, hangs, hangs up after it has taken something, sends twice, sends forgeries.

use std::{
    collections::{HashMap, VecDeque},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::wait::{wait_until, wait_value};

/// The token that it takes.
pub(crate) const TOKEN: &str = "4242:AAF-forty-two_canary-of-a-token-9";

/// The user whose bot it is.
pub(crate) const USER: u64 = 4711;

const LIMIT: Duration = Duration::from_mins(1);

/// What it does instead of answering.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// 429 with so many seconds.
    Wait(u64),
    /// 500 with an error as the Bot API words it.
    Broken,
    /// An answer of a proxy that is no JSON.
    Html,
    /// It takes the call and never answers.
    Silent,
    /// It refuses, with these words.
    Refuse(u16, &'static str),
}

/// A call that was made.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Its method, `SendMessage`, or the path of a program's call.
    pub method: String,
    /// Its parameters; of a form only what is text.
    pub body: Value,
    /// The headers, for a program's call.
    pub headers: HashMap<String, String>,
    /// The body as it came.
    pub raw: Vec<u8>,
    /// Whether it was taken.
    pub taken: bool,
}

impl Call {
    /// The words of a message or under a picture.
    pub(crate) fn words(&self) -> String {
        let field = |name: &str| self.body[name].as_str().map(str::to_owned);
        let words = field("text").or_else(|| field("caption")).unwrap_or_default();
        words.replace('\\', "")
    }

    /// What the buttons under it send, by what stands on them.
    pub(crate) fn button(&self, on_it: &str) -> Option<String> {
        let markup = match &self.body["reply_markup"] {
            Value::String(text) => serde_json::from_str(text).ok()?,
            other => other.clone(),
        };
        let rows = markup["inline_keyboard"].as_array()?.clone();
        let buttons = rows.into_iter().flat_map(|row| row.as_array().cloned().unwrap_or_default());
        { buttons }
            .find(|button| button["text"].as_str().is_some_and(|text| text.contains(on_it)))
            .and_then(|button| button["callback_data"].as_str().map(str::to_owned))
    }
}

#[derive(Default)]
struct Inner {
    calls: Vec<Call>,
    troubles: VecDeque<(String, Trouble)>,
    updates: Vec<Value>,
    next_update: u64,
    next_message: i64,
    /// It sends everything again, whatever was confirmed.
    repeats: bool,
}

/// The stand-in.
#[derive(Clone)]
pub(crate) struct Bot {
    inner: Arc<Mutex<Inner>>,
    bell: Arc<watch::Sender<u64>>,
    address: SocketAddr,
    runtime: Arc<tokio::runtime::Runtime>,
}

impl Bot {
    /// Starts one on a port of its own.
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("set it");
        let address = listener.local_addr().expect("an address");
        let inner = Inner { next_update: 100, next_message: 1000, ..Inner::default() };
        let bot = Self {
            inner: Arc::new(Mutex::new(inner)),
            bell: Arc::new(watch::Sender::new(0)),
            address,
            runtime: Arc::new(runtime),
        };
        let state = (Arc::clone(&bot.inner), Arc::clone(&bot.bell));
        let router = Router::new()
            .route("/{bot}/{method}", post(answer))
            .route("/topics", post(|state, headers, body| told("/topics", state, headers, body)))
            .route("/hook", post(|state, headers, body| told("/hook", state, headers, body)))
            .with_state(state);
        bot.runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, router).await.ok();
        });
        bot
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has the next call of this method go wrong.
    pub(crate) fn trouble(&self, method: &str, trouble: Trouble) {
        self.lock().troubles.push_back((method.to_owned(), trouble));
    }

    /// Has everything that was sent to the bot be sent again and again.
    pub(crate) fn repeat(&self) {
        self.lock().repeats = true;
    }

    /// Returns the calls of a method that were taken.
    pub(crate) fn taken(&self, method: &str) -> Vec<Call> {
        let all = self.lock().calls.clone();
        all.into_iter().filter(|call| call.method == method && call.taken).collect()
    }

    /// Returns all calls of a method.
    pub(crate) fn calls(&self, method: &str) -> Vec<Call> {
        let all = self.lock().calls.clone();
        all.into_iter().filter(|call| call.method == method).collect()
    }

    /// Waits for a call of a method with these words, and returns it.
    #[track_caller]
    pub(crate) fn wait(&self, method: &str, words: &str) -> Call {
        wait_value(&format!("{method} with `{words}`"), LIMIT, || {
            self.taken(method).into_iter().find(|call| call.words().contains(words))
        })
    }

    /// Has somebody send something: the update without its number, which is returned.
    pub(crate) fn sent(&self, mut update: Value) -> u64 {
        let number = {
            let mut inner = self.lock();
            inner.next_update += 1;
            update["update_id"] = json!(inner.next_update);
            inner.updates.push(update);
            inner.next_update
        };
        self.bell.send_modify(|count| *count += 1);
        number
    }

    /// Has the user write something.
    pub(crate) fn write(&self, text: &str) -> u64 {
        self.sent(json!({ "message": message(USER, text) }))
    }

    /// Has the user press a button.
    pub(crate) fn press(&self, data: &str) -> u64 {
        self.sent(json!({ "callback_query": press(USER, data) }))
    }

    /// Waits until everything that was sent is confirmed.
    #[track_caller]
    pub(crate) fn wait_heard(&self, update: u64) {
        wait_until("what was sent is confirmed", LIMIT, || {
            let offset = |call: &Call| call.body["offset"].as_u64().unwrap_or(0);
            self.calls("GetUpdates").iter().map(offset).max().unwrap_or(0) > update
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics with it")
    }
}

/// A message of a user in their private chat.
pub(crate) fn message(user: u64, text: &str) -> Value {
    json!({
        "message_id": 7, "date": chrono::Utc::now().timestamp(), "text": text,
        "chat": { "id": user, "type": "private", "first_name": "Ann" },
        "from": { "id": user, "is_bot": false, "first_name": "Ann" },
    })
}

/// A button that a user presses in their private chat.
pub(crate) fn press(user: u64, data: &str) -> Value {
    let mut under = message(user, "the message");
    under["from"] = json!({ "id": 4242, "is_bot": true, "first_name": "Bot" });
    json!({
        "id": format!("press-{data}"), "chat_instance": "1", "data": data, "message": under,
        "from": { "id": user, "is_bot": false, "first_name": "Ann" },
    })
}

type Shared = State<(Arc<Mutex<Inner>>, Arc<watch::Sender<u64>>)>;

fn note(inner: &Mutex<Inner>, method: &str, headers: &HeaderMap, raw: &[u8]) -> usize {
    let body = serde_json::from_slice(raw).unwrap_or_else(|_| form(raw));
    let headers = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    let mut inner = inner.lock().expect("nobody panics with it");
    let method = method.to_owned();
    inner.calls.push(Call { method, body, headers, raw: raw.to_vec(), taken: false });
    inner.calls.len() - 1
}

/// Returns the texts of a form with parts.
fn form(raw: &[u8]) -> Value {
    let text = String::from_utf8_lossy(raw);
    let mut fields = serde_json::Map::new();
    for part in text.split("Content-Disposition: form-data; name=\"").skip(1) {
        let Some((name, rest)) = part.split_once('"') else { continue };
        let Some((_, value)) = rest.split_once("\r\n\r\n") else { continue };
        let value = value.split("\r\n--").next().unwrap_or(value);
        fields.insert(name.to_owned(), json!(value));
    }
    Value::Object(fields)
}

fn next_trouble(inner: &Mutex<Inner>, method: &str) -> Option<Trouble> {
    let mut inner = inner.lock().expect("nobody panics with it");
    let at = inner.troubles.iter().position(|(of, _)| of == method)?;
    inner.troubles.remove(at).map(|(_, trouble)| trouble)
}

async fn make(trouble: Trouble) -> Response {
    let error = |code: u16, what: &str, more: Value| {
        let status = StatusCode::from_u16(code).expect("a status");
        let mut body = json!({ "ok": false, "error_code": code, "description": what });
        if !more.is_null() {
            body["parameters"] = more;
        }
        (status, body.to_string()).into_response()
    };
    match trouble {
        Trouble::Wait(seconds) => {
            let what = format!("Too Many Requests: retry after {seconds}");
            error(429, &what, json!({ "retry_after": seconds }))
        }
        Trouble::Broken => error(500, "Internal Server Error", Value::Null),
        Trouble::Html => (StatusCode::OK, "<html>Bad Gateway</html>").into_response(),
        Trouble::Silent => std::future::pending().await,
        Trouble::Refuse(code, what) => error(code, what, Value::Null),
    }
}

async fn told(path: &str, state: Shared, headers: HeaderMap, raw: Bytes) -> Response {
    let State((inner, _)) = state;
    let at = note(&inner, path, &headers, &raw);
    if let Some(trouble) = next_trouble(&inner, path) {
        return make(trouble).await;
    }
    inner.lock().expect("nobody panics with it").calls[at].taken = true;
    "{}".into_response()
}

async fn answer(
    State((inner, bell)): Shared,
    Path((bot, method)): Path<(String, String)>,
    headers: HeaderMap,
    raw: Bytes,
) -> Response {
    let at = note(&inner, &method, &headers, &raw);
    if bot != format!("bot{TOKEN}") {
        return make(Trouble::Refuse(401, "Unauthorized")).await;
    }
    if let Some(trouble) = next_trouble(&inner, &method) {
        return make(trouble).await;
    }
    let body = inner.lock().expect("nobody panics with it").calls[at].body.clone();
    let words = body["text"].as_str().or(body["caption"].as_str()).unwrap_or_default();
    let is_caption = matches!(method.as_str(), "SendPhoto" | "EditMessageCaption");
    let most = if is_caption { 1024 } else { 4096 };
    if words.encode_utf16().count() > most {
        return make(Trouble::Refuse(400, "Bad Request: message is too long")).await;
    }
    if body["parse_mode"] == "MarkdownV2" && !is_marked_up(words) {
        let what = "Bad Request: can't parse entities: a character is reserved";
        return make(Trouble::Refuse(400, what)).await;
    }
    let result = match method.as_str() {
        "GetMe" => json!({
            "id": 4242, "is_bot": true, "first_name": "Bot", "username": "my_bot",
            "can_join_groups": true, "can_read_all_group_messages": false,
            "supports_inline_queries": false, "can_connect_to_business": false,
            "has_main_web_app": false,
        }),
        "GetUpdates" => return updates(&inner, &bell, &body).await,
        "SendMessage"
        | "SendPhoto"
        | "EditMessageReplyMarkup"
        | "EditMessageCaption"
        | "EditMessageText" => {
            let mut inner = inner.lock().expect("nobody panics with it");
            inner.next_message += 1;
            let mut message = message(USER, "sent");
            message["message_id"] = json!(inner.next_message);
            message
        }
        _ => json!(true),
    };
    inner.lock().expect("nobody panics with it").calls[at].taken = true;
    json!({ "ok": true, "result": result }).to_string().into_response()
}

async fn updates(inner: &Mutex<Inner>, bell: &watch::Sender<u64>, body: &Value) -> Response {
    let offset = body["offset"].as_u64().unwrap_or(0);
    let patience = Duration::from_secs(body["timeout"].as_u64().unwrap_or(0).min(10));
    let mut bell = bell.subscribe();
    let find = || {
        let mut inner = inner.lock().expect("nobody panics with it");
        let all = inner.repeats;
        // Once: a server that sends for ever what is known is no server at all.
        inner.repeats = false;
        let is_new = |update: &&Value| all || update["update_id"].as_u64() >= Some(offset);
        inner.updates.iter().filter(is_new).cloned().collect::<Vec<_>>()
    };
    let mut found = find();
    if found.is_empty() {
        tokio::time::timeout(patience, bell.changed()).await.ok();
        found = find();
    }
    json!({ "ok": true, "result": found }).to_string().into_response()
}

/// Whether a text is `MarkdownV2` as Telegram takes it: what has a meaning is escaped, but for pairs of
/// stars.
fn is_marked_up(text: &str) -> bool {
    let mut chars = text.chars();
    let mut stars = 0;
    while let Some(c) = chars.next() {
        match c {
            // What follows stands for itself; nothing may be missing there.
            '\\' if chars.next().is_none() => return false,
            '\\' => {}
            '*' => stars += 1,
            c if "_[]()~`>#+-=|{}.!".contains(c) => return false,
            _ => {}
        }
    }
    stars % 2 == 0
}
