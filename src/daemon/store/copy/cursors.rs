//! Copies how far things were read: a bot's updates have the same numbers everywhere, the notifier's place
//! in the log is looked up anew, by the event it stands behind.

use super::{
    super::{StoreError, dialect::Record, query::Query},
    Copier,
};

/// The notifier's place in the log; all others are numbers that mean the same in both databases.
const NOTIFIER: &str = "notifier";

impl Copier<'_> {
    /// Copies the places, after the events: what was told is not told again, and what was not yet told is.
    pub(super) async fn copy_cursors(&mut self) -> Result<(), StoreError> {
        let all = Query::new("SELECT name, position, updated_at FROM notify_cursors ORDER BY name");
        let mut steps = Vec::new();
        for row in self.source.fetch(all).await? {
            let (name, position) = (row.text("name")?, row.count("position")?);
            let there =
                if name == NOTIFIER { self.place_of(position).await? } else { Some(position) };
            let Some(there) = there.and_then(|there| i64::try_from(there).ok()) else { continue };
            // A daemon of the target reads its own log; of a bot's updates, who was further knows more.
            let newer = if name == NOTIFIER {
                "DO NOTHING"
            } else {
                "DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at \
                 WHERE excluded.position > notify_cursors.position"
            };
            let sql = format!(
                "INSERT INTO notify_cursors (name, position, updated_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (name) {newer}"
            );
            let step = Query::new(sql).bind(name).bind(there).bind(row.time("updated_at")?);
            steps.push(step);
        }
        self.target.begin(true).await?;
        let outcome = self.put_all(steps).await;
        self.finish(outcome).await
    }

    async fn put_all(&mut self, steps: Vec<Query>) -> Result<(), StoreError> {
        for step in steps {
            self.target.run(step).await?;
        }
        Ok(())
    }

    /// Returns where the target's log has the event that stands at a position of the source's, or the last
    /// one before it; `None` when it has none or has not sealed it yet.
    async fn place_of(&mut self, position: u64) -> Result<Option<u64>, StoreError> {
        let before = Query::new(
            "SELECT event_id FROM events WHERE position <= $1 ORDER BY position DESC LIMIT 1",
        );
        let before = before.bind(i64::try_from(position).unwrap_or(i64::MAX));
        let rows = self.source.fetch(before).await?;
        let Some(event) = rows.first().map(|row: &Record| row.id("event_id")).transpose()? else {
            return Ok(None);
        };
        let there =
            Query::new("SELECT position FROM events WHERE event_id = $1 AND position IS NOT NULL");
        let (_, rows) = self.target.run(there.bind(event)).await?;
        rows.first().map(|row| row.count("position")).transpose()
    }
}
