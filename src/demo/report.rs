//! What the agent tells the terminal about itself: program status (OSC 7501) and window title (OSC
//! 0).
//!
//! The status protocol asks first: a query, then DA1, which every terminal answers. Reports wait
//! for the answer, or for [`PATIENCE`] when there is none; the order of the reports is kept.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::text::clean;

/// How long reports wait for an answer to the query.
pub(super) const PATIENCE: Duration = Duration::from_millis(300);
/// Asks whether the terminal takes status reports, with DA1 as the fence.
pub(super) const QUERY: &str = "\x1b]7501;?\x1b\\\x1b[c";
/// The name under which reports are made.
const APP: &str = "demo-agent";

/// A state as the status protocol knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for a prompt.
    Idle,
    /// A turn is in progress.
    Working,
    /// A turn is finished and nobody has looked yet.
    Done,
    /// Waits for a permission.
    Permission(String),
    /// Waits for the answer to a question.
    Question(String),
    /// A turn failed.
    Error(String),
    /// Takes all reports back.
    Clear,
}

/// Returns the bytes that report a state.
pub(super) fn encode(state: &State) -> String {
    let body = match state {
        State::Idle => format!("state=idle:app={APP}"),
        State::Working => format!("state=working:app={APP}"),
        State::Done => format!("state=done:app={APP}"),
        State::Permission(text) => {
            format!("state=blocked:app={APP}:kind=permission:msg={}", message(text))
        }
        State::Question(text) => {
            format!("state=blocked:app={APP}:kind=question:msg={}", message(text))
        }
        State::Error(text) => format!("state=error:app={APP}:msg={}", message(text)),
        State::Clear => "state=clear".to_owned(),
    };
    format!("\x1b]7501;{body}\x1b\\")
}

/// Returns the word for a state, as the witness has it.
pub(super) fn name(state: &State) -> &'static str {
    match state {
        State::Idle => "idle",
        State::Working => "working",
        State::Done => "done",
        State::Permission(_) => "blocked permission",
        State::Question(_) => "blocked question",
        State::Error(_) => "error",
        State::Clear => "clear",
    }
}

/// Returns the bytes that set the window title.
pub(super) fn title(text: &str) -> String {
    format!("\x1b]0;{}\x07", clean(text))
}

/// Encodes the text of a message.
fn message(text: &str) -> String {
    STANDARD.encode(text)
}

/// Holds reports back until the terminal has answered or had its time.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    /// Whether reports go out at once.
    open: bool,
    /// Reports that wait.
    waiting: Vec<State>,
    /// The last state reported, so that nothing is said twice.
    last: Option<State>,
}

impl Reporter {
    /// Takes a report and returns the bytes to send now.
    pub(super) fn report(&mut self, state: State) -> String {
        if self.last.as_ref() == Some(&state) {
            return String::new();
        }
        self.last = Some(state.clone());
        if self.open {
            return encode(&state);
        }
        self.waiting.push(state);
        String::new()
    }

    /// Stops waiting and returns the bytes of everything held back.
    pub(super) fn release(&mut self) -> String {
        self.open = true;
        self.waiting.drain(..).map(|state| encode(&state)).collect()
    }

    /// Returns whether reports still wait for the terminal.
    pub(super) fn is_waiting(&self) -> bool {
        !self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_the_real_agents_do() {
        assert_eq!(encode(&State::Working), "\x1b]7501;state=working:app=demo-agent\x1b\\");
        assert_eq!(
            encode(&State::Permission("approve Bash: touch aa1".to_owned())),
            "\x1b]7501;state=blocked:app=demo-agent:kind=permission:\
             msg=YXBwcm92ZSBCYXNoOiB0b3VjaCBhYTE=\x1b\\"
        );
        assert!(encode(&State::Question("q".to_owned())).contains(":kind=question:msg=cQ=="));
        assert_eq!(encode(&State::Clear), "\x1b]7501;state=clear\x1b\\");
    }

    #[test]
    fn reports_wait_in_order_and_are_not_repeated() {
        let mut reporter = Reporter::default();
        assert_eq!(reporter.report(State::Idle), "");
        assert_eq!(reporter.report(State::Working), "");
        assert_eq!(reporter.release(), encode(&State::Idle) + &encode(&State::Working));
        assert_eq!(reporter.report(State::Working), "");
        assert_eq!(reporter.report(State::Done), encode(&State::Done));
        assert!(!reporter.is_waiting());
    }

    #[test]
    fn a_title_cannot_break_out() {
        assert_eq!(title("a\x07b\x1b]c"), "\x1b]0;ab]c\x07");
    }
}
