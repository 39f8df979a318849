//! `query` and `alt`: what the terminal answers, and a program that leaves it in a mess.
//!
//! Neither restores anything it should not: `query` ends with the terminal as it was, `alt` ends
//! with the alternate screen, mouse, paste and keyboard modes on and the line discipline raw.

use std::time::Duration;

use super::args::DemoArgs;
use super::host::{Host, Stop, nanos, now_ns};
use super::plain::{collect, hex};
use super::term::{RawMode, Size};

/// How long answers may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The questions, with the fence that every terminal answers at the end.
const QUESTIONS: &[u8] = b"\x1b]7501;?\x1b\\\x1b[6n\x1b[>0q\x1b[?u\x1b]11;?\x1b\\\x1b[c";
/// The names of the answers, in the order they are printed.
const NAMES: [&str; 6] = ["da1", "cpr", "xtversion", "kitty", "osc11", "status"];
/// Everything `alt` switches on: alternate screen, mouse, paste, focus, application keys, keyboard
/// protocol, no cursor, no wrapping, a scroll region.
const ALT_ON: &str = "\x1b[?1049h\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1006h\x1b[?2004h\
                      \x1b[?1004h\x1b[?1h\x1b=\x1b[>1u\x1b[?25l\x1b[?7l\x1b[2;5r\x1b]0;alt\x07";

/// Asks, waits at most two seconds and prints the answers as hexadecimal digits.
pub(super) fn query(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let raw = RawMode::enter();
    host.witness().line("ready");
    let asked = now_ns();
    host.write(QUESTIONS)?;
    let got = collect(host, PATIENCE, |got| answers(got).iter().all(Option::is_some))?;
    let took = now_ns().saturating_sub(asked) / 1_000_000;
    drop(raw);
    let mut lines: Vec<String> = NAMES
        .iter()
        .zip(answers(&got))
        .map(|(name, answer)| format!("reply {name} {}", hex(answer.unwrap_or_default())))
        .collect();
    lines.push(format!("reply all {}", hex(&got)));
    for line in &lines {
        host.witness().line(line);
    }
    host.write(format!("\r{}\nquery done {took} ms\n", lines.join("\n")).as_bytes())?;
    host.stay(Some(args.seconds.unwrap_or_default()))?;
    Ok(args.own_exit_code())
}

/// Finds the answers among the bytes that came, in the order of [`NAMES`].
fn answers(bytes: &[u8]) -> [Option<&[u8]>; 6] {
    let mut found: [Option<&[u8]>; 6] = [None; 6];
    let mut rest = bytes;
    while let Some(begin) = rest.iter().position(|byte| *byte == 0x1b) {
        rest = rest.get(begin..).unwrap_or_default();
        let Some(length) = sequence_length(rest) else {
            break;
        };
        let (sequence, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        let at = match sequence {
            [_, b'[', b'?', .., b'c'] => Some(0),
            [_, b'[', .., b'R'] => Some(1),
            [_, b'P', b'>', b'|', ..] => Some(2),
            [_, b'[', b'?', .., b'u'] => Some(3),
            [_, b']', b'1', b'1', b';', ..] => Some(4),
            [_, b']', b'7', b'5', b'0', b'1', b';', ..] => Some(5),
            _ => None,
        };
        if let Some(slot) = at.and_then(|at| found.get_mut(at)) {
            slot.get_or_insert(sequence);
        }
        rest = after;
    }
    found
}

/// Returns the length of the sequence at the beginning, `None` while it is incomplete.
fn sequence_length(bytes: &[u8]) -> Option<usize> {
    let body = bytes.get(2..)?;
    match bytes.get(1)? {
        b'[' => body.iter().position(|byte| (0x40..=0x7e).contains(byte)).map(|at| at + 3),
        b']' | b'P' => {
            let bell = body.iter().position(|byte| *byte == 0x07).map(|at| at + 3);
            let end = body.windows(2).position(|pair| pair == b"\x1b\\").map(|at| at + 4);
            match (bell, end) {
                (Some(bell), Some(end)) => Some(bell.min(end)),
                (bell, end) => bell.or(end),
            }
        }
        _ => Some(2),
    }
}

/// Enters the alternate screen and waits; `q` ends it abruptly, `k` kills it.
pub(super) fn alt(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let mut raw = RawMode::enter();
    let end = args.seconds.map(|time| now_ns().saturating_add(nanos(time)));
    host.write(ALT_ON.as_bytes())?;
    draw(host)?;
    host.witness().line("ready");
    raw.abandon();
    let mut buffer = [0_u8; 4096];
    loop {
        let left = end.map(|end| Duration::from_nanos(end.saturating_sub(now_ns())));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(args.own_exit_code());
        }
        let readable = host.wait(left, true)?;
        if host.take_disturbed() {
            draw(host)?;
        }
        if !readable {
            continue;
        }
        let count = host.read(&mut buffer)?;
        if count == 0 {
            return Ok(args.own_exit_code());
        }
        let got = buffer.get(..count).unwrap_or_default();
        host.witness().line(&format!("key {}", hex(got)));
        match pressed(got) {
            Some('q') => return Ok(args.own_exit_code()),
            Some('k') => {
                host.witness().line("killing");
                let own = rustix::process::getpid();
                rustix::process::kill_process(own, rustix::process::Signal::KILL)?;
            }
            _ => {}
        }
    }
}

/// Returns which of the two keys was pressed, plain or in the keyboard protocol's form.
fn pressed(bytes: &[u8]) -> Option<char> {
    match bytes {
        [key @ (b'q' | b'k')] => Some(char::from(*key)),
        b"\x1b[113u" => Some('q'),
        b"\x1b[107u" => Some('k'),
        _ => None,
    }
}

/// Draws a frame along the edges and a line of text.
fn draw(host: &mut Host) -> Result<(), Stop> {
    let size = Size::of_window();
    let inner = size.cols.saturating_sub(2);
    let bar = "─".repeat(inner);
    let mut out = format!("\x1b[?2026h\x1b[H\x1b[2J\x1b[1;1H┌{bar}┐");
    for row in 2..size.rows {
        out.push_str(&format_row(row, size.cols));
    }
    let text = format!("alt {}x{}: q exits, k kills", size.cols, size.rows);
    let text: String = text.chars().take(inner.saturating_sub(2)).collect();
    out.push_str(&position(size.rows, 1));
    out.push_str(&["└", &bar, "┘\x1b[2;3H", &text, "\x1b[?2026l"].concat());
    host.write(out.as_bytes())
}

/// Returns the two edges of one row.
fn format_row(row: usize, cols: usize) -> String {
    format!("{}│{}│", position(row, 1), position(row, cols))
}

/// Returns the sequence that moves the cursor.
fn position(row: usize, column: usize) -> String {
    format!("\x1b[{row};{column}H")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let bytes = b"x\x1b]7501;?\x1b\\\x1b[3;1R\x1bP>|tmux 3.3a\x1b\\\x1b[?1u\
                      \x1b]11;rgb:0000/0000/0000\x07\x1b[?62;22c";
        let found = answers(bytes);
        assert!(found.iter().all(Option::is_some));
        assert_eq!(found[0], Some(b"\x1b[?62;22c".as_slice()));
        assert_eq!(found[1], Some(b"\x1b[3;1R".as_slice()));
        assert_eq!(found[5], Some(b"\x1b]7501;?\x1b\\".as_slice()));
    }

    #[test]
    fn incomplete_and_missing_answers() {
        assert_eq!(answers(b""), [None; 6]);
        assert_eq!(answers(b"\x1b[?62;22"), [None; 6]);
        assert_eq!(answers(b"\x1b"), [None; 6]);
        assert!(answers(b"\x1b]11;rgb")[4].is_none());
    }

    #[test]
    fn both_forms_of_the_keys() {
        assert_eq!(pressed(b"q"), Some('q'));
        assert_eq!(pressed(b"\x1b[107u"), Some('k'));
        assert_eq!(pressed(b"quit"), None);
    }
}
