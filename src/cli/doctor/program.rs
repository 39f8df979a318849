//! The program itself and its configuration.

use std::{collections::BTreeSet, fs, path::Path, time::SystemTime};

use super::{Findings, Machine};
use crate::{
    config::{Loaded, Origin, approvals, environment, nearest},
    ui,
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Variables that are ours and no settings.
const KNOWN: &[&str] = &["STRATAVORE_HOME", "STRATAVORE_CONFIG", "STRATAVORE_RUNNER"];

pub(super) fn examine(machine: &Machine, found: &mut Findings) {
    let own = environment::own_program().ok();
    let shown = own.as_deref().map(|path| format!(", {}", path.display())).unwrap_or_default();
    found.ok("program", format!("stratavore {VERSION}{shown}"));
    path(own.as_deref(), found);
    if let Some(runner) = environment::inside_runner() {
        found.note(
            "program",
            format!("this runs inside runner {runner}, where most commands are refused"),
            "run it in a terminal of your own",
        );
    }
    configuration(machine, found);
    approvals_in_force(found);
}

/// Looks whether a shell would find this very program.
fn path(own: Option<&Path>, found: &mut Findings) {
    let on_path = environment::find_program("stratavore");
    let same = |a: &Path, b: &Path| {
        let real = |path: &Path| fs::canonicalize(path).ok();
        real(a).is_some_and(|a| Some(a) == real(b))
    };
    match (own, on_path) {
        (Some(own), Some(other)) if same(own, &other) => {}
        (_, Some(other)) => found.warn(
            "PATH",
            format!("a shell finds another stratavore: {}", other.display()),
            "remove the one that is not wanted, or change the order of PATH",
        ),
        (Some(own), None) => {
            let dir = own.parent().unwrap_or(own).display().to_string();
            found.note(
                "PATH",
                "a shell does not find stratavore",
                &format!("export PATH=\"{dir}:$PATH\", or stratavore install"),
            );
        }
        (None, None) => {}
    }
    let path = environment::get("PATH").unwrap_or_default();
    let relative: Vec<_> = std::env::split_paths(&path)
        .filter(|dir| !dir.is_absolute())
        .map(|dir| format!("`{}`", dir.display()))
        .collect();
    if path.is_empty() {
        found.broken("PATH", "PATH is not set: no agent is found", "set PATH");
    } else if !relative.is_empty() {
        found.warn(
            "PATH",
            format!("PATH has relative entries, which are passed over: {}", relative.join(", ")),
            "name absolute directories only",
        );
    }
}

/// The files of the configuration that were written after a time.
fn newer(loaded: &Loaded, time: SystemTime) -> BTreeSet<&Path> {
    let files = loaded.origins.values().filter_map(|origin| match origin {
        Origin::File(path) => Some(path.as_path()),
        _ => None,
    });
    let written = |path: &&Path| fs::metadata(path).and_then(|meta| meta.modified());
    files.filter(|path| written(path).is_ok_and(|written| written > time)).collect()
}

/// The rules of approvals: the user's, and those of the project around this directory.
fn approvals_in_force(found: &mut Findings) {
    let here = std::env::current_dir().unwrap_or_default();
    if let Err(error) = approvals::load(&approvals::project_of(&here)) {
        let what =
            format!("{error}; nothing is allowed by it, and what cannot be read denies nothing");
        found.broken("approvals", what, "correct it there; stratavore approvals check looks again");
    }
}

fn configuration(machine: &Machine, found: &mut Findings) {
    let loaded = match &machine.loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            found.broken(
                "configuration",
                error.to_string(),
                "correct it there; stratavore doctor looks again",
            );
            return;
        }
    };
    let text = match loaded.origins.len() {
        1 => "valid; 1 setting is not the default".to_owned(),
        many => format!("valid; {many} settings are not the defaults"),
    };
    found.ok("configuration", text);
    if let Some(daemon) = machine.daemon() {
        let started = daemon.status.started_at;
        for path in newer(loaded, started.into()) {
            let what = format!("`{}` has changed since the daemon read it", path.display());
            found.warn("configuration", what, "stratavore daemon restart; runners go on");
        }
    }
    if let Some(why) = ui::theme_fault(&loaded.config) {
        found.warn(
            "configuration",
            format!("dashboard.theme: {why}"),
            "name one of these, or none",
        );
    }
    for path in loaded.exposed() {
        let path = path.display();
        found.warn(
            "configuration",
            format!("others can read `{path}`, which holds a secret"),
            &format!("chmod 600 '{path}'"),
        );
    }
    let settings: Vec<_> = loaded
        .values()
        .unwrap_or_default()
        .keys()
        .map(|key| format!("STRATAVORE_{}", key.replace('.', "_").to_uppercase()))
        .collect();
    for (name, _) in environment::all() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("STRATAVORE_")) else {
            continue;
        };
        let bare = name.strip_suffix("_FILE").unwrap_or(name);
        let is_known = |word: &str| settings.iter().any(|setting| setting == word);
        if KNOWN.contains(&name) || is_known(name) || is_known(bare) {
            continue;
        }
        let meant = nearest(name, &settings);
        let fix = meant.map(|meant| format!("did you mean {meant}?")).unwrap_or_default();
        found.note("configuration", format!("${name} is no setting and does nothing"), &fix);
    }
}
