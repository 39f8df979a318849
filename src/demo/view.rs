//! Lays the agent's screen out: the header, the transcript, and the live part at the bottom.
//!
//! Pure: state in, lines out, for any width from 10 columns. No line is wider than the window, and
//! the live part is never higher than it, so the painter may count lines.

use super::dialog::{Dialog, Kind};
use super::script::{Block, Turn};
use super::term::Size;
use super::text::{Line, Tone, width, wrap, wrap_columns};

/// The pictures of the spinner.
const SPINNER: [&str; 6] = ["·", "✢", "✳", "✶", "✻", "✽"];
/// How long one picture stays.
pub(super) const FRAME_MS: u64 = 160;
/// The most lines of typed text that are shown.
const INPUT_LINES: usize = 6;

/// Progress of the turn that runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spinner {
    /// Number of the picture.
    pub(super) frame: u64,
    /// What the agent is doing.
    pub(super) verb: &'static str,
    /// Seconds since the turn began.
    pub(super) seconds: u64,
    /// Tokens so far.
    pub(super) tokens: u64,
}

/// Everything the live part shows.
#[derive(Debug)]
pub(super) struct Live<'a> {
    /// The step in progress.
    pub(super) running: Option<&'a Block>,
    /// The progress of the turn, only while it progresses.
    pub(super) spinner: Option<Spinner>,
    /// The question that waits, if one does.
    pub(super) dialog: Option<&'a Dialog>,
    /// Prompts that wait for the turn to end.
    pub(super) queued: Vec<&'a str>,
    /// What the user has typed.
    pub(super) input: &'a str,
    /// A remark instead of the last line.
    pub(super) hint: Option<&'a str>,
}

/// The live part as lines, with the place of the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The lines from top to bottom, at least one.
    pub(super) lines: Vec<Line>,
    /// Line and column of the cursor, `None` while it is hidden.
    pub(super) caret: Option<(usize, usize)>,
}

/// Lays out the box at the very top.
pub(super) fn header(directory: &str, cols: usize) -> Vec<Line> {
    let outer = cols.min(58);
    let inner = outer.saturating_sub(4);
    let bar = "─".repeat(outer.saturating_sub(2));
    let row = |line: Line| {
        let line = line.cut(inner).padded(inner);
        let mut whole = Line::new(Tone::Dim, "│ ");
        whole.append(line);
        whole.with(Tone::Dim, " │")
    };
    let place = shorten_path(directory, inner.saturating_sub(2));
    vec![
        Line::new(Tone::Dim, &format!("╭{bar}╮")),
        row(Line::new(Tone::Accent, "✻ ").with(Tone::Bold, "demo agent")),
        row(Line::new(Tone::Dim, "  a scripted session, no model is called")),
        row(Line::new(Tone::Dim, &format!("  {place}"))),
        Line::new(Tone::Dim, &format!("╰{bar}╯")),
    ]
}

/// Cuts a path at the front.
fn shorten_path(path: &str, cols: usize) -> String {
    if width(path) <= cols {
        return path.to_owned();
    }
    let mut tail = path;
    while width(tail) + 1 > cols && !tail.is_empty() {
        let mut chars = tail.chars();
        chars.next();
        tail = chars.as_str();
    }
    format!("…{tail}")
}

/// Lays out one block of the transcript, with the empty line before it.
pub(super) fn block(block: &Block, cols: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    if !matches!(block, Block::Note(_)) {
        lines.push(Line::default());
    }
    match block {
        Block::Prompt(text) => hang(&mut lines, (Tone::Dim, "❯ "), text, (Tone::Dim, cols)),
        Block::Say(text) => hang(&mut lines, (Tone::Plain, "● "), text, (Tone::Plain, cols)),
        Block::Error(text) => hang(&mut lines, (Tone::Bad, "● "), text, (Tone::Bad, cols)),
        Block::Note(text) => results(&mut lines, &[(Tone::Dim, text.clone())], cols),
        Block::Tool { call, result } => {
            lines.push(tool_line(Tone::Good, call).cut(cols));
            results(&mut lines, result, cols);
        }
    }
    lines
}

/// Adds text behind a mark, wrapped and indented by the width of the mark.
fn hang(lines: &mut Vec<Line>, mark: (Tone, &str), text: &str, look: (Tone, usize)) {
    let (tone, cols) = look;
    for (at, part) in wrap(text, cols.saturating_sub(2)).iter().enumerate() {
        let start = if at == 0 { Line::new(mark.0, mark.1) } else { Line::new(Tone::Plain, "  ") };
        lines.push(start.with(tone, part).cut(cols));
    }
}

/// Adds the lines under a tool call.
fn results(lines: &mut Vec<Line>, result: &[(Tone, String)], cols: usize) {
    for (at, (tone, text)) in result.iter().enumerate() {
        let mark = if at == 0 { "  └  " } else { "     " };
        lines.push(Line::new(Tone::Dim, mark).with(*tone, text).cut(cols));
    }
}

/// Lays out the line of a tool call with the name in bold.
fn tool_line(dot: Tone, call: &str) -> Line {
    let (name, argument) = call.split_at(call.find('(').unwrap_or(call.len()));
    Line::new(dot, "● ").with(Tone::Bold, name).with(Tone::Plain, argument)
}

/// Lays out the live part.
pub(super) fn live(state: &Live<'_>, size: Size) -> Layout {
    let cols = size.cols;
    let mut lines = Vec::new();
    let mut caret = None;
    if let Some(Block::Tool { call, .. }) = state.running {
        lines.push(Line::default());
        lines.push(tool_line(Tone::Dim, call).cut(cols));
        lines.push(Line::new(Tone::Dim, "  └  Running…").cut(cols));
    }
    if let Some(spinner) = &state.spinner {
        lines.push(Line::default());
        lines.push(spinner_line(spinner).cut(cols));
    }
    for text in &state.queued {
        lines.push(Line::new(Tone::Dim, "  ❯ ").with(Tone::Dim, text).cut(cols));
    }
    lines.push(Line::default());
    lines.push(Line::new(Tone::Dim, &"─".repeat(cols)));
    if let Some(dialog) = state.dialog {
        dialog_lines(&mut lines, dialog, cols);
    } else {
        let typed = wrap_columns(state.input, cols.saturating_sub(3));
        let shown = typed.len().saturating_sub(INPUT_LINES);
        for (at, part) in typed.iter().enumerate().skip(shown) {
            let mark = if at == 0 { "❯ " } else { "  " };
            lines.push(Line::new(Tone::Plain, mark).with(Tone::Plain, part).cut(cols));
        }
        let column = 2 + typed.last().map_or(0, |part| width(part));
        caret = Some((lines.len() - 1, column.min(cols.saturating_sub(1))));
        lines.push(Line::new(Tone::Dim, &"─".repeat(cols)));
        lines.push(footer(state.hint, cols));
    }
    fit(lines, caret, size.rows)
}

/// Lays out the progress of a turn.
fn spinner_line(spinner: &Spinner) -> Line {
    let frame = usize::try_from(spinner.frame).unwrap_or(0) % (2 * SPINNER.len() - 2);
    let frame = frame.min((2 * SPINNER.len() - 2) - frame);
    let picture = SPINNER.get(frame).copied().unwrap_or("·");
    let rest = format!(
        " ({} · ↓ {} tokens · esc to interrupt)",
        elapsed(spinner.seconds),
        count(spinner.tokens)
    );
    Line::new(Tone::Accent, picture)
        .with(Tone::Accent, &format!(" {}…", spinner.verb))
        .with(Tone::Dim, &rest)
}

/// Lays out a question with its choices.
fn dialog_lines(lines: &mut Vec<Line>, dialog: &Dialog, cols: usize) {
    let (heading, question) = match dialog.kind {
        Kind::Permission => ("Bash command", "Do you want to proceed?"),
        Kind::Question => ("Question", ""),
    };
    lines.push(Line::new(Tone::Warn, &format!(" {heading}")).cut(cols));
    lines.push(Line::default());
    for part in wrap(&dialog.subject, cols.saturating_sub(4)) {
        lines.push(Line::new(Tone::Bold, &format!("   {part}")).cut(cols));
    }
    if !dialog.detail.is_empty() {
        lines.push(Line::new(Tone::Dim, &format!("   {}", dialog.detail)).cut(cols));
    }
    lines.push(Line::default());
    if !question.is_empty() {
        lines.push(Line::new(Tone::Plain, &format!(" {question}")).cut(cols));
    }
    for (at, option) in dialog.options.iter().enumerate() {
        let here = at == dialog.selected;
        let (mark, tone) = if here { (" ❯ ", Tone::Accent) } else { ("   ", Tone::Plain) };
        let free = at + 1 == dialog.options.len() && !dialog.typed.is_empty();
        let text = if free { &dialog.typed } else { option };
        let line = Line::new(Tone::Accent, mark).with(tone, &format!("{}. {text}", at + 1));
        lines.push(line.cut(cols));
    }
}

/// Lays out the last line.
fn footer(hint: Option<&str>, cols: usize) -> Line {
    let left = hint.unwrap_or("/exit to leave");
    let right = "scripted demo ";
    let gap = cols.saturating_sub(width(left) + width(right) + 2);
    let line = Line::new(Tone::Dim, "  ").with(Tone::Dim, left);
    let line = if gap > 2 { line.with(Tone::Dim, &(" ".repeat(gap) + right)) } else { line };
    line.cut(cols)
}

/// Keeps the lowest lines when the window is too low.
fn fit(mut lines: Vec<Line>, caret: Option<(usize, usize)>, rows: usize) -> Layout {
    let lost = lines.len().saturating_sub(rows);
    lines.drain(..lost);
    let caret = caret.map(|(row, column)| (row.saturating_sub(lost), column));
    Layout { lines, caret }
}

/// Returns the window title of a turn.
pub(super) fn title(turn: Option<&Turn>, working: bool) -> String {
    let name = turn.map_or("demo agent", |turn| turn.title);
    format!("{} {name}", if working { "⠂" } else { "✳" })
}

/// Formats a time in seconds.
fn elapsed(seconds: u64) -> String {
    if seconds < 60 {
        format!("{seconds}s")
    } else {
        format!("{}m {:02}s", seconds / 60, seconds % 60)
    }
}

/// Formats a number of tokens.
fn count(tokens: u64) -> String {
    if tokens < 1_000 {
        tokens.to_string()
    } else {
        format!("{}.{}k", tokens / 1_000, tokens % 1_000 / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::Mode;
    use super::super::script::{Plan, Step, turn};
    use super::*;

    fn states(dialog: &Dialog, running: &Block) -> Vec<Layout> {
        let mut all = Vec::new();
        for cols in [10, 20, 40, 80, 200, 500] {
            for rows in [3, 8, 24, 60] {
                for with in 0..4 {
                    let spinner = Spinner { frame: 9, verb: "Running", seconds: 75, tokens: 1_234 };
                    let state = Live {
                        running: (with == 1).then_some(running),
                        spinner: (with == 1).then_some(spinner),
                        dialog: (with == 2).then_some(dialog),
                        queued: vec!["later, please 日本語日本語日本語日本語"],
                        input: if with == 3 {
                            "typed 日本 text\nthat goes on\n\n\n\n\n\nend"
                        } else {
                            ""
                        },
                        hint: None,
                    };
                    let layout = live(&state, Size::clamped(cols, rows));
                    assert!(layout.lines.iter().all(|line| line.width() <= cols), "{cols}");
                    assert!(layout.lines.len() <= rows && !layout.lines.is_empty());
                    if let Some((row, column)) = layout.caret {
                        assert!(row < layout.lines.len() && column < cols);
                    }
                    all.push(layout);
                }
            }
        }
        all
    }

    #[test]
    fn the_live_part_fits_every_window() {
        let dialog = Dialog::permission("git push origin fix-login", "Push the branch");
        let running = Block::Tool { call: "Bash(npm test)".to_owned(), result: Vec::new() };
        assert_eq!(states(&dialog, &running).len(), 96);
    }

    #[test]
    fn the_transcript_fits_every_width() {
        for seed in 0..8 {
            let plan = Plan { mode: Mode::Work, seed, lead: None, allowed: false };
            for step in turn(&plan, 0, None).steps {
                let Step::Work { block: one, .. } = step else {
                    continue;
                };
                for cols in [10, 20, 40, 80, 200, 500] {
                    assert!(block(&one, cols).iter().all(|line| line.width() <= cols));
                }
            }
        }
        for cols in [10, 20, 40, 80, 200] {
            let lines = header("/a/very/long/path/that/goes/on/and/on/and/on/for/ever/日本", cols);
            assert!(lines.iter().all(|line| line.width() == cols.min(58)));
        }
    }

    #[test]
    fn permission_at_80_columns() {
        let dialog = Dialog::permission("git push origin fix-login", "Push the branch");
        let state = Live {
            running: None,
            spinner: None,
            dialog: Some(&dialog),
            queued: Vec::new(),
            input: "",
            hint: None,
        };
        let layout = live(&state, Size::clamped(80, 24));
        let text: Vec<String> = layout.lines.iter().map(Line::plain).collect();
        assert!(text.contains(&"   git push origin fix-login".to_owned()));
        assert!(text.contains(&" ❯ 1. Yes".to_owned()));
        assert_eq!(layout.caret, None);
    }

    #[test]
    fn numbers() {
        assert_eq!(elapsed(59), "59s");
        assert_eq!(elapsed(125), "2m 05s");
        assert_eq!(count(999), "999");
        assert_eq!(count(12_345), "12.3k");
    }
}
