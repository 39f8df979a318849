//! Turns the bytes the terminal sends into keys, pastes and answers.
//!
//! A sequence may arrive in pieces; what is incomplete waits for the next read. A lone escape byte
//! is a key only when nothing follows it, which the caller decides with [`Parser::flush`].
//! Sequences longer than [`LIMIT`] are dropped whole.

/// The longest control sequence that is kept.
const LIMIT: usize = 64 * 1024;
/// The longest paste that is kept.
const PASTE_LIMIT: usize = 1024 * 1024;
/// What ends a bracketed paste.
const PASTE_END: &[u8] = b"\x1b[201~";

/// Something the terminal sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A typed character.
    Char(char),
    /// Return.
    Enter,
    /// A line break inside the prompt (alt-return, shift-return).
    NewLine,
    /// Backspace.
    Backspace,
    /// Escape.
    Esc,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Control with a letter.
    Ctrl(char),
    /// Text that was pasted.
    Paste(String),
    /// The terminal answered the status query.
    StatusAnswer,
    /// Anything else: focus, device attributes, keys without a use here.
    Other,
}

/// A parser with the bytes that wait for more.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// Bytes not understood yet.
    pending: Vec<u8>,
}

/// What the beginning of the pending bytes is.
enum Step {
    /// An event of so many bytes.
    Event(Event, usize),
    /// Too little to say.
    More,
}

impl Parser {
    /// Adds bytes and returns the events they complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.pending.extend_from_slice(bytes);
        let mut events = Vec::new();
        while !self.pending.is_empty() {
            match step(&self.pending) {
                Step::Event(event, length) => {
                    self.pending.drain(..length.clamp(1, self.pending.len()));
                    events.push(event);
                }
                Step::More => break,
            }
        }
        events
    }

    /// Returns whether an unfinished sequence waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Decides that nothing more comes: a lone escape byte was the key.
    pub(super) fn flush(&mut self) -> Vec<Event> {
        let pending = std::mem::take(&mut self.pending);
        match pending.as_slice() {
            [0x1b] => vec![Event::Esc],
            // A paste may take longer than any key.
            bytes if bytes.starts_with(b"\x1b[200~") && bytes.len() <= PASTE_LIMIT => {
                self.pending = pending;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}

/// Looks at the beginning of `bytes`, which is not empty.
fn step(bytes: &[u8]) -> Step {
    match bytes {
        [0x1b] | [0x1b, b'O'] => Step::More,
        [0x1b, b'[', ..] => control_sequence(bytes),
        [0x1b, b']' | b'P' | b'_' | b'^' | b'X', ..] => control_string(bytes),
        [0x1b, b'O', key, ..] => Step::Event(arrow(*key), 3),
        [0x1b, b'\r' | b'\n', ..] => Step::Event(Event::NewLine, 2),
        [0x1b, 0x1b, ..] => Step::Event(Event::Esc, 1),
        [0x1b, ..] => Step::Event(Event::Other, 2),
        [b'\r', ..] => Step::Event(Event::Enter, 1),
        [b'\n', ..] => Step::Event(Event::NewLine, 1),
        [0x08 | 0x7f, ..] => Step::Event(Event::Backspace, 1),
        [byte @ 0x01..=0x1a, ..] => Step::Event(Event::Ctrl(char::from(byte + 0x60)), 1),
        [0x00..=0x1f, ..] => Step::Event(Event::Other, 1),
        _ => character(bytes),
    }
}

/// Reads one UTF-8 character.
fn character(bytes: &[u8]) -> Step {
    let head = bytes.get(..bytes.len().min(4)).unwrap_or_default();
    let (valid, bad) = match std::str::from_utf8(head) {
        Ok(text) => (text, None),
        Err(error) => {
            let valid = head.get(..error.valid_up_to()).unwrap_or_default();
            (std::str::from_utf8(valid).unwrap_or_default(), Some(error.error_len()))
        }
    };
    match (valid.chars().next(), bad) {
        (Some(char), _) => Step::Event(Event::Char(char), char.len_utf8()),
        (None, Some(None)) => Step::More,
        (None, _) => Step::Event(Event::Other, 1),
    }
}

/// Reads `ESC [ … final`.
fn control_sequence(bytes: &[u8]) -> Step {
    let body = bytes.get(2..).unwrap_or_default();
    let Some(end) = body.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
        return unfinished(bytes);
    };
    let (Some(parameters), Some(last)) = (body.get(..end), body.get(end)) else {
        return Step::More;
    };
    let length = end + 3;
    if parameters == b"200" && *last == b'~' {
        return paste(bytes, length);
    }
    let event = match (parameters, *last) {
        (b"" | b"1", key @ (b'A' | b'B')) => arrow(key),
        (b"13;2" | b"13;3", b'u') | (b"27;2;13", b'~') => Event::NewLine,
        (b"13", b'u') => Event::Enter,
        (b"27", b'u') => Event::Esc,
        (b"127", b'u') => Event::Backspace,
        (b"99;5", b'u') => Event::Ctrl('c'),
        // A broken sequence ends at a control byte, which then counts for itself.
        (_, 0x00..=0x1f) => return Step::Event(Event::Other, end + 2),
        _ => Event::Other,
    };
    Step::Event(event, length)
}

/// Returns the event of an arrow key's last byte.
fn arrow(key: u8) -> Event {
    match key {
        b'A' => Event::Up,
        b'B' => Event::Down,
        b'M' => Event::Enter,
        _ => Event::Other,
    }
}

/// Reads what is between the marks of a bracketed paste.
fn paste(bytes: &[u8], start: usize) -> Step {
    let body = bytes.get(start..).unwrap_or_default();
    match body.windows(PASTE_END.len()).position(|part| part == PASTE_END) {
        Some(end) => {
            let text = String::from_utf8_lossy(body.get(..end).unwrap_or_default());
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            Step::Event(Event::Paste(text), start + end + PASTE_END.len())
        }
        None if body.len() > PASTE_LIMIT => Step::Event(Event::Other, bytes.len()),
        None => Step::More,
    }
}

/// Reads `ESC ] …` and its relatives up to BEL or ST.
fn control_string(bytes: &[u8]) -> Step {
    let body = bytes.get(2..).unwrap_or_default();
    for (at, byte) in body.iter().enumerate() {
        let length = match (*byte, body.get(at + 1)) {
            (0x07, _) => at + 3,
            (0x1b, Some(b'\\')) => at + 4,
            (0x1b, Some(_)) => return Step::Event(Event::Other, at + 2),
            (0x1b, None) => return Step::More,
            _ => continue,
        };
        let content = body.get(..at).unwrap_or_default();
        let event = if content == b"7501;?" && bytes.get(1) == Some(&b']') {
            Event::StatusAnswer
        } else {
            Event::Other
        };
        return Step::Event(event, length);
    }
    unfinished(bytes)
}

/// Waits for more, unless there is too much already.
fn unfinished(bytes: &[u8]) -> Step {
    if bytes.len() > LIMIT { Step::Event(Event::Other, bytes.len()) } else { Step::More }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let mut parser = Parser::default();
        let events = parser.feed(b"h\xc3\xa9\r\x7f\x03\x1b[A\x1bOB\x1b\r\x1b[I");
        assert_eq!(
            events,
            [
                Event::Char('h'),
                Event::Char('é'),
                Event::Enter,
                Event::Backspace,
                Event::Ctrl('c'),
                Event::Up,
                Event::Down,
                Event::NewLine,
                Event::Other,
            ]
        );
        assert!(!parser.is_waiting());
    }

    #[test]
    fn every_split_gives_the_same_events() {
        let stream = b"a\x1b[200~x\r\ny\x1b[201~\x1b]7501;?\x1b\\\x1b[?62;22c\
                       \x1b]11;rgb:0/0/0\x07\xe2\x9c\x93\r";
        let whole = Parser::default().feed(stream);
        assert_eq!(whole[1], Event::Paste("x\ny".to_owned()));
        assert_eq!(whole[2], Event::StatusAnswer);
        for at in 0..stream.len() {
            let mut parser = Parser::default();
            let mut events = parser.feed(&stream[..at]);
            events.extend(parser.feed(&stream[at..]));
            assert_eq!(events, whole, "split at {at}");
        }
    }

    #[test]
    fn a_lone_escape_needs_a_flush() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(b"\x1b"), []);
        assert!(parser.is_waiting());
        assert_eq!(parser.flush(), [Event::Esc]);
        assert_eq!(parser.feed(b"\x1b\x1b"), [Event::Esc]);
        assert_eq!(parser.flush(), [Event::Esc]);
    }

    #[test]
    fn garbage_neither_hangs_nor_grows() {
        let mut parser = Parser::default();
        parser.feed(b"\xff\xfe\xc3(\x00\x1b[999999");
        parser.feed(&vec![b'0'; 2 * LIMIT]);
        assert!(parser.pending.len() <= LIMIT);
        parser.feed(b"\x1b]");
        parser.feed(&vec![b'x'; 2 * LIMIT]);
        assert!(parser.pending.len() <= LIMIT);
    }
}
