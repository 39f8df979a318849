//! Many rows in few statements, whose texts are few too: each is planned once and kept.
//!
//! Not for a row or two of something rare: what is said once in `Texts` is easier to read.

use std::fmt::Write as _;

use super::{Connection, Record};
use crate::daemon::store::{
    StoreError,
    query::{Query, Value},
};

/// So many rows in one statement. Measured with 19 columns: beyond a few hundred rows nothing is gained,
/// and `SQLite` takes 32,766 values at most.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// Where rows go.
#[derive(Debug)]
pub(in crate::daemon::store) struct Bulk {
    /// The table.
    pub table: &'static str,
    /// The columns that are given.
    pub columns: &'static [&'static str],
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
        for size in SIZES {
            while rows.len() >= size {
                let sql = self.statement(bulk, size).into();
                let values = rows.by_ref().take(size).flatten().collect();
                let (_, mut found) = self.run(Query { sql, values }).await?;
                returned.append(&mut found);
            }
        }
        Ok(returned)
    }

    fn statement(&self, bulk: &Bulk, rows: usize) -> String {
        let Bulk { table, columns, tail } = bulk;
        let mut text = format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "));
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { "), (" });
            for column in 0..columns.len() {
                let comma = if column == 0 { "" } else { "," };
                match self {
                    // A name for each would be looked for among all of them.
                    Self::Sqlite(_) => write!(text, "{comma}?"),
                    Self::Postgres(_) => {
                        write!(text, "{comma}${}", row * columns.len() + column + 1)
                    }
                }
                .ok();
            }
        }
        write!(text, ") {tail}").ok();
        text
    }
}
