//! What a dialog on a screen asks, for agents that report that they wait without saying for what.
//!
//! Only words that stand on the screen are told, put into one line: the command that is asked about
//! first, then the rest of the block above the numbered choices. Invariant: where no such block is
//! found nothing is told; nobody is shown a question that was guessed. And which dialog it is, so that
//! no answer is given to another one.

use sha2::{Digest as _, Sha256};

/// Characters of a question that are told.
const MOST: usize = 512;

/// Choices that a key stands for.
const MOST_CHOICES: u8 = 9;

/// Lines above the choices that are looked at.
const TALLEST: usize = 16;

/// Lines of a question that has no numbered choices.
const TALLEST_PLAIN: usize = 8;

/// Rows that such a question may be wrapped into.
const WRAPPED: usize = 3;

/// Returns the question of the last dialog with numbered choices on a screen, else the one that its last
/// line asks: `Go on? [y/N]`.
pub fn on_screen(lines: &[String]) -> Option<String> {
    let Some(dialog) = Dialog::find(lines) else { return in_a_line(lines) };
    let block = dialog.above.iter().map(|line| words(line)).filter(|line| !line.is_empty());
    let (mut told, others): (Vec<String>, Vec<String>) =
        block.partition(|line| line.starts_with("$ "));
    if !others.iter().any(|line| line.ends_with('?')) {
        return None;
    }
    told.extend(others);
    Some(told.join(" · ").chars().take(MOST).collect())
}

/// The question that the last line asks to be answered with yes or no; it may be wrapped.
fn in_a_line(lines: &[String]) -> Option<String> {
    let block = plain(lines)?;
    let (last, above) = block.split_last()?;
    if !wants_yes_or_no(last) {
        return None;
    }
    // A row that goes on in small letters is not its beginning.
    let is_whole = |from: usize| {
        let mut rows = block.iter().skip(from).map(|line| inside(line)).peekable();
        !rows.peek().is_some_and(|row| row.starts_with(char::is_lowercase))
            && rows.any(|row| row.contains('?'))
    };
    let begins = (0..=above.len()).rev().take(WRAPPED).find(|from| is_whole(*from));
    let told = block.get(begins.unwrap_or(above.len())..)?.iter().map(|line| words(inside(line)));
    Some(told.collect::<Vec<_>>().join(" ").chars().take(MOST).collect())
}

/// Returns what tells the dialog that stands on a screen from any other one, `None` where none is found.
///
/// It is the same for the same words, however wide the terminal is and whichever choice is marked. What an
/// answer was meant for is compared by it; it is no text, because a dialog may show secrets.
pub fn mark(lines: &[String]) -> Option<String> {
    let text: String = match Dialog::find(lines) {
        Some(Dialog { above, choices }) => {
            let choices = choices.iter().map(|line| unmarked(line));
            above.iter().map(String::as_str).chain(choices).collect()
        }
        None => plain(lines)?.concat(),
    };
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let sum = hex::encode(Sha256::digest(bare.as_bytes()));
    Some(sum.chars().take(16).collect())
}

/// Returns the choices of the last dialog on a screen that begin with 1 and have a key each: their numbers
/// and words. None where no such dialog is found.
pub fn choices(lines: &[String]) -> Vec<(u8, String)> {
    let mut found = Vec::new();
    for line in Dialog::find(lines).map(|dialog| dialog.choices).unwrap_or_default() {
        let Some(number) = choice(&line).and_then(|number| u8::try_from(number).ok()) else {
            continue;
        };
        let is_next = found.len() + 1 == usize::from(number) && number <= MOST_CHOICES;
        if let Some((_, text)) = unmarked(&line).split_once(['.', ')']).filter(|_| is_next) {
            found.push((number, words(text)));
        }
    }
    found
}

/// A dialog with numbered choices, without the box that is drawn around it.
struct Dialog {
    above: Vec<String>,
    choices: Vec<String>,
}

impl Dialog {
    /// Finds the last one on a screen.
    fn find(lines: &[String]) -> Option<Self> {
        let number = |line: &String| choice(inside(line));
        let first = lines.iter().rposition(|line| number(line) == Some(1))?;
        let behind = lines.get(first..)?;
        if !behind.iter().any(|line| number(line) == Some(2)) {
            return None;
        }
        let last = behind.iter().rposition(|line| number(line).is_some())?;
        let above = lines.get(first.saturating_sub(TALLEST)..first)?;
        let is_boxed = lines.get(first).is_some_and(|line| is_in_box(line));
        let begins = if is_boxed {
            above.iter().rposition(|line| !is_in_box(line))
        } else {
            above.iter().rposition(|line| is_border(line))
        };
        let above = above.get(begins.map_or(0, |at| at + 1)..)?;
        let plain = |lines: &[String]| {
            let inner = lines.iter().map(|line| inside(line)).filter(|line| !is_rule(line));
            inner.map(str::to_owned).collect()
        };
        Some(Self { above: plain(above), choices: plain(behind.get(..=last)?) })
    }
}

/// The last lines of a screen, if they ask for a word: `Go on? [y/N]`.
fn plain(lines: &[String]) -> Option<&[String]> {
    let last = lines.iter().rposition(|line| !line.trim().is_empty())?;
    let text = lines.get(last)?;
    if !wants_yes_or_no(text) && !inside(text).ends_with(['?', ':']) {
        return None;
    }
    let above = lines.get(..last)?;
    let begins = above.iter().rposition(|line| line.trim().is_empty()).map_or(0, |at| at + 1);
    lines.get(begins.max(last.saturating_sub(TALLEST_PLAIN))..=last)
}

/// Whether a line names yes and no as its answers.
fn wants_yes_or_no(line: &str) -> bool {
    let line = line.to_lowercase();
    ["y/n", "yes/no", "(y)", "[y]"].iter().any(|word| line.contains(word))
}

/// The number of a choice, however it is marked: `1. Yes`, `› 2. No`.
fn choice(line: &str) -> Option<u32> {
    let (number, rest) = unmarked(line).split_once(['.', ')'])?;
    number.parse().ok().filter(|_| rest.starts_with(' '))
}

/// A choice without what says that it is the one that would be taken.
fn unmarked(line: &str) -> &str {
    line.trim_start().trim_start_matches(['›', '❯', '>', '▶', '•', '●', '○']).trim_start()
}

/// The sides of the boxes that dialogs are drawn in.
const SIDES: [char; 3] = ['│', '┃', '║'];

/// A line without the sides of the boxes that it is in.
fn inside(line: &str) -> &str {
    line.trim_matches(|c: char| SIDES.contains(&c) || c.is_whitespace())
}

fn is_in_box(line: &str) -> bool {
    line.trim_start().starts_with(SIDES)
}

/// Whether a line parts a dialog from what is above it: a rule, or the beginning of what was said.
fn is_border(line: &str) -> bool {
    let text = line.trim();
    // What is dashed parts the command from the rest of the same dialog.
    let is_dash = |c: char| matches!(c, '\u{2504}'..='\u{250b}' | '\u{254c}'..='\u{254f}');
    let parts = is_rule(text) && !text.chars().all(is_dash);
    parts || text.starts_with(['•', '●', '›', '❯', '◆', '✦', '>'])
}

fn is_rule(line: &str) -> bool {
    let text = line.trim();
    text.chars().count() > 3 && text.chars().all(|c| ('\u{2500}'..='\u{257f}').contains(&c))
}

fn words(line: &str) -> String {
    let kept = line.chars().filter(|c| !c.is_control()).collect::<String>();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_command_that_is_asked_about_comes_first() {
        let asked = "\
› fix the build

• Running touch codex-asked

  Would you like to run the following command?

  Reason: May I write outside of the sandbox?

  $ touch codex-asked


› 1. Yes, proceed (y)
  2. Yes, and don't ask again for commands that start with `touch` (p)
  3. No, and tell Codex what to do differently (esc)

  Press enter to confirm or esc to cancel";
        let told = "$ touch codex-asked · Would you like to run the following command? · \
                    Reason: May I write outside of the sandbox?";
        assert_eq!(on_screen(&screen(asked)).as_deref(), Some(told));
    }

    #[test]
    fn the_choices_of_a_dialog_are_told_with_their_numbers() {
        let asked = "Which colour?\n\n❯ 1. Red\n     like a rose\n  2. Blue\n  3. Type something.";
        let told = [(1_u8, "Red"), (2, "Blue"), (3, "Type something.")];
        let told = told.map(|(number, text)| (number, text.to_owned()));
        assert_eq!(choices(&screen(asked)), told);
        let more: Vec<_> = (1..=12).map(|number| format!("{number}. x\n")).collect();
        let more = more.concat();
        assert_eq!(choices(&screen(&more)).len(), 9, "no key is two");
        assert!(choices(&screen("Go on? [y/N]")).is_empty());
    }

    #[test]
    fn a_question_of_one_line_is_told_also_where_it_is_wrapped() {
        let about = "For more info: https://aider.chat/docs/more/analytics.html\n";
        for (text, told) in [
            ("done\n\nGo on? [y/N] ", "Go on? [y/N]"),
            ("Allow it? (Y)es/(N)o [Yes]:", "Allow it? (Y)es/(N)o [Yes]:"),
            (
                "Add .aider* to .gitignore (it is\nrecommended)? (Y)es/(N)o\n[Yes]: (y)",
                "Add .aider* to .gitignore (it is recommended)? (Y)es/(N)o [Yes]: (y)",
            ),
            ("│ Really (y)es │", "Really (y)es"),
        ] {
            assert_eq!(on_screen(&screen(&format!("{about}{text}"))).as_deref(), Some(told));
        }
        assert_eq!(on_screen(&screen("Which colour?")), None);
    }

    #[test]
    fn what_is_no_dialog_is_no_question() {
        for text in [
            "",
            "1. one",
            "1. one\n2. two",
            "Really?\n● done\n1. one\n2. two",
            "Is it?\nYes, it is.",
            "Shall we?\n1. Yes",
        ] {
            assert_eq!(on_screen(&screen(text)), None, "{text}");
        }
    }

    #[test]
    fn it_is_one_line_of_bounded_length() {
        let text = format!("Go  on?\u{7}\n{}\n❯ 1. Yes\n  2. No", "x".repeat(2_000));
        let told = on_screen(&screen(&text)).unwrap();
        assert!(told.starts_with("Go on? · xxx") && told.chars().count() == MOST, "{told}");
    }

    /// Gemini CLI 0.61, as it stands on the screen.
    const BOXED: &str = "\
✦ Running 2 commands.

╭────────────────────────────────────────────────╮
│ ? Shell  touch g2.txt                   1 of 2 │
│ ╭────────────────────────────────────────────╮ │
│ │ touch g2.txt                               │ │
│ ╰────────────────────────────────────────────╯ │
│ Allow execution of [Shell]?                    │
│                                                │
│ ● 1. Allow once                                │
│   2. Allow for this session                    │
│   3. No, suggest changes (esc)                 │
╰────────────────────────────────────────────────╯
";

    #[test]
    fn what_stands_in_a_box_is_told_without_it() {
        let told = "? Shell touch g2.txt 1 of 2 · touch g2.txt · Allow execution of [Shell]?";
        assert_eq!(on_screen(&screen(BOXED)).as_deref(), Some(told));
    }

    #[test]
    fn another_command_is_another_dialog_and_a_moved_mark_or_a_narrower_terminal_is_not() {
        let of = |text: &str| mark(&screen(text));
        assert!(of(BOXED).is_some());
        assert_ne!(of(BOXED), of(&BOXED.replace("1 of 2", "2 of 2")));
        assert_ne!(of(BOXED), of(&BOXED.replace("g2.txt", "g3.txt")));
        let moved = BOXED.replace("● 1", "  1").replace("  2. A", "● 2. A");
        assert_eq!(of(BOXED), of(&moved));
        let around = format!("⠏ 12s\n{BOXED}\n  ⠧ Waiting for user confirmation… (13s)\n");
        assert_eq!(of(BOXED), of(&around));
        let claude = "────────\n Bash command\n╌╌╌╌╌╌╌╌\n rm -rf a long na\n me\n╌╌╌╌╌╌╌╌\n Go on?\n ❯ 1. Yes\n   2. No\n";
        assert_ne!(of(claude), of(&claude.replace("rm", "ls")));
        assert_eq!(of(claude), of(&claude.replace("na\n me", "name")));
        assert_eq!(of("● done\n$ ls\n"), None);
    }

    #[test]
    fn a_question_without_numbers_is_told_from_another_one_as_well() {
        let of = |text: &str| mark(&screen(text));
        let asked = "compiling 13 of 90\n\nRun: ls -la\nGo on? [y/N] \n";
        assert!(of(asked).is_some());
        assert_eq!(of(asked), of(&asked.replace("13", "14")));
        assert_ne!(of(asked), of(&asked.replace("ls -la", "rm -rf /")));
        assert_eq!(of("all is done\n"), None);
    }
}
