//! Keys of a keyboard and how people write them: `x`, `ctrl-p`, `alt-enter`, `pgdn`.
//!
//! What a key sends to a program is not said here but in the terminal module. Invariant: whatever
//! [`KeyPress::parse`] accepts is a key that every terminal can tell from the others.

use std::fmt;

/// A key, without its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A character, as the keyboard layout and Shift produce it.
    Char(char),
    /// Enter or Return.
    Enter,
    /// Tab.
    Tab,
    /// Backspace.
    Backspace,
    /// Escape.
    Escape,
    /// Cursor up.
    Up,
    /// Cursor down.
    Down,
    /// Cursor left.
    Left,
    /// Cursor right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Insert.
    Insert,
    /// Delete.
    Delete,
    /// A function key, 1 to 20; others send nothing.
    Function(u8),
}

/// The modifiers held down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Modifiers {
    /// Shift.
    pub shift: bool,
    /// Alt or Option.
    pub alt: bool,
    /// Control.
    pub ctrl: bool,
}

/// One key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPress {
    /// The key.
    pub key: Key,
    /// What is held down with it.
    pub modifiers: Modifiers,
}

/// Keys that have a name, the one they are written with first.
const NAMED: &[(Key, &[&str])] = &[
    (Key::Char(' '), &["space"]),
    (Key::Enter, &["enter", "return"]),
    (Key::Tab, &["tab"]),
    (Key::Backspace, &["backspace"]),
    (Key::Escape, &["esc", "escape"]),
    (Key::Up, &["up"]),
    (Key::Down, &["down"]),
    (Key::Left, &["left"]),
    (Key::Right, &["right"]),
    (Key::Home, &["home"]),
    (Key::End, &["end"]),
    (Key::PageUp, &["pgup", "pageup"]),
    (Key::PageDown, &["pgdn", "pagedown"]),
    (Key::Insert, &["insert"]),
    (Key::Delete, &["delete", "del"]),
];

impl KeyPress {
    /// Parses a key as people write it.
    ///
    /// # Errors
    ///
    /// Says what is wrong: not a key, or one that terminals send as another.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text;
        let mut modifiers = Modifiers::default();
        while let Some((word, after)) =
            rest.split_once(['-', '+']).filter(|(w, a)| !w.is_empty() && !a.is_empty())
        {
            match word.to_ascii_lowercase().as_str() {
                "ctrl" => modifiers.ctrl = true,
                "alt" => modifiers.alt = true,
                "shift" => modifiers.shift = true,
                _ => return Err(not_a_key(text)),
            }
            rest = after;
        }
        let key = named(rest).ok_or_else(|| not_a_key(text))?;
        Self { key, modifiers }.checked(text)
    }

    /// Refuses what terminals do not send, and writes the rest in the one form they send.
    fn checked(mut self, text: &str) -> Result<Self, String> {
        let Key::Char(c) = self.key else { return Ok(self) };
        if self.modifiers.ctrl {
            if self.modifiers.shift {
                return Err(format!("`{text}`: terminals do not tell ctrl-shift from ctrl"));
            }
            let c = c.to_ascii_lowercase();
            if "imj[".contains(c) {
                return Err(format!("`{text}` is what terminals send for tab, enter or esc"));
            }
            self.key = Key::Char(c);
        } else if self.modifiers.shift {
            if !c.is_alphabetic() {
                return Err(format!("`{text}`: write the character that shift makes"));
            }
            self.modifiers.shift = false;
            self.key = Key::Char(c.to_uppercase().next().unwrap_or(c));
        }
        Ok(self)
    }

    /// Whether it is text, or what ends or mends it.
    pub fn is_text(self) -> bool {
        let is_bare = !self.modifiers.ctrl && !self.modifiers.alt;
        let keys = [Key::Enter, Key::Tab, Key::Backspace, Key::Escape];
        is_bare && (matches!(self.key, Key::Char(_)) || keys.contains(&self.key))
    }

    /// Whether it never is text that is typed.
    pub fn is_command(self) -> bool {
        let Self { key, modifiers } = self;
        modifiers.ctrl || modifiers.alt || matches!(key, Key::Function(_))
    }
}

impl fmt::Display for KeyPress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.modifiers;
        for (is_held, word) in [(held.ctrl, "ctrl-"), (held.alt, "alt-"), (held.shift, "shift-")] {
            if is_held {
                f.write_str(word)?;
            }
        }
        match (NAMED.iter().find(|(key, _)| *key == self.key), self.key) {
            (Some((_, names)), _) => f.write_str(names.first().copied().unwrap_or_default()),
            (None, Key::Char(c)) => write!(f, "{c}"),
            (None, Key::Function(number)) => write!(f, "f{number}"),
            (None, _) => Ok(()),
        }
    }
}

fn named(text: &str) -> Option<Key> {
    let mut chars = text.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return (!c.is_control() && c != ' ').then_some(Key::Char(c));
    }
    let lower = text.to_ascii_lowercase();
    if let Some((key, _)) = NAMED.iter().find(|(_, names)| names.contains(&lower.as_str())) {
        return Some(*key);
    }
    let number: u8 = lower.strip_prefix('f')?.parse().ok()?;
    (1..=20).contains(&number).then_some(Key::Function(number))
}

fn not_a_key(text: &str) -> String {
    format!("`{}` is not a key like `x`, `ctrl-p`, `alt-enter`, `f5`", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_they_are_read() {
        for text in
            ["x", "X", "-", "+", "ctrl-p", "ctrl--", "alt-enter", "f12", "space", "shift-tab", "é"]
        {
            assert_eq!(KeyPress::parse(text).unwrap().to_string(), text);
        }
        let same = [("Ctrl+P", "ctrl-p"), ("shift-x", "X"), ("Escape", "esc"), ("PageUp", "pgup")];
        for (written, read) in same {
            assert_eq!(KeyPress::parse(written).unwrap().to_string(), read);
        }
    }

    #[test]
    fn what_no_terminal_sends_is_refused() {
        for text in ["", "xx", "ctrl-", "ctrl-i", "ctrl-[", "super-x", "f21", " ", "ctrl-shift-p"] {
            assert!(KeyPress::parse(text).is_err(), "{text}");
        }
    }
}
