//! Many rows in few statements, whose texts are few too: each is planned once and kept.
//!
//! A server gets a list for each column, whatever the number of rows: a text with a value for each row
//! and column would be taken apart anew for each row. Not for a row or two of something rare: what is
//! said once in `Texts` is easier to read.

use std::fmt::Write as _;

use super::{Connection, Kind, Record};
use crate::daemon::store::{
    StoreError,
    query::{Query, Value},
};

/// So many rows in one statement of `SQLite`. Measured with 19 columns: beyond a few hundred rows nothing
/// is gained, and it takes 32,766 values at most.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// So many rows in one statement for a server, which keeps them in memory meanwhile.
const MOST: usize = 2000;

/// Where rows go.
#[derive(Debug)]
pub(in crate::daemon::store) struct Bulk {
    /// The table.
    pub table: &'static str,
    /// The columns that are given, and what each holds.
    pub columns: &'static [(&'static str, Kind)],
    /// What follows the rows: what is to be done with those that are there already, what is returned.
    pub tail: &'static str,
}

impl Connection {
    /// Inserts rows, in their order; returns what the statement returns.
    pub(in crate::daemon::store) async fn insert(
        &mut self,
        bulk: &Bulk,
        rows: Vec<Vec<Value>>,
    ) -> Result<Vec<Record>, StoreError> {
        let mut returned = Vec::new();
        let mut rows = rows.into_iter();
        while rows.len() > 0 {
            let query = match self {
                Self::Sqlite(_) => {
                    let size = SIZES.into_iter().find(|size| *size <= rows.len()).unwrap_or(1);
                    let values = rows.by_ref().take(size).flatten().collect();
                    Query { sql: bulk.values(size).into(), values }
                }
                Self::Postgres(_) => {
                    let rows = rows.by_ref().take(MOST).collect();
                    let sql = format!("{} {}", bulk.taking_lists(None, 1), bulk.tail);
                    Query { sql: sql.into(), values: bulk.lists(rows) }
                }
            };
            let (_, mut found) = self.run(query).await?;
            returned.append(&mut found);
        }
        Ok(returned)
    }
}

impl Bulk {
    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Returns a text that takes a value for each row and column.
    fn values(&self, rows: usize) -> String {
        let mut text = format!("INSERT INTO {} ({}) VALUES ", self.table, self.names());
        // A number for each would be looked for among all of them.
        let places = vec!["?"; self.columns.len()].join(",");
        for row in 0..rows {
            write!(text, "{}({places})", if row == 0 { "" } else { ", " }).ok();
        }
        write!(text, " {}", self.tail).ok();
        text
    }

    /// Returns a text that takes a list for each column, the first of them at this placeholder. Nothing is
    /// inserted where `source`, if there is one, has no row.
    pub(in crate::daemon::store) fn taking_lists(
        &self,
        source: Option<&str>,
        first: usize,
    ) -> String {
        let kinds = self.columns.iter().enumerate();
        let places =
            kinds.map(|(n, (_, kind))| format!("${}::{}[]", n + first, kind.in_postgres()));
        let places = places.collect::<Vec<_>>().join(", ");
        let (table, names) = (self.table, self.names());
        let source = source.map(|source| format!("{source}, ")).unwrap_or_default();
        format!("INSERT INTO {table} ({names}) SELECT u.* FROM {source}unnest({places}) AS u")
    }

    /// Returns the lists that it takes.
    pub(in crate::daemon::store) fn lists(&self, rows: Vec<Vec<Value>>) -> Vec<Value> {
        let mut lists: Vec<_> =
            self.columns.iter().map(|(_, kind)| (*kind, Vec::with_capacity(rows.len()))).collect();
        for row in rows {
            for ((_, list), value) in lists.iter_mut().zip(row) {
                list.push(value);
            }
        }
        lists.into_iter().map(|(kind, list)| Value::List(kind, list)).collect()
    }
}
