//! A project: a directory with settings.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::quota::QuotaChange;

/// A registered directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Project {
    /// Its unique name.
    pub name: String,
    /// Its absolute path.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// active (has live runners), idle or archived.
    pub status: ProjectStatus,
    /// What it is, in the user's words; may be empty.
    pub description: String,
    /// Free labels.
    pub tags: Vec<String>,
    /// Runners ever launched.
    pub total_runners: u64,
    /// Runners that have not ended.
    pub active_runners: u64,
    /// Conversations ever held.
    pub total_sessions: u64,
    /// Tokens ever used.
    pub total_tokens: u64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When something was last launched in it.
    pub last_accessed_at: DateTime<Utc>,
}

/// Whether a project is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProjectStatus {
    /// Has live runners.
    Active,
    /// Has none.
    Idle,
    /// Put away by the user.
    Archived,
}

impl ProjectStatus {
    /// The word for people, tables and the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Archived => "archived",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "active" => Self::Active,
            "idle" => Self::Idle,
            "archived" => Self::Archived,
            _ => return None,
        })
    }
}

/// What is needed to register a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProject {
    /// Checked by [`crate::domain::name::check_project_name`].
    pub name: String,
    /// Absolute path of an existing directory.
    pub path: PathBuf,
    /// May be empty.
    pub description: String,
    /// May be empty.
    pub tags: Vec<String>,
    /// Its first limits; empty for none.
    pub quotas: QuotaChange,
}
