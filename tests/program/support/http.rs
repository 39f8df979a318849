//! The HTTP API of a world, spoken to byte by byte: a test says exactly what is sent.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

use super::world::World;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A world's API, and a token for it.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    /// Where it listens.
    pub address: SocketAddr,
    /// What is shown.
    pub token: String,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status.
    pub status: u16,
    /// Lines of the header, in lower case up to the colon.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl World {
    /// Returns an empty world whose daemon serves the API on a free port.
    pub(crate) fn serving() -> Self {
        Self::new()
            .set("STRATAVORE_API_ENABLED", "true")
            .set("STRATAVORE_API_LISTEN", "127.0.0.1:0")
            .set("STRATAVORE_API_REQUESTS_PER_SECOND", "10000")
    }

    /// Returns where the API of this world's daemon listens, `http://127.0.0.1:1234`.
    #[track_caller]
    pub(crate) fn api_url(&self) -> String {
        super::wait_value("the API listens", Duration::from_secs(10), || {
            let health = self.command(["health", "--format", "json"]).output().ok()?;
            let parts: Vec<Value> = serde_json::from_slice(&health.stdout).ok()?;
            let api = parts.iter().find(|part| part["name"] == "api")?;
            api["detail"].as_str().filter(|url| url.starts_with("http")).map(str::to_owned)
        })
    }

    /// Returns the API with a new token of this scope.
    #[track_caller]
    pub(crate) fn api(&self, scope: &str) -> Api {
        let url = self.api_url();
        let (_, address) = url.split_once("//").expect("a URL");
        let name = format!("{scope}-test");
        let token = self.run(["tokens", "create", &name, "--scope", scope]).expect_code(0).stdout;
        Api { address: address.parse().expect("an address"), token: token.trim().to_owned() }
    }
}

impl Call {
    /// Returns a request without a token.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Self { method, path, headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a line to the header; in place of one that would be sent otherwise.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a JSON body.
    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("Content-Type", "application/json")
    }

    /// Adds a body of any kind.
    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// Returns the request as it is sent.
    pub(crate) fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let has = |name: &str| self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        let mut add = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                text.push_str(part);
            }
        };
        if !has("host") {
            add("Host", &address.to_string());
        }
        if !has("connection") {
            add("Connection", "close");
        }
        if !self.body.is_empty() && !has("content-length") {
            add("Content-Length", &self.body.len().to_string());
        }
        for (name, value) in &self.headers {
            add(name, value);
        }
        [text.as_bytes(), b"\r\n", &self.body].concat()
    }

    /// Sends it and returns what came back.
    #[track_caller]
    pub(crate) fn send(&self, address: SocketAddr) -> Answer {
        let mut stream = connect(address);
        // It may be answered, and cut off, before it was sent to its end.
        stream.write_all(&self.bytes(address)).ok();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok();
        Answer::parse(&bytes).unwrap_or_else(|| {
            panic!("{} {}: no answer in {:?}", self.method, self.path, bytes.len())
        })
    }
}

impl Api {
    /// Sends a request with the token.
    #[track_caller]
    pub(crate) fn send(&self, call: Call) -> Answer {
        call.header("Authorization", &format!("Bearer {}", self.token)).send(self.address)
    }

    /// Gets something.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.send(Call::new("GET", path)).expect(200)
    }

    /// Posts something.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Call::new("POST", path).json(body))
    }

    /// Returns the operations of the document: method, path with every parameter filled in, scope.
    #[track_caller]
    pub(crate) fn operations(&self) -> Vec<(String, String, Option<String>)> {
        let document = self.get("/api/v1/openapi.json");
        let mut all = Vec::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let mut filled = path.clone();
                while let (Some(from), Some(to)) = (filled.find('{'), filled.find('}')) {
                    filled.replace_range(from..=to, "none-of-this-name");
                }
                let scope = operation["x-scope"].as_str().map(str::to_owned);
                all.push((method.to_uppercase(), filled, scope));
            }
        }
        assert!(all.len() > 20, "the document is empty");
        all
    }
}

impl Answer {
    /// Parses an answer; `None` when it is not complete.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = lines.filter_map(header).collect();
        let mut answer = Self { status, headers, body: bytes.get(end + 4..)?.to_owned() };
        if answer.header("transfer-encoding") == "chunked" {
            answer.body = unchunk(&answer.body);
        }
        Some(answer)
    }

    /// Returns a line of the header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// Checks the status and returns the body as JSON.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Checks that it is a problem with this status and code.
    #[track_caller]
    pub(crate) fn expect_problem(&self, status: u16, code: &str) {
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(self.header("content-type"), "application/problem+json");
    }
}

/// Connects; whatever takes too long fails.
#[track_caller]
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, LIMIT).expect("the API answers");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.set_write_timeout(Some(LIMIT)).expect("a limit");
    stream
}

/// Returns what stands in chunks.
fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length = usize::from_str_radix(&line, 16).unwrap_or(0);
        let Some(chunk) = bytes.get(end + 2..end + 2 + length).filter(|_| length > 0) else {
            break;
        };
        all.extend_from_slice(chunk);
        bytes = bytes.get(end + 4 + length..).unwrap_or_default();
    }
    all
}
