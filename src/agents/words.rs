//! The words of a command line as far as they matter here: which options are given, what to.

use std::ffi::{OsStr, OsString};

/// The words after the program, up to a `--`.
pub(super) fn options(command: &[OsString]) -> &[OsString] {
    let words = command.get(1..).unwrap_or_default();
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words.get(..end).unwrap_or_default()
}

/// Whether one of these options is given, alone or with `=value`.
pub(super) fn has(command: &[OsString], names: &[&str]) -> bool {
    options(command).iter().any(|word| {
        let word = word.to_string_lossy();
        let name = word.split_once('=').map_or(&*word, |(name, _)| name);
        names.contains(&name)
    })
}

/// The value of the first of these options that is given, and the place of the words it takes: one
/// for `--name=value`, two for `--name value`.
pub(super) fn value<'a>(
    command: &'a [OsString],
    names: &[&str],
) -> Option<(std::ops::Range<usize>, std::borrow::Cow<'a, str>)> {
    let words = options(command);
    words.iter().enumerate().find_map(|(index, word)| {
        let text = word.to_str()?;
        // Places count from the program.
        let at = index + 1;
        if let Some((name, value)) = text.split_once('=')
            && names.contains(&name)
        {
            return Some((at..at + 1, value.into()));
        }
        let next = words.get(index + 1)?;
        names.contains(&text).then(|| (at..at + 2, next.to_string_lossy()))
    })
}

/// The first word after the program that is no option: a subcommand, if it is one of the program's.
/// An option's value cannot be told from it; the caller compares with the subcommands it knows.
pub(super) fn first_plain(command: &[OsString]) -> Option<&OsStr> {
    options(command)
        .iter()
        .find(|word| !word.as_encoded_bytes().starts_with(b"-"))
        .map(OsString::as_os_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn options_are_found_in_both_forms_and_not_behind_the_mark() {
        let command = words("claude --model=opus --resume id -- --session-id x");
        assert!(has(&command, &["--model"]));
        assert!(!has(&command, &["--session-id"]));
        assert_eq!(value(&command, &["--model"]), Some((1..2, "opus".into())));
        assert_eq!(value(&command, &["--resume", "-r"]), Some((2..4, "id".into())));
        assert_eq!(first_plain(&command), Some(OsStr::new("id")));
    }
}
