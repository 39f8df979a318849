//! What a dialog on a screen asks, for agents that report that they wait without saying for what.
//!
//! Only words that stand on the screen are told, put into one line: the command that is asked about
//! first, then the rest of the block above the numbered choices. Invariant: where no such block is
//! found nothing is told; nobody is shown a question that was guessed.

/// Characters of a question that are told.
const MOST: usize = 512;

/// Lines above the choices that are looked at.
const TALLEST: usize = 16;

/// Returns the question of the last dialog with numbered choices on a screen.
pub fn on_screen(lines: &[String]) -> Option<String> {
    let is_first = |line: &String| choice(line) == Some(1);
    let first = lines.iter().rposition(is_first)?;
    let has_second = lines.iter().skip(first + 1).any(|line| choice(line) == Some(2));
    let above = lines.get(first.saturating_sub(TALLEST)..first)?;
    let begins = above.iter().rposition(|line| is_border(line)).map_or(0, |at| at + 1);
    let block = above.iter().skip(begins).map(|line| words(line)).filter(|line| !line.is_empty());
    let (mut told, others): (Vec<String>, Vec<String>) =
        block.partition(|line| line.starts_with("$ "));
    let asks = others.iter().any(|line| line.ends_with('?'));
    if !has_second || !asks {
        return None;
    }
    told.extend(others);
    Some(told.join(" · ").chars().take(MOST).collect())
}

/// The number of a choice, however it is marked: `1. Yes`, `› 2. No`.
fn choice(line: &str) -> Option<u32> {
    let text = line.trim_start().trim_start_matches(['›', '❯', '>', '▶', '•']).trim_start();
    let (number, rest) = text.split_once(['.', ')'])?;
    number.parse().ok().filter(|_| rest.starts_with(' '))
}

/// Whether a line parts a dialog from what is above it: a rule, or the beginning of what was said.
fn is_border(line: &str) -> bool {
    let text = line.trim();
    let is_rule =
        text.chars().count() > 3 && text.chars().all(|c| ('\u{2500}'..='\u{257f}').contains(&c));
    is_rule || text.starts_with(['•', '●', '›', '❯'])
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
}
