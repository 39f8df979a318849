//! The agents: which are found, by us and by a login shell, and in which versions.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};

use super::Findings;
use crate::{cli::ask::ask, config::environment, domain::agent::Agent};

/// Agents written for Node or Python take seconds to say who they are on a small machine.
const LIMIT: Duration = Duration::from_secs(15);

/// Agents that are asked at once: more make each of them slower on a small machine.
const TOGETHER: usize = 2;

/// A login shell may do much before it is asked.
const SHELL: Duration = Duration::from_secs(3);

/// Comes before the path in what the shell says, which may say more.
const MARK: &str = "stratavore-path=";

pub(super) async fn examine(found: &mut Findings) {
    let own = environment::get("PATH").unwrap_or_default();
    let shell = match login_path().await {
        Ok(path) => Some(path),
        Err(why) => {
            found.note("agents", format!("the login shell does not tell its PATH: {why}"), "");
            None
        }
    };
    let looks = Agent::ALL.into_iter().map(|agent| look(agent, &own, shell.as_ref()));
    let looked: Vec<_> = stream::iter(looks).buffered(TOGETHER).collect().await;
    let mut any = false;
    for (agent, ours, theirs) in looked {
        let name = agent.as_str();
        match (ours, theirs) {
            (None, None) => {}
            (Some((path, version)), theirs) => {
                any = true;
                tell(name, &path, version, found);
                if let Some((other, version)) = theirs.filter(|(other, _)| *other != path) {
                    let version = version.unwrap_or_else(|why| why);
                    found.warn(
                        "agents",
                        format!(
                            "a login shell finds another {name}: {}, {version}",
                            other.display()
                        ),
                        "give PATH the same order in both, or name the path: launch -- PATH",
                    );
                }
            }
            (None, Some((path, _))) => {
                any = true;
                found.warn(
                    "agents",
                    format!("only a login shell finds {name}: {}", path.display()),
                    "start commands from a login shell, or set PATH where services get it",
                );
            }
        }
    }
    if !any {
        let known = Agent::ALL.map(Agent::as_str).join(", ");
        found.note(
            "agents",
            format!("none of {known} is on the PATH"),
            "install one; any other command can be launched, too",
        );
    }
}

fn tell(name: &str, path: &Path, version: Result<String, String>, found: &mut Findings) {
    let shown = path.display();
    match version {
        Ok(version) => found.ok("agents", format!("{name}: {version}, {shown}")),
        Err(why) => found.warn(
            "agents",
            format!("{name} does not tell its version ({shown}): {why}"),
            &format!("{name} --version shows what is wrong"),
        ),
    }
}

/// A program that was found, and what it says of itself.
type Found = Option<(PathBuf, Result<String, String>)>;

/// Looks for an agent on both paths.
async fn look(agent: Agent, own: &OsString, shell: Option<&OsString>) -> (Agent, Found, Found) {
    let name = agent.as_str();
    let ours = environment::find_program_in(own, name);
    let theirs = shell.and_then(|path| environment::find_program_in(path, name));
    let theirs = theirs.filter(|path| Some(path) != ours.as_ref());
    let (ours, theirs) = tokio::join!(version(ours), version(theirs));
    (agent, ours, theirs)
}

async fn version(path: Option<PathBuf>) -> Found {
    let path = path?;
    let said = ask(&path, ["--version"], LIMIT).await.and_then(|answer| {
        let line = answer.first_line().chars().filter(|letter| !letter.is_control()).take(80);
        let line: String = line.collect();
        if answer.good && !line.is_empty() { Ok(line) } else { Err(format!("it said `{line}`")) }
    });
    Some((path, said))
}

/// Asks the user's shell for the PATH of a login.
async fn login_path() -> Result<OsString, String> {
    let shell = environment::get("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let command = format!("printf '\\n{MARK}%s\\n' \"$PATH\"");
    let answer = ask(PathBuf::from(shell), ["-l", "-c", command.as_str()], SHELL).await?;
    let path = answer.text.lines().rev().find_map(|line| line.strip_prefix(MARK));
    path.filter(|path| !path.is_empty()).map(OsString::from).ok_or_else(|| "it said none".into())
}
