//! A table that is copied: how it is read, and how rows that both databases have become one.

use super::super::dialect::Kind::{self, Text};

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
pub(super) type Column = (&'static str, Kind, Rule);

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
