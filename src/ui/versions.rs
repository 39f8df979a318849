//! Asks the agents that were found for their versions, beside everything else: the first frame
//! waits for none of them, and one that does not answer is ended.

use std::{process::Stdio, time::Duration};

use tokio::{process::Command, sync::mpsc, time::timeout};

use super::event::UiEvent;
use crate::config::environment;

/// How long an agent may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is looked at of what it says, in bytes.
const MAX: usize = 4096;

/// Asks each in a task of its own.
pub(super) fn ask(names: &[String], events: &mpsc::Sender<UiEvent>) {
    for name in names {
        let (name, events) = (name.clone(), events.clone());
        tokio::spawn(async move {
            if let Some(version) = version(&name).await {
                // The loop may have ended.
                events.send(UiEvent::Version(name, version)).await.ok();
            }
        });
    }
}

async fn version(name: &str) -> Option<String> {
    let mut command = Command::new(environment::find_program(name)?);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    number(&String::from_utf8_lossy(output.stdout.get(..MAX).unwrap_or(&output.stdout)))
}

/// Returns the first word that looks like a version.
fn number(text: &str) -> Option<String> {
    let mut words = text.split(|c: char| c.is_whitespace() || "(),".contains(c));
    let is_version = |word: &&str| {
        let word = word.trim_start_matches('v');
        word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.') && word.len() <= 24
    };
    let found = words.find(is_version)?.trim_start_matches('v');
    found.chars().all(|c| c.is_ascii_graphic()).then(|| found.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_agents_say() {
        for (said, version) in [
            ("2.1.328 (Claude Code)\n", Some("2.1.328")),
            ("codex-cli 0.169.0\n", Some("0.169.0")),
            ("v1.18.33", Some("1.18.33")),
            ("unknown option", None),
            ("", None),
        ] {
            assert_eq!(number(said).as_deref(), version, "{said}");
        }
    }
}
