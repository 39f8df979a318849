//! Text of strangers, made safe for a line of the screen.

/// Columns a tabulator goes on to.
const TAB: usize = 4;

/// Returns the first so many characters of a line: tabulators as blanks, other control characters as `·`.
pub(super) fn plain(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    let mut columns = 0;
    for c in text.chars().take(most) {
        if c == '\t' {
            let blanks = TAB - columns % TAB;
            shown.extend(std::iter::repeat_n(' ', blanks));
            columns += blanks;
        } else {
            shown.push(if c.is_control() { '·' } else { c });
            columns += 1;
        }
    }
    shown
}
