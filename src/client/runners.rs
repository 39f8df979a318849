//! Runners, from the client's side.

use std::time::Duration;

use bytes::Bytes;
use tonic::Streaming;

use super::{Client, failed, request_within, worktrees::MAKING};
use crate::{
    domain::{
        evidence::Explanation,
        failure::Failure,
        id::RunnerId,
        launch::{LaunchRequest, Launched},
        runner::Runner,
        size::TerminalSize,
    },
    proto::{
        launch::env_vars,
        v1::{
            self, LaunchRunnerRequest, ListRunnersRequest, ReadLogRequest, ReadScrollbackRequest,
            ResizeRunnerRequest, RestartRunnerRequest, RunnerRequest, SearchScrollbackRequest,
            SendInputRequest, StopRunnerRequest, WatchFramesRequest, WatchRunnersRequest,
        },
    },
};

/// Ending many runners with long grace periods takes its time.
pub(super) const STOP_LIMIT: Duration = Duration::from_mins(61);

/// What a watcher of runners is told.
#[derive(Debug, Clone, PartialEq)]
pub struct RunnerUpdate {
    /// Runners as they are now.
    pub runners: Vec<Runner>,
    /// Runners that are gone.
    pub removed: Vec<RunnerId>,
    /// The list is complete.
    pub complete: bool,
}

/// Runners as they change.
#[derive(Debug)]
pub struct RunnerStream(Streaming<v1::WatchRunnersResponse>);

/// A change of a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameUpdate {
    /// The screen's size.
    pub size: TerminalSize,
    /// It repaints everything.
    pub full: bool,
    /// What to feed to a pane.
    pub bytes: Bytes,
}

/// A screen as it changes.
#[derive(Debug)]
pub struct FrameStream(Streaming<v1::Frame>);

/// A piece of recorded output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogUpdate {
    /// Offset of the first byte.
    pub offset: u64,
    /// Bytes before it that were not recorded.
    pub missing: u64,
    /// The bytes.
    pub bytes: Bytes,
}

/// Recorded output.
#[derive(Debug)]
pub struct LogStream(Streaming<v1::LogChunk>);

/// What a screen shows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ScreenView {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
    /// The rows' text.
    pub lines: Vec<String>,
    /// Row of the cursor, from 0.
    pub cursor_row: u32,
    /// Column of the cursor, from 0.
    pub cursor_col: u32,
    /// The title.
    pub title: String,
    /// Whether the alternate screen is shown.
    pub alternate: bool,
    /// Lines of history.
    pub history_lines: u64,
    /// Older lines that were forgotten: with them counted, a line keeps its number for ever.
    #[serde(skip)]
    pub forgotten_lines: u64,
    /// Which rows go on in the next one without a line break.
    #[serde(skip)]
    pub wrapped: Vec<bool>,
}

/// Lines of a runner's history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryView {
    /// The lines; those that were forgotten are empty.
    pub lines: Vec<String>,
    /// Which of them go on in the next one without a line break.
    pub wrapped: Vec<bool>,
}

impl RunnerStream {
    /// Returns the next update, `None` when the daemon leaves.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    pub async fn next(&mut self) -> Result<Option<RunnerUpdate>, Failure> {
        let Some(wire) = self.0.message().await.map_err(failed)? else { return Ok(None) };
        let runners = wire.runners.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        let removed = wire.removed_ids.iter().filter_map(|id| id.parse().ok()).collect();
        Ok(Some(RunnerUpdate { runners, removed, complete: wire.complete }))
    }
}

impl FrameStream {
    /// Returns the next frame, `None` when the runner or the daemon is gone.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    pub async fn next(&mut self) -> Result<Option<FrameUpdate>, Failure> {
        let Some(wire) = self.0.message().await.map_err(failed)? else { return Ok(None) };
        let size = wire.size.map(TerminalSize::from).unwrap_or_default();
        Ok(Some(FrameUpdate { size, full: wire.full, bytes: wire.bytes }))
    }
}

impl LogStream {
    /// Returns the next piece, `None` at the end.
    ///
    /// # Errors
    ///
    /// When the connection is lost or the record cannot be read.
    pub async fn next(&mut self) -> Result<Option<LogUpdate>, Failure> {
        let Some(wire) = self.0.message().await.map_err(failed)? else { return Ok(None) };
        let (offset, missing) = (wire.offset, wire.missing_bytes);
        Ok(Some(LogUpdate { offset, missing, bytes: wire.bytes }))
    }
}

impl Client {
    /// Starts an agent.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub async fn launch(&self, launch: &LaunchRequest) -> Result<Launched, Failure> {
        let text = |what: &str, value: &std::ffi::OsStr| {
            value.to_str().map(str::to_owned).ok_or_else(|| {
                let shown = value.to_string_lossy();
                Failure::usage("NOT_UTF8", format!("the {what} `{shown}` is not UTF-8"))
            })
        };
        let cwd = launch.cwd.as_ref().map(|cwd| text("directory", cwd.as_os_str())).transpose()?;
        let request = LaunchRunnerRequest {
            request_id: launch.request_id.map(|id| id.to_string()).unwrap_or_default(),
            project: launch.project.clone(),
            name: launch.name.clone(),
            command: launch
                .command
                .iter()
                .map(|word| Bytes::copy_from_slice(word.as_encoded_bytes()))
                .collect(),
            cwd: cwd.unwrap_or_default(),
            environment: env_vars(&launch.environment),
            size: Some(launch.size.into()),
            restart: launch.restart.as_str().to_owned(),
            agent: String::new(),
            umask: Some(launch.umask),
            max_tokens: launch.max_tokens.unwrap_or(0),
            worktree: launch.worktree.as_ref().map(Into::into),
        };
        let least = if launch.worktree.is_some() { MAKING } else { Duration::from_secs(25) };
        let request = request_within(request, self.limit.max(least));
        let answer = self.runners().launch_runner(request).await.map_err(failed)?.into_inner();
        let (repeated, warnings) = (answer.repeated, answer.warnings);
        Ok(Launched { runner: runner_of(answer.runner)?, repeated, warnings })
    }

    /// Ends a runner; returns it, and whether it had ended before.
    ///
    /// # Errors
    ///
    /// When there is none or it cannot be ended.
    pub async fn stop(
        &self,
        runner: &str,
        grace: Option<Duration>,
        force: bool,
    ) -> Result<(Runner, bool), Failure> {
        let request =
            StopRunnerRequest { runner: runner.to_owned(), grace_ms: grace.map(to_ms), force };
        let request = request_within(request, STOP_LIMIT);
        let answer = self.runners().stop_runner(request).await.map_err(failed)?.into_inner();
        Ok((runner_of(answer.runner)?, answer.already_stopped))
    }

    /// Ends a runner, if it lives, and starts it again.
    ///
    /// # Errors
    ///
    /// When there is none or it cannot be ended or started.
    pub async fn restart(
        &self,
        runner: &str,
        grace: Option<Duration>,
        preserve_session: bool,
    ) -> Result<Runner, Failure> {
        let runner = runner.to_owned();
        let request = RestartRunnerRequest { runner, grace_ms: grace.map(to_ms), preserve_session };
        let request = request_within(request, STOP_LIMIT);
        self.runners().restart_runner(request).await.map_err(failed)?.into_inner().try_into()
    }

    /// Returns why a runner's state is what it is.
    ///
    /// # Errors
    ///
    /// When there is no such runner.
    pub async fn explain(&self, runner: &str) -> Result<Explanation, Failure> {
        let request = self.request(RunnerRequest { runner: runner.to_owned() });
        let answer = self.runners().explain_runner(request).await;
        answer.map_err(failed)?.into_inner().try_into()
    }

    /// Stops a runner's processes where they stand, or lets them go on.
    ///
    /// # Errors
    ///
    /// When there is none or its state forbids it.
    pub async fn set_paused(&self, runner: &str, paused: bool) -> Result<Runner, Failure> {
        let request = self.request(RunnerRequest { runner: runner.to_owned() });
        let answer = if paused {
            self.runners().pause_runner(request).await
        } else {
            self.runners().resume_runner(request).await
        };
        answer.map_err(failed)?.into_inner().try_into()
    }

    /// Removes an ended runner with its recorded output; returns it as it was.
    ///
    /// # Errors
    ///
    /// When there is none, it lives, or it is another node's.
    pub async fn remove_runner(&self, runner: &str) -> Result<Runner, Failure> {
        let request = RunnerRequest { runner: runner.to_owned() };
        let request = request_within(request, self.limit.max(Duration::from_secs(15)));
        self.runners().remove_runner(request).await.map_err(failed)?.into_inner().try_into()
    }

    /// Returns the runner that a word names.
    ///
    /// # Errors
    ///
    /// `RUNNER_NOT_FOUND` or `RUNNER_AMBIGUOUS`.
    pub async fn get_runner(&self, runner: &str) -> Result<Runner, Failure> {
        let request = self.request(RunnerRequest { runner: runner.to_owned() });
        self.runners().get_runner(request).await.map_err(failed)?.into_inner().try_into()
    }

    /// Returns runners, newest first; empty words match all, limit 0 means all.
    ///
    /// # Errors
    ///
    /// For a word that is no status.
    pub async fn list_runners(
        &self,
        project: &str,
        status: &str,
        limit: u32,
    ) -> Result<Vec<Runner>, Failure> {
        let request =
            ListRunnersRequest { project: project.to_owned(), status: status.to_owned(), limit };
        let answer = self.runners().list_runners(self.request(request)).await;
        let runners = answer.map_err(failed)?.into_inner().runners;
        runners.into_iter().map(TryInto::try_into).collect()
    }

    /// Follows all runners.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn watch_runners(&self) -> Result<RunnerStream, Failure> {
        let answer = self.runners().watch_runners(WatchRunnersRequest {}).await;
        Ok(RunnerStream(answer.map_err(failed)?.into_inner()))
    }

    /// Types text for a prompt, pressing Enter after it if asked; returns the bytes taken.
    ///
    /// # Errors
    ///
    /// When there is no such live runner or it does not read.
    pub async fn send_text(&self, runner: &str, text: &str, submit: bool) -> Result<u64, Failure> {
        let request = SendInputRequest {
            runner: runner.to_owned(),
            text: text.to_owned(),
            submit,
            raw: Bytes::new(),
        };
        let answer = self.runners().send_input(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().accepted_bytes)
    }

    /// Types bytes as they are; returns how many were taken.
    ///
    /// # Errors
    ///
    /// When there is no such live runner or it does not read.
    pub async fn send_keys(&self, runner: &str, raw: Bytes) -> Result<u64, Failure> {
        let request =
            SendInputRequest { runner: runner.to_owned(), raw, ..SendInputRequest::default() };
        let answer = self.runners().send_input(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().accepted_bytes)
    }

    /// Returns what a runner's screen shows.
    ///
    /// # Errors
    ///
    /// When there is no such runner.
    pub async fn screen(&self, runner: &str) -> Result<ScreenView, Failure> {
        let request = self.request(RunnerRequest { runner: runner.to_owned() });
        let wire = self.runners().get_screen(request).await.map_err(failed)?.into_inner();
        let size = wire.size.map(TerminalSize::from).unwrap_or_default();
        Ok(ScreenView {
            cols: size.cols(),
            rows: size.rows(),
            lines: wire.lines,
            cursor_row: wire.cursor_row,
            cursor_col: wire.cursor_col,
            title: wire.title,
            alternate: wire.alternate,
            history_lines: wire.history_lines,
            forgotten_lines: wire.forgotten_lines,
            wrapped: wire.wrapped,
        })
    }

    /// Changes the size of a runner's terminal; returns what it got.
    ///
    /// # Errors
    ///
    /// When there is no such live runner or its supervisor is too old.
    pub async fn resize(&self, runner: &str, size: TerminalSize) -> Result<TerminalSize, Failure> {
        let request = ResizeRunnerRequest { runner: runner.to_owned(), size: Some(size.into()) };
        let answer = self.runners().resize_runner(self.request(request)).await;
        let got = answer.map_err(failed)?.into_inner().size;
        Ok(got.map_or(size, TerminalSize::from))
    }

    /// Returns lines of history from this one, counted from the first ever written; styled ones carry
    /// colours as SGR sequences and no others.
    ///
    /// # Errors
    ///
    /// When there is no such live runner.
    pub async fn scrollback(
        &self,
        runner: &str,
        number: u64,
        count: u32,
        styled: bool,
    ) -> Result<HistoryView, Failure> {
        let (runner, number) = (runner.to_owned(), Some(number));
        let request = ReadScrollbackRequest { runner, from: 0, count, styled, number };
        let answer = self.runners().read_scrollback(self.request(request)).await;
        let wire = answer.map_err(failed)?.into_inner();
        Ok(HistoryView { lines: wire.lines, wrapped: wire.wrapped })
    }

    /// Returns the lines of history and screen that contain a text, with their numbers, counted from
    /// the first line ever written.
    ///
    /// # Errors
    ///
    /// When there is no such live runner.
    pub async fn search(
        &self,
        runner: &str,
        text: &str,
        limit: u32,
    ) -> Result<Vec<(u64, String)>, Failure> {
        let request =
            SearchScrollbackRequest { runner: runner.to_owned(), text: text.to_owned(), limit };
        let answer = self.runners().search_scrollback(self.request(request)).await;
        let found = answer.map_err(failed)?.into_inner();
        let number = |line: u64| found.forgotten_lines + line;
        Ok(found.matches.into_iter().map(|found| (number(found.line), found.text)).collect())
    }

    /// Follows a runner's screen, so many frames a second at most.
    ///
    /// # Errors
    ///
    /// When there is no such live runner.
    pub async fn watch_frames(&self, runner: &str, max_fps: u32) -> Result<FrameStream, Failure> {
        let request = WatchFramesRequest { runner: runner.to_owned(), max_fps };
        let answer = self.runners().watch_frames(request).await;
        Ok(FrameStream(answer.map_err(failed)?.into_inner()))
    }

    /// Reads a runner's recorded output, beginning so many bytes before its end.
    ///
    /// # Errors
    ///
    /// When there is no such runner.
    pub async fn read_log(
        &self,
        runner: &str,
        tail_bytes: Option<u64>,
        follow: bool,
    ) -> Result<LogStream, Failure> {
        let request = ReadLogRequest { runner: runner.to_owned(), tail_bytes, follow };
        let answer = self.runners().read_log(request).await;
        Ok(LogStream(answer.map_err(failed)?.into_inner()))
    }
}

fn runner_of(wire: Option<v1::Runner>) -> Result<Runner, Failure> {
    let missing = || Failure::internal("understand the daemon: an answer without a runner");
    wire.ok_or_else(missing)?.try_into()
}

fn to_ms(duration: Duration) -> u32 {
    duration.as_millis().try_into().unwrap_or(u32::MAX)
}
