//! What the terminal says, in the terms of the dashboard.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEventKind};

use super::event::UiEvent;
use crate::terminal::keys::{Key, KeyPress, Modifiers, MouseAction, MouseButton, MouseEvent};

/// Returns what happened, `None` for what means nothing here.
pub(super) fn understand(event: Event) -> Option<UiEvent> {
    match event {
        Event::Key(key) => press(key).map(UiEvent::Key),
        Event::Paste(text) => Some(UiEvent::Paste(text)),
        Event::Resize(cols, rows) => Some(UiEvent::Resized(cols, rows)),
        Event::Mouse(event) => Some(UiEvent::Mouse(mouse(event))),
        Event::FocusGained => Some(UiEvent::Focus(true)),
        Event::FocusLost => Some(UiEvent::Focus(false)),
    }
}

fn mouse(event: crossterm::event::MouseEvent) -> MouseEvent {
    let button = |button| match button {
        crossterm::event::MouseButton::Left => MouseButton::Left,
        crossterm::event::MouseButton::Middle => MouseButton::Middle,
        crossterm::event::MouseButton::Right => MouseButton::Right,
    };
    let action = match event.kind {
        MouseEventKind::Down(which) => MouseAction::Press(button(which)),
        MouseEventKind::Up(which) => MouseAction::Release(button(which)),
        MouseEventKind::Drag(which) => MouseAction::Drag(button(which)),
        MouseEventKind::Moved => MouseAction::Move,
        MouseEventKind::ScrollUp => MouseAction::ScrollUp,
        MouseEventKind::ScrollDown => MouseAction::ScrollDown,
        MouseEventKind::ScrollLeft => MouseAction::ScrollLeft,
        MouseEventKind::ScrollRight => MouseAction::ScrollRight,
    };
    let modifiers = held(event.modifiers);
    MouseEvent { action, row: event.row, col: event.column, modifiers }
}

fn held(held: KeyModifiers) -> Modifiers {
    Modifiers {
        shift: held.contains(KeyModifiers::SHIFT),
        alt: held.contains(KeyModifiers::ALT),
        ctrl: held.contains(KeyModifiers::CONTROL),
    }
}

fn press(event: KeyEvent) -> Option<KeyPress> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let mut modifiers = held(event.modifiers);
    let key = match event.code {
        KeyCode::Char(c) => {
            // The character tells it already.
            modifiers.shift = false;
            Key::Char(if modifiers.ctrl { control_key(c) } else { c })
        }
        KeyCode::Enter => Key::Enter,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => {
            modifiers.shift = true;
            Key::Tab
        }
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Esc => Key::Escape,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Insert => Key::Insert,
        KeyCode::Delete => Key::Delete,
        KeyCode::F(number) => Key::Function(number),
        _ => return None,
    };
    Some(KeyPress { key, modifiers })
}

/// The control bytes 0x1c to 0x1f arrive under the names of digits.
fn control_key(c: char) -> char {
    match c {
        '4' => '\\',
        '5' => ']',
        '6' => '^',
        '7' => '_',
        c => c.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_leaves_is_known_as_terminals_send_it() {
        let sent = KeyEvent::new(KeyCode::Char('4'), KeyModifiers::CONTROL);
        assert_eq!(press(sent), KeyPress::parse("ctrl-\\").ok());
        let sent = KeyEvent::new(KeyCode::Char('Q'), KeyModifiers::CONTROL);
        assert_eq!(press(sent), KeyPress::parse("Ctrl-Q").ok());
    }

    #[test]
    fn shift_is_told_by_the_character() {
        let sent = KeyEvent::new(KeyCode::Char('X'), KeyModifiers::SHIFT);
        let modifiers = Modifiers::default();
        assert_eq!(press(sent), Some(KeyPress { key: Key::Char('X'), modifiers }));
    }
}
