//! A runner's recorded output as lines.
//!
//! Invariant: at most [`MAX_LINES`] lines of at most [`MAX_WIDE`] characters are kept, the newest.

use std::collections::VecDeque;

use super::{Line, page::Tone};
use crate::domain::id::RunnerId;

/// Lines that are kept.
const MAX_LINES: usize = 5_000;
/// Characters of a line that are kept.
const MAX_WIDE: usize = 2_000;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct LogView {
    /// Whose.
    pub(in crate::ui) id: RunnerId,
    /// The runner's name.
    pub(in crate::ui) name: String,
    lines: VecDeque<String>,
    /// What came after the last line end.
    rest: String,
    /// Why nothing more comes, if that is so.
    pub(in crate::ui) ended: Option<String>,
}

impl LogView {
    /// Returns one that nothing was read of.
    pub(in crate::ui) fn new(id: RunnerId, name: String) -> Self {
        Self { id, name, lines: VecDeque::new(), rest: String::new(), ended: None }
    }

    /// Takes in more text; returns the old lines that had to go for it.
    pub(in crate::ui) fn take(&mut self, text: &str) -> Vec<Line> {
        for c in text.chars() {
            match c {
                '\n' => self.lines.push_back(std::mem::take(&mut self.rest)),
                '\t' => self.rest.push(' '),
                c if self.rest.len() < MAX_WIDE => self.rest.push(c),
                _ => {}
            }
        }
        let more = self.lines.len().saturating_sub(MAX_LINES);
        self.lines.drain(..more).map(|text| line(&text, Tone::Plain)).collect()
    }

    /// The lines, oldest first.
    pub(in crate::ui) fn lines(&self) -> Vec<Line> {
        let rest = Some(&self.rest).filter(|rest| !rest.is_empty());
        let all = self.lines.iter().chain(rest);
        let mut lines: Vec<Line> = all.map(|text| line(text, Tone::Plain)).collect();
        lines.extend(self.ended.iter().map(|why| line(why, Tone::Muted)));
        lines
    }
}

fn line(text: &str, tone: Tone) -> Line {
    Line::new("", text, tone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_and_bounded() {
        let mut log = LogView::new(RunnerId::random(), "api-1".to_owned());
        log.take("on");
        log.take("e\ntwo\nthr");
        let texts: Vec<_> = log.lines().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["one", "two", "thr"]);
        log.take(&"x\n".repeat(MAX_LINES + 5));
        log.take(&"y".repeat(3 * MAX_WIDE));
        let lines = log.lines();
        assert_eq!((lines.len(), lines[0].text.as_str()), (MAX_LINES + 1, "x"));
        assert_eq!(lines.last().unwrap().text.len(), MAX_WIDE);
    }
}
