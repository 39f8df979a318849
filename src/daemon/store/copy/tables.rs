//! What is copied and how rows that both databases have become one.

use super::super::dialect::Kind::{self, Bytes, Id, Integer, Json, Real, Text, Texts, Time, Truth};

/// What becomes of a column when the target has the row already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// It is what makes the row the same.
    Key,
    /// The newer row's.
    Newer,
    /// The greater one.
    Most,
    /// The target's, if it has one.
    First,
    /// The target's.
    Kept,
    /// It is only read by: the target gives its own.
    Own,
}
use Rule::{First, Kept, Key, Most, Newer, Own};

/// A column.
type Column = (&'static str, Kind, Rule);

/// A table whose rows are merged by a key.
#[derive(Debug)]
pub(super) struct Table {
    pub name: &'static str,
    /// What it is read in the order of.
    pub page: &'static [&'static str],
    pub columns: &'static [Column],
    /// When the row of the source is the newer one.
    pub newer: &'static str,
    /// Whether the key is one for the database too.
    pub is_unique: bool,
}

impl Table {
    /// The columns that make the row the same.
    pub(super) fn key(&self) -> impl Iterator<Item = (&'static str, Kind)> {
        self.columns.iter().filter(|(.., rule)| *rule == Key).map(|&(name, kind, _)| (name, kind))
    }

    /// The columns that are written, as rows of JSON.
    pub(super) fn written(&self) -> Vec<(&'static str, Kind)> {
        let written = self.columns.iter().filter(|(.., rule)| *rule != Own);
        written.map(|&(name, kind, _)| (name, kind)).collect()
    }

    /// What kind a column is of.
    pub(super) fn kind(&self, column: &str) -> Kind {
        self.columns.iter().find(|(name, ..)| *name == column).map_or(Text, |(_, kind, _)| *kind)
    }

    /// Returns the statement that reads the first rows, or those after a place.
    pub(super) fn read(&self, is_first: bool, limit: usize) -> String {
        let columns: Vec<_> = self.columns.iter().map(|(name, ..)| *name).collect();
        let (columns, order) = (columns.join(", "), self.page.join(", "));
        let places: Vec<_> = (1..=self.page.len()).map(|n| format!("${n}")).collect();
        let after = if is_first {
            String::new()
        } else {
            format!("WHERE ({order}) > ({})", places.join(", "))
        };
        format!("SELECT {columns} FROM {} {after} ORDER BY {order} LIMIT {limit}", self.name)
    }

    /// Returns the condition that a row `t` of the target is the row `r`.
    pub(super) fn is_same(&self) -> String {
        let same: Vec<_> = self.key().map(|(name, _)| format!("t.{name} = r.{name}")).collect();
        same.join(" AND ")
    }

    /// Returns the statement that merges rows.
    pub(super) fn merge(&self, rows: &str) -> String {
        let name = self.name;
        let written: Vec<_> = self.written().iter().map(|(column, _)| *column).collect();
        let picked: Vec<_> = written.iter().map(|column| format!("r.{column}")).collect();
        let (written, picked) = (written.join(", "), picked.join(", "));
        let insert = format!("INSERT INTO {name} ({written}) SELECT {picked} FROM {rows}");
        if !self.is_unique {
            let same = self.is_same();
            return format!("{insert} WHERE NOT EXISTS (SELECT 1 FROM {name} AS t WHERE {same})");
        }
        let key: Vec<_> = self.key().map(|(column, _)| column).collect();
        let key = key.join(", ");
        let mut changes = Vec::new();
        let mut reasons = Vec::new();
        for (column, _, rule) in self.columns {
            let (old, new) = (format!("{name}.{column}"), format!("excluded.{column}"));
            let (better, reason) = match rule {
                Newer => (self.newer.to_owned(), self.newer.to_owned()),
                Most => (format!("{new} > {old}"), format!("{new} > {old}")),
                First => (format!("{old} IS NULL"), format!("{old} IS NULL AND {new} IS NOT NULL")),
                Key | Kept | Own => continue,
            };
            changes.push(format!("{column} = CASE WHEN {better} THEN {new} ELSE {old} END"));
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        if changes.is_empty() {
            return format!("{insert} WHERE TRUE ON CONFLICT ({key}) DO NOTHING");
        }
        let (changes, reasons) = (changes.join(", "), reasons.join(" OR "));
        format!("{insert} WHERE TRUE ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE {reasons}")
    }
}

/// The log: only looked through by this; its rows have a way of their own.
pub(super) const EVENTS: Table = Table {
    name: "events",
    page: &["id"],
    columns: &[("id", Integer, Own), ("event_id", Id, Key)],
    newer: "",
    is_unique: true,
};

/// The newest sequences: those of entities whose events are here were counted with them.
pub(super) const AGGREGATES: Table = Table {
    name: "aggregates",
    page: &["entity_type", "entity_id"],
    columns: &[("entity_type", Text, Key), ("entity_id", Text, Key), ("sequence", Integer, Kept)],
    newer: "",
    is_unique: true,
};

/// Runners, after their projects.
pub(super) const RUNNERS: Table = Table {
    name: "runners",
    page: &["id"],
    columns: &[
        ("id", Id, Key),
        ("name", Text, Kept),
        ("runtime_type", Text, Newer),
        ("runtime_id", Text, Newer),
        ("node_id", Text, Newer),
        ("project_name", Text, Kept),
        ("project_path", Text, Newer),
        ("agent", Text, Newer),
        ("command", Json, Newer),
        ("cwd", Text, Newer),
        ("status", Text, Newer),
        ("reason", Text, Newer),
        ("activity", Text, Newer),
        ("activity_kind", Text, Newer),
        ("activity_message", Text, Newer),
        ("activity_source", Text, Newer),
        ("activity_at", Time, Newer),
        ("title", Text, Newer),
        ("flags", Texts, Newer),
        ("capabilities", Texts, Newer),
        ("environment", Json, Newer),
        ("session_id", Text, Newer),
        ("conversation_mode", Text, Newer),
        ("tokens_used", Integer, Most),
        ("cost_nanos", Integer, Most),
        ("usage_quality", Text, Newer),
        ("evidence", Json, Newer),
        ("max_tokens", Integer, Newer),
        ("hold", Text, Newer),
        ("hold_level", Text, Newer),
        ("cpu_percent", Real, Newer),
        ("memory_mb", Integer, Newer),
        ("processes", Integer, Newer),
        ("run", Integer, Newer),
        ("pid", Integer, Newer),
        ("supervisor_pid", Integer, Newer),
        ("restart", Text, Newer),
        ("restart_attempts", Integer, Newer),
        ("max_restart_attempts", Integer, Newer),
        ("adopted", Truth, Newer),
        ("survivors", Json, Newer),
        ("request_id", Id, Kept),
        ("request_digest", Text, Kept),
        ("started_at", Time, Newer),
        ("last_heartbeat", Time, Newer),
        ("heartbeat_ttl_seconds", Integer, Newer),
        ("terminated_at", Time, Newer),
        ("exit_code", Integer, Newer),
        ("exit_signal", Text, Newer),
        ("created_at", Time, Kept),
        ("updated_at", Time, Newer),
        ("repository", Text, Newer),
        ("worktree", Text, Newer),
        ("branch", Text, Newer),
        ("base_branch", Text, Newer),
        ("base_commit", Text, Newer),
        ("launch_commit", Text, Newer),
        ("launch_snapshot", Text, Newer),
    ],
    newer: "excluded.updated_at > runners.updated_at",
    is_unique: true,
};

/// Projects.
pub(super) const PROJECTS: Table = Table {
    name: "projects",
    page: &["name"],
    columns: &[
        ("name", Text, Key),
        ("path", Text, Newer),
        ("status", Text, Newer),
        ("description", Text, Newer),
        ("tags", Texts, Newer),
        ("total_runners", Integer, Most),
        ("active_runners", Integer, Newer),
        ("total_sessions", Integer, Most),
        ("total_tokens", Integer, Most),
        ("cost_nanos", Integer, Most),
        ("last_runner", Integer, Most),
        ("created_at", Time, Kept),
        ("last_accessed_at", Time, Most),
        ("archived_at", Time, Newer),
        ("updated_at", Time, Newer),
    ],
    newer: "excluded.updated_at > projects.updated_at",
    is_unique: true,
};

/// What comes before the runners, whose rows refer to it, and what comes after them.
pub(super) const FIRST_TABLES: &[Table] = &[
    Table {
        name: "project_numbers",
        page: &["project_name"],
        columns: &[("project_name", Text, Key), ("last_runner", Integer, Most)],
        newer: "",
        is_unique: true,
    },
    PROJECTS,
    Table {
        name: "project_capabilities",
        page: &["project_name", "capability_name"],
        columns: &[
            ("project_name", Text, Key),
            ("capability_name", Text, Key),
            ("enabled", Truth, Newer),
            ("version", Text, Newer),
            ("config", Json, Newer),
            ("installed_at", Time, Kept),
            ("updated_at", Time, Newer),
        ],
        newer: "excluded.updated_at > project_capabilities.updated_at",
        is_unique: true,
    },
    Table {
        name: "resource_quotas",
        page: &["project_name"],
        columns: &[
            ("project_name", Text, Key),
            ("max_concurrent_runners", Integer, Newer),
            ("max_memory_mb", Integer, Newer),
            ("max_cpu_percent", Integer, Newer),
            ("max_tokens_per_day", Integer, Newer),
            ("created_at", Time, Kept),
            ("updated_at", Time, Newer),
        ],
        newer: "excluded.updated_at > resource_quotas.updated_at",
        is_unique: true,
    },
];

/// See [`FIRST_TABLES`].
pub(super) const LAST_TABLES: &[Table] = &[
    Table {
        name: "sessions",
        page: &["id"],
        columns: &[
            ("id", Text, Key),
            ("runner_id", Text, Newer),
            ("project_name", Text, Newer),
            ("started_at", Time, Newer),
            ("ended_at", Time, Newer),
            ("last_message_at", Time, Newer),
            ("message_count", Integer, Most),
            ("tokens_used", Integer, Most),
            ("resumable", Truth, Newer),
            ("resumed_from", Text, Newer),
            ("summary", Text, Newer),
            ("context_vector", Bytes, Newer),
            ("transcript_s3_key", Text, Newer),
            ("transcript_size_bytes", Integer, Newer),
            ("agent", Text, Newer),
            ("node_id", Text, Newer),
            ("model", Text, Newer),
            ("cwd", Text, Newer),
            ("first_prompt", Text, Newer),
            ("transcript_path", Text, Newer),
            ("origin", Text, Newer),
            ("cost_nanos", Integer, Most),
            ("usage_quality", Text, Newer),
            ("updated_at", Time, Newer),
            ("created_at", Time, Kept),
        ],
        newer: "coalesce(excluded.ended_at, excluded.last_message_at, excluded.started_at) > \
                coalesce(sessions.ended_at, sessions.last_message_at, sessions.started_at)",
        is_unique: true,
    },
    Table {
        name: "session_blobs",
        page: &["id"],
        columns: &[
            ("id", Integer, Own),
            ("session_id", Text, Key),
            ("blob_type", Text, Key),
            ("storage_key", Text, Key),
            ("size_bytes", Integer, Kept),
            ("checksum", Text, Kept),
            ("node_id", Text, Kept),
            ("path", Text, Kept),
            ("source_bytes", Integer, Kept),
            ("sent", Text, Kept),
            ("created_at", Time, Kept),
        ],
        newer: "",
        is_unique: false,
    },
    Table {
        name: "token_budgets",
        page: &["id"],
        columns: &[
            ("id", Integer, Own),
            ("scope", Text, Key),
            ("scope_id", Text, Key),
            ("limit_tokens", Integer, Newer),
            ("used_tokens", Integer, Most),
            ("limit_nanos", Integer, Newer),
            ("used_nanos", Integer, Most),
            ("estimated", Integer, Most),
            ("time_zone", Text, Newer),
            ("action", Text, Newer),
            ("count_cache_reads", Truth, Newer),
            ("enforce_estimates", Truth, Newer),
            ("told", Integer, Most),
            ("rolls", Truth, Newer),
            ("period_granularity", Text, Key),
            ("period_start", Time, Key),
            ("period_end", Time, Newer),
            ("created_at", Time, Kept),
            ("updated_at", Time, Newer),
        ],
        newer: "excluded.updated_at > token_budgets.updated_at",
        is_unique: true,
    },
    Table {
        name: "agent_tokens",
        page: &["token"],
        columns: &[
            ("token", Text, Key),
            ("runner_id", Id, Kept),
            ("created_at", Time, Kept),
            ("expires_at", Time, Kept),
            ("used_at", Time, First),
            ("revoked_at", Time, First),
            ("issued_by", Text, Kept),
            ("agent_version", Text, Kept),
        ],
        newer: "",
        is_unique: true,
    },
    Table {
        name: "queued_prompts",
        page: &["id"],
        columns: &[
            ("id", Id, Key),
            ("runner_id", Id, Kept),
            ("run", Integer, Kept),
            ("session_id", Text, Kept),
            ("prompt", Text, Kept),
            ("state", Text, Newer),
            ("note", Text, Newer),
            ("created_at", Time, Kept),
            ("settled_at", Time, Newer),
        ],
        newer: "excluded.settled_at IS NOT NULL AND queued_prompts.settled_at IS NULL",
        is_unique: true,
    },
    Table {
        name: "session_runners",
        page: &["session_id", "runner_id"],
        columns: &[("session_id", Text, Key), ("runner_id", Text, Key), ("since", Time, Kept)],
        newer: "",
        is_unique: true,
    },
    Table {
        name: "transcript_files",
        page: &["node_id", "path"],
        columns: &[
            ("node_id", Text, Key),
            ("path", Text, Key),
            ("agent", Text, Newer),
            ("session_id", Text, Newer),
            ("identity", Text, Newer),
            ("position", Integer, Newer),
            ("reader", Json, Newer),
            ("updated_at", Time, Newer),
        ],
        newer: "excluded.updated_at > transcript_files.updated_at",
        is_unique: true,
    },
    Table {
        name: "session_messages",
        page: &["id"],
        columns: &[
            ("id", Integer, Own),
            ("session_id", Text, Key),
            ("message_key", Text, Key),
            ("role", Text, Kept),
            ("at", Time, Kept),
            ("body", Text, Kept),
        ],
        newer: "",
        is_unique: true,
    },
    Table {
        name: "spools",
        page: &["runner_id"],
        columns: &[("runner_id", Text, Key), ("position", Integer, Most)],
        newer: "",
        is_unique: true,
    },
    Table {
        name: "usage_requests",
        page: &["key"],
        columns: &[
            ("key", Text, Key),
            ("runner_id", Text, Kept),
            ("project_name", Text, Kept),
            ("session_id", Text, Kept),
            ("node_id", Text, Kept),
            ("agent", Text, Kept),
            ("model", Text, Kept),
            ("purpose", Text, Kept),
            ("at", Time, Kept),
            ("input_tokens", Integer, Most),
            ("cache_read", Integer, Most),
            ("cache_write_5m", Integer, Most),
            ("cache_write_1h", Integer, Most),
            ("output_tokens", Integer, Most),
            ("reasoning", Integer, Most),
            ("counted", Integer, Most),
            ("cost_nanos", Integer, First),
            ("list_nanos", Integer, First),
            ("source", Text, Kept),
            ("quality", Text, Kept),
            ("twin", Text, Kept),
            ("imported", Truth, Kept),
        ],
        newer: "",
        is_unique: true,
    },
    Table {
        name: "inbox",
        page: &["id"],
        columns: &[
            ("id", Id, Kept),
            ("cause", Text, Key),
            ("class", Text, Kept),
            ("reason", Text, Kept),
            ("state", Text, Newer),
            ("runner_id", Id, Kept),
            ("runner_name", Text, Kept),
            ("project_name", Text, Kept),
            ("node_id", Text, Kept),
            ("agent", Text, Kept),
            ("run", Integer, Kept),
            ("message", Text, Newer),
            ("lines", Json, Newer),
            ("channel", Text, Newer),
            ("asked_at", Time, Newer),
            ("cost_nanos", Integer, Kept),
            ("opened_at", Time, Kept),
            ("updated_at", Time, Newer),
            ("snoozed_until", Time, Newer),
            ("closed_at", Time, Newer),
            ("closed_by", Text, Newer),
            ("answer", Text, Newer),
            ("resolution", Text, Newer),
        ],
        newer: "excluded.updated_at > inbox.updated_at",
        is_unique: true,
    },
    Table {
        name: "presence",
        page: &["surface"],
        columns: &[("surface", Text, Key), ("active_at", Time, Most)],
        newer: "",
        is_unique: true,
    },
    Table {
        name: "usage_days",
        page: &["project_name", "day"],
        columns: &[("project_name", Text, Key), ("day", Text, Key), ("tokens", Integer, Most)],
        newer: "",
        is_unique: true,
    },
];
