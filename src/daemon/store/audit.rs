//! Reads the event log with its codes, for whoever checks it: without a daemon, and writing nothing.

use super::{
    Location, StoreError,
    dialect::{Readers, postgres, sqlite},
    events,
    query::Query,
};
use crate::domain::audit::SealedEvent;

/// The log of a database, to be read in order.
#[derive(Debug)]
pub struct AuditLog {
    readers: Readers,
}

impl AuditLog {
    /// Opens the log for reading.
    ///
    /// # Errors
    ///
    /// When a server is configured wrongly; what else is wrong shows at the first row.
    pub fn open(location: Location<'_>) -> Result<Self, StoreError> {
        let readers = match location {
            Location::File(path) => Readers::Sqlite(sqlite::read(path)),
            Location::Server(config) => {
                let (_, readers) = postgres::Server::of(config)?.open();
                Readers::Postgres(readers)
            }
        };
        Ok(Self { readers })
    }

    /// Returns so many sealed events after a position, in order.
    ///
    /// # Errors
    ///
    /// When the database fails, or its schema is older than the chain.
    pub async fn after(&self, position: u64, limit: u32) -> Result<Vec<SealedEvent>, StoreError> {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        let query = Query::new(events::AFTER).bind(position).bind(limit);
        let rows = self.readers.fetch(query).await?;
        rows.iter()
            .map(|row| {
                Ok(SealedEvent {
                    event: events::decode(row)?,
                    signature: row.text("signature")?,
                    sealed_by: row.text("sealed_by")?,
                    seal: row.text("seal")?,
                })
            })
            .collect()
    }

    /// Closes the connections.
    pub async fn close(self) {
        self.readers.close().await;
    }
}
