//! The look-alike: a coding agent in an inline full-screen style, driven by a script.
//!
//! ```text
//!   idle ──prompt──► working ──ask──► blocked
//!    ▲                │  ▲               │
//!    ├──── esc ───────┤  └──── yes ──────┤
//!    └──── end ───────┘                  │
//!    └──────────────── no ◄──────────────┘
//! ```
//!
//! Time passes only here, and only while a turn is in progress: an idle or blocked agent waits in
//! one `poll` without a timeout. What is drawn and in which words is `view.rs` and `script.rs`.

mod keys;
mod paint;
mod progress;

use std::collections::VecDeque;
use std::time::Duration;

use super::args::{DemoArgs, Mode};
use super::dialog::{Answer, Dialog, Kind};
use super::host::{Host, Stop, nanos, now_ns};
use super::input::Parser;
use super::report::{self, Reporter, State};
use super::screen::Screen;
use super::script::{self, Block, Plan, Step};
use super::term::{MODES_OFF, MODES_ON, RawMode, Size, stdin_is_terminal};
use super::view;
use paint::directory;
use progress::Progress;

/// How many blocks are kept for painting the window again.
const HISTORY: usize = 120;
/// How long a second ctrl-c counts.
const AGAIN: Duration = Duration::from_millis(1_500);
/// How long a lone escape byte waits for the rest of a sequence.
const ESCAPE: Duration = Duration::from_millis(50);

/// What the agent is doing.
#[derive(Debug)]
enum Phase {
    /// Nothing; waits for a prompt.
    Idle,
    /// A turn progresses.
    Working(Progress),
    /// A turn waits for the user since the given time.
    Blocked(Progress, Dialog, u64),
}

/// The agent with everything it remembers.
struct Agent<'a> {
    /// The operating system.
    host: &'a mut Host,
    /// The arguments.
    args: &'a DemoArgs,
    /// The state of the terminal's input mode.
    raw: RawMode,
    /// What is painted.
    screen: Screen,
    /// Unfinished input.
    parser: Parser,
    /// Status reports.
    reporter: Reporter,
    /// What it is doing.
    phase: Phase,
    /// The last blocks of the transcript.
    history: VecDeque<Block>,
    /// Blocks not painted yet.
    fresh: Vec<Block>,
    /// What the user has typed.
    input: String,
    /// Prompts that wait.
    queue: VecDeque<String>,
    /// The key that leaves when it is pressed again before the given time.
    armed: Option<(char, u64)>,
    /// Sequences to send with the next paint.
    pending: String,
    /// The directory shown in the header.
    directory: String,
    /// The size the screen was painted for.
    size: Size,
    /// The header is on the screen.
    greeted: bool,
    /// The number of the next turn.
    index: u64,
    /// When the next turn begins by itself.
    next_turn: Option<u64>,
    /// Turns begin by themselves until then.
    until: u64,
    /// The permission was given for good.
    allowed: bool,
    /// The time reports stop waiting for an answer.
    report_at: u64,
    /// The time a lone escape byte counts as a key.
    escape_at: Option<u64>,
    /// Input can still come.
    listening: bool,
    /// The program ends with this code.
    leave: Option<u8>,
}

/// Plays a look-alike until the user leaves it or it fails as its mode says.
pub(super) fn run(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let now = now_ns();
    let repeat = if args.mode == Mode::Work { args.seconds } else { None };
    let mut agent = Agent {
        host,
        args,
        raw: RawMode::enter(),
        screen: Screen::default(),
        parser: Parser::default(),
        reporter: Reporter::default(),
        phase: Phase::Idle,
        history: VecDeque::new(),
        fresh: Vec::new(),
        input: String::new(),
        queue: VecDeque::new(),
        armed: None,
        pending: format!("{MODES_ON}{}{}", report::title("✳ demo agent"), report::QUERY),
        directory: directory(),
        size: Size::of_window(),
        greeted: false,
        index: 0,
        next_turn: Some(now.saturating_add(250_000_000)),
        until: now.saturating_add(repeat.map_or(0, nanos)),
        allowed: false,
        report_at: now.saturating_add(nanos(report::PATIENCE)),
        escape_at: None,
        listening: true,
        leave: None,
    };
    agent.host.witness().line("ready");
    let result = agent.play();
    let failed = agent.args.mode == Mode::Fail && result.is_ok();
    let mut farewell = agent.screen.leave();
    if !failed {
        farewell.push_str(&agent.reporter.report(State::Clear));
    }
    farewell.push_str(&report::title(""));
    farewell.push_str(MODES_OFF);
    // Whoever ends the program with a signal does not want it to wait for a full terminal.
    agent.host.try_write(farewell.as_bytes()).ok();
    result
}

impl Agent<'_> {
    /// Paints, waits and reacts until the end.
    fn play(&mut self) -> Result<u8, Stop> {
        self.tell(State::Idle);
        loop {
            self.advance(now_ns());
            if let Some(code) = self.leave {
                self.paint()?;
                return Ok(code);
            }
            self.paint()?;
            let readable = self.host.wait(self.patience(now_ns()), self.listening)?;
            if self.host.take_disturbed() {
                self.raw.again();
                self.repaint()?;
            }
            if readable {
                self.listen()?;
            }
        }
    }

    /// Returns how long nothing can happen by itself; `None` is for ever.
    fn patience(&self, now: u64) -> Option<Duration> {
        let mut times: Vec<u64> = Vec::new();
        if let Phase::Working(progress) = &self.phase {
            let frame = view::FRAME_MS * 1_000_000;
            let passed = now.saturating_sub(progress.began);
            times.push(now + frame - passed % frame);
            times.push(progress.step_began.saturating_add(progress.step_time()));
        }
        times.extend(self.next_turn);
        times.extend(self.armed.map(|(_, time)| time));
        times.extend(self.escape_at);
        if self.reporter.is_waiting() {
            times.push(self.report_at);
        }
        times.into_iter().min().map(|time| Duration::from_nanos(time.saturating_sub(now)))
    }

    /// Reads input and handles its events.
    fn listen(&mut self) -> Result<(), Stop> {
        let mut buffer = [0_u8; 4096];
        let count = self.host.read(&mut buffer)?;
        if count == 0 {
            self.listening = false;
            return if stdin_is_terminal() { Err(Stop::Hangup) } else { Ok(()) };
        }
        let events = self.parser.feed(buffer.get(..count).unwrap_or_default());
        self.escape_at = self.parser.is_waiting().then(|| now_ns() + nanos(ESCAPE));
        for event in &events {
            self.handle(event);
        }
        Ok(())
    }

    /// Lets everything happen whose time has come.
    fn advance(&mut self, now: u64) {
        if self.escape_at.is_some_and(|time| time <= now) {
            self.escape_at = None;
            for event in self.parser.flush() {
                self.handle(&event);
            }
        }
        if self.armed.is_some_and(|(_, time)| time <= now) {
            self.armed = None;
        }
        if self.reporter.is_waiting() && self.report_at <= now {
            self.pending.push_str(&self.reporter.release());
        }
        if self.next_turn.is_some_and(|time| time <= now) {
            let own = if self.index == 0 { self.args.prompt_text() } else { None };
            self.begin(own.as_deref(), now);
        }
        while let Phase::Working(progress) = &mut self.phase {
            let end = progress.step_began.saturating_add(progress.step_time());
            if end > now {
                break;
            }
            // After a stop the script goes on from here instead of running to catch up.
            let end = if now - end > 1_000_000_000 { now } else { end };
            self.finish_step(end);
        }
    }

    /// Begins a turn.
    fn begin(&mut self, prompt: Option<&str>, now: u64) {
        self.next_turn = None;
        let plan = Plan {
            mode: self.args.mode,
            seed: self.args.seed,
            lead: if self.args.mode == Mode::Work { None } else { self.args.seconds },
            allowed: self.allowed,
        };
        let turn = script::turn(&plan, self.index, prompt);
        self.index += 1;
        self.fresh.push(Block::Prompt(turn.prompt.clone()));
        self.pending.push_str(&report::title(&view::title(Some(&turn), true)));
        self.tell(State::Working);
        let progress = Progress { turn, at: 0, began: now, step_began: now, tokens: 0 };
        self.phase = Phase::Working(progress);
    }

    /// Ends the current step and begins the next one.
    fn finish_step(&mut self, now: u64) {
        let Phase::Working(mut progress) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            return;
        };
        match progress.turn.steps.get(progress.at).cloned() {
            None => self.end_turn(&progress, now),
            Some(Step::Work { block, tokens, .. }) => {
                self.fresh.push(block);
                progress.tokens += tokens;
                progress.at += 1;
                progress.step_began = now;
                self.phase = Phase::Working(progress);
            }
            Some(Step::Ask(dialog)) => {
                self.pending.push_str(&report::title(&view::title(Some(&progress.turn), false)));
                self.tell(match dialog.kind {
                    Kind::Permission => State::Permission(format!("Bash({})", dialog.subject)),
                    Kind::Question => State::Question(dialog.subject.clone()),
                });
                progress.at += 1;
                self.phase = Phase::Blocked(progress, dialog, now);
            }
            Some(Step::Fail(text)) => {
                self.fresh.push(Block::Error(format!("Error: {text}")));
                self.tell(State::Error(text));
                self.leave = Some(self.args.exit_code.unwrap_or(1));
            }
        }
    }

    /// Ends a turn that came to its end.
    fn end_turn(&mut self, progress: &Progress, now: u64) {
        self.pending.push_str(&report::title(&view::title(Some(&progress.turn), false)));
        self.tell(State::Done);
        self.go_idle(now);
    }

    /// Goes on with the next prompt, plans the next turn, or stays idle.
    fn go_idle(&mut self, now: u64) {
        self.phase = Phase::Idle;
        if let Some(prompt) = self.queue.pop_front() {
            self.begin(Some(&prompt), now);
        } else if self.args.mode == Mode::Work
            && (self.until > now || self.index < self.args.count.unwrap_or(1))
        {
            let pause = script::pause(self.args.seed, self.index);
            self.next_turn = Some(now.saturating_add(nanos(pause)));
        }
    }

    /// Stops the turn that progresses.
    fn interrupt(&mut self, now: u64) {
        if let Phase::Working(progress) = std::mem::replace(&mut self.phase, Phase::Idle) {
            self.stop_turn(&progress, now);
        }
    }

    /// Ends a turn that the user stopped.
    fn stop_turn(&mut self, progress: &Progress, now: u64) {
        let note = "Interrupted · What should the agent do instead?";
        self.fresh.push(Block::Note(note.to_owned()));
        self.pending.push_str(&report::title(&view::title(Some(&progress.turn), false)));
        self.tell(State::Idle);
        // The user took over: no more turns by themselves.
        self.until = 0;
        self.index = self.index.max(self.args.count.unwrap_or(1));
        self.go_idle(now);
    }

    /// Acts on the user's decision.
    fn answer(&mut self, answer: Answer, now: u64) {
        let phase = std::mem::replace(&mut self.phase, Phase::Idle);
        let Phase::Blocked(mut progress, dialog, since) = phase else {
            self.phase = phase;
            return;
        };
        progress.began += now.saturating_sub(since);
        progress.step_began = now;
        match answer {
            Answer::No => {
                let call = match dialog.kind {
                    Kind::Permission => format!("Bash({})", dialog.subject),
                    Kind::Question => dialog.subject,
                };
                self.fresh.push(Block::Tool { call, result: Vec::new() });
                self.stop_turn(&progress, now);
                return;
            }
            Answer::Yes { always } => self.allowed |= always,
            Answer::Text(text) => {
                let rest = progress.turn.steps.get_mut(progress.at..).unwrap_or_default();
                script::put_answer(rest, &text);
                self.fresh.push(Block::Say(dialog.subject));
                self.fresh.push(Block::Note(format!("→ {text}")));
            }
        }
        self.pending.push_str(&report::title(&view::title(Some(&progress.turn), true)));
        self.phase = Phase::Working(progress);
        self.tell(State::Working);
    }

    /// Reports a state to the terminal and to the witness.
    fn tell(&mut self, state: State) {
        self.host.witness().line(&format!("state {}", report::name(&state)));
        let bytes = self.reporter.report(state);
        self.pending.push_str(&bytes);
    }
}
