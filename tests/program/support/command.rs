//! Runs one command to its end, with everything it said; and follows one that goes on.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::wait::try_wait_value;

/// How long any command may take.
pub(crate) fn deadline() -> Duration {
    Duration::from_secs(30)
}

/// What a command said and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// The exit code, or minus the number of the signal that ended it.
    pub code: i32,
    /// Standard output as text.
    pub stdout: String,
    /// Standard error as text.
    pub stderr: String,
    /// Standard output as it was.
    pub bytes: Vec<u8>,
    /// The command line, for messages.
    command: String,
}

impl Output {
    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "exit code of `{}`\nstdout: {}\nstderr: {}",
            self.command, self.stdout, self.stderr
        );
        self
    }

    /// Checks the exit code and that all these texts are in standard error.
    #[track_caller]
    pub(crate) fn expect_error(self, code: i32, texts: &[&str]) -> Self {
        let output = self.expect_code(code);
        for text in texts {
            assert!(
                output.stderr.contains(text),
                "`{text}` is not in what `{}` says: {}",
                output.command,
                output.stderr
            );
        }
        output.expect_printable()
    }

    /// Checks that standard error holds nothing that could move a cursor, turn text around, or
    /// tell of a panic, and is no longer than a person reads.
    #[track_caller]
    pub(crate) fn expect_printable(self) -> Self {
        let bad = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!self.stderr.contains(bad), "`{}` says {:?}", self.command, self.stderr);
        assert!(!self.stderr.contains("panicked"), "`{}`: {}", self.command, self.stderr);
        self
    }
}

/// Runs a command with this on its standard input; kills it at the deadline and says so.
pub(crate) fn try_run(mut command: Command, input: &[u8]) -> Result<Output, String> {
    let name = format!("{:?}", command.get_args().collect::<Vec<_>>());
    let name = name.chars().take(300).collect::<String>();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("start {name}: {error}"))?;
    let stdin = child.stdin.take();
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    if let Some(mut stdin) = stdin {
        // It may end without reading.
        stdin.write_all(input).ok();
    }
    let status = finish(&mut child, deadline());
    let (bytes, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
    let output = Output {
        code: status.map_or(i32::MIN, code_of),
        stdout: String::from_utf8_lossy(&bytes).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        bytes,
        command: name,
    };
    match status {
        Some(_) => Ok(output),
        None => Err(format!("`{}` did not end in time: {}", output.command, output.stderr)),
    }
}

/// Waits for a child's end; kills it, and returns `None`, when the time is over.
pub(crate) fn finish(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let ended = try_wait_value(limit, || child.try_wait().ok().flatten());
    ended.map_err(|()| child.kill().and_then(|()| child.wait().map(drop)).ok()).ok()
}

/// Returns the exit code, or minus the signal's number.
pub(crate) fn code_of(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| -status.signal().unwrap_or(0))
}

/// Reads a stream to its end in a thread.
fn collect(stream: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            stream.read_to_end(&mut bytes).ok();
        }
        bytes
    })
}

/// A command that goes on, with the lines it has printed so far.
pub(crate) struct Follower {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Follower {
    /// Starts it.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start a command to follow");
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (stdout, sink) = (child.stdout.take().expect("a pipe"), Arc::clone(&lines));
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                sink.lock().expect("no reader panics").push(line);
            }
        });
        Self { child, lines }
    }

    /// Returns what it has printed.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no reader panics").clone()
    }

    /// Sends it a signal and returns its exit code.
    pub(crate) fn signal(&mut self, signal: rustix::process::Signal) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it still runs");
        finish(&mut self.child, deadline()).map_or(i32::MIN, code_of)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait().map(drop)).ok();
    }
}
