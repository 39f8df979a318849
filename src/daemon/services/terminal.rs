//! A runner's terminal: type, look, attach, read the record.

use super::Services;
use crate::{
    daemon::fleet::{Attached, FrameFeed, LogReader, LookFor},
    domain::{failure::Failure, id::RunnerId, runner::Runner, size::TerminalSize},
    proto::link::v1::{ScrollbackQuery, SearchQuery, Type},
};

/// Text for a prompt at most; what is longer belongs into a file.
pub(super) const MAX_TEXT: usize = 1 << 20;

/// Permission for one direct attach.
#[derive(Debug, Clone)]
pub struct AttachGrant {
    /// The runner's id.
    pub id: RunnerId,
    /// Its name.
    pub name: String,
    /// The supervisor's socket.
    pub socket: std::path::PathBuf,
    /// What to show there.
    pub token: Vec<u8>,
}

/// What a screen shows.
#[derive(Debug, Clone)]
pub struct Screen {
    /// Its size.
    pub size: TerminalSize,
    /// Its rows.
    pub lines: Vec<String>,
    /// Row and column of the cursor, from 0.
    pub cursor: (u32, u32),
    /// Its title.
    pub title: String,
    /// Whether the alternate screen is shown.
    pub alternate: bool,
    /// Lines of history.
    pub history_lines: u64,
    /// Older lines that were forgotten.
    pub forgotten_lines: u64,
    /// Which rows go on in the next one without a line break.
    pub wrapped: Vec<bool>,
}

/// Lines of history.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The lines.
    pub lines: Vec<String>,
    /// How many there are.
    pub total: u64,
    /// Older lines that were forgotten.
    pub forgotten: u64,
    /// Which of the lines go on in the next one without a line break.
    pub wrapped: Vec<bool>,
}

impl Services {
    /// Returns id and name of the live runner that a word names.
    async fn live(&self, word: &str) -> Result<(RunnerId, String), Failure> {
        if let Some(live) = self.fleet.live(word) {
            return Ok(live);
        }
        let runner = self.resolve_here(word).await?;
        if runner.status.is_live() {
            return Ok((runner.id, runner.name));
        }
        let what = format!("{} has ended ({})", runner.name, runner.status.as_str());
        Err(Failure::conflict("RUNNER_ENDED", what).with_hint(format!(
            "stratavore logs {0} shows its output; stratavore restart {0} starts it again",
            runner.name
        )))
    }

    /// Types into a runner; returns the bytes taken.
    ///
    /// # Errors
    ///
    /// `TEXT_TOO_LONG`, `RUNNER_ENDED`, or `INPUT_BLOCKED` when the agent does not read.
    pub async fn send_input(&self, word: &str, input: Type) -> Result<u64, Failure> {
        let length = input.text.len().max(input.raw.len());
        if length > MAX_TEXT {
            let what = format!("the text has {length} bytes, at most {MAX_TEXT} can be sent");
            return Err(Failure::usage("TEXT_TOO_LONG", what));
        }
        let (id, _) = self.live(word).await?;
        if !input.text.is_empty()
            && let Some(runner) = self.store.runner_get(id).await?
        {
            Self::check_hold(&runner)?;
        }
        Ok(self.fleet.type_text(id, input).await?)
    }

    /// Changes the size of a runner's terminal.
    ///
    /// # Errors
    ///
    /// When there is no such live runner or its supervisor cannot.
    pub async fn resize(&self, word: &str, size: TerminalSize) -> Result<(), Failure> {
        let (id, _) = self.live(word).await?;
        Ok(self.fleet.resize(id, size).await?)
    }

    /// Returns what a runner's screen shows; for an ended one, what it showed last.
    ///
    /// # Errors
    ///
    /// When there is no such runner or nothing is known of its screen.
    pub async fn screen(&self, word: &str) -> Result<Screen, Failure> {
        let runner = self.resolve_here(word).await?;
        if !runner.status.is_live() {
            let record = self.fleet.dir(runner.id).read_exit(runner.run);
            let lines = record.map(|record| record.screen).unwrap_or_default();
            return Ok(Screen {
                size: TerminalSize::default(),
                lines,
                cursor: (0, 0),
                title: runner.title,
                alternate: false,
                history_lines: 0,
                forgotten_lines: 0,
                wrapped: Vec::new(),
            });
        }
        let reply = self.fleet.look(runner.id, LookFor::Screen).await?;
        let forgotten_lines = reply.forgotten_lines;
        let screen = reply.screen.unwrap_or_default();
        Ok(Screen {
            size: screen.size.map(TerminalSize::from).unwrap_or_default(),
            lines: screen.lines,
            cursor: (screen.cursor_row, screen.cursor_col),
            title: screen.title,
            alternate: screen.alternate,
            history_lines: screen.history_lines,
            forgotten_lines,
            wrapped: screen.wrapped,
        })
    }

    /// Returns lines of history.
    ///
    /// # Errors
    ///
    /// When there is no such live runner.
    pub async fn scrollback(&self, word: &str, query: ScrollbackQuery) -> Result<History, Failure> {
        let (id, _) = self.live(word).await?;
        let reply = self.fleet.look(id, LookFor::Scrollback(query)).await?;
        let forgotten = reply.forgotten_lines;
        let found = reply.scrollback.unwrap_or_default();
        Ok(History { lines: found.lines, total: found.total, forgotten, wrapped: found.wrapped })
    }

    /// Returns the lines of history and screen that contain a text, numbered from the oldest held, and
    /// how many older ones were forgotten.
    ///
    /// # Errors
    ///
    /// When there is no such live runner.
    pub async fn search(
        &self,
        word: &str,
        query: SearchQuery,
    ) -> Result<(Vec<(u64, String)>, u64), Failure> {
        let (id, _) = self.live(word).await?;
        let reply = self.fleet.look(id, LookFor::Text(query)).await?;
        let found = reply.matches.into_iter().map(|found| (found.line, found.text)).collect();
        Ok((found, reply.forgotten_lines))
    }

    /// Subscribes to a runner's frames.
    ///
    /// # Errors
    ///
    /// When there is no such live runner.
    pub async fn watch_frames(&self, word: &str, fps: u32) -> Result<FrameFeed, Failure> {
        let (id, _) = self.live(word).await?;
        let fps = if fps == 0 { 30 } else { fps };
        Ok(self.fleet.watch_frames(id, fps).await?)
    }

    /// Permits one direct attach on this node.
    ///
    /// # Errors
    ///
    /// When there is no such live runner.
    pub async fn grant_attach(&self, word: &str, read_only: bool) -> Result<AttachGrant, Failure> {
        let (id, name) = self.live(word).await?;
        let token = self.fleet.grant(id, read_only).await?;
        self.looked_at(id);
        let socket = self.fleet.dir(id).link();
        Ok(AttachGrant { id, name, socket, token })
    }

    /// Attaches a terminal through the daemon.
    ///
    /// # Errors
    ///
    /// When there is no such live runner.
    pub async fn attach(
        &self,
        word: &str,
        read_only: bool,
        size: TerminalSize,
        resume_offset: Option<u64>,
    ) -> Result<Attached, Failure> {
        let (id, _) = self.live(word).await?;
        let attached = self.fleet.attach(id, read_only, size, resume_offset).await?;
        self.looked_at(id);
        Ok(attached)
    }

    /// Returns a reader of a runner's recorded output, and the runner.
    ///
    /// # Errors
    ///
    /// When there is no such runner.
    pub async fn read_log(
        &self,
        word: &str,
        tail: Option<u64>,
    ) -> Result<(Runner, LogReader), Failure> {
        let runner = self.resolve_here(word).await?;
        let reader = self.fleet.read_log(runner.id, tail);
        Ok((runner, reader))
    }

    /// Whether a runner is still live, for followers of its record.
    pub async fn is_live(&self, runner: &Runner) -> bool {
        let now = self.store.runner_get(runner.id).await;
        now.is_ok_and(|now| now.is_some_and(|now| now.status.is_live()))
    }
}
