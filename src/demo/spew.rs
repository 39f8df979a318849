//! `spew` and `flood`: much output, once as a talkative program and once as a measured amount.
//!
//! Both are deterministic for a seed and hand the terminal large pieces, so that the terminal and
//! not the agent is the limit.

use std::fmt::Write as _;
use std::time::Duration;

use super::args::DemoArgs;
use super::host::{Host, Stop, nanos, now_ns};
use super::script::Dice;

/// Bytes of `flood` when none are asked for, in MiB.
const FLOOD_MIB: u64 = 100;
/// The size of the pieces that are written.
const PIECE: usize = 32 * 1024;
/// The levels of log lines with their colours.
const LEVELS: [(&str, &str); 4] =
    [("DEBUG", "\x1b[2m"), ("INFO ", "\x1b[32m"), ("WARN ", "\x1b[33m"), ("ERROR", "\x1b[31m")];
/// Where log lines come from.
const PLACES: [&str; 6] = ["http", "db::pool", "worker", "cache", "auth", "billing::tax"];
/// What log lines say.
const WORDS: [&str; 8] = [
    "request finished",
    "connection returned to the pool",
    "job taken",
    "slow query",
    "cache miss",
    "token refreshed",
    "retrying after a timeout",
    "batch written",
];

/// Prints log lines until the count, the time or a signal ends it.
pub(super) fn spew(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let began = now_ns();
    let end = args.seconds.map_or(u64::MAX, |time| began.saturating_add(nanos(time)));
    let rate = args.rate.filter(|rate| *rate > 0);
    let last = args.count.unwrap_or(u64::MAX);
    let mut dice = Dice::new(args.seed);
    let mut number = 0_u64;
    host.witness().line("ready");
    while number < last && now_ns() < end {
        let mut piece = String::new();
        let due = rate.map_or(u64::MAX, |rate| {
            let passed = now_ns().saturating_sub(began);
            (u128::from(passed) * u128::from(rate) / 1_000_000_000 + 1)
                .try_into()
                .unwrap_or(u64::MAX)
        });
        while number < due.min(last) && piece.len() < PIECE {
            log_line(&mut piece, number, &mut dice);
            number += 1;
        }
        host.write(piece.as_bytes())?;
        let pause = rate.map_or(Duration::ZERO, |rate| {
            let next = u128::from(number) * 1_000_000_000 / u128::from(rate);
            let next = began.saturating_add(u64::try_from(next).unwrap_or(u64::MAX));
            Duration::from_nanos(next.min(end).saturating_sub(now_ns()))
        });
        host.wait(Some(pause), false)?;
    }
    host.witness().line(&format!("lines {number}"));
    Ok(args.own_exit_code())
}

/// Adds one log line; every third is plain.
fn log_line(out: &mut String, number: u64, dice: &mut Dice) {
    let pick = |dice: &mut Dice, count: usize| {
        usize::try_from(dice.between(0, u64::try_from(count).unwrap_or(1))).unwrap_or(0)
    };
    // Mostly information, rarely an error.
    let level = [1, 1, 1, 1, 0, 0, 1, 2, 1, 3].get(pick(dice, 10)).copied().unwrap_or(1);
    let (level, colour) = LEVELS.get(level).copied().unwrap_or(LEVELS[1]);
    let place = PLACES.get(pick(dice, PLACES.len())).copied().unwrap_or("http");
    let words = WORDS.get(pick(dice, WORDS.len())).copied().unwrap_or("job taken");
    let millis = number * 7 % 1_000;
    let (hour, minute, second) = (number / 3_600 % 24, number / 60 % 60, number % 60);
    let time = format!("{hour:02}:{minute:02}:{second:02}.{millis:03}");
    let tail = format!("id={number} took_ms={}", dice.between(1, 900));
    // Writing to a `String` cannot fail.
    if number.is_multiple_of(3) {
        writeln!(out, "{time} {level} {place}: {words} {tail}").ok();
    } else {
        writeln!(
            out,
            "\x1b[2m{time}\x1b[0m {colour}{level}\x1b[0m \x1b[1m{place}\x1b[0m: {words} \
             \x1b[36m{tail}\x1b[0m"
        )
        .ok();
    }
}

/// Prints a measured amount of 80-column lines and how long the terminal took.
pub(super) fn flood(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let piece = flood_piece(args.colour, args.seed);
    let whole = args.count.unwrap_or(FLOOD_MIB).saturating_mul(1024 * 1024);
    host.witness().line("ready");
    let began = now_ns();
    let mut sent = 0_u64;
    while sent < whole {
        host.write(piece.as_bytes())?;
        sent = sent.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        host.wait(Some(Duration::ZERO), false)?;
    }
    let took = now_ns().saturating_sub(began);
    let seconds = format!("{}.{:06}", took / 1_000_000_000, took % 1_000_000_000 / 1_000);
    host.witness().line(&format!("done {took} bytes={sent} seconds={seconds}"));
    host.write(format!("done {took}\n").as_bytes())?;
    host.stay(Some(args.seconds.unwrap_or_default()))?;
    Ok(args.own_exit_code())
}

/// Makes whole lines of exactly 80 columns.
fn flood_piece(colour: bool, seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let mut out = String::with_capacity(PIECE + 256);
    let mut line = 0_u32;
    while out.len() < PIECE {
        let mut column = 0;
        while column < 80 {
            let word = dice.between(3, 11).min(80 - column);
            if colour {
                write!(out, "\x1b[{}m", 31 + dice.between(0, 6)).ok();
            }
            for at in 0..word {
                let space = at + 1 == word && column + word < 80;
                let letter = u8::try_from(dice.between(0, 26)).unwrap_or(0) + b'a';
                out.push(if space { ' ' } else { char::from(letter) });
            }
            column += word;
        }
        if colour {
            out.push_str("\x1b[0m");
        }
        out.push('\n');
        line += 1;
    }
    debug_assert!(line > 0, "a piece holds at least one line");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_lines_are_80_columns() {
        let plain = flood_piece(false, 1);
        assert!(plain.lines().all(|line| line.len() == 80));
        assert!(plain.ends_with('\n'));
        assert_eq!(plain, flood_piece(false, 1));
        assert_ne!(plain, flood_piece(false, 2));
        let coloured = flood_piece(true, 1);
        for line in coloured.lines() {
            let text: String =
                line.split('\x1b').map(|part| part.split_once('m').map_or(part, |p| p.1)).collect();
            // A letter `m` in the text cannot be the end of a sequence: each part has one first.
            assert_eq!(text.len(), 80);
        }
    }

    #[test]
    fn log_lines_are_mixed_and_repeatable() {
        let make = |seed| {
            let mut dice = Dice::new(seed);
            let mut out = String::new();
            for number in 0..30 {
                log_line(&mut out, number, &mut dice);
            }
            out
        };
        assert_eq!(make(4), make(4));
        assert_ne!(make(4), make(5));
        assert!(make(4).lines().any(|line| line.contains('\x1b')));
        assert!(make(4).lines().any(|line| !line.contains('\x1b')));
    }
}
