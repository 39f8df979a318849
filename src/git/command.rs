//! One question to git: arguments that make it harmless, a deadline, a bound.
//!
//! The process leads a group of its own, which ends with the question, whatever becomes of who asked.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    time::timeout,
};

use super::{GitError, PATIENCE};
use crate::{config::environment, process::Group};

/// What an answer may have unless it is asked for otherwise, in bytes.
const MOST: usize = 8 << 20;

/// What is read of what git says about a failure, in bytes.
const MOST_SAID: u64 = 8 << 10;

/// What keeps git from running anything that a repository names, and from answering in a form that its
/// user has chosen.
const HARMLESS: [&str; 19] = [
    "--no-optional-locks",
    "--no-pager",
    "--literal-pathspecs",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "diff.external=",
    "-c",
    "submodule.recurse=false",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    "-c",
    "log.showSignature=false",
    "-c",
    "core.quotePath=false",
];

/// A question to git.
pub(super) struct Ask {
    command: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    input: Vec<u8>,
    limit: Duration,
    most: usize,
    umask: Option<u32>,
    may_fetch: bool,
}

/// What git answered.
pub(super) struct Answer {
    what: String,
    output: Output,
    /// There was more of it.
    pub(super) is_cut: bool,
}

impl Ask {
    /// Returns a question about what is in this directory.
    pub(super) fn new(directory: &Path) -> Self {
        let mut command: Vec<OsString> = HARMLESS.iter().map(OsString::from).collect();
        command.extend(["-C".into(), directory.into()]);
        Self {
            command,
            environment: Vec::new(),
            input: Vec::new(),
            limit: PATIENCE,
            most: MOST,
            umask: None,
            may_fetch: false,
        }
    }

    /// Adds arguments.
    pub(super) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable.
    pub(super) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Sets variables.
    pub(super) fn envs(mut self, variables: &[(OsString, OsString)]) -> Self {
        self.environment.extend_from_slice(variables);
        self
    }

    /// Gives it something to read.
    pub(super) fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = bytes;
        self
    }

    /// Sets how long it may take.
    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sets how many bytes of the answer are read; the rest is cut off.
    pub(super) fn at_most(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self
    }

    /// It makes files: with this mask, which is not the daemon's.
    pub(super) fn making(mut self, umask: u32) -> Self {
        self.umask = Some(umask & 0o777);
        self
    }

    /// It may load what a partial clone lacks.
    pub(super) fn may_fetch(mut self) -> Self {
        self.may_fetch = true;
        self
    }

    /// The name of the command, for messages.
    fn what(&self) -> String {
        let own = HARMLESS.len() + 2;
        let words = self.command.iter().skip(own).take(2).map(|word| word.to_string_lossy());
        let words: Vec<_> = words.take_while(|word| !word.starts_with('-')).collect();
        words.join(" ").chars().filter(|c| !c.is_control()).collect()
    }

    fn command(&self) -> Command {
        let mut command = match self.umask {
            None => Command::new("git"),
            Some(umask) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", "umask \"$0\" && exec git \"$@\"", &format!("{umask:03o}")]);
                shell
            }
        };
        command.args(&self.command);
        for (name, _) in environment::all().into_iter().filter(|(name, _)| is_of_git(name)) {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "");
        if !self.may_fetch {
            command.env("GIT_NO_LAZY_FETCH", "1");
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).process_group(0);
        command
    }

    /// Asks.
    ///
    /// # Errors
    ///
    /// When there is no git, or it takes too long. What it refuses is in the answer.
    pub(super) async fn answer(self) -> Result<Answer, GitError> {
        let what = self.what();
        let failed = |source| GitError::Io { what: format!("run git {what}"), source };
        let mut child = self.command().spawn().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => GitError::Missing,
            _ => failed(source),
        })?;
        let group = Group::of(child.id());
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(failed(io::Error::other("a pipe is missing")));
        };
        let talk = async {
            let write = async {
                // Who has answered already does not read on.
                stdin.write_all(&self.input).await.ok();
                drop(stdin);
            };
            let ((), stdout, stderr) =
                tokio::join!(write, read(stdout, self.most), read_all(stderr, MOST_SAID));
            let (stdout, is_cut) = stdout?;
            if is_cut {
                group.end();
            }
            let status = child.wait().await?;
            Ok::<_, io::Error>((Output { status, stdout, stderr: stderr? }, is_cut))
        };
        let limit = self.limit;
        let told = timeout(limit, talk).await;
        let Ok(told) = told else { return Err(GitError::TimedOut { what, limit }) };
        let (output, is_cut) = told.map_err(failed)?;
        group.forget();
        if self.umask.is_some() && output.status.code() == Some(127) {
            return Err(GitError::Missing);
        }
        Ok(Answer { what, output, is_cut })
    }

    /// Asks and returns the whole answer.
    ///
    /// # Errors
    ///
    /// As [`Self::answer`]; also when git refuses, or the answer is too long.
    pub(super) async fn bytes(self) -> Result<Vec<u8>, GitError> {
        let answer = self.answer().await?;
        if answer.is_cut {
            return Err(GitError::TooLong { what: answer.what });
        }
        answer.bytes()
    }

    /// Asks for one line, without its end.
    ///
    /// # Errors
    ///
    /// As [`Self::bytes`].
    pub(super) async fn line(self) -> Result<Vec<u8>, GitError> {
        let mut bytes = self.bytes().await?;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        Ok(bytes)
    }

    /// Asks for a word that is text.
    ///
    /// # Errors
    ///
    /// As [`Self::bytes`].
    pub(super) async fn word(self) -> Result<String, GitError> {
        Ok(String::from_utf8_lossy(&self.line().await?).into_owned())
    }
}

impl Answer {
    /// Whether git did what it was asked for.
    pub(super) fn is_success(&self) -> bool {
        self.output.status.success()
    }

    /// Returns what it answered, cut or not.
    ///
    /// # Errors
    ///
    /// When it refused; that it was ended for saying too much is no refusal.
    pub(super) fn bytes(self) -> Result<Vec<u8>, GitError> {
        if self.output.status.success() || self.is_cut {
            return Ok(self.output.stdout);
        }
        Err(self.refusal())
    }

    /// Why it refused.
    pub(super) fn refusal(self) -> GitError {
        let text = String::from_utf8_lossy(&self.output.stderr);
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
        let told = lines()
            .find_map(|line| line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: ")));
        let said = told.or_else(|| lines().next()).unwrap_or("it says nothing");
        if said.starts_with("not a git repository") {
            return GitError::NoRepository;
        }
        let said = said.chars().filter(|c| !c.is_control()).take(300).collect();
        GitError::Refused { what: self.what, said }
    }
}

/// Variables that point git to another repository, or change what it does.
fn is_of_git(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"GIT_")
}

/// Reads so many bytes; returns also whether there are more.
async fn read(from: impl AsyncRead + Unpin, most: usize) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes).await?;
    let is_cut = bytes.len() > most;
    bytes.truncate(most);
    Ok((bytes, is_cut))
}

/// Reads to the end and keeps the beginning: who is not read to the end would wait.
async fn read_all(mut from: impl AsyncRead + Unpin, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    (&mut from).take(most).read_to_end(&mut bytes).await?;
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    Ok(bytes)
}
