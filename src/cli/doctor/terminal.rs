//! The terminal that this is run in: what it can show, and what stands between.

use std::{io::IsTerminal as _, time::Duration};

use super::Findings;
use crate::{cli::ask::ask, client::size_of_terminal, config::environment};

const LIMIT: Duration = Duration::from_secs(2);

/// A lone Escape arrives so late at most, or it feels broken; milliseconds.
const ESCAPE: u64 = 50;

/// The smallest terminal in which the dashboard shows more than a list.
const LEAST: (u16, u16) = (40, 10);

pub(super) async fn examine(found: &mut Findings) {
    let is_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let term = environment::get_text("TERM").unwrap_or_default();
    if is_terminal {
        name(&term, found);
        size(found);
    } else {
        found.note("terminal", "this is not run in one, so little can be said", "");
    }
    letters(found);
    if is_terminal {
        colours(&term, found);
        keyboard(found);
    }
    if environment::get("TMUX").is_some() {
        tmux(&term, found).await;
    } else if environment::get("STY").is_some() {
        let what = "GNU screen stands between: no true colour, no clipboard, no focus";
        found.note("terminal", what, "tmux 3.3 or newer lets more through");
    }
    if environment::is_remote() {
        let what = "over ssh; what is copied reaches your clipboard if the terminal knows OSC 52";
        found.note("terminal", what, "");
    }
}

fn name(term: &str, found: &mut Findings) {
    match term {
        "" | "dumb" => found.broken(
            "terminal",
            format!("TERM is `{term}`: it can show no dashboard"),
            "export TERM=xterm-256color, or what your terminal says it is",
        ),
        "linux" => found.note("terminal", "the console: 16 colours, few signs", ""),
        _ => found.ok("terminal", term),
    }
}

fn size(found: &mut Findings) {
    let Some((cols, rows)) = size_of_terminal().map(|size| (size.cols(), size.rows())) else {
        return;
    };
    if cols < LEAST.0 || rows < LEAST.1 {
        let what = format!("it has {cols} × {rows} cells, which is little");
        found.warn("terminal", what, "make it larger: 80 × 24 shows a list and a screen");
    }
}

fn letters(found: &mut Findings) {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let locale = names.iter().find_map(|name| environment::get_text(name));
    let is_utf8 = locale.as_deref().is_some_and(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    if is_utf8 {
        found.ok("terminal", format!("letters: {}", locale.unwrap_or_default()));
    } else {
        let what = format!(
            "the locale is {}: agents may draw question marks for lines",
            locale.map_or_else(|| "not set".to_owned(), |locale| format!("`{locale}`"))
        );
        found.warn("terminal", what, "export LANG=C.UTF-8");
    }
}

fn colours(term: &str, found: &mut Findings) {
    if environment::get("NO_COLOR").is_some() {
        found.note("terminal", "NO_COLOR is set: no colours", "");
        return;
    }
    let depth = environment::get_text("COLORTERM").unwrap_or_default();
    if depth == "truecolor" || depth == "24bit" || term.ends_with("-direct") {
        found.ok("terminal", "16 million colours");
    } else if term.contains("256color") {
        let what = "256 colours: themes show the nearest";
        found.note("terminal", what, "export COLORTERM=truecolor if the terminal has more");
    } else {
        found.note("terminal", "16 colours or so", "export TERM=xterm-256color if it has more");
    }
}

fn keyboard(found: &mut Findings) {
    match crossterm::terminal::supports_keyboard_enhancement() {
        Ok(true) => found.ok("terminal", "keyboard protocol: every key can be told from others"),
        Ok(false) | Err(_) => found.note(
            "terminal",
            "no keyboard protocol: shift-enter, ctrl-i and the like are not told apart",
            "kitty, foot, Ghostty, WezTerm, Alacritty and iTerm2 have it",
        ),
    }
}

/// Looks at the options of tmux that agents and the dashboard suffer from.
async fn tmux(term: &str, found: &mut Findings) {
    if !term.starts_with("tmux") && !term.starts_with("screen") {
        found.warn(
            "terminal",
            format!("TERM is `{term}` inside of tmux, which is not what tmux is"),
            "set -g default-terminal tmux-256color, and leave TERM alone in your profile",
        );
    }
    let show = async |flags: &str, name: &str| {
        let program = environment::find_program("tmux")?;
        let answer = ask(program, ["show-options", flags, name], LIMIT).await.ok()?;
        answer.good.then(|| answer.text.trim().to_owned())
    };
    let escape = show("-sv", "escape-time").await.and_then(|text| text.parse::<u64>().ok());
    if let Some(escape) = escape.filter(|escape| *escape > ESCAPE) {
        let what = format!("tmux holds Escape back for {escape} ms");
        found.warn("terminal", what, "set -sg escape-time 10");
    }
    if show("-sv", "focus-events").await.as_deref() == Some("off") {
        let what = "tmux does not tell which pane is looked at";
        found.note("terminal", what, "set -g focus-events on");
    }
    if show("-sv", "extended-keys").await.as_deref() == Some("off") {
        let what = "tmux does not tell shift-enter from enter";
        found.note("terminal", what, "set -s extended-keys on");
    }
    if show("-sv", "set-clipboard").await.as_deref() == Some("off") {
        let what = "tmux lets nothing reach the clipboard";
        found.note("terminal", what, "set -s set-clipboard on");
    }
}
