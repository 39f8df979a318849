//! Checks the event log without a daemon: reads it in order, and hands each row to the check.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

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

/// Leaves word for the daemon, this one or the next, that the first key was shown.
///
/// # Errors
///
/// `NOT_WRITTEN` when the file cannot be written: then it must not be shown.
pub fn note_key_shown(config: &Config, places: &Places) -> Result<(), Failure> {
    let path = key_shown_file(&config.audit, places);
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    made.map(drop).map_err(|error| {
        Failure::unavailable("NOT_WRITTEN", format!("write `{}`: {error}", path.display()))
            .with_hint("the key is shown when that can be written down")
    })
}

/// The file that says that the first key was shown.
pub(super) fn key_shown_file(config: &AuditConfig, places: &Places) -> PathBuf {
    audit_key(config, places).with_extension("shown")
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
