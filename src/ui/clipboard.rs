//! Puts copied text where it can be pasted from: the user's terminal takes it by OSC 52, wherever it
//! runs; on this machine's own desktop a clipboard tool does, too, for terminals that do not.
//!
//! Nothing here is waited for, and what a tool does wrong concerns nobody: the text was offered.

use std::{path::PathBuf, process::Stdio, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use crate::config::environment;

/// What terminals take at most, as far as we know: more is cut at none of ours.
const MOST_BYTES: usize = 1 << 20;
/// How long a tool may take the text in.
const PATIENCE: Duration = Duration::from_secs(3);

/// The tools with their arguments, and the variable that says whether their desktop is there.
const TOOLS: [(&str, &[&str], Option<&str>); 4] = [
    ("wl-copy", &[], Some("WAYLAND_DISPLAY")),
    ("xclip", &["-selection", "clipboard"], Some("DISPLAY")),
    ("xsel", &["--clipboard", "--input"], Some("DISPLAY")),
    ("pbcopy", &[], None),
];

/// Returns what makes the user's terminal take the text, `None` if it is too long for that.
pub(super) fn sequence(text: &str) -> Option<Vec<u8>> {
    let is_short = text.len() <= MOST_BYTES;
    is_short.then(|| format!("\x1b]52;c;{}\x07", BASE64_STANDARD.encode(text)).into_bytes())
}

/// Gives the text to the desktop's clipboard, if there is one on this machine.
pub(super) fn give(text: String) {
    let Some((tool, arguments)) = tool() else { return };
    tokio::spawn(async move {
        let mut command = Command::new(tool);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(mut child) = command.kill_on_drop(true).spawn() else { return };
        let Some(mut stdin) = child.stdin.take() else { return };
        let taken = async {
            stdin.write_all(text.as_bytes()).await.ok();
            drop(stdin);
            child.wait().await.ok();
        };
        timeout(PATIENCE, taken).await.ok();
    });
}

/// The tool for the desktop that this session is on; over SSH the desktop is another one's.
fn tool() -> Option<(PathBuf, &'static [&'static str])> {
    if environment::is_remote() {
        return None;
    }
    let here = TOOLS.iter().filter(|(_, _, desktop)| {
        desktop.is_none_or(|variable| environment::get(variable).is_some())
    });
    let mut found =
        here.filter_map(|(name, args, _)| Some((environment::find_program(name)?, *args)));
    found.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_given_text_of_a_bounded_length() {
        assert_eq!(sequence("hé").unwrap(), b"\x1b]52;c;aMOp\x07");
        assert_eq!(sequence(&"x".repeat(MOST_BYTES + 1)), None);
    }
}
