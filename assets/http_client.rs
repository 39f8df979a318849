//! A client of Stratavore's HTTP API.
//!
//! ```text
//! cargo run --example http_client -- http://127.0.0.1:8077 svt_… [PROJECT COMMAND…]
//! ```
//!
//! It launches a command, if one is given, lists the runners and then tells what happens, across restarts of the daemon: the position of the
//! last event is where it goes on, so that none is missed and none told twice. A POST with a key may be
//! sent again when its answer was lost; it is done once.

use std::{error::Error, fmt, io::Write as _, time::Duration};

use futures_util::StreamExt as _;
use serde_json::Value;

/// How long nothing may be said; a stream says something more often than this.
const LIMIT: Duration = Duration::from_mins(1);

/// A client with a token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// Where all resources are.
    base: String,
    /// What is shown with each call.
    token: String,
    /// The connections.
    http: reqwest::Client,
}

/// Why a call failed: what the API says, or what kept it from answering.
#[derive(Debug)]
pub(crate) enum Failed {
    /// A problem of RFC 9457; its `code` is for programs.
    Problem(Value),
    /// There was no answer.
    Lost(reqwest::Error),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problem(problem) => write!(f, "{}: {}", problem["code"], problem["detail"]),
            Self::Lost(error) => error.fmt(f),
        }
    }
}

impl Error for Failed {}

impl From<reqwest::Error> for Failed {
    fn from(error: reqwest::Error) -> Self {
        Self::Lost(error)
    }
}

impl Client {
    /// Returns a client of the API at an address.
    pub(crate) fn new(server: &str, token: &str) -> Self {
        let base = format!("{}/api/v1", server.trim_end_matches('/'));
        let http = reqwest::Client::builder().read_timeout(LIMIT).build().unwrap_or_default();
        Self { base, token: token.to_owned(), http }
    }

    /// Sends a request with the token; a refusal becomes a problem.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failed> {
        let response = request.bearer_auth(&self.token).send().await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Failed::Problem(response.json().await?))
    }

    /// Gets something.
    ///
    /// # Errors
    ///
    /// When the API refuses, or does not answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failed> {
        let request = self.http.get(format!("{}{path}", self.base));
        Ok(self.send(request).await?.json().await?)
    }

    /// Does something; with a key, once, however often it is sent.
    ///
    /// # Errors
    ///
    /// When the API refuses, or does not answer.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Result<Value, Failed> {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        let request = match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        Ok(self.send(request).await?.json().await?)
    }

    /// Gets all of a list, page by page.
    ///
    /// # Errors
    ///
    /// When the API refuses, or does not answer.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>, Failed> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let request = self.http.get(format!("{}{path}", self.base));
            let cursor_of = cursor.iter().map(|cursor| ("cursor", cursor)).collect::<Vec<_>>();
            let mut page: Value = self.send(request.query(&cursor_of)).await?.json().await?;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            match page.get("next").and_then(Value::as_str) {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    /// Follows events after a position, which is kept up to date, until the connection ends.
    ///
    /// # Errors
    ///
    /// When the API refuses, or the connection is lost: call it again with the same position.
    pub(crate) async fn follow(
        &self,
        path: &str,
        position: &mut Option<u64>,
        mut told: impl FnMut(&Value),
    ) -> Result<(), Failed> {
        let request = self.http.get(format!("{}{path}", self.base));
        let request = match position {
            Some(position) => request.header("Last-Event-ID", position.to_string()),
            None => request,
        };
        let mut chunks = self.send(request).await?.bytes_stream();
        let mut text = Vec::new();
        while let Some(chunk) = chunks.next().await {
            text.extend_from_slice(&chunk?);
            // Events are divided by an empty line.
            while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = text.drain(..end + 2).collect();
                let block = String::from_utf8_lossy(&block).into_owned();
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
                if let Some(event) =
                    field("data: ").and_then(|data| serde_json::from_str(data).ok())
                {
                    told(&event);
                }
                if let Some(id) = field("id: ").and_then(|id| id.parse().ok()) {
                    *position = Some(id);
                }
            }
        }
        Ok(())
    }
}

/// Tells what runs, and what happens from then on.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(token)) = (arguments.next(), arguments.next()) else {
        return Err("usage: http_client SERVER TOKEN [PROJECT COMMAND…]".into());
    };
    let client = Client::new(&server, &token);
    let mut out = std::io::stdout();
    writeln!(out, "node {}", client.get("/status").await?["hostname"])?;
    if let Some(project) = arguments.next() {
        let command: Vec<String> = arguments.collect();
        let key = format!("{project} {command:?} of process {}", std::process::id());
        let body = serde_json::json!({ "project": project, "command": command });
        let launched = client.post("/runners", &body, Some(&key)).await?;
        writeln!(out, "launched {}", launched["runner"]["name"])?;
    }
    for runner in client.list("/runners?status=live").await? {
        writeln!(out, "{} {}", runner["name"], runner["activity"]["state"])?;
    }
    let mut position = None;
    loop {
        let followed = client
            .follow("/events/stream", &mut position, |event| {
                writeln!(out, "{} {}", event["event_type"], event["entity_id"]).ok();
            })
            .await;
        match followed {
            // What is refused is refused the next time, too.
            Err(problem @ Failed::Problem(_)) => return Err(problem.into()),
            Ok(()) | Err(Failed::Lost(_)) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}
