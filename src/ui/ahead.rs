//! What the user typed before the terminal had been handed to the agent: it was meant for the agent.
//!
//! Keys may have been read from the terminal together with the one that asked for the hand-over. As
//! commands of the dashboard they would do something that nobody meant.

use std::time::Duration;

use crossterm::event;

use super::{event::UiEvent, input};
use crate::terminal::{Modes, keys, paste};

/// More than anybody types in that time; what is beyond it is left out.
const MAX: usize = 64 << 10;

/// How long the reader may take to give its lock back. Without any time it looks at nothing, not even
/// at what it has read.
const PATIENCE: Duration = Duration::from_millis(5);

/// Returns the bytes that say to a program with these modes what was read already. Nothing else may be
/// reading events.
pub(super) fn typed(modes: &Modes) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < MAX
        && let Ok(true) = event::poll(PATIENCE)
        && let Ok(event) = event::read()
    {
        bytes.extend(input::understand(event).map(|event| said(event, modes)).unwrap_or_default());
    }
    bytes
}

fn said(event: UiEvent, modes: &Modes) -> Vec<u8> {
    match event {
        UiEvent::Key(press) => keys::encode(press, modes),
        UiEvent::Paste(text) => paste::encode(&text, modes.bracketed_paste),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::KeyPress;

    #[test]
    fn what_was_typed_is_said_as_the_agent_expects_it() {
        let modes = Modes { bracketed_paste: true, ..Modes::default() };
        let press = |key| UiEvent::Key(KeyPress::parse(key).unwrap());
        assert_eq!(said(press("h"), &modes), b"h");
        assert_eq!(said(press("enter"), &modes), b"\r");
        assert_eq!(said(UiEvent::Paste("a".to_owned()), &modes), b"\x1b[200~a\x1b[201~");
        assert_eq!(said(UiEvent::Focus(true), &modes), b"");
    }
}
