//! What is needed to launch, all of it filled in beforehand.

use super::{Area, TextLine};
use crate::{
    config::presets::Preset,
    domain::{agent_command::Permission, budget::Limit, checkout::WorktreeWish},
};

/// What stands for a worktree on a branch named after the runner.
pub(in crate::ui) const NEW_WORKTREE: &str = "new";

/// The launch dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct LaunchDialog {
    /// Where the cursor is.
    pub(in crate::ui) field: LaunchField,
    /// The name of a preset.
    pub(in crate::ui) preset: TextLine,
    /// The directory.
    pub(in crate::ui) directory: TextLine,
    /// The project of the runner it was opened on: of several of one directory, that one is meant.
    pub(in crate::ui) project: String,
    /// A worktree: blank for none, [`NEW_WORKTREE`], or the name of a branch.
    pub(in crate::ui) worktree: TextLine,
    /// The command line.
    pub(in crate::ui) command: TextLine,
    /// The model.
    pub(in crate::ui) model: TextLine,
    /// What the agent may do, as a word.
    pub(in crate::ui) permissions: TextLine,
    /// What it is to begin with.
    pub(in crate::ui) prompt: TextLine,
    /// What the runner is called.
    pub(in crate::ui) name: TextLine,
    /// So many tokens it may use at most; blank for no limit of its own.
    pub(in crate::ui) max_tokens: TextLine,
    /// What is wrong with it, if it was tried.
    pub(in crate::ui) wrong: Option<String>,
}

/// Where it is low, the fields matter and the air between them does not.
pub(in crate::ui) fn is_low(area: Area) -> bool {
    area.height < 14
}

/// The row of the first field within the dialog's area.
pub(in crate::ui) fn first_field(area: Area) -> u16 {
    if is_low(area) { 1 } else { 3 }
}

/// The fields that are shown in the dialog's area, as the first and how many: where not all have room
/// those around the one in focus, and a line is left for what is wrong.
pub(in crate::ui) fn shown_fields(area: Area, focus: LaunchField) -> (usize, usize) {
    let all = LaunchField::ALL.len();
    let room = usize::from(area.height.saturating_sub(first_field(area) + 1)).clamp(1, all);
    let at = LaunchField::ALL.iter().position(|(field, _)| *field == focus).unwrap_or(0);
    ((at + 1).saturating_sub(room), room)
}

/// A field of the launch dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum LaunchField {
    /// The preset.
    Preset,
    /// The directory.
    Directory,
    /// A worktree of it.
    Worktree,
    /// The command line.
    Command,
    /// The model.
    Model,
    /// What the agent may do.
    Permissions,
    /// What it is to begin with.
    Prompt,
    /// What the runner is called.
    Name,
    /// How many tokens it may use.
    MaxTokens,
}

impl LaunchField {
    /// All fields from top to bottom, with their labels.
    pub(in crate::ui) const ALL: [(Self, &'static str); 9] = [
        (Self::Prompt, "first prompt"),
        (Self::Command, "agent"),
        (Self::Model, "model"),
        (Self::Permissions, "permissions"),
        (Self::Directory, "directory"),
        (Self::Worktree, "worktree"),
        (Self::Name, "name"),
        (Self::MaxTokens, "max tokens"),
        (Self::Preset, "preset"),
    ];

    /// The field after this one, or the one before.
    pub(in crate::ui) fn next(self, forward: bool) -> Self {
        let count = Self::ALL.len();
        let at = Self::ALL.iter().position(|(field, _)| *field == self).unwrap_or(0);
        let to = if forward { at + 1 } else { at + count - 1 } % count;
        Self::ALL.get(to).map_or(self, |(field, _)| *field)
    }
}

impl LaunchDialog {
    /// A field's line.
    pub(in crate::ui) fn line_of(&self, field: LaunchField) -> &TextLine {
        match field {
            LaunchField::Preset => &self.preset,
            LaunchField::Directory => &self.directory,
            LaunchField::Worktree => &self.worktree,
            LaunchField::Command => &self.command,
            LaunchField::Model => &self.model,
            LaunchField::Permissions => &self.permissions,
            LaunchField::Prompt => &self.prompt,
            LaunchField::Name => &self.name,
            LaunchField::MaxTokens => &self.max_tokens,
        }
    }

    /// The line the cursor is in.
    pub(in crate::ui) fn line(&mut self) -> &mut TextLine {
        match self.field {
            LaunchField::Preset => &mut self.preset,
            LaunchField::Directory => &mut self.directory,
            LaunchField::Worktree => &mut self.worktree,
            LaunchField::Command => &mut self.command,
            LaunchField::Model => &mut self.model,
            LaunchField::Permissions => &mut self.permissions,
            LaunchField::Prompt => &mut self.prompt,
            LaunchField::Name => &mut self.name,
            LaunchField::MaxTokens => &mut self.max_tokens,
        }
    }

    /// How many tokens it may use at most, or what is wrong with what is filled in.
    pub(in crate::ui) fn limit(&self) -> Result<Option<u64>, String> {
        let text = self.max_tokens.text().trim();
        if text.is_empty() {
            return Ok(None);
        }
        match Limit::parse(text)? {
            Limit::Tokens(count) if count > 0 => Ok(Some(count)),
            _ => Err(format!("max tokens: `{text}` is no number of tokens like 100k or 2.5M")),
        }
    }

    /// What the agent may do.
    pub(in crate::ui) fn permission(&self) -> Option<Permission> {
        Permission::parse(self.permissions.text().trim())
    }

    /// The worktree that is wished for.
    pub(in crate::ui) fn wish(&self) -> Option<WorktreeWish> {
        let branch = match self.worktree.text().trim() {
            "" | "no" => return None,
            NEW_WORKTREE => String::new(),
            branch => branch.to_owned(),
        };
        Some(WorktreeWish { branch, ..WorktreeWish::default() })
    }

    /// Fills in what a preset says.
    pub(in crate::ui) fn fill(&mut self, name: &str, preset: &Preset) {
        self.preset = TextLine::new(name);
        if !preset.command.is_empty() {
            self.command = TextLine::new(&preset.command);
        }
        self.model = TextLine::new(&preset.model);
        let permission = Permission::parse(&preset.permissions).unwrap_or_default();
        self.permissions = TextLine::new(permission.as_str());
        self.prompt = TextLine::new(&preset.prompt);
        if !preset.project.is_empty() {
            self.directory = TextLine::new(&preset.project);
        }
        self.worktree = TextLine::new(&preset.worktree);
        self.name = TextLine::new(&preset.name);
        self.max_tokens = TextLine::new(&preset.max_tokens);
    }

    /// What is filled in, as a preset; with the directory unless it is the one that is filled in
    /// beforehand: then it means wherever one stands.
    pub(in crate::ui) fn as_preset(&self, usual: &str) -> Preset {
        let text = |line: &TextLine| line.text().trim().to_owned();
        Preset {
            command: text(&self.command),
            model: text(&self.model),
            permissions: text(&self.permissions),
            prompt: text(&self.prompt),
            project: Some(text(&self.directory)).filter(|dir| dir != usual).unwrap_or_default(),
            worktree: text(&self.worktree),
            name: text(&self.name),
            max_tokens: text(&self.max_tokens),
        }
    }
}
