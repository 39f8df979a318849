//! Asks another program something: with a deadline, no input, and a bound on what it may say.

use std::{ffi::OsStr, path::Path, process::Stdio, time::Duration};

use tokio::{io::AsyncReadExt as _, process::Command, time::timeout};

/// Most that is read of an answer, in bytes.
const MOST: u64 = 256 << 10;

/// What a program said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Whether it ended with 0.
    pub good: bool,
    /// Its standard output.
    pub text: String,
    /// Its standard error.
    pub error: String,
}

impl Answer {
    /// Its first line, of standard output if there is any.
    pub(super) fn first_line(&self) -> &str {
        let lines = self.text.lines().chain(self.error.lines());
        lines.map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
    }
}

/// Runs a program to its end.
///
/// # Errors
///
/// A phrase: it cannot be started, or takes longer than the limit and was killed.
pub(super) async fn ask<S: AsRef<OsStr>>(
    program: impl AsRef<Path>,
    arguments: impl IntoIterator<Item = S>,
    limit: Duration,
) -> Result<Answer, String> {
    let mut child = Command::new(program.as_ref())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Not in our foreground: what asks the terminal for something gets no answer, and no ctrl-c.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let answering = async {
        let (text, error) = tokio::join!(read(stdout), read(stderr));
        let status = child.wait().await;
        Answer { good: status.is_ok_and(|status| status.success()), text, error }
    };
    timeout(limit, answering)
        .await
        .map_err(|_elapsed| format!("it did not answer within {} s", limit.as_secs()))
}

async fn read(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(MOST).read_to_end(&mut bytes).await.ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
