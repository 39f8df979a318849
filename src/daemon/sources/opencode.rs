//! opencode's server: its events as they come, its answers by HTTP.
//!
//! The stream is opened first and how things stand is asked then, so that nothing falls in between.

use std::{sync::OnceLock, time::Duration};

use futures_util::StreamExt as _;
use memchr::{memchr, memmem};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Ended, Line, Order, SourceError, now};
use crate::agents::opencode::events::{Follower, reply};

/// How long a connection may take to be made, and a request to be answered.
const PATIENCE: Duration = Duration::from_secs(3);

/// The server says something every ten seconds, if only that it lives.
const SILENCE: Duration = Duration::from_secs(45);

/// The longest line that is read: whole outputs of tools stand in one.
const LONGEST: usize = 8 << 20;

/// The user that the server knows.
const USER: &str = "opencode";

/// Events that come by the dozen a second and tell nothing here.
const IGNORED: &[u8] = br#""type":"message.part.delta""#;

/// One client for all: it goes to the loopback, never through a proxy.
fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let builder = Client::builder().no_proxy().connect_timeout(PATIENCE);
        builder.build().unwrap_or_default()
    })
}

/// Follows a server until the connection ends.
pub(super) async fn follow(line: &mut Line, port: u16, password: &str) -> Ended {
    let api = Api { port, password };
    let mut had_begun = false;
    let why = match listen(line, &api, &mut had_begun).await {
        Ok(()) => "the stream of events ended".to_owned(),
        Err(why) => why,
    };
    Ended { had_begun, why }
}

struct Api<'a> {
    port: u16,
    password: &'a str,
}

impl Api<'_> {
    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let request = client().get(self.url(path)).basic_auth(USER, Some(self.password));
        let answer = request.timeout(PATIENCE).send().await.map_err(|error| error.to_string())?;
        let answer = answer.error_for_status().map_err(|error| error.to_string())?;
        answer.json().await.map_err(|error| error.to_string())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(), SourceError> {
        let request = client().post(self.url(path)).basic_auth(USER, Some(self.password));
        let sent = request.json(body).timeout(PATIENCE).send().await;
        let answer = sent.map_err(|_gone| SourceError::Silent)?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            reqwest::StatusCode::NOT_FOUND => Err(SourceError::NotAsked),
            status => Err(SourceError::Refused(status.to_string())),
        }
    }

    async fn events(&self) -> Result<Response, String> {
        let request = client().get(self.url("/event")).basic_auth(USER, Some(self.password));
        let answer = timeout(PATIENCE, request.send()).await.map_err(|error| error.to_string())?;
        let answer = answer.map_err(|error| error.to_string())?;
        answer.error_for_status().map_err(|error| error.to_string())
    }
}

async fn listen(line: &mut Line, api: &Api<'_>, had_begun: &mut bool) -> Result<(), String> {
    let mut stream = api.events().await?.bytes_stream();
    let mut follower = Follower::default();
    let mut buffer = Buffer::default();
    let standing = async {
        let lists = ["/session/status", "/permission", "/question"].map(|path| api.get(path));
        let [status, permissions, questions] = lists;
        let all = tokio::join!(status, permissions, questions);
        // An older version has no questions.
        Ok::<_, String>((all.0?, all.1.unwrap_or_default(), all.2.unwrap_or_default()))
    };
    let (status, permissions, questions) = standing.await?;
    *had_begun = true;
    let told = follower.stand(&status, &permissions, &questions);
    line.set_asks(follower.asks().to_vec());
    line.mouth.tell(told).await;
    loop {
        tokio::select! {
            chunk = timeout(SILENCE, stream.next()) => {
                let Some(chunk) = chunk.map_err(|error| error.to_string())? else { return Ok(()) };
                buffer.push(&chunk.map_err(|error| error.to_string())?);
                while let Some(event) = buffer.next() {
                    let told = follower.event(&event, now());
                    line.set_asks(follower.asks().to_vec());
                    line.mouth.tell(told).await;
                }
            }
            Some(order) = line.orders.recv() => obey(line, api, &follower, order).await,
        }
    }
}

async fn obey(line: &Line, api: &Api<'_>, follower: &Follower, order: Order) {
    match order {
        Order::Answer { ask, answer, done } => {
            let outcome = async {
                let ask = line.take_ask(&ask).ok_or(SourceError::NotAsked)?;
                let sent = match reply(&ask, &answer) {
                    Ok((path, body)) => api.post(&path, &body).await,
                    Err(why) => Err(SourceError::NotAnAnswer(why)),
                };
                if !matches!(sent, Ok(()) | Err(SourceError::NotAsked)) {
                    line.put_back(ask);
                }
                sent
            };
            done.send(outcome.await).ok();
        }
        Order::Interrupt { done } => {
            let mut outcome = Err(SourceError::Absent);
            for session in follower.busy() {
                outcome = api.post(&format!("/session/{session}/abort"), &json!({})).await;
            }
            done.send(outcome).ok();
        }
    }
}

/// Lines of the stream as they come in.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// A line that is too long is being skipped.
    is_skipping: bool,
}

impl Buffer {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > LONGEST && memchr(b'\n', &self.bytes).is_none() {
            self.bytes = Vec::new();
            self.is_skipping = true;
        }
    }

    /// The next event that tells something.
    fn next(&mut self) -> Option<Value> {
        while let Some(end) = memchr(b'\n', &self.bytes) {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            if std::mem::take(&mut self.is_skipping) {
                continue;
            }
            let Some(data) = line.strip_prefix(b"data:") else { continue };
            let head = data.get(..200).unwrap_or(data);
            if memmem::find(head, IGNORED).is_some() {
                continue;
            }
            if let Ok(event) = serde_json::from_slice(data) {
                return Some(event);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_from_pieces() {
        let mut buffer = Buffer::default();
        let text =
            b"data: {\"id\":1,\"type\":\"message.part.delta\"}\n\nevent: x\ndata: {\"id\":2}\n\n";
        let mut found = Vec::new();
        for byte in text {
            buffer.push(&[*byte]);
            found.extend(std::iter::from_fn(|| buffer.next()));
        }
        assert_eq!(found, [json!({ "id": 2 })]);
    }

    #[test]
    fn a_line_without_end_is_let_go() {
        let mut buffer = Buffer::default();
        buffer.push(b"data: ");
        buffer.push(&vec![b'x'; LONGEST]);
        assert_eq!((buffer.bytes.len(), buffer.is_skipping), (0, true));
        buffer.push(b"yy\ndata: {\"id\":3}\n");
        assert_eq!(buffer.next(), Some(json!({ "id": 3 })));
    }
}
