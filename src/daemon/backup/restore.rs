//! Puts a backup into the root directory.

use std::{
    fs, io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use chrono::Utc;
use rustix::{fs::Mode, process::umask};
use serde::Serialize;

use super::{Manifest, archive};
use crate::{
    config::Places,
    daemon::{
        database::{known_or_refused, lock},
        store::{Location, known_schema},
    },
    domain::{clock::to_micros, failure::Failure},
    runner_dir::RunnerDir,
};

/// What a restore did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// What the backup says of itself.
    #[serde(flatten)]
    pub manifest: Manifest,
    /// Where it is now.
    pub restored_to: String,
    /// Where what was there is now; empty when there was nothing.
    pub put_aside: String,
    /// After a dry run: why it would be refused as things stand; empty when it would not.
    pub refused_now: String,
}

/// Checks a backup and, unless it is a dry run, puts it into the root directory.
///
/// # Errors
///
/// When it is damaged or newer than this program, a daemon or a runner lives in the root, or the root
/// holds something and that is not to be put aside. The root is then as it was.
pub async fn restore(
    places: &Places,
    file: &Path,
    is_dry: bool,
    is_forced: bool,
) -> Result<Restored, Failure> {
    umask(Mode::from_raw_mode(0o077));
    let root = places.root();
    let restored_to = root.display().to_string();
    if is_dry {
        let manifest = archive::read(file, None).map_err(|error| unreadable(file, &error))?;
        refuse_newer(&manifest)?;
        let refused = room(places, is_forced).err();
        let refused_now = refused.map(|it| it.message).unwrap_or_default();
        return Ok(Restored { manifest, restored_to, put_aside: String::new(), refused_now });
    }
    // Before anybody ends a daemon for a file that is not there.
    fs::File::open(file).map_err(|error| unreadable(file, &error))?;
    let _lock = room(places, is_forced)?;
    let is_empty = is_empty(root);
    let time = Utc::now().format("%Y%m%dT%H%M%SZ");
    let beside = |word: &str| {
        let mut name = root.as_os_str().to_owned();
        name.push(format!(".{word}-{time}"));
        PathBuf::from(name)
    };
    if let Some(parent) = root.parent() {
        fs::create_dir_all(parent).map_err(|error| not_changed(parent, &error))?;
    }
    let fresh = beside("restoring");
    let unpacked = unpack(file, &fresh).await.and_then(|manifest| {
        let now = to_micros(Utc::now()).to_rfc3339();
        let left = fs::write(Places::at(&fresh).restored(), now);
        left.map_err(|error| not_changed(&fresh, &error)).map(|()| manifest)
    });
    let manifest = match unpacked {
        Ok(manifest) => manifest,
        Err(failure) => {
            fs::remove_dir_all(&fresh).ok();
            return Err(failure);
        }
    };
    let aside = beside("before");
    let exchanged = exchange(root, &fresh, &aside);
    if let Err(error) = exchanged {
        fs::remove_dir_all(&fresh).ok();
        return Err(not_changed(root, &error));
    }
    let put_aside = if is_empty {
        // Nothing but sockets and an empty log.
        fs::remove_dir_all(&aside).ok();
        String::new()
    } else {
        aside.display().to_string()
    };
    Ok(Restored { manifest, restored_to, put_aside, refused_now: String::new() })
}

/// Takes the lock of the root, where a backup may be put into it: nothing lives in it, and it holds nothing or
/// that is to be put aside.
fn room(places: &Places, is_forced: bool) -> Result<Option<fs::File>, Failure> {
    let root = places.root();
    let held = if root.exists() { free(places)? } else { None };
    if !is_empty(root) && !is_forced {
        let what = format!("`{}` holds something already", root.display());
        let hint = "--force puts it aside, next to it; nothing is removed";
        return Err(Failure::conflict("NOT_EMPTY", what).with_hint(hint));
    }
    Ok(held)
}

async fn unpack(file: &Path, fresh: &Path) -> Result<Manifest, Failure> {
    let manifest = archive::read(file, Some(fresh)).map_err(|error| unreadable(file, &error))?;
    refuse_newer(&manifest)?;
    known_or_refused(Location::File(&fresh.join("stratavore.db"))).await?;
    Ok(manifest)
}

/// Puts the fresh directory where the root is, and the root aside. Worktrees stay where git looks for
/// them.
fn exchange(root: &Path, fresh: &Path, aside: &Path) -> io::Result<()> {
    if fs::symlink_metadata(root).is_ok() {
        fs::rename(root, aside)?;
    }
    if let Err(error) = fs::rename(fresh, root) {
        fs::rename(aside, root).ok();
        return Err(error);
    }
    match fs::rename(aside.join("worktrees"), root.join("worktrees")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Takes the lock of the root, and makes sure that no runner lives in it.
fn free(places: &Places) -> Result<Option<fs::File>, Failure> {
    let held = if places.lock().exists() { Some(lock(places)?) } else { None };
    let live = fs::read_dir(places.runners()).into_iter().flatten().filter_map(Result::ok);
    let live =
        live.filter(|entry| UnixStream::connect(RunnerDir::new(entry.path()).link()).is_ok());
    match live.count() {
        0 => Ok(held),
        n => {
            let what = format!("{n} runners live in `{}`", places.root().display());
            Err(Failure::conflict("RUNNERS_LIVE", what)
                .with_hint("stratavore kill all, then stratavore daemon stop"))
        }
    }
}

/// Whether a root holds nothing that somebody could miss.
fn is_empty(root: &Path) -> bool {
    let entries = fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
    let mut held = entries.filter(|entry| {
        let is_empty_dir = || fs::read_dir(entry.path()).is_ok_and(|mut dir| dir.next().is_none());
        !matches!(entry.file_name().to_str(), Some("run" | "log" | "tmp")) && !is_empty_dir()
    });
    held.next().is_none()
}

fn refuse_newer(manifest: &Manifest) -> Result<(), Failure> {
    let known = known_schema();
    if manifest.schema <= known {
        return Ok(());
    }
    let (version, schema) = (&manifest.version, manifest.schema);
    let what = format!("it was made by version {version}, schema {schema}; this one knows {known}");
    Err(Failure::internal(what).with_hint("install that version or a newer one first"))
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    let what = format!("read `{}`: {error}", file.display());
    match error.kind() {
        io::ErrorKind::NotFound => Failure::not_found("NO_BACKUP", what)
            .with_hint("name a file that stratavore backup wrote"),
        io::ErrorKind::InvalidData => {
            Failure::conflict("DAMAGED", what).with_hint("take another backup; nothing was changed")
        }
        _ => Failure::unavailable("NOT_READ", what),
    }
}

fn not_changed(path: &Path, error: &io::Error) -> Failure {
    Failure::unavailable("NOT_RESTORED", format!("change `{}`: {error}", path.display()))
}
