//! The small programs that run inside runners and sessions: this binary again, with a hidden
//! first argument.

use std::{
    ffi::{OsStr, OsString},
    fmt::Write as _,
    fs::OpenOptions,
    io::{self, BufWriter, Write as _},
    path::Path,
    process::ExitCode,
};

use crate::stats::now_ns;

/// The first argument that makes this program a helper.
pub(crate) const MARK: &str = "--helper";

/// Writes the time to a pipe and stays: `stamp PIPE`.
pub(crate) const STAMP: &str = "stamp";

/// Prints lines, then a mark, writes the time to a pipe and stays: `lines PIPE COUNT LOOK MARK`.
pub(crate) const LINES: &str = "lines";

/// Prints so many MiB of one look as fast as they are taken, and ends: `flood MIB LOOK`.
pub(crate) const FLOOD: &str = "flood";

/// The look of lines without colours.
pub(crate) const PLAIN: &str = "plain";

/// The look of lines with colours.
pub(crate) const COLOURED: &str = "coloured";

/// The look of lines in many scripts, with wide characters and combined ones.
pub(crate) const UNICODE: &str = "unicode";

/// The look of a program that draws the whole screen anew, again and again.
pub(crate) const REDRAW: &str = "redraw";

/// Bytes of a flood that are prepared once and printed again and again.
const PIECE: usize = 256 << 10;

/// Runs a helper.
pub(crate) fn main(words: &[OsString]) -> ExitCode {
    let time = now_ns();
    let word = |index: usize| words.get(index).map(OsString::as_os_str).unwrap_or_default();
    let text = |index: usize| word(index).to_string_lossy().into_owned();
    let outcome = match text(1).as_str() {
        STAMP => stamp(word(2), time),
        FLOOD => {
            return match flood(text(2).parse().unwrap_or(0), &text(3)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        LINES => lines(text(3).parse().unwrap_or(0), &text(4), &text(5))
            .and_then(|()| stamp(word(2), now_ns())),
        _ => Err(io::Error::other("no such helper")),
    };
    if outcome.is_err() {
        return ExitCode::FAILURE;
    }
    loop {
        std::thread::park();
    }
}

/// Writes a time to a pipe, in one piece.
fn stamp(pipe: &OsStr, time: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(Path::new(pipe))?.write_all(&time.to_ne_bytes())
}

/// Words of an agent's talk.
const WORDS: [&str; 24] = [
    "reading",
    "src/lib.rs",
    "tests",
    "passed",
    "the",
    "function",
    "returns",
    "early",
    "when",
    "a",
    "buffer",
    "is",
    "empty",
    "cargo",
    "build",
    "finished",
    "in",
    "warning:",
    "unused",
    "import",
    "of",
    "line",
    "module",
    "looks",
];

/// Words of other scripts: wide, combined, right to left, and pictures of several characters.
const OTHERS: [&str; 12] = [
    "日本語",
    "한국어",
    "中文字",
    "ελληνικά",
    "русский",
    "e\u{301}te\u{301}",
    "👩‍💻",
    "🇪🇺",
    "✅",
    "→",
    "naïve",
    "─────",
];

/// A stream of numbers that is the same each time; Knuth's generator is good enough for words.
struct Picks(u64);

impl Picks {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 40).unwrap_or(0)
    }
}

/// Returns a line of an agent's talk.
fn line(number: u32, look: &str, picks: &mut Picks) -> String {
    let mut line = format!("{number:05}");
    let mut width = line.len();
    loop {
        let pick = picks.next();
        let other = look == UNICODE && pick.is_multiple_of(2);
        let among: &[&str] = if other { &OTHERS } else { &WORDS };
        let word = among.get(pick / 2 % among.len()).copied().unwrap_or("word");
        // No character is wider than two columns.
        let columns = if other { 2 * word.chars().count() } else { word.len() };
        let short = width > 40 && pick.is_multiple_of(7);
        if width + 1 + columns > 78 || short {
            return line;
        }
        width += 1 + columns;
        if look != PLAIN && look != UNICODE && pick.is_multiple_of(3) {
            // Writing to a `String` cannot fail.
            write!(line, " \x1b[38;5;{}m{word}\x1b[0m", pick % 200 + 16).ok();
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
}

/// Prints so many lines of an agent's talk and a mark as the last one.
fn lines(count: u32, look: &str, mark: &str) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut picks = Picks(1);
    for number in 0..count {
        writeln!(out, "{}", line(number, look, &mut picks))?;
    }
    write!(out, "{mark}")?;
    out.flush()
}

/// Prints so many MiB.
fn flood(mib: usize, look: &str) -> io::Result<()> {
    let (mut piece, mut picks, mut number) = (String::new(), Picks(1), 0);
    while piece.len() < PIECE {
        if look == REDRAW {
            piece.push_str("\x1b[H");
            for row in 0..24 {
                let line = line(number, look, &mut picks);
                write!(piece, "{line}\x1b[K{}", if row < 23 { "\r\n" } else { "" }).ok();
                number += 1;
            }
        } else {
            piece.push_str(&line(number, look, &mut picks));
            piece.push('\n');
            number += 1;
        }
    }
    let mut out = io::stdout().lock();
    let mut left = mib << 20;
    while left > 0 {
        let bytes = piece.as_bytes();
        let bytes = bytes.get(..left.min(bytes.len())).unwrap_or(bytes);
        out.write_all(bytes)?;
        left -= bytes.len();
    }
    // Whatever was cut off, the next line begins as one.
    out.write_all(b"\x1b[0m\r\n")?;
    out.flush()
}
