//! What a runner has changed, as lines: first files and commits, then the difference of one file.
//!
//! Invariant: what strangers wrote (names, messages, contents) is shown without its control characters.

use std::ops::Range;

use super::{Line, Tone};
use crate::domain::{
    checkout::{ChangeState, Changes, FileChange},
    id::RunnerId,
};

/// Characters of a line that are kept.
const MAX_WIDE: usize = 2_000;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct ChangesView {
    /// Whose.
    pub(in crate::ui) id: RunnerId,
    /// The runner's name.
    pub(in crate::ui) name: String,
    /// What has changed, or why nobody knows; `None` before anything was heard.
    read: Option<Result<Changes, String>>,
    /// Where in the text the difference of each file is.
    parts: Vec<Range<usize>>,
    /// The file whose difference is shown, and where the cursor was before.
    opened: Option<(String, usize)>,
}

impl ChangesView {
    /// Returns one that nothing was read of.
    pub(in crate::ui) fn new(id: RunnerId, name: String) -> Self {
        Self { id, name, read: None, parts: Vec::new(), opened: None }
    }

    /// Takes in what has changed, or why nobody knows.
    pub(in crate::ui) fn learn(&mut self, read: Result<Changes, String>) {
        self.parts = read.as_ref().map(parts).unwrap_or_default();
        self.read = Some(read);
    }

    /// The file whose difference is shown.
    pub(in crate::ui) fn opened(&self) -> Option<&str> {
        self.opened.as_ref().map(|(path, _)| path.as_str())
    }

    /// Shows the difference of a file; false when there is none.
    pub(in crate::ui) fn open(&mut self, index: usize, at: usize) -> bool {
        let path = self.files().get(index).map(|file| file.path.clone());
        self.opened = path.map(|path| (path, at));
        self.opened.is_some()
    }

    /// Shows everything again; returns where the cursor was.
    pub(in crate::ui) fn close(&mut self) -> Option<usize> {
        self.opened.take().map(|(_, at)| at)
    }

    fn files(&self) -> &[FileChange] {
        match &self.read {
            Some(Ok(changes)) => &changes.files,
            _ => &[],
        }
    }

    /// The lines, each with the file that it opens.
    pub(in crate::ui) fn lines(&self) -> Vec<(Line, Option<usize>)> {
        let changes = match &self.read {
            None => return vec![(line("", "looking at the files …", Tone::Muted), None)],
            Some(Err(why)) => return vec![(line("", &plain(why), Tone::Warning), None)],
            Some(Ok(changes)) => changes,
        };
        match self.opened() {
            Some(path) => {
                let index = changes.files.iter().position(|file| file.path == path);
                let lines = match index {
                    Some(index) => self.difference(changes, index),
                    None => vec![line("", "it is as it was at the launch", Tone::Muted)],
                };
                lines.into_iter().map(|line| (line, None)).collect()
            }
            None => summary(changes),
        }
    }

    /// The difference of a file as lines.
    fn difference(&self, changes: &Changes, index: usize) -> Vec<Line> {
        let text = self.parts.get(index).and_then(|part| changes.patch.get(part.clone()));
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            let why =
                "this difference is too far back to be shown here; stratavore diff may show it";
            return vec![line("", why, Tone::Muted)];
        };
        let mut lines: Vec<Line> = Vec::new();
        let mut is_head = true;
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        for bytes in text.split(|byte| *byte == b'\n') {
            let tone = match bytes.first() {
                Some(b'@') => Tone::Heading,
                _ if is_head && !bytes.starts_with(b"@@") => Tone::Muted,
                Some(b'+') => Tone::Good,
                Some(b'-') => Tone::Bad,
                Some(b'\\') => Tone::Muted,
                _ => Tone::Plain,
            };
            is_head = (is_head || bytes.starts_with(b"diff --git ")) && tone != Tone::Heading;
            lines.push(line("", &plain(&String::from_utf8_lossy(bytes)), tone));
        }
        if changes.is_patch_cut && index + 1 >= self.parts.len() {
            lines.push(line("", "(cut off here)", Tone::Muted));
        }
        lines
    }
}

/// Files and commits.
fn summary(changes: &Changes) -> Vec<(Line, Option<usize>)> {
    let (added, removed) = changes.lines();
    let since: String = changes.since.chars().take(10).collect();
    let on = match changes.branch.as_str() {
        "" => "no branch".to_owned(),
        branch => plain(branch),
    };
    let files = counted(changes.files.len(), "file");
    let commits = counted(changes.commits.len(), "commit");
    let mut lines = vec![(
        line(
            "changed",
            &format!("{files} +{added} -{removed}, {commits} since {since} on {on}"),
            Tone::Plain,
        ),
        None,
    )];
    lines
        .extend(changes.notes.iter().map(|note| (line("note", &plain(note), Tone::Warning), None)));
    if !changes.files.is_empty() {
        lines.push((line("files", "", Tone::Heading), None));
    }
    for (index, file) in changes.files.iter().enumerate() {
        lines.push((file_line(file), Some(index)));
    }
    if changes.more_files > 0 {
        let text = format!("and {} files more", changes.more_files);
        lines.push((line("", &text, Tone::Muted), None));
    }
    if !changes.commits.is_empty() {
        lines.push((line("commits", "", Tone::Heading), None));
    }
    for commit in &changes.commits {
        let id: String = commit.id.chars().take(10).collect();
        let shown = line(&format!("  {id}"), &plain(&commit.subject), Tone::Plain);
        lines.push((Line { tail: plain(&commit.author), ..shown }, None));
    }
    if changes.more_commits {
        lines.push((line("", "and more commits", Tone::Muted), None));
    }
    lines
}

fn file_line(file: &FileChange) -> Line {
    let lines = match (file.added, file.removed) {
        (Some(added), Some(removed)) => format!("  +{added} -{removed}"),
        _ => "  not text".to_owned(),
    };
    let name = match &file.from {
        Some(from) => format!("{} ← {}", plain(&file.path), plain(from)),
        None => plain(&file.path),
    };
    let tone = match file.status.as_str() {
        "added" => Tone::Good,
        "deleted" => Tone::Bad,
        _ => Tone::Plain,
    };
    let state = match file.state {
        ChangeState::Committed => file.status.clone(),
        state => format!("{}, {}", file.status, state.as_str()),
    };
    Line { tail: state, ..line(&lines, &name, tone) }
}

/// Returns a count of things, one of which is called so.
pub(in crate::ui) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn line(head: &str, text: &str, tone: Tone) -> Line {
    Line::new(head, text, tone)
}

/// A text of strangers on one line.
fn plain(text: &str) -> String {
    super::plain::plain(text, MAX_WIDE)
}

/// Finds where in the text the difference of each file begins: they come in the order of the files, and
/// one that became another kind of thing comes twice.
fn parts(changes: &Changes) -> Vec<Range<usize>> {
    let mut starts = Vec::new();
    let mut at = 0;
    for piece in changes.patch.split_inclusive(|byte| *byte == b'\n') {
        if piece.starts_with(b"diff --git ") {
            starts.push(at);
        }
        at += piece.len();
    }
    let mut parts = Vec::new();
    let mut next = 0;
    for file in &changes.files {
        let Some(from) = starts.get(next) else { break };
        next += if file.status == "retyped" { 2 } else { 1 };
        parts.push(*from..starts.get(next).copied().unwrap_or(changes.patch.len()));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_its_part_of_the_text() {
        let file = |path: &str, status: &str| FileChange {
            path: path.into(),
            from: None,
            status: status.into(),
            added: Some(1),
            removed: Some(0),
            state: ChangeState::Committed,
        };
        let patch = "diff --git a/a b/a\n@@ -0,0 +1 @@\n+diff --git\n\
             diff --git a/l b/l\n-x\ndiff --git a/l b/l\n+y\ndiff --git a/z b/z\n+\x1b[31mz\n";
        let changes = Changes {
            files: vec![
                file("a", "added"),
                file("l", "retyped"),
                file("z\x1b", "modified"),
                file("zz", "added"),
            ],
            patch: patch.into(),
            is_patch_cut: true,
            ..Changes::default()
        };
        let mut view = ChangesView::new(RunnerId::random(), "api-1".into());
        view.learn(Ok(changes));
        let texts = |view: &ChangesView| -> Vec<String> {
            view.lines().into_iter().map(|(line, _)| line.text).collect()
        };
        assert!(texts(&view).contains(&"z·".to_owned()), "{:?}", texts(&view));
        assert!(view.open(0, 3));
        assert_eq!(texts(&view), ["diff --git a/a b/a", "@@ -0,0 +1 @@", "+diff --git"]);
        assert_eq!(view.close(), Some(3));
        assert!(view.open(1, 0));
        assert_eq!(texts(&view).len(), 4);
        assert!(view.open(2, 0));
        assert_eq!(texts(&view)[1], "+·[31mz");
        assert_eq!(texts(&view)[2], "(cut off here)");
        assert!(view.open(3, 0));
        assert!(texts(&view)[0].contains("too far back"));
        assert!(!view.open(9, 0));
    }
}
