//! Backup and restore: what cannot be made again, in one file that says what is in it.
//!
//! ```text
//!   stratavore.db        the database at one moment; of a server a copy, sealed with a key of its own
//!   keys/                the audit key, as it was after that moment, and checkpoints from before it
//!   server-keys/         with a server: this node's key, which the copy is not sealed with
//!   screens/ blobs/ …    everything else in the root directory but sockets, logs and worktrees
//!   config/              configuration, for looking at: a restore puts it beside, not in place
//!   manifest.json        last: each file with its size and its SHA-256
//! ```
//!
//! Both need no daemon and disturb none. A restore never writes over anything: it fills a directory
//! beside the root, checks it, and then exchanges the two.

mod archive;
mod restore;
mod save;

use serde::{Deserialize, Serialize};

pub use self::{
    restore::{Restored, restore},
    save::{Wanted, backup, check_output},
};

/// The form of what is written; a greater one is refused.
const FORM: u32 = 1;

/// The name of the last file.
const MANIFEST: &str = "manifest.json";

/// What a backup is of and what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form it has.
    pub form: u32,
    /// The version that wrote it.
    pub version: String,
    /// When, RFC 3339.
    pub created_at: String,
    /// Where.
    pub hostname: String,
    /// The node.
    pub node_id: String,
    /// The root directory that was saved.
    pub root: String,
    /// `SQLite` or `PostgreSQL`: what the database was; in the backup it is the former.
    pub database: String,
    /// The version of its schema.
    pub schema: i64,
    /// Events in it.
    pub events: u64,
    /// Each file.
    pub files: Vec<Entry>,
    /// What repositories keep of removed worktrees: it is in them, not here.
    pub trash: Vec<Trash>,
    /// What is to be known about it.
    pub notes: Vec<String>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path, relative to the root.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// What is in it.
    pub sha256: String,
}

/// Refs of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trash {
    /// The project.
    pub project: String,
    /// Its directory.
    pub path: String,
    /// The refs, each with its commit.
    pub refs: Vec<String>,
}
