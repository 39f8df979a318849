//! Colours are meanings: the views ask for a role, and only this module knows what it looks like.
//!
//! The default is the terminal's own palette, so that it fits light and dark backgrounds alike; the
//! others are sheets in `themes/`. Invariant: nothing is told by colour alone; without colour what
//! must be seen still differs by its weight.

mod agent;
mod color;
mod library;
mod plain;
mod sheet;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Style},
};

pub(super) use self::{
    color::Depth,
    library::{DEFAULT, Library},
};
use self::{color::PALETTE, sheet::Sheet};
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

impl Role {
    /// All roles; the order is that of the type.
    pub(super) const ALL: [Self; 10] = [
        Self::Text,
        Self::Muted,
        Self::Accent,
        Self::Strong,
        Self::Needs,
        Self::Working,
        Self::Done,
        Self::Failed,
        Self::Warning,
        Self::Rule,
    ];

    /// The name in a theme.
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Muted => "muted",
            Self::Accent => "accent",
            Self::Strong => "strong",
            Self::Needs => "needs",
            Self::Working => "working",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Warning => "warning",
            Self::Rule => "rule",
        }
    }
}

/// How roles look on this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Theme {
    styles: [Style; Role::ALL.len()],
    background: Option<Style>,
    /// The sixteen colours as agents' screens show them.
    palette: [Option<Color>; PALETTE],
    is_plain: bool,
}

impl Theme {
    /// Returns a theme as a terminal of some depth shows it; a plain one draws with ASCII alone.
    fn of(sheet: &Sheet, depth: Depth, is_plain: bool) -> Self {
        let (styles, background) = sheet.styles(depth);
        Self { styles, background, palette: sheet.palette(depth), is_plain }
    }

    /// Returns how a role looks.
    pub(super) fn style(self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }

    /// Whether everything is drawn with ASCII alone and said in words.
    pub(super) fn is_plain(self) -> bool {
        self.is_plain
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

    /// Finishes a frame: puts the background behind everything that has none of its own, lets what
    /// agents write be read on it, and in a plain theme draws with ASCII alone, except on the agents' own screens where nothing of ours is
    /// over them.
    pub(super) fn finish(self, buf: &mut Buffer, screens: &[Rect], over: &[Rect]) {
        if !self.is_plain && self.background.is_none() {
            return;
        }
        let area = buf.area;
        let mut last = agent::Last::default();
        for position in area.positions() {
            let Some(cell) = buf.cell_mut(position) else { continue };
            let is_in = |areas: &[Rect]| areas.iter().any(|area| area.contains(position));
            let is_agents = is_in(screens) && !is_in(over);
            if self.is_plain && !is_agents {
                plain::draw(cell);
            }
            if let Some(background) = self.background {
                if is_agents {
                    agent::draw(cell, &self.palette, background, &mut last);
                }
                cell.set_style(plain::missing(cell, background));
            }
        }
    }
}
