//! `stratavore logs`: what a runner, or the daemon, has written.

use anstream::adapter::StripBytes;

use super::daemon;
use crate::{
    cli::{args::LogsArgs, context::Context, printer::Printer},
    domain::failure::Failure,
};

/// Enough for so many lines, as agents write them.
const BYTES_PER_LINE: u64 = 512;

/// Shows the record of a runner, or the daemon's log when none is named.
pub(super) async fn run(
    args: &LogsArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let Some(runner) = &args.runner else {
        return daemon::logs(args.follow, args.tail, context, printer).await;
    };
    let client = context.client().await?;
    let tail_bytes = args.tail.map(|lines| (lines as u64 + 1) * BYTES_PER_LINE);
    let mut log = client.read_log(runner, tail_bytes, args.follow).await?;
    let mut plain = PlainText::default();
    let mut tail = args.tail.map(Tail::new);
    while let Some(piece) = log.next().await? {
        if piece.missing > 0 && !args.raw {
            printer.bytes(format!("\n[{} bytes were not recorded]\n", piece.missing).as_bytes())?;
        }
        let mut text = Vec::with_capacity(piece.bytes.len());
        if args.raw {
            text.extend_from_slice(&piece.bytes);
        } else {
            plain.take(&piece.bytes, &mut text);
        }
        match &mut tail {
            Some(tail) if !args.follow => tail.push(&text),
            Some(tail) => {
                tail.push(&text);
                printer.bytes(&tail.take())?;
            }
            None => printer.bytes(&text)?,
        }
        if args.follow {
            tail = None;
        }
    }
    tail.map_or(Ok(()), |mut tail| printer.bytes(&tail.take()))
}

/// Makes text that can be shown of what an agent wrote: no escape sequence and no control character
/// may reach the reader's terminal, whatever the agent tries and however its output is cut.
#[derive(Default)]
struct PlainText {
    strip: StripBytes,
    /// The beginning of a character whose end has not come yet.
    partial: Vec<u8>,
}

impl PlainText {
    fn take(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        for part in self.strip.strip_next(bytes) {
            self.partial.extend_from_slice(part);
        }
        let bytes = std::mem::take(&mut self.partial);
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            let shown =
                chunk.valid().chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
            text.extend(shown.collect::<String>().into_bytes());
            // Four bytes make a character at most: what is longer is no beginning of one.
            let invalid = chunk.invalid();
            if chunks.peek().is_none()
                && std::str::from_utf8(invalid).is_err_and(|e| e.error_len().is_none())
            {
                self.partial = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
}

/// The last lines of what is pushed.
struct Tail {
    lines: usize,
    bytes: Vec<u8>,
}

impl Tail {
    fn new(lines: usize) -> Self {
        Self { lines, bytes: Vec::new() }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let start = self.start();
        self.bytes.drain(..start);
    }

    /// Where the last lines begin.
    fn start(&self) -> usize {
        let body = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        let breaks = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
        match self.lines {
            0 => self.bytes.len(),
            lines => breaks.map(|(index, _)| index + 1).nth(lines - 1).unwrap_or(0),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_text_comes_out_however_it_is_cut() {
        let hostile =
            b"a\x1b[31mb\xe2\x1b[32mc\xc2\x9b33md\x7f\x0e\x1b]0;t\x07e\xe2\x82\xacf\r\n\xff\tg";
        for size in 1..hostile.len() {
            let mut plain = PlainText::default();
            let mut text = Vec::new();
            for piece in hostile.chunks(size) {
                plain.take(piece, &mut text);
            }
            let text = String::from_utf8(text).unwrap();
            let bad = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
            assert_eq!(bad, None, "{size}: {text:?}");
            assert!(text.contains("e\u{20ac}f\n"), "{size}: {text:?}");
        }
    }

    #[test]
    fn the_last_lines_are_kept() {
        let mut tail = Tail::new(2);
        for part in ["a\nb\n", "c", "d\ne", "f\n"] {
            tail.push(part.as_bytes());
        }
        assert_eq!(tail.take(), b"cd\nef\n");
        let mut none = Tail::new(0);
        none.push(b"abc\n");
        assert_eq!(none.take(), b"");
    }
}
