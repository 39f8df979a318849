//! `stratavore agents`: which agents there are, which file each name means, and what each can.

use std::{
    ffi::OsString,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::{process::Command, time::timeout};

use crate::{
    agents::abilities::{Abilities, abilities, of_template},
    cli::{context::Context, printer::Printer},
    config::environment,
    domain::{
        agent::{Agent, version_in},
        failure::Failure,
    },
};

/// How long a program may take to tell its version: those written for Node or Python take seconds on a small
/// machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a login shell may take to tell its PATH.
const SHELL: Duration = Duration::from_secs(3);

/// Programs that are asked at once: more make each of them slower on a small machine.
const TOGETHER: usize = 2;

/// What is looked at of what a program says, in bytes.
const LONGEST: usize = 4096;

/// An agent as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    /// The file that its name means; null where there is none.
    path: Option<PathBuf>,
    /// Where it was found: `path`, `login` (only the login shell's PATH has it), `configured`.
    found: &'static str,
    version: Option<String>,
    #[serde(flatten)]
    abilities: Abilities,
}

/// Lists the agents.
pub(super) async fn run(context: &Context, printer: Printer) -> Result<(), Failure> {
    let own_path = environment::get("PATH").unwrap_or_default();
    let login_path = login_path().await.unwrap_or_default();
    let look = |name: &str| {
        let here = find(name, &own_path).map(|path| (path, "path"));
        here.or_else(|| find(name, &login_path).map(|path| (path, "login")))
    };
    let known = Agent::ALL.into_iter().map(|agent| async move {
        let found = look(agent.as_str());
        let version = match &found {
            Some((path, _)) => version(path).await,
            None => None,
        };
        let abilities = abilities(agent, version.as_deref());
        let (path, found) = found.map_or((None, ""), |(path, found)| (Some(path), found));
        Listed { name: agent.as_str().to_owned(), path, found, version, abilities }
    });
    let mut listed: Vec<Listed> = stream::iter(known).buffered(TOGETHER).collect().await;
    for (name, own) in context.config().agents.own() {
        let program = own.command.first().map(String::as_str).unwrap_or_default();
        let path = if program.contains('/') {
            Some(PathBuf::from(program)).filter(|path| is_program(path))
        } else {
            look(program).map(|(path, _)| path)
        };
        let abilities = of_template(&own);
        let name = name.to_owned();
        listed.push(Listed { name, path, found: "configured", version: None, abilities });
    }
    let heads =
        ["agent", "version", "metered", "hooks", "control", "resume", "status", "god", "path"];
    printer.list(&listed, &heads, row)?;
    if printer.is_table() {
        let is_missing = |one: &&Listed| one.path.is_none() && one.found.is_empty();
        let missing: Vec<_> = listed.iter().filter(is_missing).map(|one| &*one.name).collect();
        if !missing.is_empty() {
            printer.note(&format!("  not found on your PATH: {}", missing.join(", ")));
        }
        if listed.iter().any(|one| one.found == "login") {
            printer.note("  * is on the PATH of your login shell, not on this one");
        }
    }
    Ok(())
}

fn row(one: &Listed) -> Vec<String> {
    let mark = if one.found == "login" { "*" } else { "" };
    let path = one.path.as_ref().map_or("-".to_owned(), |path| format!("{}{mark}", path.display()));
    let it = &one.abilities;
    vec![
        one.name.clone(),
        one.version.clone().unwrap_or_else(|| "-".to_owned()),
        it.metered.to_owned(),
        it.hooks.to_owned(),
        it.control.to_owned(),
        it.resume.to_owned(),
        it.status.to_owned(),
        if it.god { "yes" } else { "no" }.to_owned(),
        path,
    ]
}

fn find(name: &str, path: &OsString) -> Option<PathBuf> {
    let dirs = std::env::split_paths(path).filter(|dir| dir.is_absolute());
    dirs.map(|dir| dir.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The PATH of the user's login shell.
async fn login_path() -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt as _;
    let shell = environment::get("SHELL").unwrap_or_else(|| "/bin/sh".into());
    // What the shell's own files print stands before the mark.
    let said = say(&shell, &["-lc", r#"printf '\001%s' "$PATH""#], SHELL).await?;
    let start = said.iter().rposition(|byte| *byte == 1)? + 1;
    Some(OsString::from_vec(said.get(start..)?.to_vec())).filter(|path| !path.is_empty())
}

async fn version(path: &Path) -> Option<String> {
    let said = say(path.as_os_str(), &["--version"], PATIENCE).await?;
    version_in(&String::from_utf8_lossy(&said))
}

async fn say(program: &std::ffi::OsStr, words: &[&str], patience: Duration) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(patience, command.output()).await.ok()?.ok()?;
    Some(output.stdout.get(..LONGEST).unwrap_or(&output.stdout).to_vec())
}
