//! `stratavore hook AGENT`: what an agent runs when something happens in it.
//!
//! Tells the runner's meter, and prints what the agent is told in return. Invariant: an agent is
//! never held up or disturbed: whatever is missing or fails, it ends within [`LIMIT`] with exit code
//! 0 and prints nothing.

#![expect(clippy::disallowed_methods, reason = "a process of milliseconds has no other clock")]

use std::{
    ffi::OsString,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::{
    agents::hooks,
    config::environment,
    domain::{
        agent::Agent,
        hook::{Hold, HookReport},
        launch::HOOK_VARIABLE,
    },
};

/// How long an agent may be held up, with what starting and ending take besides: 0.2 s in all.
const LIMIT: Duration = Duration::from_millis(180);

/// The longest input that is read: some agents hand over whole files.
const LONGEST: u64 = 16 << 20;

/// Reports what an agent tells on standard input, and prints what it is told.
pub(super) fn run(agent: Option<OsString>) -> ExitCode {
    let until = Instant::now() + LIMIT;
    if let Some(answer) = report(agent, until) {
        let mut stdout = std::io::stdout().lock();
        // An agent that does not listen needs no answer.
        stdout.write_all(answer.as_bytes()).and_then(|()| stdout.flush()).ok();
    }
    ExitCode::SUCCESS
}

/// Returns what the agent is to be told; `None` for nothing.
fn report(agent: Option<OsString>, until: Instant) -> Option<String> {
    let agent = Agent::of(agent?.to_str()?)?;
    let meter = environment::get(HOOK_VARIABLE)?.into_string().ok()?;
    let told = hooks::read(&input(until)?)?;
    let hold = tell(&meter, &told, until)?;
    hooks::veto(agent, &told.event, &hold)
}

/// Reads standard input to its end, unless that takes too long.
fn input(until: Instant) -> Option<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    // An agent that leaves its end open must not keep us: the process ends with this thread in it.
    std::thread::spawn(move || {
        let mut input = Vec::new();
        let read = std::io::stdin().lock().take(LONGEST).read_to_end(&mut input);
        sender.send(read.map(|_| input)).ok();
    });
    receiver.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?.ok()
}

/// Tells the meter and returns whether the agent is to be held.
fn tell(meter: &str, told: &HookReport, until: Instant) -> Option<Hold> {
    let (host, path) = meter.strip_prefix("http://")?.split_once('/')?;
    let address: SocketAddr = host.parse().ok()?;
    let body = serde_json::to_vec(told).ok()?;
    let left = || Some(until.saturating_duration_since(Instant::now())).filter(|it| !it.is_zero());
    let mut socket = TcpStream::connect_timeout(&address, left()?).ok()?;
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    socket.set_write_timeout(left()).ok()?;
    socket.write_all(&[head.as_bytes(), &body].concat()).ok()?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(body) = body_of(&answer) {
            return serde_json::from_slice(body).ok();
        }
        socket.set_read_timeout(Some(left()?)).ok()?;
        match socket.read(&mut buffer).ok()? {
            0 => return None,
            count => answer.extend_from_slice(buffer.get(..count)?),
        }
    }
}

/// The body of an answer, once it is there as a whole.
fn body_of(answer: &[u8]) -> Option<&[u8]> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(answer).ok()? else { return None };
    let length = response.headers.iter().find(|header| header.name == "content-length")?;
    let length: usize = std::str::from_utf8(length.value).ok()?.parse().ok()?;
    answer.get(head..head.checked_add(length)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        assert_eq!(body_of(answer), Some(&b"abc"[..]));
        for cut in 0..answer.len() {
            assert_eq!(body_of(&answer[..cut]), None);
        }
    }

    #[test]
    fn nobody_there_is_no_reason_to_wait() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let until = Instant::now() + Duration::from_secs(5);
        assert_eq!(tell(&format!("http://{address}/x"), &HookReport::default(), until), None);
        assert!(Instant::now() < until);
        assert_eq!(tell("nonsense", &HookReport::default(), until), None);
    }
}
