//! Colours are meanings: the views ask for a role, and only this file knows what it looks like.
//!
//! The terminal's own palette is used, so that it fits light and dark backgrounds alike. Invariant:
//! nothing is told by colour alone; without colour every role but the plain ones still differs by
//! its weight.

use ratatui::style::{Color, Modifier, Style};

use super::state::Group;

/// What something on the screen means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Ordinary text.
    Text,
    /// What matters less.
    Muted,
    /// Where the focus is, and keys.
    Accent,
    /// Headings and names.
    Strong,
    /// A person is needed.
    Needs,
    /// A turn is in progress.
    Working,
    /// A turn has ended.
    Done,
    /// Something failed.
    Failed,
    /// Something is not as it should be.
    Warning,
    /// Lines between things.
    Rule,
}

/// How roles look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Theme {
    has_color: bool,
}

impl Theme {
    /// Returns the theme for a terminal with or without colours.
    pub(super) fn new(has_color: bool) -> Self {
        Self { has_color }
    }

    /// Returns how a role looks.
    pub(super) fn style(self, role: Role) -> Style {
        let style = Style::new();
        let style = match role {
            Role::Text | Role::Working | Role::Done | Role::Warning => style,
            Role::Muted | Role::Rule => style.add_modifier(Modifier::DIM),
            Role::Failed | Role::Accent if self.has_color => style,
            Role::Strong | Role::Needs | Role::Failed | Role::Accent => {
                style.add_modifier(Modifier::BOLD)
            }
        };
        match role {
            _ if !self.has_color => style,
            Role::Text | Role::Muted | Role::Strong | Role::Rule => style,
            Role::Accent => style.fg(Color::Cyan),
            Role::Needs | Role::Warning => style.fg(Color::Yellow),
            Role::Working => style.fg(Color::Blue),
            Role::Done => style.fg(Color::Green),
            Role::Failed => style.fg(Color::Red),
        }
    }

    /// Returns the role of a group.
    pub(super) fn group(group: Group) -> Role {
        match group {
            Group::NeedsYou => Role::Needs,
            Group::Working => Role::Working,
            Group::Done => Role::Done,
            Group::Failed => Role::Failed,
            Group::Running | Group::Starting => Role::Text,
            Group::Idle | Group::Paused | Group::Stopping | Group::Finished => Role::Muted,
        }
    }

    /// Returns how what is not current looks: everything it says may be wrong by now.
    pub(super) fn stale(self) -> Style {
        self.style(Role::Muted)
    }
}
