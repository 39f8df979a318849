//! Splits a typed command line into words, as a shell would without expanding anything.

use std::ffi::OsString;

/// Splits at blanks; quotes hold words together, a backslash takes the next character as it is.
///
/// # Errors
///
/// For a quote that is not closed.
pub(super) fn split(line: &str) -> Result<Vec<OsString>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take().map(OsString::from)),
            '\'' | '"' => {
                let into = word.get_or_insert_default();
                quoted(&mut chars, c, into)?;
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word.map(OsString::from));
    Ok(words)
}

fn quoted(chars: &mut std::str::Chars<'_>, quote: char, into: &mut String) -> Result<(), String> {
    while let Some(c) = chars.next() {
        match c {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => match chars.next() {
                Some(c @ ('"' | '\\' | '$' | '`')) => into.push(c),
                Some(c) => into.extend(['\\', c]),
                None => break,
            },
            c => into.push(c),
        }
    }
    Err(format!("the quote {quote} is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_would() {
        let words = split(r#"claude  -p 'fix it' "a \"b\" \n" c\ d ''"#).unwrap();
        assert_eq!(words, ["claude", "-p", "fix it", "a \"b\" \\n", "c d", ""]);
        assert_eq!(split("   ").unwrap(), Vec::<OsString>::new());
        assert!(split("echo 'x").unwrap_err().contains("not closed"));
    }
}
