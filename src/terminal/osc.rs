//! Operating system commands: which are applied, forwarded, answered or dropped.

use super::query::{Fate, Query};
use super::reports;
use super::scan::Signal;

/// Longest hyperlink address kept in a cell. A screen of 200×50 cells, each with an address of
/// its own, then holds 10 MB at worst.
const MOST_LINK_BYTES: usize = 1024;

/// Decides about a command, `body` without introducer and terminator. `bell` tells whether it
/// ended in BEL: answers end as the question did.
pub(crate) fn classify(body: &[u8], bell: bool) -> Fate {
    let code_len = body.iter().position(|byte| *byte == b';').unwrap_or(body.len());
    let (code, rest) = body.split_at(code_len);
    let rest = rest.get(1..).unwrap_or_default();
    let code = std::str::from_utf8(code).ok().and_then(|text| text.parse::<u16>().ok());
    let Some(code) = code else { return Fate::Drop };
    // What is neither kept by our screen nor done and over once it is said is no viewer's: fonts,
    // colours of selections, text in other sizes, pictures, the pointer's shape.
    match code {
        0 | 2 => Fate::Forward(Some(Signal::Title(reports::clean(rest, reports::MOST_CHARS)))),
        4 => palette(rest, bell),
        7 => Fate::Forward(reports::directory(rest).map(Signal::Cwd)),
        8 => link(rest),
        9 => Fate::Forward(notification(rest)),
        10..=12 => dynamic(code, rest, bell),
        13..=19 if asks(rest) => dynamic(code, rest, bell),
        52 => clipboard(rest, bell),
        777 => Fate::Forward(rest.strip_prefix(b"notify;").and_then(notification)),
        50 if rest.starts_with(b"CursorShape=") => Fate::Apply,
        104 | 110..=112 if !asks(rest) => Fate::Apply,
        7501 if rest.trim_ascii() == b"?" => Fate::Ask(Query::ProgramStatus(bell)),
        7501 => Fate::Forward(reports::program(rest).map(Signal::Program)),
        // The icon's name; notifications of kitty's; where prompts are.
        1 | 99 | 133 if !asks(rest) => Fate::Forward(None),
        _ => Fate::Drop,
    }
}

fn asks(rest: &[u8]) -> bool {
    rest.contains(&b'?')
}

fn palette(rest: &[u8], bell: bool) -> Fate {
    let mut parts = rest.split(|byte| *byte == b';');
    let mut asked = Vec::new();
    let mut sets = false;
    while let (Some(index), Some(value)) = (parts.next(), parts.next()) {
        if value != b"?" {
            sets = true;
        } else if let Some(index) = std::str::from_utf8(index).ok().and_then(|n| n.parse().ok()) {
            asked.push(index);
        }
    }
    match (sets, asked.is_empty()) {
        (_, true) if !asks(rest) => Fate::Apply,
        (_, true) => Fate::Drop,
        (true, false) => Fate::ApplyAndAsk(Query::Palette(asked, bell)),
        (false, false) => Fate::Ask(Query::Palette(asked, bell)),
    }
}

fn dynamic(code: u16, rest: &[u8], bell: bool) -> Fate {
    if !asks(rest) {
        return Fate::Apply;
    }
    // `OSC 10 ; ? ; ?` asks for 10 and 11: each further value is for the next code.
    let asked: Vec<u8> = (code..=19)
        .zip(rest.split(|byte| *byte == b';'))
        .filter(|(_, value)| *value == b"?")
        .filter_map(|(code, _)| u8::try_from(code).ok())
        .collect();
    let sets = rest.split(|byte| *byte == b';').any(|value| value != b"?");
    let query = Query::DynamicColors(asked, bell);
    if sets { Fate::ApplyAndAsk(query) } else { Fate::Ask(query) }
}

fn link(rest: &[u8]) -> Fate {
    if rest.len() <= MOST_LINK_BYTES { Fate::Apply } else { Fate::Drop }
}

fn clipboard(rest: &[u8], bell: bool) -> Fate {
    let split = rest.iter().position(|byte| *byte == b';');
    match split.map(|at| rest.split_at(at)) {
        Some((selection, b";?")) => {
            Fate::Ask(Query::Clipboard(selection.iter().take(8).copied().collect(), bell))
        }
        Some((_, data)) if !asks(data) => Fate::Forward(None),
        _ => Fate::Drop,
    }
}

/// `9;4;…` and its relatives are progress bars and settings, not notifications.
fn notification(rest: &[u8]) -> Option<Signal> {
    let mut parts = rest.splitn(2, |byte| *byte == b';');
    let first = parts.next().unwrap_or_default();
    let number = !first.is_empty() && first.len() <= 2 && first.iter().all(u8::is_ascii_digit);
    let text = match parts.next() {
        Some(_) if number => return None,
        Some(body) => {
            let title = reports::clean(first, reports::MOST_CHARS);
            let body = reports::clean(body, reports::MOST_CHARS);
            if body.is_empty() { title } else { format!("{title}: {body}") }
        }
        None => reports::clean(first, reports::MOST_CHARS),
    };
    (!text.is_empty()).then_some(Signal::Notify(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_are_told_from_progress() {
        assert_eq!(notification(b"4;1;50"), None);
        assert_eq!(notification(b"done"), Some(Signal::Notify("done".into())));
        assert_eq!(notification(b"a;b"), Some(Signal::Notify("a: b".into())));
        assert_eq!(notification(b""), None);
    }

    #[test]
    fn clipboard_reads_are_asked_and_writes_pass() {
        assert_eq!(classify(b"52;c;?", true), Fate::Ask(Query::Clipboard(b"c".to_vec(), true)));
        assert_eq!(classify(b"52;c;YQ==", false), Fate::Forward(None));
        assert_eq!(classify(b"52;c;YQ?=", false), Fate::Drop);
    }

    #[test]
    fn colours_may_be_set_and_asked_at_once() {
        let asked = Query::Palette(vec![1, 3], false);
        assert_eq!(classify(b"4;1;?;2;#fff;3;?", false), Fate::ApplyAndAsk(asked));
        let asked = Query::DynamicColors(vec![10, 11], true);
        assert_eq!(classify(b"10;?;?", true), Fate::Ask(asked));
    }
}
