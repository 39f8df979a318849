//! The one table of all keys: what each does, where, and how the hint line and the help name it.
//!
//! Invariant: within one context a key appears once; a test holds that.

use crate::terminal::keys::{Key, KeyPress, Modifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Select the next runner.
    Down,
    /// Select the one before.
    Up,
    /// Select a screenful further.
    PageDown,
    /// Select a screenful back.
    PageUp,
    /// Select the first.
    First,
    /// Select the last.
    Last,
    /// Select the next that needs a person, the longest waiting first.
    NextNeeding,
    /// Hand the terminal to the agent.
    Attach,
    /// Open the launch dialog.
    Launch,
    /// Launch what was found, or the shell, here.
    LaunchFound,
    /// Launch the shell here.
    LaunchShell,
    /// Tell about the demonstration.
    Demo,
    /// End the runner.
    Stop,
    /// End it at once.
    Kill,
    /// Start it again.
    Restart,
    /// Pause it or let it go on.
    Pause,
    /// Send keys to the agent.
    Type,
    /// Write a line for the agent.
    Line,
    /// Narrow the list.
    Filter,
    /// Arrange by state or by project.
    Arrange,
    /// Give the events more or less room.
    Events,
    /// Fold or unfold what is finished.
    Fold,
    /// Show all keys.
    Help,
    /// Leave.
    Quit,
    /// Stop as a job.
    Suspend,
    /// Paint anew.
    Redraw,
    /// Agree, send, launch.
    Accept,
    /// Go back.
    Cancel,
    /// The next field.
    NextField,
    /// The next suggestion.
    NextChoice,
    /// The suggestion before.
    PreviousChoice,
}

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// The list of runners.
    List,
    /// The first screen, without runners.
    Welcome,
    /// The filter.
    Filter,
    /// A question.
    Confirm,
    /// The launch dialog.
    Launch,
    /// A line for an agent.
    Line,
    /// The list of keys.
    Help,
}

/// One key and what it does.
pub(super) struct Binding {
    /// Where.
    pub(super) context: Context,
    /// The keys; the first is the one that is named.
    pub(super) keys: &'static [KeyPress],
    /// How they are written.
    pub(super) label: &'static str,
    /// What it does.
    pub(super) action: Action,
    /// In a word, for the hint line; empty to leave it out there.
    pub(super) hint: &'static str,
    /// In a sentence, for the help; empty to leave it out there.
    pub(super) about: &'static str,
}

const fn plain(key: Key) -> KeyPress {
    KeyPress { key, modifiers: Modifiers { shift: false, alt: false, ctrl: false } }
}

const fn c(c: char) -> KeyPress {
    plain(Key::Char(c))
}

const fn ctrl(c: char) -> KeyPress {
    let modifiers = Modifiers { shift: false, alt: false, ctrl: true };
    KeyPress { key: Key::Char(c), modifiers }
}

const ENTER: KeyPress = plain(Key::Enter);
const ESCAPE: KeyPress = plain(Key::Escape);

macro_rules! bindings {
    ($($context:ident { $( [$($key:expr),+] $label:literal $action:ident $hint:literal $about:literal; )+ })+) => {
        &[ $( $( Binding {
            context: Context::$context,
            keys: &[$($key),+],
            label: $label,
            action: Action::$action,
            hint: $hint,
            about: $about,
        }, )+ )+ ]
    };
}

/// All keys. The order is that of the hint line, what matters most first.
pub(super) const BINDINGS: &[Binding] = bindings! {
    List {
        [plain(Key::Tab)] "tab" NextNeeding "next that needs you" "Go to the next that needs you, longest waiting first";
        [ENTER, c('a')] "⏎" Attach "attach" "Attach: hand the whole terminal to the agent (also a)";
        [c('i')] "i" Type "type" "Type into the agent from here";
        [c('t')] "t" Line "send line" "Write a line and submit it to the agent";
        [c('n')] "n" Launch "new" "Launch a new agent";
        [c('x')] "x" Stop "stop" "Stop the runner, with time to save";
        [c(' ')] "space" Pause "pause" "Pause the runner or let it go on";
        [c('r')] "r" Restart "restart" "Start the runner again";
        [c('/')] "/" Filter "filter" "Show only runners that match";
        [c('?')] "?" Help "help" "Show or hide this list";
        [c('q'), ctrl('c')] "q" Quit "quit" "Leave; the agents go on";
        [c('X')] "X" Kill "" "Kill the runner at once";
        [c('p')] "p" Arrange "by project" "Arrange by state or by project";
        [c('e')] "e" Events "" "More room for the events, none, some";
        [c('f')] "f" Fold "" "Show or fold what is finished";
        [c('j'), plain(Key::Down), ctrl('n')] "j ↓" Down "" "Select the next runner";
        [c('k'), plain(Key::Up), ctrl('p')] "k ↑" Up "" "Select the runner before";
        [plain(Key::PageDown), ctrl('d')] "pgdn" PageDown "" "Go a screenful down";
        [plain(Key::PageUp), ctrl('u')] "pgup" PageUp "" "Go a screenful up";
        [c('g'), plain(Key::Home)] "g" First "" "Select the first runner";
        [c('G'), plain(Key::End)] "G" Last "" "Select the last runner";
        [ESCAPE] "esc" Cancel "" "Clear the filter";
        [ctrl('l')] "ctrl-l" Redraw "" "Paint the screen anew";
        [ctrl('z')] "ctrl-z" Suspend "" "Go to the shell; fg comes back";
    }
    Welcome {
        [ENTER] "⏎" LaunchFound "launch" "Launch the agent that was found, or the shell, here";
        [c('s')] "s" LaunchShell "shell" "Launch a shell here";
        [c('c'), c('n')] "c" Launch "choose" "Choose a command and a directory";
        [c('d')] "d" Demo "demo" "How to see a demonstration";
        [c('?')] "?" Help "help" "Show or hide this list";
        [c('q'), ctrl('c')] "q" Quit "quit" "Leave";
        [ctrl('l')] "ctrl-l" Redraw "" "Paint the screen anew";
        [ctrl('z')] "ctrl-z" Suspend "" "Go to the shell; fg comes back";
    }
    Filter {
        [ENTER] "⏎" Accept "keep" "";
        [ESCAPE, ctrl('c')] "esc" Cancel "show all" "";
        [plain(Key::Down)] "↓" Down "" "";
        [plain(Key::Up)] "↑" Up "" "";
    }
    Confirm {
        [c('y'), c('Y')] "y" Accept "yes" "";
        [c('n'), c('N'), ESCAPE, c('q'), ctrl('c')] "n" Cancel "no, keep it" "";
    }
    Launch {
        [ENTER] "⏎" Accept "launch" "";
        [plain(Key::Tab)] "tab" NextField "next field" "";
        [plain(Key::Down)] "↑↓" NextChoice "suggestions" "";
        [plain(Key::Up)] "↑" PreviousChoice "" "";
        [ESCAPE, ctrl('c')] "esc" Cancel "back" "";
    }
    Line {
        [ENTER] "⏎" Accept "send" "";
        [ESCAPE, ctrl('c')] "esc" Cancel "back" "";
    }
    Help {
        [ESCAPE, c('?'), c('q'), ENTER, ctrl('c')] "esc" Cancel "back" "";
        [c('j'), plain(Key::Down)] "j k" Down "more" "";
        [c('k'), plain(Key::Up)] "↑" Up "" "";
    }
};

/// Returns what a key asks for in a context.
pub(super) fn action(context: Context, press: KeyPress) -> Option<Action> {
    in_context(context).find(|binding| binding.keys.contains(&press)).map(|binding| binding.action)
}

/// Returns the keys of a context, the most important first.
pub(super) fn in_context(context: Context) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |binding| binding.context == context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_context() {
        for (at, one) in BINDINGS.iter().enumerate() {
            for other in &BINDINGS[at + 1..] {
                let clash = one.keys.iter().find(|key| other.keys.contains(key));
                assert!(one.context != other.context || clash.is_none(), "{clash:?}");
            }
        }
    }
}
