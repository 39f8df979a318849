//! Every command that is shown can be typed: the program understands its words.

use clap::Parser as _;

use super::root;
use crate::cli::top::Cli;

#[path = "../../../tests/blocks.rs"]
mod blocks;

/// Programs of others that are shown.
const OTHERS: &[&str] = &[
    "./tests/run",
    "cargo",
    "cd",
    "cp",
    "curl",
    "docker",
    "export",
    "git",
    "journalctl",
    "loginctl",
    "mkdir",
    "sudo",
    "systemctl",
];

/// Divides a line of a shell into words; enough for what is shown.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match (quote, letter) {
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (Some(open), _) if letter == open => quote = None,
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_that_is_shown_is_understood() {
    let root = root();
    let (mut wrong, mut looked) = (Vec::new(), 0);
    for shown in blocks::pages(&root).iter().flat_map(|page| blocks::commands(&root, page)) {
        for part in shown.command.split("&&") {
            let part = part.split([';', '|', '>']).next().unwrap_or(part);
            let is_setting = |word: &String| {
                word.split_once('=').is_some_and(|(name, _)| {
                    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
                })
            };
            let words: Vec<_> = words(part).into_iter().skip_while(is_setting).collect();
            let place = format!("{}:{}: {}", shown.file, shown.line, shown.command);
            match words.first().map(String::as_str) {
                Some("stratavore") => {
                    looked += 1;
                    if let Err(error) = Cli::try_parse_from(&words)
                        && error.use_stderr()
                    {
                        wrong.push(format!("{place}: {error}"));
                    }
                }
                Some(other) if !OTHERS.contains(&other) => {
                    wrong.push(format!("{place}: `{other}` is no program that is known here"));
                }
                _ => {}
            }
        }
    }
    assert!(looked > 50, "only {looked} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
