//! A question to the user: a permission or a choice, with its keys.
//!
//! It knows nothing of drawing. A digit chooses at once, arrows and return choose slowly, escape
//! refuses; a permission also takes `y` and `n`; the last choice of a question takes free text.

use super::input::Event;

/// What kind of decision is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// May the agent run this command?
    Permission,
    /// What does the user prefer?
    Question,
}

/// A question that waits for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dialog {
    /// The kind of decision.
    pub(super) kind: Kind,
    /// What is asked for: the command, or the question.
    pub(super) subject: String,
    /// One more line about it, may be empty.
    pub(super) detail: String,
    /// The choices.
    pub(super) options: Vec<String>,
    /// The choice under the cursor.
    pub(super) selected: usize,
    /// Free text for the last choice of a question.
    pub(super) typed: String,
}

/// What the user decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Go on; `always` means do not ask again.
    Yes {
        /// Whether later questions of this kind are answered too.
        always: bool,
    },
    /// Do not.
    No,
    /// The answer to a question.
    Text(String),
}

impl Dialog {
    /// Asks whether a command may run.
    pub(super) fn permission(command: &str, why: &str) -> Self {
        let program = command.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        Self {
            kind: Kind::Permission,
            subject: command.to_owned(),
            detail: why.to_owned(),
            options: vec![
                "Yes".to_owned(),
                format!("Yes, and don't ask again for {program}"),
                "No, and tell the agent what to do differently (esc)".to_owned(),
            ],
            selected: 0,
            typed: String::new(),
        }
    }

    /// Asks for a choice.
    pub(super) fn question(text: &str, answers: [&str; 2]) -> Self {
        let mut options: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        options.push("Something else".to_owned());
        Self {
            kind: Kind::Question,
            subject: text.to_owned(),
            detail: String::new(),
            options,
            selected: 0,
            typed: String::new(),
        }
    }

    /// Handles a key and returns the decision when it is one.
    pub(super) fn key(&mut self, event: &Event) -> Option<Answer> {
        let last = self.options.len().saturating_sub(1);
        let writing = self.kind == Kind::Question && !self.typed.is_empty();
        match event {
            Event::Up => self.selected = self.selected.saturating_sub(1),
            Event::Down => self.selected = (self.selected + 1).min(last),
            Event::Enter => return self.decide(),
            Event::Esc | Event::Ctrl('c') => return Some(Answer::No),
            Event::Backspace => drop(self.typed.pop()),
            Event::Char(char @ '1'..='3') if !writing => {
                self.selected = usize::from(char.to_digit(10) == Some(2));
                if *char == '3' {
                    self.selected = last;
                }
                return self.decide();
            }
            Event::Char('y' | 'Y') if self.kind == Kind::Permission => {
                return Some(Answer::Yes { always: false });
            }
            Event::Char('n' | 'N') if self.kind == Kind::Permission => return Some(Answer::No),
            Event::Char(char) if self.kind == Kind::Question => self.write(&char.to_string()),
            Event::Paste(text) if self.kind == Kind::Question => self.write(text),
            _ => {}
        }
        None
    }

    /// Adds free text and moves to the choice that takes it.
    fn write(&mut self, text: &str) {
        self.typed.push_str(&text.replace('\n', " "));
        self.selected = self.options.len().saturating_sub(1);
    }

    /// Turns the selected choice into a decision; free text must not be empty.
    fn decide(&self) -> Option<Answer> {
        match (self.kind, self.selected) {
            (Kind::Permission, 0) => Some(Answer::Yes { always: false }),
            (Kind::Permission, 1) => Some(Answer::Yes { always: true }),
            (Kind::Permission, _) => Some(Answer::No),
            (Kind::Question, at) if at + 1 < self.options.len() => {
                self.options.get(at).cloned().map(Answer::Text)
            }
            (Kind::Question, _) => {
                let text = self.typed.trim();
                (!text.is_empty()).then(|| Answer::Text(text.to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permission_keys() {
        let dialog = Dialog::permission("git push origin fix-login", "Push the branch");
        assert!(dialog.options[1].ends_with("git push"));
        let press = |char| dialog.clone().key(&Event::Char(char));
        assert_eq!(press('1'), Some(Answer::Yes { always: false }));
        assert_eq!(press('2'), Some(Answer::Yes { always: true }));
        assert_eq!(press('3'), Some(Answer::No));
        assert_eq!(press('y'), Some(Answer::Yes { always: false }));
        assert_eq!(press('n'), Some(Answer::No));
        assert_eq!(press('x'), None);
        assert_eq!(dialog.clone().key(&Event::Esc), Some(Answer::No));
    }

    #[test]
    fn question_takes_choices_and_text() {
        let dialog = Dialog::question("Which port?", ["3000", "8080"]);
        assert_eq!(dialog.clone().key(&Event::Char('2')), Some(Answer::Text("8080".to_owned())));
        let mut free = dialog.clone();
        assert_eq!(free.key(&Event::Char('3')), None);
        assert_eq!(free.key(&Event::Enter), None);
        for char in "9001".chars() {
            assert_eq!(free.key(&Event::Char(char)), None);
        }
        assert_eq!(free.key(&Event::Enter), Some(Answer::Text("9001".to_owned())));
        let mut pasted = dialog;
        pasted.key(&Event::Paste("1234".to_owned()));
        assert_eq!(pasted.key(&Event::Enter), Some(Answer::Text("1234".to_owned())));
    }

    #[test]
    fn arrows_stay_inside() {
        let mut dialog = Dialog::permission("a", "");
        for _ in 0..9 {
            dialog.key(&Event::Down);
        }
        assert_eq!(dialog.selected, 2);
        for _ in 0..9 {
            dialog.key(&Event::Up);
        }
        assert_eq!(dialog.key(&Event::Enter), Some(Answer::Yes { always: false }));
    }
}
