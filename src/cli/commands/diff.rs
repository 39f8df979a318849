//! `stratavore diff`: what a runner has changed since it was launched.

use std::io::IsTerminal as _;

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on},
        printer::Printer,
        worktrees::DiffArgs,
    },
    client::PlainText,
    config::environment,
    domain::{
        checkout::{Changes, FileChange},
        failure::Failure,
    },
};

/// Bytes of the difference that are asked for.
const MOST: u32 = 2 << 20;

/// The longest bar of added and removed lines.
const BAR: u64 = 40;

/// Shows what was asked for.
pub(super) fn run(args: &DiffArgs, context: &Context, printer: Printer) -> Outcome {
    ("show what has changed", block_on(show(args, context, printer)))
}

async fn show(args: &DiffArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    let only_lists = args.stat || args.name_only || args.commits;
    let client = context.client().await?;
    let changes = client.changes(&args.runner, if only_lists { 0 } else { MOST }).await?;
    if !printer.is_table() {
        return printer.one(&changes, &[]);
    }
    let paint = Paint(std::io::stdout().is_terminal() && !environment::no_color());
    for note in &changes.notes {
        printer.note(&format!("! {}", plain(note)));
    }
    if changes.files.is_empty() && changes.commits.is_empty() {
        printer.note(&format!("{} has changed nothing", changes.runner));
        return Ok(());
    }
    if args.name_only {
        return changes.files.iter().try_for_each(|file| printer.line(&plain(&file.path)));
    }
    if args.commits {
        return commits(&changes, paint, printer);
    }
    if args.stat {
        return stat(&changes, paint, printer);
    }
    if !changes.commits.is_empty() {
        commits(&changes, paint, printer)?;
        printer.line("")?;
    }
    if !changes.files.is_empty() {
        stat(&changes, paint, printer)?;
        printer.line("")?;
        patch(&changes, paint, printer)?;
    }
    Ok(())
}

fn commits(changes: &Changes, paint: Paint, printer: Printer) -> Result<(), Failure> {
    for commit in &changes.commits {
        let id: String = commit.id.chars().take(10).collect();
        let (subject, author) = (plain(&commit.subject), plain(&commit.author));
        printer.line(&format!("{}  {subject}  ({author})", paint.as_("33", &id)))?;
    }
    if changes.more_commits {
        printer.note("there are more commits");
    }
    Ok(())
}

fn stat(changes: &Changes, paint: Paint, printer: Printer) -> Result<(), Failure> {
    let most = changes.files.iter().map(|file| size(file).unwrap_or(0)).max().unwrap_or(0);
    for file in &changes.files {
        let name = match &file.from {
            Some(from) => format!("{} ← {}", plain(&file.path), plain(from)),
            None => plain(&file.path),
        };
        let state = file.state.as_str();
        let letter = file.status.chars().next().unwrap_or('?').to_ascii_uppercase();
        let lines = match (file.added, file.removed) {
            (Some(added), Some(removed)) => format!(
                "{} {}{}",
                added + removed,
                paint.as_("32", &bar('+', added, most)),
                paint.as_("31", &bar('-', removed, most))
            ),
            _ => "not text".to_owned(),
        };
        printer.line(&format!("{letter} {name}  {state}  {lines}"))?;
    }
    if changes.more_files > 0 {
        printer.note(&format!("and {} files more", changes.more_files));
    }
    let (added, removed) = changes.lines();
    let files = changes.files.len();
    let what = if files == 1 { "file" } else { "files" };
    let lines = if added == 1 { "line" } else { "lines" };
    printer.line(&format!("{files} {what}, {added} {lines} added, {removed} removed"))
}

fn size(file: &FileChange) -> Option<u64> {
    Some(file.added? + file.removed?)
}

/// A bar of so many signs; where there is something, there is one.
fn bar(sign: char, count: u64, most: u64) -> String {
    let length = if most > BAR { (count * BAR).div_ceil(most) } else { count };
    (0..length).map(|_| sign).collect()
}

fn patch(changes: &Changes, paint: Paint, printer: Printer) -> Result<(), Failure> {
    let mut text = Vec::new();
    for line in changes.patch.split_inclusive(|byte| *byte == b'\n') {
        let code = match line {
            [b'@', b'@', ..] => "36",
            [b'd', b'i', b'f', b'f', ..]
            | [b'+', b'+', b'+', b' ', ..]
            | [b'-', b'-', b'-', b' ', ..] => "1",
            [b'+', ..] => "32",
            [b'-', ..] => "31",
            _ => "",
        };
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        // Each by itself: what one leaves open does not reach the next.
        let mut shown = Vec::new();
        let mut plain = PlainText::default();
        plain.take(line, &mut shown);
        plain.take(b"\n", &mut shown);
        let shown = String::from_utf8_lossy(&shown);
        let shown = shown.trim_end_matches('\n').replace('\n', " ");
        text.extend_from_slice(paint.as_(code, &shown).as_bytes());
        text.push(b'\n');
    }
    printer.bytes(&text)?;
    if changes.is_patch_cut {
        printer.note(&format!(
            "! the difference is cut; git -C '{}' diff shows more",
            plain(&changes.directory)
        ));
    }
    Ok(())
}

/// Names of files and commits, without what a terminal would take for its own.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Paints, if somebody sees it.
#[derive(Debug, Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn as_(self, code: &str, text: &str) -> String {
        if self.0 && !code.is_empty() && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion_and_never_vanish() {
        assert_eq!(bar('+', 3, 10), "+++");
        assert_eq!(bar('-', 1, 4000), "-");
        assert_eq!(bar('+', 4000, 4000).len(), 40);
        assert_eq!(bar('+', 0, 4000), "");
    }

    #[test]
    fn names_lose_what_a_terminal_would_obey() {
        assert_eq!(plain("a\nb\x1b[31m\u{9b}m"), "a?b?[31m?m");
    }
}
