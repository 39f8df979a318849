//! The schema's history, as both databases have it.

use sqlx::migrate::{Migration, MigrationType, Migrator};

/// A migration: version, name, text.
pub(super) type Step = (i64, &'static str, &'static str);

/// The table in which the library remembers what was applied.
pub(super) const NEWEST: &str = "SELECT coalesce(max(version), 0) AS version FROM _sqlx_migrations";

/// Returns what applies the steps that are missing. It takes no lock of its own.
pub(super) fn migrator(steps: &[Step]) -> Migrator {
    let migrations = steps.iter().map(|&(version, name, text)| {
        let text = sqlx::SqlStr::from_static(text);
        Migration::new(version, name.into(), MigrationType::Simple, text, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.set_locking(false);
    migrator
}

/// Returns the newest version that this program knows.
pub(super) fn newest(steps: &[Step]) -> i64 {
    steps.last().map_or(0, |(version, ..)| *version)
}
