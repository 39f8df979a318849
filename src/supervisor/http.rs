//! As much of HTTP as an agent's exporter and its hooks need: requests out of bytes, and answers.

use crate::runner_dir::spool::LONGEST;

/// The longest head of a request.
pub(super) const LONGEST_HEAD: usize = 16 << 10;

/// Headers looked at.
const HEADERS: usize = 48;

/// A request that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub path: String,
    pub is_post: bool,
    pub is_json: bool,
    pub body: Vec<u8>,
}

/// What can be said of the bytes received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// More is needed.
    Partial,
    /// A request, and the bytes it took.
    Whole(Request, usize),
    /// Nothing to be made of: the status to answer with before closing.
    Refused(&'static str),
}

/// Looks at what was received.
pub(super) fn parse(received: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let head_length = match head.parse(received) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if received.len() < LONGEST_HEAD => return Parsed::Partial,
        _ => return Parsed::Refused("400 Bad Request"),
    };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    if header("content-encoding").is_some_and(|encoding| encoding != "identity") {
        return Parsed::Refused("415 Unsupported Media Type");
    }
    let rest = received.get(head_length..).unwrap_or_default();
    let is_chunked =
        header("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked"));
    let body = if is_chunked {
        match chunks(rest) {
            Ok(Some(body)) => body,
            Ok(None) => return Parsed::Partial,
            Err(status) => return Parsed::Refused(status),
        }
    } else {
        let length = match header("content-length").map_or(Ok(0), str::parse::<usize>) {
            Ok(length) if length <= LONGEST => length,
            Ok(_) => return Parsed::Refused("413 Content Too Large"),
            Err(_) => return Parsed::Refused("400 Bad Request"),
        };
        match rest.get(..length) {
            Some(body) => (body.to_vec(), length),
            None => return Parsed::Partial,
        }
    };
    let is_json = header("content-type").is_some_and(|it| it.starts_with("application/json"));
    let request = Request {
        path: head.path.unwrap_or_default().to_owned(),
        is_post: head.method == Some("POST"),
        is_json,
        body: body.0,
    };
    Parsed::Whole(request, head_length + body.1)
}

/// Puts chunks together: the body and the bytes it took, `None` while some are missing.
fn chunks(mut rest: &[u8]) -> Result<Option<(Vec<u8>, usize)>, &'static str> {
    let mut body = Vec::new();
    let mut taken = 0;
    loop {
        let (start, length) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((start, length))) => (start, length),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("400 Bad Request"),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if body.len().saturating_add(length) > LONGEST {
            return Err("413 Content Too Large");
        }
        // Each chunk ends with CR LF; so does the last one, which is empty.
        let end = start + length + 2;
        let Some(chunk) = rest.get(start..start + length).filter(|_| rest.len() >= end) else {
            return Ok(None);
        };
        body.extend_from_slice(chunk);
        taken += end;
        rest = rest.get(end..).unwrap_or_default();
        if length == 0 {
            return Ok(Some((body, taken)));
        }
    }
}

pub(super) fn response(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
