//! Columns of text for the views that are lines to read: as many as have room, the least important
//! left out first.
//!
//! Invariant: the lines of a table have the same columns, and only the last of them can be cut.

use unicode_width::UnicodeWidthStr as _;

/// Between two columns.
const GAP: usize = 2;
/// So much of a last column of text says something.
const LEAST: usize = 12;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    head: &'static str,
    cells: Vec<String>,
    is_right: bool,
    /// Of two the one with the higher rank goes first where it is narrow.
    rank: u8,
}

impl Column {
    /// A column of words.
    pub(super) fn text(head: &'static str, rank: u8, cells: Vec<String>) -> Self {
        Self { head, cells, is_right: false, rank }
    }

    /// A column of figures.
    pub(super) fn figures(head: &'static str, rank: u8, cells: Vec<String>) -> Self {
        Self { head, cells, is_right: true, rank }
    }

    fn width(&self) -> usize {
        self.cells.iter().map(|cell| cell.width()).fold(self.head.width(), usize::max)
    }
}

/// Returns the heading and the lines of a table that has so much room.
pub(super) fn table(mut columns: Vec<Column>, room: usize) -> (String, Vec<String>) {
    // What says nothing in any line needs no place.
    columns.retain(|column| column.cells.iter().any(|cell| !cell.is_empty()));
    while needed(&columns) > room && columns.len() > 1 {
        let worst = columns.iter().enumerate().max_by_key(|(_, column)| column.rank);
        let Some(at) = worst.map(|(at, _)| at) else { break };
        columns.remove(at);
    }
    let count = columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
    let heads = line(&columns, |column| column.head);
    let lines = (0..count)
        .map(|row| line(&columns, |column| column.cells.get(row).map_or("", String::as_str)));
    (heads, lines.collect())
}

fn needed(columns: &[Column]) -> usize {
    let last = columns.len().saturating_sub(1);
    let widths = columns.iter().enumerate().map(|(at, column)| match column.width() {
        wide if at == last && !column.is_right => wide.min(LEAST),
        wide => wide,
    });
    widths.sum::<usize>() + last * GAP
}

fn line<'a>(columns: &'a [Column], cell: impl Fn(&'a Column) -> &'a str) -> String {
    let mut text = String::new();
    for (at, column) in columns.iter().enumerate() {
        let cell = cell(column);
        let blank = " ".repeat(column.width().saturating_sub(cell.width()));
        let (before, after) =
            if column.is_right { (blank, String::new()) } else { (String::new(), blank) };
        text.extend([" ".repeat(if at > 0 { GAP } else { 0 }), before]);
        text.push_str(cell);
        text.push_str(&after);
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_important_column_goes_first() {
        let cells = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
        let columns = || {
            vec![
                Column::text("name", 0, cells(["api", "日本"])),
                Column::figures("tokens", 1, cells(["1.20k", "7"])),
                Column::figures("more", 2, cells(["12345678", "1"])),
                Column::text("none", 0, cells(["", ""])),
            ]
        };
        let (heads, lines) = table(columns(), 30);
        assert_eq!(heads, "name  tokens      more");
        assert_eq!(lines, ["api    1.20k  12345678", "日本       7         1"]);
        let (heads, lines) = table(columns(), 20);
        assert_eq!((heads.as_str(), lines[0].as_str()), ("name  tokens", "api    1.20k"));
        assert_eq!(table(columns(), 3).0, "name");
    }
}
