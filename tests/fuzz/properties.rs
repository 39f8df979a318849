//! What must be true of any input: one function for each target of `./tests/run fuzz`.
//!
//! Each takes the bytes that a stranger might send and panics when something is not as it must be.
//! They use what the library shows to everybody, so that the same functions run under the fuzzer and,
//! over the kept corpora, in the plain tests (`replay.rs`).

use std::sync::atomic::{AtomicU64, Ordering};

use stratavore::{
    agents::{
        claude, codex, hooks, opencode, otlp,
        transcript::{Entry, Reader},
    },
    config::{self, Sources},
    domain::{agent::Agent, redact::redact, size::TerminalSize},
    proto::{
        framing::{self, Decoder},
        link::v1 as link,
    },
    terminal::{
        ClippedView, FrameEncoder, HistoryLimits, InputFilter, LeaveKey, Mirror, Pane, Terminal,
    },
};

/// Bytes that are taken off the front to decide how the rest is used.
struct Choices<'a> {
    rest: &'a [u8],
}

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// A number from `low` to `high`.
    fn within(&mut self, low: u16, high: u16) -> u16 {
        low + u16::from(self.byte()) % (high - low + 1)
    }
}

/// Two bytes that change the size in the middle of a stream; no text and no sequence has them.
const RESIZE: [u8; 2] = [0xfe, 0xff];

/// A viewer of a terminal: fed what is forwarded, and pictures where they are due.
struct Viewer {
    terminal: Terminal,
    inline: bool,
}

impl Viewer {
    fn new(of: &Terminal, inline: bool) -> Self {
        let mut viewer =
            Self { terminal: Terminal::new(of.size(), HistoryLimits::default()), inline };
        if !inline {
            take(&mut viewer.terminal, b"\x1b[?1049h");
        }
        viewer.catch_up(of);
        viewer
    }

    fn catch_up(&mut self, of: &Terminal) {
        let present = self.present(of);
        let replies = take(&mut self.terminal, &present);
        assert!(replies.is_empty(), "a picture asks nothing");
    }

    fn present(&self, of: &Terminal) -> Vec<u8> {
        if self.inline { of.snapshot(0) } else { of.picture() }
    }

    fn check(&self, of: &Terminal) {
        let (mine, theirs) = (self.present(&self.terminal), self.present(of));
        assert_eq!(numbered(&mine), numbered(&theirs), "a viewer shows something else");
    }
}

/// A picture in which the names that the engine makes up for links without one count from 0: each terminal
/// makes up its own.
fn numbered(picture: &[u8]) -> String {
    let picture = String::from_utf8_lossy(picture);
    let mut names = Vec::new();
    let mut parts = picture.split("\x1b]8;id=");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').unwrap_or((part, ""));
        text.push_str("\x1b]8;id=");
        if name.ends_with("_alacritty") {
            let known = names.iter().position(|known| *known == name);
            text.push_str(&known.unwrap_or(names.len()).to_string());
            names.extend(known.is_none().then_some(name));
        } else {
            text.push_str(name);
        }
        text.push(';');
        text.push_str(rest);
    }
    text
}

/// Feeds a batch, returns the answers.
fn take(terminal: &mut Terminal, batch: &[u8]) -> Vec<u8> {
    let mut replies = Vec::new();
    let scan = terminal.scan(batch);
    terminal.apply(batch, &scan, &mut replies);
    replies
}

/// The screen: output of any program. It never fails, and whoever attaches, at whatever byte, sees
/// what the others see; so does a pane.
pub(crate) fn screen(data: &[u8]) {
    let mut choices = Choices { rest: data };
    let size = TerminalSize::new(choices.within(2, 40), choices.within(2, 12));
    let (batch, joins) = (usize::from(choices.within(1, 64)), usize::from(choices.byte()) * 4);
    let mut terminal = Terminal::new(size, HistoryLimits { lines: 200, bytes: 64 << 10 });
    let mut viewers = vec![Viewer::new(&terminal, true), Viewer::new(&terminal, false)];
    let mut encoder = FrameEncoder::new();
    let mut mirror = Mirror::new(size);
    let mut clipped = ClippedView::new(TerminalSize::new(9, 3));
    let mut at = 0;
    let mut rest = choices.rest;
    while !rest.is_empty() {
        let resize = rest.windows(2).position(|pair| pair == RESIZE).unwrap_or(rest.len());
        if resize == 0 {
            let mut choices = Choices { rest: rest.get(2..).unwrap_or_default() };
            let size = TerminalSize::new(choices.within(2, 40), choices.within(2, 12));
            rest = choices.rest;
            terminal.resize(size);
            mirror.resize(size);
            for viewer in &mut viewers {
                viewer.terminal.resize(size);
                viewer.catch_up(&terminal);
            }
            continue;
        }
        let (piece, after) = rest.split_at(batch.min(resize));
        rest = after;
        let scan = terminal.scan(piece);
        let forwarded = scan.forward(piece).into_owned();
        terminal.apply(piece, &scan, &mut Vec::new());
        for viewer in &mut viewers {
            take(&mut viewer.terminal, &forwarded);
            if scan.has_switched() {
                viewer.catch_up(&terminal);
            }
        }
        if let Some(frame) = encoder.encode(&terminal) {
            mirror.feed(&frame);
        }
        drop(clipped.encode(&terminal));
        if (at..at + piece.len()).contains(&joins) {
            viewers.extend([Viewer::new(&terminal, true), Viewer::new(&terminal, false)]);
        }
        at += piece.len();
    }
    assert!(!terminal.is_degraded(), "the engine failed");
    for viewer in &viewers {
        viewer.check(&terminal);
    }
    if let Some(frame) = encoder.encode(&terminal) {
        mirror.feed(&frame);
    }
    let mut fresh = Mirror::new(terminal.size());
    fresh.feed(&FrameEncoder::new().encode(&terminal).unwrap_or_default());
    assert_eq!(mirror.text(), fresh.text(), "differences do not add up");
    assert!(terminal.history(0, 999, true).iter().all(|row| !row.contains('\n')));
    assert!(terminal.search("x", 3).len() <= 3);
    terminal.settle();
}

/// What is forwarded and answered: no question goes through, and it does not matter how the stream
/// was cut. The same for keys, from which answers are taken out.
pub(crate) fn queries(data: &[u8]) {
    let mut choices = Choices { rest: data };
    let batch = usize::from(choices.within(1, 64));
    let size = TerminalSize::new(20, 5);
    let run = |batch: usize| {
        let mut terminal = Terminal::new(size, HistoryLimits::default());
        let (mut forwarded, mut replies) = (Vec::new(), Vec::new());
        for piece in choices.rest.chunks(batch) {
            let scan = terminal.scan(piece);
            forwarded.extend_from_slice(&scan.forward(piece));
            terminal.apply(piece, &scan, &mut replies);
        }
        (forwarded, replies, terminal.screen_text())
    };
    let whole = run(usize::MAX);
    assert_eq!(whole, run(batch), "cuts make a difference");
    let (forwarded, _, _) = whole;
    let again = Terminal::new(size, HistoryLimits::default()).scan(&forwarded);
    assert!(!again.has_queries(), "a question went through");
    assert_eq!(*again.forward(&forwarded), *forwarded, "what was let through is not, again");

    let mut filter = InputFilter::new();
    let mut leave = LeaveKey::new(vec![b"\x1c".to_vec(), b"\x1b[92;5u".to_vec()]);
    let mut typed = Vec::new();
    for piece in choices.rest.chunks(batch) {
        let looked = leave.look(piece);
        filter.filter(&looked.bytes, &mut typed);
    }
    assert!(typed.len() <= choices.rest.len(), "keys were made up");
}

/// The link between supervisor and daemon: whatever arrives, in whatever pieces, is a message or an
/// error; and frames are drawn, whoever made them.
pub(crate) fn link(data: &[u8]) {
    let mut choices = Choices { rest: data };
    let kind = choices.byte();
    let batch = usize::from(choices.within(1, 64));
    match kind % 3 {
        0 => each_message::<link::FromSupervisor>(choices.rest, batch, |message| {
            if let Some(link::from_supervisor::Message::Frame(frame)) = &message.message {
                draw(TerminalSize::new(20, 5), &frame.bytes, 64);
            }
        }),
        1 => each_message::<link::ToSupervisor>(choices.rest, batch, |_| {}),
        _ => {
            let size = TerminalSize::new(choices.within(1, 40), choices.within(1, 12));
            draw(size, choices.rest, batch);
        }
    }
}

fn each_message<M: prost::Message + Default + PartialEq>(
    bytes: &[u8],
    batch: usize,
    mut found: impl FnMut(M),
) {
    let mut decoder = Decoder::default();
    for piece in bytes.chunks(batch) {
        decoder.push(piece);
        loop {
            match decoder.next_message::<M>() {
                Ok(Some(message)) => {
                    let mut wire = Vec::new();
                    framing::encode(&message, &mut wire);
                    let again = M::decode(wire.get(4..).unwrap_or_default());
                    assert!(again.is_ok_and(|again| again == message), "a message changes");
                    found(message);
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// Frames, as the daemon keeps them and a pane shows them.
fn draw(size: TerminalSize, frames: &[u8], batch: usize) {
    let mut mirror = Mirror::new(size);
    let mut pane = Pane::new(size);
    let mut before = mirror.snapshot();
    for frame in frames.chunks(batch) {
        mirror.feed(frame);
        pane.feed(&mirror.diff(&before));
        before = mirror.snapshot();
    }
    let mut late = Mirror::new(size);
    late.feed(&mirror.full());
    let (_, _) = pane.origin(5, 3);
    drop(pane.styled_rows());
    mirror.resize(TerminalSize::new(size.rows(), size.cols()));
    mirror.feed(frames);
    drop(mirror.text());
}

/// What agents write down, each in its own way.
pub(crate) fn transcripts(data: &[u8]) {
    let mut choices = Choices { rest: data };
    let agent = Agent::ALL[usize::from(choices.byte()) % Agent::ALL.len()];
    let Some(mut reader) = Reader::new(agent) else { return opencode(choices.rest) };
    let mut found = Vec::new();
    for line in choices.rest.split_inclusive(|byte| *byte == b'\n') {
        reader.line(line, &mut |entry| found.push(entry));
        // A reader that was stored goes on as if it had not been.
        let stored = serde_json::to_string(&reader).expect("a reader can be stored");
        reader = serde_json::from_str(&stored).expect("a stored reader can be read");
    }
    reader.end(&mut |entry| found.push(entry));
    for entry in &found {
        if let Entry::Message(message) = entry {
            let longest = stratavore::agents::transcript::LONGEST_TEXT;
            assert!(message.text.len() <= longest, "a message is too long");
        }
    }
}

/// opencode's rows and events: JSON from its database and from its server.
fn opencode(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (data, message, id) = (next(), next(), next());
    drop(opencode::transcript::part(&opencode::transcript::Part {
        id,
        session_id: id,
        updated_ms: i64::try_from(data.len()).unwrap_or(0) - 9,
        data,
        message,
    }));
    drop(opencode::transcript::session(&opencode::transcript::Session {
        id,
        directory: message,
        title: data,
        model: Some(data),
        cost: f64::MAX,
        tokens: [i64::MIN, i64::MAX, -1, 0, 7],
        ..opencode::transcript::Session::default()
    }));
}

/// What agents report: telemetry, hooks, their own interfaces and state files.
pub(crate) fn telemetry(data: &[u8]) {
    for agent in Agent::ALL {
        for record in otlp::usage(agent, data) {
            for name in [&record.model, &record.purpose, &record.conversation, &record.key] {
                assert!(name.len() <= 200, "a name is too long");
            }
        }
    }
    if let Some(told) = hooks::read(data) {
        drop(hooks::activity(None, &told));
        drop(hooks::activity(Some(Agent::Qwen), &told));
    }
    drop(claude::state_file::read(data, 7));
    let now = chrono::DateTime::UNIX_EPOCH;
    let mut opencode = opencode::events::Follower::default();
    let mut codex = codex::server::Follower::default();
    for line in data.split(|byte| *byte == b'\n') {
        let Ok(value) = serde_json::from_slice(line) else { continue };
        drop(opencode.event(&value, now));
        drop(codex.message(&value, now));
    }
    drop((opencode.busy(), codex.asks()));
}

/// Secrets: what is one is not shown, wherever it stands, and the rest is not touched.
pub(crate) fn redactor(data: &[u8]) {
    const SECRET: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let mut choices = Choices { rest: data };
    let at = usize::from(choices.byte());
    let text = String::from_utf8_lossy(choices.rest);
    let clean = redact(&text);
    if !clean.contains("[redacted") {
        assert_eq!(clean, text, "something else was changed");
    }
    let at = text.floor_char_boundary(at);
    let (before, after) = text.split_at(at);
    let told = format!("{before} {SECRET} {after}");
    assert!(!redact(&told).contains(SECRET), "a secret is shown");
}

/// The configuration: any file is one, or is refused with a reason.
pub(crate) fn configuration(data: &[u8]) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("stratavore-fuzz-{}-{number}.yaml", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, data).expect("a file for the configuration");
    let loaded = config::load(&Sources { explicit: Some(path.clone()), ..Sources::default() });
    std::fs::remove_file(&path).expect("the file is ours");
    match loaded {
        Ok(loaded) => {
            let shown = serde_json::to_value(&loaded.config).expect("a configuration can be shown");
            assert!(shown.is_object());
        }
        Err(error) => assert!(!error.to_string().is_empty(), "it is not said why"),
    }
}

/// A target: its name, and what must be true of any input.
type Target = (&'static str, fn(&[u8]));

/// The targets by name.
pub(crate) const TARGETS: [Target; 7] = [
    ("screen", screen),
    ("queries", queries),
    ("link", link),
    ("transcripts", transcripts),
    ("telemetry", telemetry),
    ("redactor", redactor),
    ("configuration", configuration),
];
