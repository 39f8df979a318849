//! Checks the event log without a daemon: reads it in order, and hands each row to the check.

use std::{fs, path::PathBuf};

use super::store::{AuditLog, Location, first_key_file, name_of};
use crate::{
    config::{AuditConfig, Config, Places},
    domain::{
        audit::{Audit, AuditReport},
        chain::{Checkpoint, Key},
        failure::Failure,
    },
};

/// Rows read at once.
const PAGE: u32 = 1000;

/// Reads the log that is configured and checks it with these keys and checkpoints. Without keys the
/// one that still waits to be shown is taken, without checkpoints those of the configured file.
///
/// # Errors
///
/// When the database cannot be read, or there is no key.
pub async fn verify_log(
    config: &Config,
    places: &Places,
    mut keys: Vec<Key>,
    mut checkpoints: Vec<Checkpoint>,
) -> Result<AuditReport, Failure> {
    if keys.is_empty() {
        keys.push(first_key(config, places)?.0);
    }
    let file = places.database();
    let location = if config.database.is_postgresql() {
        Location::Server(&config.database)
    } else {
        if !file.exists() {
            let what = format!("there is no database `{}`", file.display());
            return Err(Failure::not_found("NO_DATABASE", what));
        }
        Location::File(&file)
    };
    let name = name_of(location)?;
    if checkpoints.is_empty() {
        checkpoints = fs::read_to_string(checkpoint_file(&config.audit, places))
            .map(|text| text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
            .unwrap_or_default();
        checkpoints.retain(|checkpoint| checkpoint.log == name);
    } else {
        checkpoints.retain(|checkpoint| checkpoint.log == name);
        if checkpoints.is_empty() {
            let what = format!("none of the checkpoints is of the log `{name}`");
            return Err(Failure::usage("OTHER_LOG", what));
        }
    }
    let log = AuditLog::open(location)?;
    let mut audit = Audit::new(keys, checkpoints);
    let mut position = 0;
    loop {
        let rows = log.after(position, PAGE).await?;
        let Some(last) = rows.last() else { break };
        position = last.event.position;
        for row in &rows {
            audit.check(row);
        }
    }
    log.close().await;
    Ok(audit.finish())
}

/// Returns this node's first key, as long as it was not shown, and its file.
///
/// # Errors
///
/// `KEY_SHOWN` when it is no longer on this machine.
pub fn first_key(config: &Config, places: &Places) -> Result<(Key, PathBuf), Failure> {
    let path = first_key_file(&audit_key(&config.audit, places));
    let text = fs::read_to_string(&path).map_err(|error| {
        let what = format!("read `{}`: {error}", path.display());
        Failure::not_found("KEY_SHOWN", what).with_hint(
            "the key is shown once and then removed; pass what was shown: --verify-key HEX",
        )
    })?;
    let key = Key::parse(&text).ok_or_else(|| {
        Failure::internal(format!("understand `{}`: it is not a key", path.display()))
    })?;
    Ok((key, path))
}

/// The file with this node's present key.
pub(super) fn audit_key(config: &AuditConfig, places: &Places) -> PathBuf {
    match config.key_file.as_str() {
        "" => places.audit_key(),
        path => PathBuf::from(path),
    }
}

/// The file that checkpoints are appended to.
pub(super) fn checkpoint_file(config: &AuditConfig, places: &Places) -> PathBuf {
    match config.checkpoint_file.as_str() {
        "" => places.audit_key().with_extension("checkpoints"),
        path => PathBuf::from(path),
    }
}
