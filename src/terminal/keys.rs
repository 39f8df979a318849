//! Key presses and mouse events as the bytes a program with given modes expects.
//!
//! For the dashboard's panes: an attached terminal sends the right bytes by itself, it has the
//! program's modes. The kitty protocol is spoken as far as its first flag (disambiguation) and
//! the flag for reporting all keys; releases and alternate keys are not reported.

use super::modes::{Modes, MouseEncoding, MouseMode};
pub use crate::domain::key::{Key, KeyPress, Modifiers};

/// A mouse button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseButton {
    /// Left.
    Left,
    /// Middle.
    Middle,
    /// Right.
    Right,
}

/// What the mouse did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseAction {
    /// A button went down.
    Press(MouseButton),
    /// A button came up.
    Release(MouseButton),
    /// The mouse moved with a button down.
    Drag(MouseButton),
    /// The mouse moved.
    Move,
    /// The wheel turned up.
    ScrollUp,
    /// The wheel turned down.
    ScrollDown,
    /// The wheel was pushed left.
    ScrollLeft,
    /// The wheel was pushed right.
    ScrollRight,
}

/// One mouse event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MouseEvent {
    /// What happened.
    pub action: MouseAction,
    /// Row on the program's screen, from 0.
    pub row: u16,
    /// Column on the program's screen, from 0.
    pub col: u16,
    /// What was held down.
    pub modifiers: Modifiers,
}

/// Flag of the kitty protocol: ambiguous keys are sent as `CSI u`.
const DISAMBIGUATE: u8 = 1;
/// Flag of the kitty protocol: all keys are sent as `CSI u`.
const ALL_KEYS: u8 = 8;
/// Cursor keys sent for one notch of the wheel where a program wants no mouse.
const WHEEL_STEP: usize = 3;

/// The number that stands for modifiers in escape sequences, 1 for none.
fn held_number(held: Modifiers) -> u8 {
    1 + u8::from(held.shift) + 2 * u8::from(held.alt) + 4 * u8::from(held.ctrl)
}

fn any(held: Modifiers) -> bool {
    held_number(held) > 1
}

/// Returns the bytes for a key press, empty for a key the program cannot be told about.
pub fn encode(press: KeyPress, modes: &Modes) -> Vec<u8> {
    let KeyPress { key, modifiers } = press;
    if let Some(bytes) = kitty(key, modifiers, modes.kitty_flags) {
        return bytes;
    }
    match key {
        Key::Char(c) => character(c, modifiers),
        Key::Enter => prefixed(modifiers.alt, b"\r"),
        Key::Tab if modifiers.shift => b"\x1b[Z".to_vec(),
        Key::Tab => prefixed(modifiers.alt, b"\t"),
        Key::Backspace if modifiers.ctrl => prefixed(modifiers.alt, b"\x08"),
        Key::Backspace => prefixed(modifiers.alt, b"\x7f"),
        Key::Escape => prefixed(modifiers.alt, b"\x1b"),
        _ => functional(key, modifiers, modes),
    }
}

/// Returns the bytes for a mouse event, `None` if the program does not want it.
///
/// A wheel turned over the alternate screen of a program without mouse becomes cursor keys
/// (`?1007`). For programs that want pixels a cell counts as 8×16.
pub fn encode_mouse(event: MouseEvent, modes: &Modes) -> Option<Vec<u8>> {
    let motion = match event.action {
        MouseAction::Press(_) => MouseMode::X10,
        MouseAction::Drag(_) => MouseMode::Drag,
        MouseAction::Move => MouseMode::Motion,
        _ => MouseMode::Click,
    };
    let wheel_key = match event.action {
        MouseAction::ScrollUp => Some(Key::Up),
        MouseAction::ScrollDown => Some(Key::Down),
        _ => None,
    };
    if modes.mouse == MouseMode::None {
        let key = wheel_key.filter(|_| modes.alternate && modes.alternate_scroll)?;
        let press = KeyPress { key, modifiers: Modifiers::default() };
        return Some(encode(press, modes).repeat(WHEEL_STEP));
    }
    let wanted = match modes.mouse {
        MouseMode::None => false,
        MouseMode::X10 => motion == MouseMode::X10,
        MouseMode::Click => matches!(motion, MouseMode::X10 | MouseMode::Click),
        MouseMode::Drag => motion != MouseMode::Motion,
        MouseMode::Motion => true,
    };
    wanted.then(|| mouse_report(event, modes.mouse_encoding)).flatten()
}

fn mouse_report(event: MouseEvent, encoding: MouseEncoding) -> Option<Vec<u8>> {
    let number = |button: MouseButton| match button {
        MouseButton::Left => 0,
        MouseButton::Middle => 1,
        MouseButton::Right => 2,
    };
    let (button, release) = match event.action {
        MouseAction::Press(button) => (number(button), false),
        MouseAction::Release(button) => (number(button), true),
        MouseAction::Drag(button) => (32 + number(button), false),
        MouseAction::Move => (35, false),
        MouseAction::ScrollUp => (64, false),
        MouseAction::ScrollDown => (65, false),
        MouseAction::ScrollLeft => (66, false),
        MouseAction::ScrollRight => (67, false),
    };
    let held = event.modifiers;
    let held = 4 * u8::from(held.shift) + 8 * u8::from(held.alt) + 16 * u8::from(held.ctrl);
    let (col, row) = (u32::from(event.col) + 1, u32::from(event.row) + 1);
    let end = if release { 'm' } else { 'M' };
    let sgr = |x: u32, y: u32| format!("\x1b[<{};{x};{y}{end}", button + held).into_bytes();
    match encoding {
        MouseEncoding::Sgr => Some(sgr(col, row)),
        MouseEncoding::SgrPixels => Some(sgr(col * 8 - 3, row * 16 - 7)),
        MouseEncoding::Default => {
            let button = if release { 3 } else { button };
            let coordinate = |at: u32| u8::try_from(at + 32).ok();
            let bytes = [32 + button + held, coordinate(col)?, coordinate(row)?];
            Some([b"\x1b[M".as_slice(), &bytes].concat())
        }
        MouseEncoding::Utf8 => {
            let button = if release { 3 } else { button };
            let mut text = String::from("\x1b[M");
            text.push(char::from(32 + button + held));
            text.push(char::from_u32(col + 32)?);
            text.push(char::from_u32(row + 32)?);
            Some(text.into_bytes())
        }
    }
}

/// Returns the kitty form of keys that have no other, or all if the program asked so.
fn kitty(key: Key, modifiers: Modifiers, flags: u8) -> Option<Vec<u8>> {
    if flags & (DISAMBIGUATE | ALL_KEYS) == 0 {
        return None;
    }
    let all = flags & ALL_KEYS != 0;
    let code = match key {
        Key::Escape => 27,
        Key::Enter if all || any(modifiers) => 13,
        Key::Tab if all || any(modifiers) => 9,
        Key::Backspace if all || any(modifiers) => 127,
        Key::Char(c) if all || modifiers.ctrl || modifiers.alt => {
            c.to_lowercase().next().map_or(u32::from(c), u32::from)
        }
        Key::Function(3) => {
            let number = held_number(modifiers);
            let held = if number > 1 { format!(";{number}") } else { String::new() };
            return Some(format!("\x1b[13{held}~").into_bytes());
        }
        _ => return None,
    };
    let number = held_number(modifiers);
    let held = if number > 1 { format!(";{number}") } else { String::new() };
    Some(format!("\x1b[{code}{held}u").into_bytes())
}

fn prefixed(alt: bool, bytes: &[u8]) -> Vec<u8> {
    let prefix: &[u8] = if alt { b"\x1b" } else { b"" };
    [prefix, bytes].concat()
}

fn character(c: char, modifiers: Modifiers) -> Vec<u8> {
    if modifiers.ctrl
        && let Some(byte) = control(c)
    {
        return prefixed(modifiers.alt, &[byte]);
    }
    prefixed(modifiers.alt, c.encode_utf8(&mut [0; 4]).as_bytes())
}

/// Returns the control character of Ctrl with a key, as terminals have always mapped them.
fn control(c: char) -> Option<u8> {
    match u8::try_from(c).ok()? {
        byte @ (b'a'..=b'z' | b'A'..=b'Z') => Some(byte & 0x1f),
        b' ' | b'@' | b'2' => Some(0),
        b'[' | b'3' => Some(0x1b),
        b'\\' | b'4' => Some(0x1c),
        b']' | b'5' => Some(0x1d),
        b'^' | b'6' | b'~' => Some(0x1e),
        b'_' | b'7' | b'/' => Some(0x1f),
        b'8' | b'?' => Some(0x7f),
        _ => None,
    }
}

fn functional(key: Key, modifiers: Modifiers, modes: &Modes) -> Vec<u8> {
    let letter = match key {
        Key::Up => 'A',
        Key::Down => 'B',
        Key::Right => 'C',
        Key::Left => 'D',
        Key::Home => 'H',
        Key::End => 'F',
        Key::Function(1) => 'P',
        Key::Function(2) => 'Q',
        Key::Function(3) => 'R',
        Key::Function(4) => 'S',
        _ => return numbered(key, modifiers),
    };
    let text = if any(modifiers) {
        format!("\x1b[1;{}{letter}", held_number(modifiers))
    } else if modes.app_cursor || matches!(key, Key::Function(_)) {
        format!("\x1bO{letter}")
    } else {
        format!("\x1b[{letter}")
    };
    text.into_bytes()
}

fn numbered(key: Key, modifiers: Modifiers) -> Vec<u8> {
    /// F5 to F20: the gaps are where the VT220 had gaps between its key blocks.
    const FUNCTIONS: [u8; 16] = [15, 17, 18, 19, 20, 21, 23, 24, 25, 26, 28, 29, 31, 32, 33, 34];
    let number = match key {
        Key::Insert => Some(2),
        Key::Delete => Some(3),
        Key::PageUp => Some(5),
        Key::PageDown => Some(6),
        Key::Function(n) => n.checked_sub(5).and_then(|n| FUNCTIONS.get(usize::from(n)).copied()),
        _ => None,
    };
    let Some(number) = number else {
        return Vec::new();
    };
    let held = held_number(modifiers);
    let held = if held > 1 { format!(";{held}") } else { String::new() };
    format!("\x1b[{number}{held}~").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Modifiers = Modifiers { shift: false, alt: false, ctrl: false };
    const CTRL: Modifiers = Modifiers { shift: false, alt: false, ctrl: true };
    const ALT: Modifiers = Modifiers { shift: false, alt: true, ctrl: false };
    const SHIFT: Modifiers = Modifiers { shift: true, alt: false, ctrl: false };

    fn sent(key: Key, modifiers: Modifiers, modes: &Modes) -> String {
        String::from_utf8(encode(KeyPress { key, modifiers }, modes)).unwrap()
    }

    #[test]
    fn keys_without_protocol() {
        let plain = Modes::default();
        for (key, modifiers, bytes) in [
            (Key::Char('a'), NONE, "a"),
            (Key::Char('\u{e9}'), ALT, "\x1b\u{e9}"),
            (Key::Char('c'), CTRL, "\x03"),
            (Key::Char(' '), CTRL, "\0"),
            (Key::Enter, NONE, "\r"),
            (Key::Enter, SHIFT, "\r"),
            (Key::Enter, ALT, "\x1b\r"),
            (Key::Tab, SHIFT, "\x1b[Z"),
            (Key::Backspace, NONE, "\x7f"),
            (Key::Escape, NONE, "\x1b"),
            (Key::Up, NONE, "\x1b[A"),
            (Key::Up, CTRL, "\x1b[1;5A"),
            (Key::Function(3), NONE, "\x1bOR"),
            (Key::Function(5), SHIFT, "\x1b[15;2~"),
            (Key::Function(12), NONE, "\x1b[24~"),
            (Key::Function(99), NONE, ""),
            (Key::Delete, NONE, "\x1b[3~"),
        ] {
            assert_eq!(sent(key, modifiers, &plain), bytes, "{key:?} {modifiers:?}");
        }
        let app = Modes { app_cursor: true, ..plain };
        assert_eq!(sent(Key::Up, NONE, &app), "\x1bOA");
    }

    #[test]
    fn keys_with_the_kitty_protocol() {
        let kitty = Modes { kitty_flags: 1, ..Modes::default() };
        for (key, modifiers, bytes) in [
            (Key::Char('a'), NONE, "a"),
            (Key::Char('c'), CTRL, "\x1b[99;5u"),
            (Key::Enter, NONE, "\r"),
            (Key::Enter, SHIFT, "\x1b[13;2u"),
            (Key::Escape, NONE, "\x1b[27u"),
            (Key::Function(3), NONE, "\x1b[13~"),
            (Key::Left, ALT, "\x1b[1;3D"),
        ] {
            assert_eq!(sent(key, modifiers, &kitty), bytes, "{key:?} {modifiers:?}");
        }
        let all = Modes { kitty_flags: 9, ..Modes::default() };
        assert_eq!(sent(Key::Char('A'), SHIFT, &all), "\x1b[97;2u");
    }

    #[test]
    fn mouse_events_are_sent_only_where_wanted() {
        let event = |action| MouseEvent { action, row: 4, col: 9, modifiers: NONE };
        let press = event(MouseAction::Press(MouseButton::Left));
        let mut modes = Modes { mouse_encoding: MouseEncoding::Sgr, ..Modes::default() };
        assert_eq!(encode_mouse(press, &modes), None);
        modes.mouse = MouseMode::Click;
        assert_eq!(encode_mouse(press, &modes).unwrap(), b"\x1b[<0;10;5M");
        let release = event(MouseAction::Release(MouseButton::Left));
        assert_eq!(encode_mouse(release, &modes).unwrap(), b"\x1b[<0;10;5m");
        assert_eq!(encode_mouse(event(MouseAction::Move), &modes), None);
        modes.mouse_encoding = MouseEncoding::Default;
        assert_eq!(encode_mouse(press, &modes).unwrap(), b"\x1b[M \x2a\x25");
        let far = MouseEvent { col: 500, ..press };
        assert_eq!(encode_mouse(far, &modes), None);
    }

    #[test]
    fn the_wheel_scrolls_programs_without_mouse() {
        let event = MouseEvent { action: MouseAction::ScrollUp, row: 0, col: 0, modifiers: NONE };
        let modes = Modes { alternate: true, alternate_scroll: true, ..Modes::default() };
        assert_eq!(encode_mouse(event, &modes).unwrap(), b"\x1b[A\x1b[A\x1b[A");
        assert_eq!(encode_mouse(event, &Modes::default()), None);
    }
}
