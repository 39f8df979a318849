//! Brings what the agent knows onto the terminal: new blocks once, the live part as it changes.

use super::super::host::{Stop, now_ns};
use super::super::script::Step;
use super::super::term::Size;
use super::super::view::{self, Live};
use super::{Agent, HISTORY, Phase};

impl Agent<'_> {
    /// Sends what is new.
    pub(super) fn paint(&mut self) -> Result<(), Stop> {
        if self.size != Size::of_window() {
            return self.repaint();
        }
        let mut finished = Vec::new();
        if !self.greeted {
            self.greeted = true;
            finished = view::header(&self.directory, self.size.cols);
        }
        for block in self.fresh.drain(..) {
            finished.extend(view::block(&block, self.size.cols));
            self.history.push_back(block);
        }
        while self.history.len() > HISTORY {
            self.history.pop_front();
        }
        let layout = view::live(&self.live(now_ns()), self.size);
        let mut bytes = std::mem::take(&mut self.pending);
        bytes.push_str(&self.screen.paint(&finished, &layout));
        self.host.write(bytes.as_bytes())
    }

    /// Paints the whole window for its size.
    pub(super) fn repaint(&mut self) -> Result<(), Stop> {
        self.size = Size::of_window();
        self.greeted = true;
        self.history.extend(self.fresh.drain(..));
        let layout = view::live(&self.live(now_ns()), self.size);
        let mut lines = view::header(&self.directory, self.size.cols);
        for block in &self.history {
            lines.extend(view::block(block, self.size.cols));
        }
        let room = self.size.rows.saturating_sub(layout.lines.len());
        let tail = lines.split_off(lines.len().saturating_sub(room));
        let mut bytes = std::mem::take(&mut self.pending);
        bytes.push_str(&self.screen.repaint(&tail, &layout));
        self.host.write(bytes.as_bytes())
    }

    /// Collects what the live part shows.
    fn live(&self, now: u64) -> Live<'_> {
        let mut live = Live {
            running: None,
            spinner: None,
            dialog: None,
            queued: self.queue.iter().map(String::as_str).collect(),
            input: &self.input,
            hint: match self.armed {
                Some(('c', _)) => Some("Press ctrl-c again to exit"),
                Some(_) => Some("Press ctrl-d again to exit"),
                None => None,
            },
        };
        match &self.phase {
            Phase::Idle => {}
            Phase::Blocked(_, dialog, _) => live.dialog = Some(dialog),
            Phase::Working(progress) => {
                if self.leave.is_none()
                    && let Some(Step::Work { verb, block, .. }) = progress.step()
                {
                    live.running = Some(block);
                    live.spinner = Some(progress.spinner(verb, now));
                }
            }
        }
        live
    }
}

/// Returns the working directory with the home directory as `~`.
pub(super) fn directory() -> String {
    let path = std::env::current_dir().unwrap_or_default();
    let home = std::env::home_dir().filter(|home| home.as_os_str().len() > 1);
    match home.as_deref().and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}
