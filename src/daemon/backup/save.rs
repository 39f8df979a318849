//! Saves a root directory with its database, also while its daemon works.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use chrono::{SecondsFormat, Utc};
use rustix::{fs::Mode, process::umask, system::uname};
use walkdir::WalkDir;

use super::{Manifest, Trash, archive::Writer};
use crate::{
    config::{Config, Places},
    daemon::{
        context::{Context, node_id},
        database::known_or_refused,
        store::{
            Copying, Keyring, Location, Progress, StoreError, about, copy, first_key_file,
            project_paths, save_file,
        },
        verify::{audit_key, checkpoint_file},
    },
    domain::{clock::to_micros, failure::Failure},
    git,
};

/// What of the root is not saved: it is saved otherwise, is only of this moment, or belongs to others.
const LEFT_OUT: &[&str] =
    &["run", "log", "runners", "tmp", "worktrees", "keys", "config", "restored"];

/// Where repositories keep what removed worktrees held.
const TRASH: &str = "refs/stratavore/trash";

/// The copy of the database, and the key that one of a server is sealed with.
const DATABASE: &str = "stratavore.db";
const SEALED_BY: &str = "keys/audit.key";

/// What is to be saved.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The file to write; there must be none.
    pub output: &'a Path,
    /// With the recorded output of all runners.
    pub with_output: bool,
    /// Files and directories of configuration, each with the name it gets.
    pub configuration: &'a [(String, PathBuf)],
}

/// Saves everything.
///
/// # Errors
///
/// When there is nothing, the database cannot be read, or the file cannot be written; then there is no
/// file.
pub async fn backup(
    config: &Config,
    places: &Places,
    wanted: Wanted<'_>,
    told: &mut (dyn FnMut(Progress) + Send),
) -> Result<Manifest, Failure> {
    let output = wanted.output;
    check_output(output)?;
    umask(Mode::from_raw_mode(0o077));
    let mut aside = output.as_os_str().to_owned();
    aside.push(".partial");
    let aside = Aside(PathBuf::from(aside));
    fs::create_dir(&aside.0).map_err(|error| {
        let what = format!("make `{}`: {error}", aside.0.display());
        Failure::unavailable("NOT_WRITTEN", what)
            .with_hint("remove it, if no other backup is being made there")
    })?;
    let manifest = save(config, places, wanted, &aside.0, told).await?;
    let packed = aside.0.join("packed");
    fs::rename(&packed, output).map_err(|error| not_written(output, &error))?;
    Ok(manifest)
}

/// Refuses a file that cannot be written anew, before anything is collected for it.
///
/// # Errors
///
/// When there is one already, or no directory for it.
pub fn check_output(output: &Path) -> Result<(), Failure> {
    let shown = output.display();
    if fs::symlink_metadata(output).is_ok() {
        let what = format!("`{shown}` is there already");
        return Err(Failure::conflict("EXISTS", what).with_hint("--output names another file"));
    }
    let dir = output.parent().filter(|dir| !dir.as_os_str().is_empty());
    match dir.filter(|dir| !dir.exists()) {
        None => Ok(()),
        Some(dir) => {
            let dir = dir.display();
            let what = format!("write `{shown}`: there is no directory `{dir}`");
            let failure = Failure::unavailable("NOT_WRITTEN", what);
            Err(failure.with_hint(format!("mkdir -p '{dir}'")))
        }
    }
}

/// A directory that goes whatever comes of it.
struct Aside(PathBuf);

impl Drop for Aside {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    Failure::unavailable("NOT_WRITTEN", format!("write `{}`: {error}", path.display()))
}

async fn save(
    config: &Config,
    places: &Places,
    wanted: Wanted<'_>,
    aside: &Path,
    told: &mut (dyn FnMut(Progress) + Send),
) -> Result<Manifest, Failure> {
    let failed = |error: io::Error| not_written(wanted.output, &error);
    let database = aside.join(DATABASE);
    let node = node_id(places)
        .map_err(|error| Failure::unavailable("NO_NODE", format!("read the node's id: {error}")))?;
    let mut manifest = Manifest {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: to_micros(Utc::now()).to_rfc3339_opts(SecondsFormat::Secs, true),
        hostname: uname().nodename().to_string_lossy().into_owned(),
        node_id: node.clone(),
        root: places.root().display().to_string(),
        ..Manifest::default()
    };
    // Checkpoints from before the moment: what they say of the log must be in it.
    let checkpoints = fs::read(checkpoint_file(&config.audit, places)).ok();
    let key = audit_key(&config.audit, places);
    let mut writer = Writer::create(&aside.join("packed")).map_err(failed)?;
    if config.database.is_postgresql() {
        "PostgreSQL".clone_into(&mut manifest.database);
        copy_server(config, places, node, aside, told).await?;
        add_keys(&mut writer, "keys", &aside.join(SEALED_BY)).map_err(failed)?;
        add_keys(&mut writer, "server-keys", &key).map_err(failed)?;
        manifest.notes.push(
            "the server's rows are in a SQLite file, whose log is sealed with a key of its own; \
             stratavore database copy brings them into a server"
                .to_owned(),
        );
    } else {
        "SQLite".clone_into(&mut manifest.database);
        let file = places.database();
        if !file.exists() {
            let what = format!("there is no database `{}`", file.display());
            return Err(Failure::not_found("NO_DATABASE", what));
        }
        known_or_refused(Location::File(&file)).await?;
        save_file(&file, &database).await?;
        // The key from after the moment: one that was replaced must not seal again.
        add_keys(&mut writer, "keys", &key).map_err(failed)?;
        if let Some(text) = &checkpoints {
            writer.bytes("keys/audit.checkpoints", text).map_err(failed)?;
        }
    }
    let about = about(Location::File(&database)).await?;
    manifest.schema = about.schema;
    manifest.events = about.holdings.map_or(0, |holdings| holdings.events);
    writer.file(DATABASE, &database).map_err(failed)?;
    add_root(&mut writer, places.root(), wanted.with_output).map_err(failed)?;
    for (name, path) in wanted.configuration {
        add_tree(&mut writer, &format!("config/{name}"), path).map_err(failed)?;
    }
    for (project, path) in project_paths(&database).await? {
        if let Ok(refs) = git::refs_below(Path::new(&path), TRASH).await
            && !refs.is_empty()
        {
            let refs = refs.into_iter().map(|one| format!("{} {}", one.commit, one.name));
            manifest.trash.push(Trash { project, path, refs: refs.collect() });
        }
    }
    manifest.notes.push(
        "worktrees, repositories and what agents keep for themselves are not in it".to_owned(),
    );
    writer.finish(manifest).map_err(failed)
}

/// Copies a server's rows, as they are at one moment, into a file sealed with a new key.
async fn copy_server(
    config: &Config,
    places: &Places,
    node: String,
    aside: &Path,
    told: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Failure> {
    let keyring = Keyring::open(&aside.join(SEALED_BY))
        .map_err(|error| Failure::unavailable("NO_KEY", format!("make a key: {error}")))?;
    let context = Context::new(config.clone(), places.clone(), node, false);
    let copying = Copying {
        from: Location::Server(&config.database),
        to: Location::File(&aside.join(DATABASE)),
        scratch: &aside.join("scratch.db"),
        keyring,
        origin: context.origin,
        is_renaming: false,
        is_live: true,
    };
    let away = |error: StoreError| {
        let hint = "nothing was changed on the server; try again";
        Failure::from(error).with_hint(hint)
    };
    copy(copying, told).await.map_err(away)?;
    Ok(())
}

/// Adds the present key and, as long as nobody has taken it away, the first one.
fn add_keys(writer: &mut Writer, dir: &str, key: &Path) -> io::Result<()> {
    let files = [("audit.key", key.to_owned()), ("audit.verify", first_key_file(key))];
    for (name, path) in files {
        match fs::read(path) {
            Ok(bytes) => writer.bytes(&format!("{dir}/{name}"), &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Adds what else is in the root.
fn add_root(writer: &mut Writer, root: &Path, with_output: bool) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    let is_database = |name: &str| name.starts_with("stratavore.db") || name.starts_with("copy.db");
    for name in names.iter().filter(|name| !LEFT_OUT.contains(&name.as_str()) && !is_database(name))
    {
        add_tree(writer, name, &root.join(name))?;
    }
    if !with_output {
        return Ok(());
    }
    for entry in fs::read_dir(root.join("runners")).into_iter().flatten() {
        let entry = entry?;
        if let Ok(id) = entry.file_name().into_string() {
            add_tree(writer, &format!("runners/{id}/output"), &entry.path().join("output"))?;
        }
    }
    Ok(())
}

/// Adds a file, or all regular files below a directory; links are not followed.
fn add_tree(writer: &mut Writer, name: &str, path: &Path) -> io::Result<()> {
    for entry in WalkDir::new(path).sort_by_file_name().into_iter().filter_map(Result::ok) {
        if !entry.file_type().is_file() {
            continue;
        }
        let below = entry.path().strip_prefix(path).unwrap_or(Path::new(""));
        let name = match below.to_str() {
            Some("") => name.to_owned(),
            Some(below) => format!("{name}/{below}"),
            None => continue,
        };
        match writer.file(&name, entry.path()) {
            // It went while it was looked at.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}
