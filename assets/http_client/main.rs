//! A client of Stratavore's HTTP API.
//!
//! ```text
//! cargo run --example http_client -- http://127.0.0.1:8077 svt_… [PROJECT COMMAND…]
//! ```
//!
//! It launches a command, if one is given, lists the runners and then tells what happens, across restarts
//! of the daemon: the position of the last event is where it goes on, so that from the first one on none is
//! missed and none told twice. A POST with a key may be sent again when its answer was lost; it is done once.
//!
//! `calls.rs` has a function for each call, made of the API's description by `./tests/run docs`; here is
//! what they all need, and what is more than one call: whole lists, and following.

#[expect(dead_code, reason = "there is a function for each call; a program needs a few")]
#[rustfmt::skip]
mod calls;

use std::{error::Error, fmt, io::Write as _, time::Duration};

use futures_util::StreamExt as _;
use reqwest::{Method, RequestBuilder, Response, Url};
use serde_json::{Value, json};

/// How long nothing may be said; a stream says something more often than this.
const LIMIT: Duration = Duration::from_mins(1);

/// Values of parameters by their names.
pub(crate) type Query<'a> = &'a [(&'a str, &'a str)];

/// A client with a token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// Where all resources are.
    base: Url,
    /// What is shown with each call.
    token: String,
    /// The connections.
    http: reqwest::Client,
}

/// Names a call, so that it is made once, however often it is sent.
fn keyed(call: RequestBuilder, key: Option<&str>) -> RequestBuilder {
    match key {
        Some(key) => call.header("Idempotency-Key", key),
        None => call,
    }
}

/// Why a call failed: what the API says, or what kept it from answering.
#[derive(Debug)]
pub(crate) enum Failed {
    /// A problem of RFC 9457; its `code` is for programs.
    Problem(Value),
    /// There was no answer.
    Lost(reqwest::Error),
    /// What was given for the server is no address.
    NoAddress(String),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problem(problem) => write!(f, "{}: {}", problem["code"], problem["detail"]),
            Self::Lost(error) => error.fmt(f),
            Self::NoAddress(given) => write!(f, "`{given}` is no address of a server"),
        }
    }
}

impl Error for Failed {}

impl Failed {
    /// Whether the same call may succeed a moment later: the daemon is away, busy or starting.
    fn may_pass(&self) -> bool {
        match self {
            Self::Lost(_) => true,
            Self::Problem(problem) => {
                problem["status"].as_u64().is_some_and(|it| it == 429 || it >= 500)
            }
            Self::NoAddress(_) => false,
        }
    }
}

impl From<reqwest::Error> for Failed {
    fn from(error: reqwest::Error) -> Self {
        Self::Lost(error)
    }
}

impl Client {
    /// Returns a client of the API at an address.
    ///
    /// # Errors
    ///
    /// When it is no address.
    pub(crate) fn new(server: &str, token: &str) -> Result<Self, Failed> {
        let base = Url::parse(server).ok().filter(|url| !url.cannot_be_a_base());
        let base = base.ok_or_else(|| Failed::NoAddress(server.to_owned()))?;
        let http = reqwest::Client::builder().read_timeout(LIMIT).build()?;
        Ok(Self { base, token: token.to_owned(), http })
    }

    /// Begins a call; each part of the path is one, whatever it has in it.
    fn call(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        self.http.request(method, url).bearer_auth(&self.token)
    }

    /// Makes a call; a refusal becomes a problem.
    async fn response(&self, call: RequestBuilder) -> Result<Response, Failed> {
        let response = call.send().await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Failed::Problem(response.json().await?))
    }

    /// Makes a call that is answered with something.
    async fn value(&self, call: RequestBuilder) -> Result<Value, Failed> {
        Ok(self.response(call).await?.json().await?)
    }

    /// Gets all of a list, page by page.
    ///
    /// # Errors
    ///
    /// When the API refuses, or does not answer.
    pub(crate) async fn list(&self, path: &[&str], query: Query<'_>) -> Result<Vec<Value>, Failed> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let at: Vec<_> = cursor.iter().map(|cursor| ("cursor", cursor)).collect();
            let mut page = self.value(self.call(Method::GET, path).query(query).query(&at)).await?;
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
        query: Query<'_>,
        position: &mut Option<u64>,
        mut told: impl FnMut(&Value),
    ) -> Result<(), Failed> {
        let after = position.map(|position| position.to_string());
        let after: Vec<_> = after.iter().map(|after| ("after", after.as_str())).collect();
        let mut chunks = self.follow_events(&[query, &after].concat()).await?.bytes_stream();
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
    let client = Client::new(&server, &token)?;
    let mut out = std::io::stdout();
    writeln!(out, "node {}", client.get_status().await?["hostname"])?;
    if let Some(project) = arguments.next() {
        let command: Vec<String> = arguments.collect();
        let key = format!("{project} {command:?} of process {}", std::process::id());
        let body = json!({ "project": project, "command": command });
        let launched = client.launch_runner(&body, Some(&key)).await?;
        writeln!(out, "launched {}", launched["runner"]["name"])?;
    }
    for runner in client.list(&["runners"], &[("status", "live")]).await? {
        writeln!(out, "{} {}", runner["name"], runner["activity"]["state"])?;
    }
    let mut position = None;
    loop {
        let followed = client
            .follow(&[], &mut position, |event| {
                writeln!(out, "{} {}", event["event_type"], event["entity_id"]).ok();
            })
            .await;
        match followed {
            // What is refused is refused the next time, too.
            Err(failed) if !failed.may_pass() => return Err(failed.into()),
            Ok(()) | Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}
