//! Saves the embedded database into a file of its own, as it is at one moment, while a daemon goes on.

use std::path::Path;

use super::{Location, StoreError, about::look, query::Query};

/// Writes the database as it is now into a new file, which then needs no other, and reads it through.
///
/// # Errors
///
/// When the file is there already, the disk is full, or what was written is damaged.
pub async fn save_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    let readers = look(Location::File(from)).await?;
    let into = Query::new("VACUUM INTO $1").bind(to.to_string_lossy().into_owned());
    let saved = readers.fetch(into).await;
    readers.close().await;
    saved?;
    let readers = look(Location::File(to)).await?;
    let checked =
        readers.fetch(Query::new("SELECT quick_check AS said FROM pragma_quick_check")).await;
    readers.close().await;
    let said = checked?.first().map_or_else(|| Ok("nothing".into()), |row| row.text("said"))?;
    if said == "ok" {
        return Ok(());
    }
    Err(StoreError::Unusable { path: from.display().to_string(), why: said })
}

/// Returns the projects of a database with their directories.
///
/// # Errors
///
/// When it cannot be read.
pub async fn project_paths(file: &Path) -> Result<Vec<(String, String)>, StoreError> {
    let readers = look(Location::File(file)).await?;
    let rows = readers.fetch(Query::new("SELECT name, path FROM projects ORDER BY name")).await;
    readers.close().await;
    rows?.iter().map(|row| Ok((row.text("name")?, row.text("path")?))).collect()
}
