//! What goes on: events that are followed, a terminal that is attached.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest as _};

use crate::support::{Api, HttpCall as Call, Say as _, World, connect, wait_value};

/// A stream of events.
struct Stream {
    socket: TcpStream,
    text: String,
}

impl Stream {
    fn open(api: &Api, path: &str, last: Option<&str>) -> Self {
        let call = Call::new("GET", path).header("Authorization", &format!("Bearer {}", api.token));
        let call = last.iter().fold(call, |call, last| call.header("Last-Event-ID", last));
        let mut socket = connect(api.address);
        socket.write_all(&call.bytes(api.address)).unwrap();
        let mut stream = Self { socket, text: String::new() };
        stream.until("\r\n\r\n");
        assert!(stream.text.starts_with("HTTP/1.1 200"), "{}", stream.text);
        assert!(stream.text.contains("text/event-stream"), "{}", stream.text);
        stream
    }

    /// Reads on until this was said.
    fn until(&mut self, wanted: &str) {
        let mut buffer = [0; 4096];
        while !self.text.contains(wanted) {
            let count = self.socket.read(&mut buffer).unwrap_or(0);
            assert!(count > 0, "it ended before `{wanted}`: {}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    /// The positions that were told, each with its event.
    fn events(&self) -> Vec<(u64, Value)> {
        let mut events = Vec::new();
        for block in self.text.replace("\r\n", "\n").split("\n\n") {
            let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            if let (Some(id), Some(data)) = (line("id: "), line("data: ")) {
                events.push((id.parse().unwrap(), serde_json::from_str(data).unwrap()));
            }
        }
        events
    }
}

#[test]
fn whoever_follows_the_events_misses_none_across_a_cut() {
    let world = World::serving();
    let api = world.api("viewer");
    let mut stream = Stream::open(&api, "/api/v1/events/stream?type=project.", None);
    stream.until("id: ");
    world.project("a");
    stream.until("\"entity_id\":\"a\"");
    let last = stream.events().last().unwrap().0.to_string();
    drop(stream);
    for name in ["b", "c"] {
        world.project(name);
    }
    // The daemon dies, too, and its port is another one.
    world.kill_daemon();
    world.project("d");
    let address = world.api_url().trim_start_matches("http://").parse().unwrap();
    let api = Api { address, token: api.token };
    let mut stream = Stream::open(&api, "/api/v1/events/stream?type=project.", Some(&last));
    stream.until("\"entity_id\":\"d\"");
    world.project("e");
    stream.until("\"entity_id\":\"e\"");
    let events = stream.events();
    let names: Vec<_> = events.iter().map(|(_, event)| event.text("entity_id")).collect();
    assert_eq!(names, ["b", "c", "d", "e"]);
    assert!(events.iter().all(|(id, event)| event["position"] == *id));
    // Who was cut off before the first event knows where to go on.
    let quiet = Stream::open(&api, "/api/v1/events/stream?type=none.", None);
    let mut quiet = quiet;
    quiet.until("id: ");
    let bad = Call::new("GET", "/api/v1/events/stream").header("Last-Event-ID", "x");
    api.send(bad).expect_problem(400, "BAD_LAST_EVENT_ID");
    let twice = Call::new("GET", "/api/v1/events/stream").header("Last-Event-ID", "1");
    api.send(twice.header("Last-Event-ID", "2")).expect_problem(400, "BAD_LAST_EVENT_ID");
    // What is ahead of the log would be silent for ever.
    let ahead = Call::new("GET", "/api/v1/events/stream").header("Last-Event-ID", "999999");
    api.send(ahead).expect_problem(400, "AHEAD_OF_LOG");
    let ahead = Call::new("GET", "/api/v1/events/stream?after=999999");
    api.send(ahead).expect_problem(400, "AHEAD_OF_LOG");
}

#[tokio::test]
async fn what_goes_on_ends_with_its_token() {
    let world = World::serving();
    world.project("p");
    let name = world.launch(&[], &["cat"]);
    let address = world.api("admin").address;
    for (token, is_revoked) in [("revoked", true), ("ends", false)] {
        let expires = if is_revoked { "1h" } else { "3s" };
        let create = ["tokens", "create", token, "--scope", "operator", "--expires", expires];
        let text = world.run(create).expect_code(0).stdout.trim().to_owned();
        let api = Api { address, token: text };
        let mut stream = Stream::open(&api, "/api/v1/events/stream?type=none.", None);
        stream.until("id: ");
        let url = format!("ws://{address}/api/v1/runners/{name}/attach");
        let mut request = url.into_client_request().unwrap();
        let shown = format!("Bearer {}", api.token).parse().unwrap();
        request.headers_mut().insert("Authorization", shown);
        let socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let (mut socket, _) = tokio_tungstenite::client_async(request, socket).await.unwrap();
        if is_revoked {
            world.run(["tokens", "revoke", token]).expect_code(0);
        }
        let limit = Duration::from_secs(if is_revoked { 2 } else { 5 });
        let closed = async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Close(frame))) => return frame,
                    Some(Ok(_)) => {}
                    other => panic!("it was cut off: {other:?}"),
                }
            }
        };
        let frame = tokio::time::timeout(limit, closed).await.expect("it is closed").unwrap();
        assert_eq!(u16::from(frame.code), 1008);
        stream.socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut rest = Vec::new();
        stream.socket.read_to_end(&mut rest).expect("the stream ends");
        assert!(rest.ends_with(b"0\r\n\r\n"), "in order: {rest:?}");
    }
}

#[test]
fn the_log_is_read_in_pages() {
    let world = World::serving();
    for n in 0..5 {
        world.project(&format!("n{n}"));
    }
    let api = world.api("viewer");
    let first = api.get("/api/v1/events?type=project.&limit=3");
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    let next = first["next"].as_str().unwrap();
    let second = api.get(&format!("/api/v1/events?type=project.&limit=3&cursor={next}"));
    let names: Vec<_> =
        second["items"].as_array().unwrap().iter().map(|event| event.text("entity_id")).collect();
    assert_eq!(names, ["n3", "n4"]);
    let position = second["items"][0].number("position").unwrap();
    let shown = api.get(&format!("/api/v1/events/{position}"));
    assert_eq!(shown, second["items"][0]);
}

#[tokio::test]
async fn a_terminal_is_attached_over_a_websocket() {
    let world = World::serving();
    world.project("p");
    let (operator, viewer) = (world.api("operator"), world.api("viewer"));
    let name = world.launch(&[], &["cat"]);
    let open = async |api: &Api, query: &str| {
        let url = format!("ws://{}/api/v1/runners/{name}/attach{query}", api.address);
        let mut request = url.into_client_request().unwrap();
        let shown = format!("Bearer {}", api.token).parse().unwrap();
        request.headers_mut().insert("Authorization", shown);
        let socket = tokio::net::TcpStream::connect(api.address).await.unwrap();
        tokio_tungstenite::client_async(request, socket).await
    };
    let Err(Error::Http(refused)) = open(&viewer, "").await else { panic!("a viewer types") };
    assert_eq!(refused.status(), 403);
    let plain = format!("/api/v1/runners/{name}/attach?read_only=true");
    viewer.send(Call::new("GET", &plain)).expect_problem(426, "NO_WEBSOCKET");

    let (mut driver, _) = open(&operator, "?cols=100&rows=30").await.unwrap();
    let (mut looker, _) = open(&viewer, "?read_only=true").await.unwrap();
    driver.send(Message::Text(r#"{"type":"resize","cols":90,"rows":20}"#.into())).await.unwrap();
    driver.send(Message::Binary(b"hello there\r".to_vec().into())).await.unwrap();
    looker.send(Message::Binary(b"mischief\r".to_vec().into())).await.unwrap();
    for socket in [&mut driver, &mut looker] {
        let (mut bytes, mut texts) = (Vec::new(), Vec::new());
        // Typed, and said back by `cat`.
        while String::from_utf8_lossy(&bytes).matches("hello there").count() < 2 {
            let next = tokio::time::timeout(Duration::from_secs(10), socket.next()).await;
            match next.unwrap().unwrap().unwrap() {
                Message::Binary(more) => bytes.extend_from_slice(&more),
                Message::Text(text) => texts.push(text.to_string()),
                _ => {}
            }
        }
        assert!(texts[0].contains("\"snapshot\""), "{texts:?}");
        assert!(!String::from_utf8_lossy(&bytes).contains("mischief"));
    }
    let size = wait_value("it has the size", Duration::from_secs(10), || {
        let screen = viewer.get(&format!("/api/v1/runners/{name}/screen"));
        (screen["size"]["cols"] == 90).then_some(screen)
    });
    assert!(size["lines"].to_string().contains("hello there"), "{size}");
    operator.send(Call::new("POST", &format!("/api/v1/runners/{name}/kill"))).expect(200);
    let mut ended = String::new();
    while let Some(Ok(message)) = driver.next().await {
        if let Message::Text(text) = message {
            ended = text.to_string();
        }
    }
    assert!(ended.contains("\"exit\"") && ended.contains("SIGKILL"), "{ended}");
}
