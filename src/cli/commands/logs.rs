//! `stratavore logs`: what a runner, or the daemon, has written.

use super::daemon;
use crate::{
    cli::{args::LogsArgs, context::Context, printer::Printer},
    client::PlainText,
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
