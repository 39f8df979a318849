//! The section `attach`: terminals that are handed to an agent.

use serde::{Deserialize, Serialize};

/// How an attached terminal behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttachConfig {
    /// The key that detaches: `ctrl-` and a letter or one of `\ ] ^ _ @ [`.
    pub detach_key: String,
}

impl Default for AttachConfig {
    /// `ctrl-\` is free in the agents we know; shells use it for SIGQUIT only.
    fn default() -> Self {
        Self { detach_key: "ctrl-\\".to_owned() }
    }
}

impl AttachConfig {
    /// Returns every byte string that a terminal may send for the key: the classic control byte,
    /// and the forms of the kitty keyboard protocol and of xterm's `modifyOtherKeys`.
    pub fn detach_sequences(&self) -> Vec<Vec<u8>> {
        let Ok(key) = parse_key(&self.detach_key) else { return Vec::new() };
        let code = u32::from(key);
        let control = key.to_ascii_uppercase() as u8 & 0x1f;
        let mut sequences = vec![vec![control]];
        // Modifier 5 is ctrl; 69, 133 and 197 are the same with caps lock, num lock or both.
        for modifier in ["5", "69", "133", "197"] {
            sequences.push(format!("\x1b[{code};{modifier}u").into_bytes());
            sequences.push(format!("\x1b[{code};{modifier}:1u").into_bytes());
        }
        sequences.push(format!("\x1b[27;5;{code}~").into_bytes());
        sequences
    }
}

/// Parses `ctrl-x` to `x`.
pub(super) fn parse_key(text: &str) -> Result<char, String> {
    let wrong = || format!("`{}` is not a key like `ctrl-\\` or `ctrl-q`", text.escape_debug());
    let lower = text.to_ascii_lowercase();
    let rest =
        lower.strip_prefix("ctrl-").or_else(|| lower.strip_prefix("ctrl+")).ok_or_else(wrong)?;
    let mut chars = rest.chars();
    match (chars.next(), chars.next()) {
        // Enter, Tab and Escape are these control bytes: binding them would make them unusable.
        (Some('m' | 'i' | 'j' | '['), None) => {
            Err(format!("`{lower}` is what Enter, Tab or Escape send and cannot detach"))
        }
        (Some(c), None) if c.is_ascii_lowercase() || "\\]^_@".contains(c) => Ok(c),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_key_is_known_in_all_its_forms() {
        let sequences = AttachConfig::default().detach_sequences();
        assert!(sequences.contains(&vec![0x1c]));
        assert!(sequences.contains(&b"\x1b[92;5u".to_vec()));
        assert!(sequences.contains(&b"\x1b[27;5;92~".to_vec()));
    }

    #[test]
    fn keys_that_would_lock_one_out_are_refused() {
        for key in ["ctrl-m", "q", "ctrl-", "ctrl-qq", "ctrl-é", "alt-q"] {
            assert!(parse_key(key).is_err(), "{key}");
        }
        assert_eq!(parse_key("Ctrl-Q"), Ok('q'));
    }
}
