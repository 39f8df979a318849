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

/// The look of lines without colours.
pub(crate) const PLAIN: &str = "plain";

/// The look of lines with colours.
pub(crate) const COLOURED: &str = "coloured";

/// Runs a helper.
pub(crate) fn main(words: &[OsString]) -> ExitCode {
    let time = now_ns();
    let word = |index: usize| words.get(index).map(OsString::as_os_str).unwrap_or_default();
    let text = |index: usize| word(index).to_string_lossy().into_owned();
    let outcome = match text(1).as_str() {
        STAMP => stamp(word(2), time),
        LINES => lines(text(3).parse().unwrap_or(0), word(4) == COLOURED, &text(5))
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

/// Prints so many lines of an agent's talk and a mark as the last one.
fn lines(count: u32, coloured: bool, mark: &str) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut seed = 1_u64;
    for number in 0..count {
        let mut line = format!("{number:05}");
        let mut width = line.len();
        loop {
            // Knuth's generator is good enough for words.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let pick = usize::try_from(seed >> 40).unwrap_or(0);
            let word = WORDS.get(pick % WORDS.len()).copied().unwrap_or("word");
            let short = width > 40 && pick.is_multiple_of(7);
            if width + 1 + word.len() > 78 || short {
                break;
            }
            width += 1 + word.len();
            if coloured && pick.is_multiple_of(3) {
                // Writing to a `String` cannot fail.
                write!(line, " \x1b[38;5;{}m{word}\x1b[0m", pick % 200 + 16).ok();
            } else {
                line.push(' ');
                line.push_str(word);
            }
        }
        writeln!(out, "{line}")?;
    }
    write!(out, "{mark}")?;
    out.flush()
}
