//! Text broken into lines by the columns it takes.

use unicode_width::UnicodeWidthChar as _;

/// Returns the text in lines of at most so many columns, at least one line; broken at blanks, and
/// within a word only where that alone is too long.
pub(in crate::ui) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > columns && !line.is_empty() {
            // A blank where the line is full anyway is not carried over.
            if c == ' ' {
                lines.push(std::mem::take(&mut line));
                used = 0;
                continue;
            }
            let is_indent =
                |at: &usize| line.get(..*at).is_some_and(|head| !head.trim().is_empty());
            let rest = match line.rfind(' ').filter(is_indent) {
                Some(at) => {
                    let rest = line.get(at + 1..).unwrap_or_default().to_owned();
                    line.truncate(at);
                    rest
                }
                None => String::new(),
            };
            lines.push(std::mem::replace(&mut line, rest));
            used = line.chars().map(|c| c.width().unwrap_or(0)).sum();
        }
        line.push(c);
        used += wide;
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_blanks_if_there_are_any() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("    abcdefgh", 7), ["    abc", "defgh"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("日", 0), ["日"]);
    }
}
