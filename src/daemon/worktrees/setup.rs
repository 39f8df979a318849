//! Runs a set-up command in a new worktree, with a limit, and keeps what it writes.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use thiserror::Error;
use tokio::{
    fs,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe,
    process::Command,
    time::timeout,
};

use crate::process::Group;

/// Bytes of output that are kept from the beginning; of the rest only the end is.
const KEPT: usize = 1 << 20;
/// Bytes of the end.
const END: usize = 16 << 10;
/// What a command has started and left behind may still write so long.
const DRAIN: Duration = Duration::from_millis(500);

/// A command to be run.
#[derive(Debug)]
pub struct Setup<'a> {
    /// For `/bin/sh -c`.
    pub command: &'a str,
    /// Where.
    pub directory: &'a Path,
    /// All of its environment.
    pub environment: &'a [(OsString, OsString)],
    /// Its file mode creation mask.
    pub umask: u32,
    /// How long it may take.
    pub limit: Duration,
    /// Where its output goes.
    pub log: PathBuf,
}

/// Why a worktree is not ready.
#[derive(Debug, Error)]
pub enum SetupError {
    /// It could not be run.
    #[error("it could not be run: {0}")]
    Io(#[from] io::Error),
    /// It ended badly.
    #[error("{how}{}", last_line(.end))]
    Failed {
        /// How.
        how: String,
        /// What it wrote last.
        end: String,
    },
    /// It took too long.
    #[error("it took longer than {} s and was ended", .0.as_secs())]
    TimedOut(Duration),
}

/// Runs the command to its end; everything it started ends with it.
///
/// # Errors
///
/// When it fails or takes too long.
pub async fn run(setup: &Setup<'_>) -> Result<(), SetupError> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new("/bin/sh");
    let umask = format!("{:03o}", setup.umask & 0o777);
    command
        .args(["-c", "umask \"$0\" && exec /bin/sh -c \"$1\"", &umask, setup.command])
        .current_dir(setup.directory)
        .env_clear()
        .envs(setup.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .kill_on_drop(true)
        .process_group(0);
    let mut child = command.spawn()?;
    // It holds the writing end of the pipe.
    drop(command);
    let group = Group::of(child.id());
    let mut options = fs::OpenOptions::new();
    let log = options.write(true).create(true).truncate(true).mode(0o600).open(&setup.log).await?;
    let mut output =
        Output { log, kept: 0, lost: 0, unwritten: VecDeque::new(), end: VecDeque::new() };
    let mut reader = pipe::Receiver::from_owned_fd(reader.into())?;
    let work = async {
        let status = tokio::select! {
            status = child.wait() => status,
            // It has closed its output and may go on.
            read = output.take(&mut reader) => { read?; child.wait().await }
        };
        timeout(DRAIN, output.take(&mut reader)).await.ok();
        status
    };
    let status = timeout(setup.limit, work).await;
    // What it left behind ends too. The number cannot have come round to a stranger since the wait.
    group.end();
    let end = output.finish().await?;
    let Ok(status) = status else { return Err(SetupError::TimedOut(setup.limit)) };
    let status = status?;
    if status.success() {
        return Ok(());
    }
    let how = match status.code() {
        Some(code) => format!("exit code {code}"),
        None => "ended by a signal".to_owned(),
    };
    Err(SetupError::Failed { how, end })
}

/// Where output goes.
struct Output {
    log: fs::File,
    kept: usize,
    lost: usize,
    /// What is kept and not yet in the log.
    unwritten: VecDeque<u8>,
    end: VecDeque<u8>,
}

impl Output {
    /// Takes what comes until it ends. Nothing that was read is lost when this is given up.
    async fn take(&mut self, reader: &mut pipe::Receiver) -> io::Result<()> {
        let mut bytes = vec![0; 16 << 10];
        loop {
            self.log.write_all_buf(&mut self.unwritten).await?;
            let count = reader.read(&mut bytes).await?;
            let Some(piece) = bytes.get(..count).filter(|piece| !piece.is_empty()) else {
                return Ok(());
            };
            self.end.extend(piece);
            let excess = self.end.len().saturating_sub(END);
            self.end.drain(..excess);
            let room = KEPT.saturating_sub(self.kept).min(count);
            self.kept += room;
            self.lost += count - room;
            self.unwritten.extend(piece.get(..room).unwrap_or_default());
        }
    }

    /// Writes the end behind what was kept and returns it.
    async fn finish(mut self) -> io::Result<String> {
        self.log.write_all_buf(&mut self.unwritten).await?;
        let end: Vec<u8> = self.end.into();
        if self.lost > 0 {
            let gap = self.lost.saturating_sub(end.len());
            self.log.write_all(format!("\n[{gap} bytes are left out]\n").as_bytes()).await?;
            self.log.write_all(&end).await?;
        }
        self.log.flush().await?;
        Ok(String::from_utf8_lossy(&end).into_owned())
    }
}

/// The last thing that was said, as part of a sentence.
fn last_line(text: &str) -> String {
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    let plain = |line: &str| line.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    line.map(|line| format!(", after `{}`", plain(line))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tried(command: &str, limit: Duration) -> (Result<(), SetupError>, String) {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("setup.log");
        let setup = Setup {
            command,
            directory: dir.path(),
            environment: &[("PATH".into(), "/usr/bin:/bin".into())],
            umask: 0o027,
            limit,
            log: log.clone(),
        };
        let result = run(&setup).await;
        (result, String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned())
    }

    #[tokio::test]
    async fn it_is_run_and_what_it_says_is_kept() {
        let (result, said) =
            tried("umask; echo hello; echo there >&2", Duration::from_mins(1)).await;
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(said, "0027\nhello\nthere\n");
        let (result, said) = tried("echo 'no net' >&2; exit 7", Duration::from_mins(1)).await;
        let error = result.unwrap_err().to_string();
        assert_eq!((error.as_str(), said.as_str()), ("exit code 7, after `no net`", "no net\n"));
    }

    /// The log is slow to write to, and the command ends meanwhile.
    #[tokio::test]
    async fn what_was_read_is_not_lost_when_reading_is_given_up() {
        use std::io::Write as _;
        let dir = tempfile::tempdir().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let mut reader = pipe::Receiver::from_owned_fd(reader.into()).unwrap();
        let path = dir.path().join("log");
        let log = fs::File::create(&path).await.unwrap();
        let mut output =
            Output { log, kept: 0, lost: 0, unwritten: VecDeque::new(), end: VecDeque::new() };
        let mut expected = String::new();
        for number in 0..200 {
            let line = format!("{number}\n");
            writer.write_all(line.as_bytes()).unwrap();
            expected.push_str(&line);
            // Once each, and then it is dropped wherever it stands.
            timeout(Duration::ZERO, output.take(&mut reader)).await.unwrap_err();
            tokio::task::yield_now().await;
        }
        drop(writer);
        output.take(&mut reader).await.unwrap();
        assert_eq!(output.finish().await.unwrap(), expected);
        assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
    }

    #[tokio::test]
    async fn it_ends_in_time_with_everything_it_started() {
        let limit = Duration::from_millis(300);
        let (result, _) = tried("sleep 60 & sleep 60", limit).await;
        assert!(matches!(result, Err(SetupError::TimedOut(_))), "{result:?}");
        // One that leaves something behind is not waited for.
        let (result, said) = tried("sleep 60 & echo done", Duration::from_mins(1)).await;
        assert!(result.is_ok() && said == "done\n", "{result:?} {said}");
    }

    #[tokio::test]
    async fn much_output_is_bounded() {
        let command = "head -c 5000000 /dev/zero | tr '\\0' x; echo end";
        let (result, said) = tried(command, Duration::from_mins(1)).await;
        assert!(result.is_ok(), "{result:?}");
        assert!(said.len() < KEPT + END + 100 && said.ends_with("end\n"), "{}", said.len());
    }
}
