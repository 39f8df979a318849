//! How much, how fast, how slowly.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::json;

use crate::support::{Answer, HttpCall as Call, World, connect, elapsed_since, now};

#[test]
fn who_calls_too_often_is_told_when_to_come_again() {
    let world = World::serving().set("STRATAVORE_API_REQUESTS_PER_SECOND", "1");
    let (api, other) = (world.api("viewer"), world.api("admin"));
    let statuses: Vec<_> = (0..30).map(|_| api.send(Call::new("GET", "/api/v1/status"))).collect();
    let refused = statuses.iter().find(|answer| answer.status == 429).expect("it was held up");
    refused.expect_problem(429, "TOO_FAST");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(statuses.iter().filter(|answer| answer.status == 200).count() >= 10);
    other.get("/api/v1/status");
    // Guessing is slowed down as well, whatever is guessed.
    let guess = |n: usize| {
        let call = Call::new("GET", "/api/v1/status");
        call.header("Authorization", &format!("Bearer {n}")).send(api.address).status
    };
    let guesses: Vec<_> = (0..30).map(guess).collect();
    assert!(guesses.contains(&401) && guesses.contains(&429), "{guesses:?}");
}

#[test]
fn what_is_too_large_or_no_json_is_refused_before_it_is_read() {
    let world = World::serving();
    let api = world.api("admin");
    let post = || Call::new("POST", "/api/v1/projects").header("Content-Type", "application/json");
    let large = vec![b' '; (1 << 20) + 1];
    api.send(post().body(&large)).expect_problem(413, "BODY_TOO_LARGE");
    api.send(post().header("Content-Length", "99999999999")).expect_problem(413, "BODY_TOO_LARGE");
    let chunked = post().header("Transfer-Encoding", "chunked").header("Content-Length", "0");
    assert!(matches!(api.send(chunked.body(b"0\r\n\r\n")).status, 400));
    let plain = Call::new("POST", "/api/v1/projects").header("Content-Type", "text/plain");
    api.send(plain.body(b"{}")).expect_problem(415, "NOT_JSON");
    for wrong in [
        "{",
        "[]",
        "[\"a\", \"/tmp\"]",
        "\"a\"",
        "{\"name\": 1}",
        "{\"name\": \"a\", \"path\": \"/tmp\", \"quota\": [1]}",
        "{\"name\": \"a\", \"path\": \"/\", \"x\": 1}",
        "{} {}",
        "{\"name\": \"a\", \"path\": \"/tmp\", \"name\": \"b\"}",
        "{\"name\": \"a\", \"path\": \"/tmp\", \"quota\": {\"max_runners\": 1, \"max_runners\": 2}}",
    ] {
        api.send(post().body(wrong.as_bytes())).expect_problem(400, "BAD_BODY");
    }
    let told = api.send(post().body(b"{\"name\": \"a\", \"path\": 7}")).expect(400);
    assert!(told["detail"].as_str().unwrap().contains("`path`"), "{told}");
    let twice =
        api.send(post().body(b"{\"name\": \"a\", \"path\": \"/tmp\", \"n\\u0061me\": \"b\"}"));
    let told = twice.expect(400);
    assert!(told["detail"].as_str().unwrap().contains("`name` is there twice"), "{told}");
    // Fields are named, and not told by their places.
    let listed = Call::new("POST", "/api/v1/tokens").header("Content-Type", "application/json");
    api.send(listed.body(b"[\"x\", \"admin\"]")).expect_problem(400, "BAD_BODY");
    let head = format!(
        "POST /api/v1/projects HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: \
         close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        api.token
    );
    for chunks in ["ZZ\r\n{}\r\n0\r\n\r\n", "2\r\n{}"] {
        let answer = half_closed(api.address, &format!("{head}{chunks}"));
        answer.expect_problem(400, "BAD_BODY");
    }
    let long = Call::new("GET", "/api/v1/status").header("X-Long", &"x".repeat(64 << 10));
    assert_eq!(api.send(long).status, 431);
    api.send(Call::new("PUT", "/api/v1/status")).expect_problem(405, "NO_METHOD");
    api.send(Call::new("GET", "/api/v1/none")).expect_problem(404, "NO_ROUTE");
    api.post("/api/v1/projects", &json!({ "name": "a", "path": "/tmp" })).expect(201);
}

/// Says something, and that nothing more will come; returns the answer.
fn half_closed(address: SocketAddr, text: &str) -> Answer {
    let mut stream = connect(address);
    stream.write_all(text.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    Answer::parse(&bytes).expect("it is answered")
}

#[test]
fn who_has_said_all_is_answered() {
    let world = World::serving();
    let api = world.api("viewer");
    let call = format!(
        "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        api.token
    );
    half_closed(api.address, &call).expect(200);
}

/// Reads one answer of a connection that is kept open, and says what became of it then.
fn answered(stream: &mut TcpStream, call: &[u8]) -> (u16, bool) {
    stream.write_all(call).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    let is_closed = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break true,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break false,
            Err(_) => break true,
        }
    };
    (Answer::parse(&bytes).expect("it is answered").status, is_closed)
}

#[test]
fn who_is_turned_away_keeps_no_connection_and_who_is_idle_gives_way() {
    let world = World::serving().set("STRATAVORE_API_CONNECTIONS", "4");
    let api = world.api("viewer");
    let kept = || Call::new("GET", "/api/v1/status").header("Connection", "keep-alive");
    let known = || kept().header("Authorization", &format!("Bearer {}", api.token));
    for (call, status) in [
        (kept(), 401),
        (known().header("Origin", "http://evil.example"), 403),
        (known().header("Host", "evil@127.0.0.1"), 421),
    ] {
        let answer = answered(&mut connect(api.address), &call.bytes(api.address));
        assert_eq!(answer, (status, true));
    }
    let mut idle: Vec<_> = (0..4).map(|_| connect(api.address)).collect();
    for stream in &mut idle {
        assert_eq!(answered(stream, &known().bytes(api.address)), (200, false));
    }
    // All are kept open; the oldest is not in the way of the next, and the others stay.
    let begun = now();
    api.get("/api/v1/status");
    assert!(elapsed_since(begun) < Duration::from_secs(3), "it had to wait for a place");
    assert_eq!(idle[0].read(&mut [0; 64]).unwrap_or(0), 0, "the oldest one");
    assert_eq!(answered(&mut idle[3], &known().bytes(api.address)), (200, false));
}

#[test]
fn who_sends_slowly_is_dropped() {
    let world = World::serving();
    let api = world.api("viewer");
    let mut silent = connect(api.address);
    let mut slow = connect(api.address);
    let mut half = connect(api.address);
    let head = format!(
        "POST /api/v1/heartbeat HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: \
         9\r\n\r\n",
        api.address,
        world.api("operator").token
    );
    half.write_all(head.as_bytes()).unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    slow.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let begun = now();
    let mut told = Vec::new();
    // A line now and then, for ever.
    while elapsed_since(begun) < Duration::from_secs(25) {
        let mut buffer = [0; 256];
        match slow.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => told.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                slow.write_all(b"X-More: x\r\n").ok();
            }
            Err(_) => break,
        }
    }
    assert!(elapsed_since(begun) < Duration::from_secs(20), "it was not dropped");
    assert!(told.is_empty() || told.starts_with(b"HTTP/1.1 408"), "{told:?}");
    assert_eq!(silent.read(&mut [0; 64]).unwrap_or(0), 0, "one that says nothing");
    let mut answer = Vec::new();
    half.read_to_end(&mut answer).ok();
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    api.get("/api/v1/status");
}

#[test]
fn a_crowd_of_silent_connections_keeps_nobody_out_for_long() {
    let world = World::serving().set("STRATAVORE_API_CONNECTIONS", "8");
    let api = world.api("viewer");
    let crowd: Vec<_> = (0..12).map(|_| connect(api.address)).collect();
    api.get("/api/v1/status");
    drop(crowd);
}
