//! Prints: data to standard output in the format asked for, talk to standard error.
//!
//! A pipe that closes early ends the command quietly; that is what `| head` means.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::human::clip;
use crate::{
    config::environment,
    domain::{failure::Failure, session::FOUND, snippet::Snippet},
};

/// The reason of the failure that means: nobody reads any more.
pub(super) const CLOSED: &str = "OUTPUT_CLOSED";

/// The formats of every listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// Between two columns of a table.
const GAP: u16 = 2;

/// A column is never cut to fewer characters.
const LEAST: usize = 8;

/// Columns that are cut where a table is wider than the terminal: prose. Names, ids, paths and figures are not:
/// somebody may want to type them again, and half a figure is a lie.
const PROSE: [&str; 10] =
    ["about", "detail", "message", "prompt", "reason", "said", "state", "title", "what", "why"];

/// The standard streams.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    format: Format,
    quiet: bool,
}

impl Printer {
    /// Returns a printer for this format.
    pub(super) fn new(format: Format, quiet: bool) -> Self {
        Self { format, quiet }
    }

    /// Whether people read it.
    pub(super) fn is_table(self) -> bool {
        self.format == Format::Table
    }

    /// Prints a list: as a table of these rows, or the values themselves. What stands between [`FOUND`] in a
    /// table's last column is kept where that is cut, and stands out.
    pub(super) fn list<T: Serialize>(
        self,
        values: &[T],
        heads: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), Failure> {
        if !self.is_table() {
            return self.value(&values);
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(heads.iter().map(|head| head.to_uppercase()));
        let mut rows: Vec<_> = values.iter().map(row).collect();
        if let Some(width) = terminal_width() {
            fit(heads, &mut rows, width);
        }
        table.add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        let has_colors = io::stdout().is_terminal() && !environment::no_color();
        for line in table.lines() {
            self.line(&emphasised(line.trim_end(), has_colors))?;
        }
        Ok(())
    }

    /// Prints one thing: as aligned names and values, or the value itself.
    pub(super) fn one<T: Serialize>(
        self,
        value: &T,
        fields: &[(&str, String)],
    ) -> Result<(), Failure> {
        if !self.is_table() {
            return self.value(value);
        }
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            self.line(&format!("{name:width$}  {value}"))?;
        }
        Ok(())
    }

    /// Prints a value as JSON or YAML.
    fn value<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        let text = match self.format {
            Format::Yaml => serde_saphyr::to_string(value).map_err(|error| error.to_string()),
            Format::Json | Format::Table => {
                serde_json::to_string_pretty(value).map_err(|error| error.to_string())
            }
        };
        let text = text.map_err(|error| Failure::internal(format!("write the answer: {error}")))?;
        self.line(text.trim_end())
    }

    /// Prints a value on one line, for streams.
    pub(super) fn json_line<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(value)
            .map_err(|error| Failure::internal(format!("write the answer: {error}")))?;
        self.line(&text)
    }

    /// Prints a line of data.
    pub(super) fn line(self, text: &str) -> Result<(), Failure> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Prints data as it is.
    #[expect(clippy::unused_self, reason = "whoever prints holds the printer")]
    pub(super) fn bytes(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::unavailable(CLOSED, "nobody reads any more"),
            _ => {
                Failure::unavailable("OUTPUT_FAILED", format!("write to standard output: {error}"))
            }
        })
    }

    /// Says something to the person, unless quiet was asked for.
    pub(super) fn note(self, text: &str) {
        if !self.quiet {
            self.talk(text);
        }
    }

    /// Warns the person, in colour where the terminal has any; also when quiet was asked for.
    pub(super) fn warn(self, text: &str) {
        if io::stderr().is_terminal() && !environment::no_color() {
            self.talk(&format!("\x1b[1;33m! {text}\x1b[0m"));
        } else {
            self.talk(&format!("! {text}"));
        }
    }

    /// Says something to the person. A closed standard error is no reason to fail.
    #[expect(clippy::unused_self, reason = "whoever prints holds the printer")]
    pub(super) fn talk(self, text: &str) {
        writeln!(io::stderr().lock(), "{text}").ok();
    }
}

/// The columns of the terminal that data is printed to; `None` for a pipe, which gets every word.
fn terminal_width() -> Option<usize> {
    // Not by crossterm, which starts two programs to ask where there is no terminal.
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    // A serial line does not know its size.
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
}

/// Cuts the longest cells of a table's prose until its lines fit, whichever column is widest.
fn fit(heads: &[&str], rows: &mut [Vec<String>], width: usize) {
    let length = |text: &str| {
        let is_found = text.contains(FOUND.0);
        if is_found { Snippet::of(text).text.width() } else { text.chars().count() }
    };
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| length(cell)).chain(heads.get(column).map(|head| length(head))).max()
    };
    let mut widths: Vec<_> = (0..heads.len()).map(|column| widest(column).unwrap_or(0)).collect();
    let gaps = usize::from(GAP) * heads.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let prose = widths.iter_mut().zip(heads).filter(|(_, head)| PROSE.contains(head));
        match prose.map(|(width, _)| width).max() {
            Some(widest) if *widest > LEAST => *widest -= 1,
            _ => break,
        }
    }
    for row in rows {
        for (cell, width) in row.iter_mut().zip(&widths) {
            if length(cell) > *width {
                let is_found = cell.contains(FOUND.0);
                let around = || Snippet::of(cell).within(*width).marked();
                *cell = if is_found { around() } else { clip(cell, *width) };
            }
        }
    }
}

/// Returns a line in which what was found stands out, where there are colours.
fn emphasised(line: &str, has_colors: bool) -> String {
    let (begin, end) = if has_colors { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    line.replace(FOUND.0, begin).replace(FOUND.1, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_seen_and_stands_out() {
        let mut rows =
            [vec!["one".to_owned(), "so many words before the \u{2}fox\u{3}".to_owned()]];
        fit(&["name", "said"], &mut rows, 22);
        assert_eq!(rows[0], ["one", "…before the \u{2}fox\u{3}"]);
        assert_eq!(emphasised(&rows[0][1], false), "…before the fox");
        assert_eq!(emphasised(&rows[0][1], true), "…before the \x1b[1mfox\x1b[0m");
    }

    #[test]
    fn a_table_is_cut_where_it_is_widest_and_no_further() {
        let row = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let rows = [row(&["a-long-name", "failed (no such file or directory)", "a title of it"])];
        let fitted = |width| {
            let mut rows = rows.clone();
            fit(&["name", "state", "title"], &mut rows, width);
            rows.into_iter().flatten().collect::<Vec<_>>()
        };
        assert_eq!(fitted(80), rows[0]);
        assert_eq!(fitted(44), ["a-long-name", "failed (no such…", "a title of it"]);
        assert_eq!(fitted(5), ["a-long-name", "failed …", "a title…"], "no name, never to nothing");
    }
}
