//! `stratavore hook AGENT`: what an agent runs when something happens in it.
//!
//! Tells the runner's meter, and prints what the agent is told in return. Invariant: an agent is
//! never held up or disturbed: whatever is missing or fails, it ends with exit code 0 and prints nothing,
//! within [`LIMIT`] where nobody listens, and where somebody does within that of an answer, or as soon as
//! the report is handed over, which gets [`DELIVERY`]. The one that asks for permission is held for longer where the agent's own
//! dialog stands beside it, until somebody has decided or its agent ends it.
//!
//! What the approval policy denies is refused here, before the tool is used, also while no daemon
//! lives; nothing is ever allowed here.

#![expect(clippy::disallowed_methods, reason = "a process of milliseconds has no other clock")]

use std::{
    ffi::OsString,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::ExitCode,
    sync::mpsc,
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::{
    agents::hooks,
    config::{approvals, environment},
    domain::{
        agent::Agent,
        approval::{Decision, Policy, Wish},
        hook::{Decided, Hold, HookReport, WAS_ASKED},
        launch::HOOK_VARIABLE,
    },
};

/// How long an agent may be held up, with what starting and ending take besides: 0.2 s in all.
const LIMIT: Duration = Duration::from_millis(180);

/// How long it may take to hand a report over where somebody listens: only the agent's own writing, the kernel
/// and a busy machine are waited for, and a report that is given up is a state that is wrong.
const DELIVERY: Duration = Duration::from_secs(1);

/// How long an answer is waited for that is late already when the report has been handed over.
const ANSWER: Duration = Duration::from_millis(50);

/// So often a hook that is held looks whether its agent still lives.
const LOOK: Duration = Duration::from_secs(15);

/// How long a hook that nobody waits for may take to reach its meter.
const UNHURRIED: Duration = Duration::from_secs(5);

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
    let mut meter = Meter::connect(&meter, until)?;
    let mut told = hooks::read(&input(meter.deliver_by)?)?;
    let mut asked = None;
    if hooks::is_before_tool(&told.event)
        && let Some((decision, rule)) = ruled(agent, &told)
    {
        if decision == Decision::Deny {
            let reason = format!("the approval policy forbids it: {rule}");
            Decision::Deny.as_str().clone_into(&mut told.decision);
            told.rule = rule;
            meter.tell(&told);
            return hooks::refusal(agent, &told.event, &reason);
        }
        if decision == Decision::Ask {
            let reason = format!("the approval policy wants you to be asked: {rule}");
            asked = hooks::demand(agent, &told.event, &reason);
            // Where a hook asks for the permission next, it is written down with that.
            if asked.is_some() && hooks::patience(agent).is_none() {
                Decision::Ask.as_str().clone_into(&mut told.decision);
                told.rule = rule;
            }
        }
    }
    if hooks::asks_permission(&told)
        && let Some(patience) = hooks::patience(agent)
    {
        told.is_brief = patience < LOOK;
        // One whose agent waits for it is held only where there is something to decide by.
        if !told.is_brief || !policy(&told).is_empty() {
            told.ask = Uuid::new_v4().simple().to_string();
            match meter.ask(&told, patience) {
                Asked::Decided(decided) => return hooks::decision(&decided),
                Asked::Undecided => return None,
                // A supervisor that is older than this.
                Asked::Unknown => told.ask.clear(),
            }
        }
    }
    let answer = meter.tell(&told).unwrap_or_default();
    let asked = asked.filter(|_| !answer.was_asked);
    answer.hold.and_then(|hold| hooks::veto(agent, &told.event, &hold)).or(asked)
}

/// The policy in force where an agent works.
fn policy(told: &HookReport) -> Policy {
    approvals::in_force(&approvals::project_of(Path::new(&told.cwd))).0
}

/// What the rule says that matches what an agent is about to do, and which it is.
fn ruled(agent: Agent, told: &HookReport) -> Option<(Decision, String)> {
    let wish = Wish {
        agent: agent.as_str(),
        tool: &told.name,
        argument: &told.argument,
        is_cut: told.is_cut,
        cwd: &told.cwd,
    };
    let verdict = policy(told).decide(&wish);
    Some((verdict.decision, verdict.rule?))
}

/// What a report is answered.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    /// The agent is to be held.
    hold: Option<Hold>,
    /// A person was asked already, by the agent itself.
    was_asked: bool,
}

/// What came of asking.
enum Asked {
    /// Somebody has decided.
    Decided(Decided),
    /// Nobody has, or nobody will.
    Undecided,
    /// The meter does not know of it.
    Unknown,
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// Who is told.
struct Meter {
    address: SocketAddr,
    path: String,
    /// A connection that nothing was sent on; `None` where nobody listens, or after the first report.
    socket: Option<TcpStream>,
    /// When a report must be handed over.
    deliver_by: Instant,
    /// When its answer must be there.
    answer_by: Instant,
}

impl Meter {
    /// Connects to the meter of a URL, if it can be done by then; `None` for what is none. Where somebody
    /// listens, reports have longer.
    fn connect(url: &str, until: Instant) -> Option<Self> {
        let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
        let (address, path) = (host.parse().ok()?, path.to_owned());
        let mut meter = Self { address, path, socket: None, deliver_by: until, answer_by: until };
        meter.socket = meter.open(until);
        if meter.socket.is_some() {
            meter.deliver_by = until + DELIVERY.saturating_sub(LIMIT);
        }
        Some(meter)
    }

    fn open(&self, until: Instant) -> Option<TcpStream> {
        TcpStream::connect_timeout(&self.address, left(until)?).ok()
    }

    /// Hands a report over by a time and returns the connection on which it is answered.
    fn post(&mut self, path: &str, told: &HookReport, until: Instant) -> Option<TcpStream> {
        let body = serde_json::to_vec(told).ok()?;
        let mut socket = self.socket.take().or_else(|| self.open(until))?;
        let head = format!(
            "POST /{path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        socket.set_write_timeout(Some(left(until)?)).ok()?;
        socket.write_all(&[head.as_bytes(), &body].concat()).ok()?;
        Some(socket)
    }

    /// Tells the meter and waits for a decision.
    fn ask(&mut self, told: &HookReport, patience: Duration) -> Asked {
        let path = format!("{}/ask/{}", self.path, told.ask);
        // Nobody waits for one whose dialog stands already: on a busy machine it may take its time.
        let unhurried = self.deliver_by.max(Instant::now() + UNHURRIED);
        let until = if told.is_brief { self.deliver_by } else { unhurried };
        let Some(mut socket) = self.post(&path, told, until) else { return Asked::Unknown };
        let (parent, patient_until) = (rustix::process::getppid(), Instant::now() + patience);
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match answer_of(&answer) {
                Some((200, body)) => {
                    let decided = serde_json::from_slice(body);
                    return decided.map_or(Asked::Undecided, Asked::Decided);
                }
                Some(_) => return Asked::Unknown,
                None => {}
            }
            let left = patient_until.saturating_duration_since(Instant::now()).min(LOOK);
            if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
                return Asked::Undecided;
            }
            match socket.read(&mut buffer) {
                Ok(0) => return Asked::Undecided,
                Ok(count) => answer.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(error) if is_timeout(&error) && rustix::process::getppid() == parent => {}
                Err(_) => return Asked::Undecided,
            }
        }
    }

    /// Tells the meter and returns what it answers. One that is too busy to answer in time has the report all
    /// the same.
    fn tell(&mut self, told: &HookReport) -> Option<Answer> {
        let path = self.path.clone();
        let mut socket = self.post(&path, told, self.deliver_by)?;
        let until = self.answer_by.max(Instant::now() + ANSWER);
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            if let Some((status, body)) = answer_of(&answer) {
                let hold = serde_json::from_slice(body).ok();
                return Some(Answer { hold, was_asked: status == WAS_ASKED });
            }
            socket.set_read_timeout(Some(left(until)?)).ok()?;
            match socket.read(&mut buffer).ok()? {
                0 => return None,
                count => answer.extend_from_slice(buffer.get(..count)?),
            }
        }
    }
}

/// The time that is left until then; `None` for none.
fn left(until: Instant) -> Option<Duration> {
    Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
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

/// The status and the body of an answer, once it is there as a whole.
fn answer_of(answer: &[u8]) -> Option<(u16, &[u8])> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(answer).ok()? else { return None };
    let status = response.code?;
    let length = response.headers.iter().find(|header| header.name == "content-length")?;
    let length: usize = std::str::from_utf8(length.value).ok()?.parse().ok()?;
    Some((status, answer.get(head..head.checked_add(length)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        assert_eq!(answer_of(answer), Some((200, &b"abc"[..])));
        for cut in 0..answer.len() {
            assert_eq!(answer_of(&answer[..cut]), None);
        }
    }

    #[test]
    fn nobody_there_is_no_reason_to_wait() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let until = Instant::now() + Duration::from_secs(5);
        let mut meter = Meter::connect(&format!("http://{address}/x"), until).unwrap();
        assert!(meter.socket.is_none());
        assert_eq!(meter.tell(&HookReport::default()), None);
        assert!(Instant::now() < until);
        assert!(Meter::connect("nonsense", until).is_none());
    }

    #[test]
    fn one_that_hangs_has_the_report_and_holds_nobody() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let mut meter = Meter::connect(&url, Instant::now() + LIMIT).unwrap();
        // It is too late for an answer, and not for the report.
        meter.answer_by = Instant::now();
        let told = HookReport { event: "Stop".to_owned(), ..HookReport::default() };
        assert_eq!(meter.tell(&told), None);
        assert!(Instant::now() < meter.deliver_by, "nor does anybody wait so long");
        let (mut socket, _) = listener.accept().unwrap();
        let mut text = String::new();
        drop(meter);
        socket.read_to_string(&mut text).unwrap();
        assert!(text.ends_with('}') && text.contains("\"Stop\""), "{text}");
    }
}
