//! Words for Telegram: `MarkdownV2`, in messages that are short enough.

use crate::domain::notification::{Notification, headline};

/// UTF-16 units of a message, and of what stands under a picture; Telegram counts them so.
pub(super) const MESSAGE: usize = 4096;
pub(super) const CAPTION: usize = 1024;

/// What has a meaning in `MarkdownV2`.
const MEANS: &str = "_*[]()~`>#+-=|{}.!\\";

/// Returns a text in which nothing means anything but itself.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if MEANS.contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Takes back what [`escape`] and [`marked_up`] did.
pub(super) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.extend(chars.next()),
            '*' => {}
            c => plain.push(c),
        }
    }
    plain
}

/// Returns a notification as messages: the title bold, then the body, where too long a title goes on.
pub(super) fn marked_up(told: &Notification, body: &str, most: usize) -> Vec<String> {
    let (title, body) = headline(&told.title, body);
    let head = format!("{} *{}*", escape(&told.emoji), escape(&title));
    if body.is_empty() {
        return vec![head];
    }
    let room = most.saturating_sub(units(&head) + 1);
    let mut parts = split(&body, room, escape);
    if let Some(first) = parts.first_mut() {
        *first = format!("{head}\n{first}");
    }
    parts
}

/// Returns a notification's first message with a line below it that says how it ended; `None` where
/// both do not fit.
pub(super) fn ended(told: &Notification, how: &str, most: usize) -> Option<String> {
    let first = marked_up(told, &told.body, most).into_iter().next()?;
    let whole = format!("{first}\n{}", escape(&format!("☑️ {how}")));
    (units(&whole) <= most).then_some(whole)
}

/// Cuts a text into parts that have so many UTF-16 units at most after a change: where a paragraph
/// ends, else a line, else a word, else anywhere between two characters. No part is empty.
pub fn split(text: &str, most: usize, change: impl Fn(&str) -> String) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim_matches('\n');
    while !rest.is_empty() {
        let fits = longest(rest, most, &change);
        let (part, after) = if fits == rest.len() {
            (rest, "")
        } else {
            let head = rest.get(..fits).unwrap_or(rest);
            // Cut at a mark that leaves at least half: a page with one word on it helps nobody.
            let at = ["\n\n", "\n", " "]
                .iter()
                .find_map(|mark| head.rfind(mark).filter(|at| *at >= head.len() / 2));
            rest.split_at(at.unwrap_or(fits))
        };
        let changed = change(part.trim_end());
        if !changed.is_empty() {
            parts.push(changed);
        }
        rest = after.trim_start_matches(['\n', ' ']);
        if after.len() == rest.len() && part.is_empty() {
            // Not even one character fits; nothing does.
            break;
        }
    }
    parts
}

/// The length in bytes of the longest beginning that fits; at least one character.
fn longest(text: &str, most: usize, change: &impl Fn(&str) -> String) -> usize {
    let mut used = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        used += units(&change(text.get(at..next).unwrap_or_default()));
        if used > most {
            break;
        }
        end = next;
    }
    end.max(text.chars().next().map_or(0, char::len_utf8))
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads `MarkdownV2` as Telegram does, as far as we write it: every character that means something
    /// has to be escaped, except for a pair of stars.
    fn parses(text: &str) -> Result<String, String> {
        let mut plain = String::new();
        let mut chars = text.chars();
        let mut is_bold = false;
        while let Some(c) = chars.next() {
            match c {
                '\\' => plain.push(chars.next().ok_or("ends with a backslash")?),
                '*' => is_bold = !is_bold,
                c if MEANS.contains(c) => return Err(format!("{c} is reserved")),
                c => plain.push(c),
            }
        }
        if is_bold { Err("bold has no end".into()) } else { Ok(plain) }
    }

    proptest! {
        #[test]
        fn any_text_is_itself_after_telegram_has_read_it(text in any::<String>()) {
            prop_assert_eq!(&parses(&escape(&text)).unwrap(), &text);
            prop_assert_eq!(&unescape(&escape(&text)), &text);
        }

        #[test]
        fn parts_are_short_enough_and_nothing_but_blanks_is_lost(
            text in "([a-z.*\u{1f600}]{0,30}[ \n]){0,60}", most in 8_usize..80,
        ) {
            let parts = split(&text, most, escape);
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            let mut told = String::new();
            for part in &parts {
                prop_assert!(!part.is_empty() && units(part) <= most, "{part:?}");
                told.push_str(&parses(part).unwrap());
            }
            prop_assert_eq!(squeezed(&told), squeezed(&text));
        }
    }

    fn asked(body: &str) -> Notification {
        Notification {
            event_id: uuid::Uuid::nil(),
            position: 1,
            event_type: "runner.activity".into(),
            at: chrono::DateTime::default(),
            severity: crate::domain::notification::Severity::Warning,
            emoji: "🙋".into(),
            title: "api-1 asks for permission".into(),
            body: body.into(),
            project: "api".into(),
            runner: "api-1".into(),
            runner_id: String::new(),
            while_since: None,
            asks: None,
            key: String::new(),
            channels: Vec::new(),
            not_by: String::new(),
            trace_id: String::new(),
        }
    }

    #[test]
    fn how_a_question_ended_stands_below_it_where_there_is_room() {
        let whole = ended(&asked("rm -r build"), "answered by me: yes.", CAPTION).unwrap();
        let words = "🙋 api-1 asks for permission\nrm -r build\n☑️ answered by me: yes.";
        assert_eq!(parses(&whole).unwrap(), words);
        assert_eq!(ended(&asked(&"x ".repeat(700)), "over", CAPTION), None);
        assert!(ended(&asked(&"x ".repeat(700)), "over", MESSAGE).is_some());
    }

    #[test]
    fn of_a_title_that_is_too_long_the_rest_comes_below_it() {
        let long = Notification { title: "t ".repeat(5000), ..asked("") };
        let parts = marked_up(&long, "", MESSAGE);
        let told: String = parts.iter().map(|part| parses(part).unwrap()).collect();
        assert_eq!(told.matches('t').count(), 5000);
        assert!(parts.len() == 3 && parts.iter().all(|part| units(part) <= MESSAGE));
    }

    #[test]
    fn it_is_cut_where_a_paragraph_a_line_or_a_word_ends() {
        let plain = |text: &str| text.to_owned();
        assert_eq!(split("one two\n\nthree four", 14, plain), ["one two", "three four"]);
        assert_eq!(split("one two\nthree", 10, plain), ["one two", "three"]);
        assert_eq!(split("aaa bbb ccc", 8, plain), ["aaa bbb", "ccc"]);
        assert_eq!(split("aaaaaaaaaa", 4, plain), ["aaaa", "aaaa", "aa"]);
        assert_eq!(split("", 4, plain), [] as [&str; 0]);
    }

    #[test]
    fn a_character_that_does_not_fit_ends_it() {
        assert_eq!(split(".", 1, escape), ["\\."]);
    }
}
