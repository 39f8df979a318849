//! When somebody last looked, by what with.

use chrono::{DateTime, Utc};

use super::{
    Store, StoreError,
    query::{Query, Write},
};

impl Store {
    /// Takes note that somebody looks, by what with.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn presence_note(&self, surface: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        let query = Query::new(
            "INSERT INTO presence (surface, active_at) VALUES ($1, $2) \
             ON CONFLICT (surface) DO UPDATE SET active_at = excluded.active_at \
             WHERE presence.active_at < excluded.active_at",
        );
        self.write(Write::default().run(query.bind(surface).bind(at)).unflushed()).await?;
        Ok(())
    }

    /// Returns when somebody last looked with this.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn presence_of(&self, surface: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = Query::new("SELECT active_at FROM presence WHERE surface = $1");
        let rows = self.fetch(query.bind(surface)).await?;
        rows.first().map(|row| row.time("active_at")).transpose()
    }
}
