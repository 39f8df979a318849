//! What the keys do: typing, the commands of the prompt line, leaving, and the answers of dialogs.

use super::super::host::{nanos, now_ns};
use super::super::input::Event;
use super::super::script::Block;
use super::super::term::Size;
use super::{AGAIN, Agent, Phase};

impl Agent<'_> {
    /// Handles one event.
    pub(super) fn handle(&mut self, event: &Event) {
        if *event == Event::StatusAnswer {
            let reports = self.reporter.release();
            self.pending.push_str(&reports);
            return;
        }
        if let Phase::Blocked(_, dialog, _) = &mut self.phase {
            if let Some(answer) = dialog.key(event) {
                self.answer(answer, now_ns());
            }
            return;
        }
        match event {
            Event::Char(char) => self.input.push(*char),
            Event::NewLine => self.input.push('\n'),
            Event::Paste(text) => self.input.push_str(text),
            Event::Backspace => drop(self.input.pop()),
            Event::Enter => self.submit(),
            Event::Esc => self.interrupt(now_ns()),
            Event::Ctrl('u') => self.input.clear(),
            Event::Ctrl(key @ ('c' | 'd')) => self.leaving_key(*key, now_ns()),
            _ => {}
        }
    }

    /// Handles ctrl-c and ctrl-d, which leave when pressed twice.
    fn leaving_key(&mut self, key: char, now: u64) {
        if self.armed.is_some_and(|(armed, _)| armed == key) {
            self.leave = Some(self.args.own_exit_code());
            return;
        }
        if key == 'c' {
            self.input.clear();
            self.interrupt(now);
        } else if !self.input.is_empty() {
            return;
        }
        self.armed = Some((key, now.saturating_add(nanos(AGAIN))));
    }

    /// Takes the typed text as a prompt or a command.
    fn submit(&mut self) {
        let text = std::mem::take(&mut self.input).trim().to_owned();
        match text.as_str() {
            "" => {}
            "/exit" | "/quit" => self.leave = Some(self.args.own_exit_code()),
            "/clear" => {
                self.history.clear();
                self.fresh.clear();
                self.size = Size { cols: 0, rows: 0 };
            }
            "/help" => {
                let help = "/exit leaves, /clear empties the screen, anything else is a prompt";
                self.fresh.push(Block::Prompt(text));
                self.fresh.push(Block::Note(help.to_owned()));
            }
            _ if matches!(self.phase, Phase::Idle) => self.begin(Some(&text), now_ns()),
            _ => self.queue.push_back(text),
        }
    }
}
