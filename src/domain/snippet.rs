//! A part of a message on one line, with what was found in it, cut so that this is seen.

use std::ops::Range;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::session::FOUND;

/// Where something is missing.
const SIGN: char = '…';

/// Of a word that is longer than there is room for, characters that stay before what was found in it.
const BEFORE: usize = 8;

/// Letters by which the end of a message is known.
const SAME: usize = 24;

/// A part of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snippet {
    /// What it says, on one line.
    pub text: String,
    /// What of it was found, in bytes.
    pub marks: Vec<Range<usize>>,
}

impl Snippet {
    /// Returns a text in which what was found stands between [`FOUND`].
    pub fn of(text: &str) -> Self {
        let (mut line, mut marks, mut from) = (String::new(), Vec::new(), None);
        for letter in text.trim().chars() {
            match letter {
                letter if letter == FOUND.0 => from = Some(line.len()),
                letter if letter == FOUND.1 => {
                    marks.extend(from.take().map(|from| from..line.len()));
                }
                letter if letter.is_whitespace() || letter.is_control() => {
                    // Blanks in a row say no more than one.
                    if !line.ends_with(' ') {
                        line.push(' ');
                    }
                }
                letter => line.push(letter),
            }
        }
        line.truncate(line.trim_end().len());
        Self { text: line, marks }
    }

    /// Returns it with what was found between [`FOUND`].
    pub fn marked(&self) -> String {
        let (mut marked, mut at) = (String::new(), 0);
        for mark in &self.marks {
            marked.push_str(self.part(at, mark.start));
            marked.push(FOUND.0);
            marked.push_str(self.part(mark.start, mark.end));
            marked.push(FOUND.1);
            at = mark.end;
        }
        marked.push_str(self.part(at, self.text.len()));
        marked
    }

    /// Returns what of it takes so many columns at most: what was found first, and as many words on both
    /// sides of it as have room.
    #[must_use]
    pub fn within(&self, room: usize) -> Self {
        if self.text.width() <= room {
            return self.clone();
        }
        let first = self.marks.first().cloned().unwrap_or_default();
        let start = self.part(0, first.start).rfind(' ').map_or(0, |at| at + 1);
        let next = |from: usize| {
            let blank = self.part(from, self.text.len()).find(' ');
            blank.map_or(self.text.len(), |at| from + at)
        };
        let (mut begin, mut end) = (start, next(first.end));
        if self.width(begin, end) > room {
            return self.cut(self.broken(begin, &first, room));
        }
        loop {
            let before = self.part(0, begin).trim_end();
            let earlier = before.rfind(' ').map_or(0, |at| at + 1);
            let later = next((end + 1).min(self.text.len()));
            let has_before = begin > 0 && self.width(earlier, end) <= room;
            let has_after = end < self.text.len() && self.width(begin, later) <= room;
            // What was found stays in the middle.
            let left = self.part(begin, first.start).width();
            let right = self.part(first.end, end).width();
            match (has_before, has_after) {
                (false, false) => return self.cut(begin..end),
                (true, false) => begin = earlier,
                (true, true) if left <= right => begin = earlier,
                _ => end = later,
            }
        }
    }

    /// Returns what there is room for of a word that is longer, with what was found in it.
    fn broken(&self, begin: usize, found: &Range<usize>, room: usize) -> Range<usize> {
        let before = self.part(begin, found.start).char_indices().rev();
        let before = before.take(BEFORE.min(room / 4)).last();
        let from = before.map_or(found.start, |(at, _)| begin + at);
        let (mut end, mut left) = (from, room.saturating_sub(2));
        for letter in self.part(from, self.text.len()).chars() {
            let wide = letter.width().unwrap_or(0);
            if wide > left {
                break;
            }
            left -= wide;
            end += letter.len_utf8();
        }
        from..end
    }

    fn part(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// The columns of a part with the signs of what is missing.
    fn width(&self, from: usize, to: usize) -> usize {
        let signs = usize::from(from > 0) + usize::from(to < self.text.len());
        self.part(from, to).width() + signs
    }

    fn cut(&self, kept: Range<usize>) -> Self {
        // What was cut off before stays known as that.
        let has_sign = self.part(kept.start, kept.end).starts_with(SIGN);
        let front = if kept.start > 0 && !has_sign { SIGN.len_utf8() } else { 0 };
        let mut text = String::new();
        text.extend((front > 0).then_some(SIGN));
        text.push_str(self.part(kept.start, kept.end));
        if kept.end < self.text.len() && !text.ends_with(SIGN) {
            text.push(SIGN);
        }
        let moved = |mark: &Range<usize>| {
            let (start, end) = (mark.start.max(kept.start), mark.end.min(kept.end));
            (start < end).then(|| start - kept.start + front..end - kept.start + front)
        };
        Self { text, marks: self.marks.iter().filter_map(moved).collect() }
    }
}

/// Returns what a database cut out of a message that begins and ends so, with whole words and `…` where
/// something is missing.
///
/// Databases cut between what they index: `it's` and `src/lib.rs` are several words to them.
pub fn whole(cut: &str, head: &str, tail: &str) -> String {
    // PostgreSQL leaves signs out, and what it takes for tags.
    let is_begin = letters(head).zip(letters(cut)).take(SAME).all(|(one, other)| one == other);
    let mut last = letters(tail).rev().zip(letters(cut).rev()).take(SAME);
    let is_end = last.all(|(one, other)| one == other);
    let (mut rest, mut text) = (cut.trim(), String::new());
    if !is_begin {
        text.push(SIGN);
        if let Some((word, others)) = rest.split_once(char::is_whitespace)
            && !word.contains(FOUND.0)
        {
            rest = others.trim_start();
        }
    }
    if !is_end
        && let Some((others, word)) = rest.rsplit_once(char::is_whitespace)
        && !word.contains(FOUND.1)
    {
        rest = others.trim_end();
    }
    text.push_str(rest);
    text.extend((!is_end).then_some(SIGN));
    text
}

fn letters(text: &str) -> impl DoubleEndedIterator<Item = char> {
    text.chars().filter(|letter| letter.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippet(said: &str) -> Snippet {
        Snippet::of(&said.replace('[', "\u{2}").replace(']', "\u{3}"))
    }

    fn shown(said: &str, room: usize) -> String {
        let cut = snippet(said).within(room);
        assert!(cut.text.width() <= room, "{cut:?}");
        cut.marked().replace(FOUND.0, "[").replace(FOUND.1, "]")
    }

    #[test]
    fn what_was_found_is_marked_on_one_line() {
        let found = snippet("so the\n\n [parser] of\tthe [Übung]\n");
        assert_eq!(found.text, "so the parser of the Übung");
        let words: Vec<_> = found.marks.iter().map(|at| &found.text[at.clone()]).collect();
        assert_eq!(words, ["parser", "Übung"]);
        assert_eq!(found.marked(), "so the \u{2}parser\u{3} of the \u{2}Übung\u{3}");
        assert!(snippet("[half").marks.is_empty());
    }

    #[test]
    fn what_was_found_first_is_in_the_middle_and_words_stay_whole() {
        let said = "one two three four five [foxes] six seven eight nine ten";
        assert_eq!(shown(said, 80), said);
        assert_eq!(shown(said, 23), "…five [foxes] six seven…");
        assert_eq!(shown(said, 7), "…[foxes]…");
        let late = "…the first of all the words and the [last] [one]";
        assert_eq!(shown(late, 20), "…and the [last] [one]");
        let early = "a [fox] and all the words behind it";
        assert_eq!(shown(early, 14), "a [fox] and all…");
        assert_eq!(shown("nothing was found in it", 12), "nothing was…");
        let again = snippet(said).within(40).within(23);
        assert_eq!(again.text, "…five foxes six seven…");
    }

    #[test]
    fn a_word_without_an_end_is_broken_where_it_was_found() {
        assert_eq!(
            shown("/a/long/path/to/the/[parser]/of/everything", 20),
            "…/the/[parser]/of/eve…"
        );
        assert_eq!(shown("日本語の[解析]器は大きい", 12), "…本語の[解析]…");
        assert_eq!(shown("[parser]", 3), "[p]…");
    }

    #[test]
    fn what_a_database_cut_has_whole_words() {
        let body = "As we've said: the quick-brown fox jumps over src/lib.rs, and it's done.";
        let head = &body[..30];
        let tail = &body[body.len() - 30..];
        let said = |cut: &str| {
            let cut = cut.replace('[', "\u{2}").replace(']', "\u{3}");
            whole(&cut, head, tail).replace(FOUND.0, "[").replace(FOUND.1, "]")
        };
        assert_eq!(said(&body.replace("fox", "[fox]")), body.replace("fox", "[fox]"));
        assert_eq!(said("brown [fox] jumps over src"), "…[fox] jumps over…");
        assert_eq!(said("As we've said: the [quick]"), "As we've said: the [quick]…");
        // Without the signs at the end, as PostgreSQL has it.
        assert_eq!(said("rs, and [it's] done"), "…and [it's] done");
        assert_eq!(said("[quick brown]"), "…[quick brown]…");
        assert_eq!(whole("", "", ""), "");
    }
}
