//! The commands that README and documentation show: the lines of `sh` blocks, and of `console` blocks
//! those after the prompt.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A command that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The file, relative to the crate.
    pub file: String,
    /// Its line there, from 1.
    pub line: usize,
    /// The command, without prompt and comment.
    pub command: String,
}

/// Returns the pages with commands, the README first.
pub(crate) fn pages(root: &Path) -> Vec<PathBuf> {
    let docs = fs::read_dir(root.join("assets/docs")).expect("the documentation");
    let mut docs: Vec<_> = docs
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    docs.sort();
    docs.insert(0, root.join("README.md"));
    docs
}

/// Returns the commands of a page, in order.
pub(crate) fn commands(root: &Path, page: &Path) -> Vec<Shown> {
    let text = fs::read_to_string(page).expect("a page");
    let file = page.strip_prefix(root).unwrap_or(page).display().to_string();
    let (mut kind, mut found) = (None, Vec::new());
    for (index, line) in text.lines().enumerate() {
        if let Some(word) = line.trim_start().strip_prefix("```") {
            kind = if kind.is_some() { None } else { Some(word.trim().to_owned()) };
            continue;
        }
        let command = match kind.as_deref() {
            Some("sh" | "bash") => line,
            Some("console") => match line.strip_prefix("$ ") {
                Some(command) => command,
                None => continue,
            },
            _ => continue,
        };
        let command = without_comment(command).trim().to_owned();
        if !command.is_empty() {
            found.push(Shown { file: file.clone(), line: index + 1, command });
        }
    }
    found
}

/// Cuts a comment off: a `#` outside of quotes after a space, or at the beginning.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut before) = (None, ' ');
    for (index, letter) in line.char_indices() {
        match (quote, letter) {
            (None, '#') if before.is_whitespace() => return &line[..index],
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if letter == open => quote = None,
            _ => {}
        }
        before = letter;
    }
    line
}
