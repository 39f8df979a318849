//! The desktop that the daemon was started from: `notify-send`, found on the path, ended when it does
//! not come back.

use std::{path::PathBuf, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use super::{Fault, Outgoing};
use crate::{config::environment, domain::notification::Severity};

/// A bus that does not answer is not waited for longer.
const LIMIT: Duration = Duration::from_secs(3);

/// Characters of what is shown.
const MOST: usize = 300;

/// The program that shows notifications.
#[derive(Debug)]
pub(super) struct Desktop {
    program: PathBuf,
}

impl Desktop {
    /// Looks for the program.
    pub(super) fn find() -> Option<Self> {
        let program = environment::find_program("notify-send");
        if program.is_none() {
            tracing::warn!("notify.notify_send is set, and no notify-send is on the path");
        }
        Some(Self { program: program? })
    }

    pub(super) async fn send(&self, it: &Outgoing<'_>) -> Result<(), Fault> {
        let told = it.told;
        let urgency = match told.severity {
            Severity::Info => "low",
            Severity::Warning => "normal",
            Severity::Critical => "critical",
        };
        // The body may be marked up, by what a stranger wrote.
        let body: String = told.body.chars().take(MOST).collect();
        let body = body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let child = Command::new(&self.program)
            .args(["--app-name=Stratavore", "--urgency", urgency, "--"])
            .arg(format!("{} {}", told.emoji, told.title))
            .arg(body)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status();
        match timeout(LIMIT, child).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(Fault::later(format!("notify-send ended with {status}"))),
            Ok(Err(error)) => Err(Fault::later(format!("start notify-send: {error}"))),
            Err(_elapsed) => Err(Fault::later("notify-send does not come back")),
        }
    }
}
