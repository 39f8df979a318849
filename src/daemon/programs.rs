//! What is known of an agent's program before it is started: where it lies, its version, and
//! whether the user has set it up to send its telemetry somewhere already.
//!
//! A version that was told is remembered for its file as it is (its time and size); one that was not is
//! asked for again with the next launch. Nothing here fails: what cannot be learnt is unknown, and a launch
//! waits fifteen seconds for it at most.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::{process::Command, sync::Semaphore, time::timeout};

use crate::{
    agents::launch::own_telemetry,
    config::environment,
    domain::{
        agent::Agent,
        launch::{Environment, RUNNER_MARK},
    },
};

/// How long a program may take to tell its version: those written for Node or Python take seconds on a small
/// machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// Programs that are asked at once: more make each of them slower on a small machine.
const TOGETHER: usize = 2;

/// What is looked at of what it says, in bytes.
const LONGEST: usize = 4096;

/// What is looked at of a configuration file, in bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// When a file was changed, and its size.
type Stamp = (SystemTime, u64);

/// A program that is being asked; whoever needs the answer meanwhile waits for the same one.
type Asking = Shared<BoxFuture<'static, Option<String>>>;

/// The versions asked so far.
#[derive(Debug, Clone)]
pub struct Programs(Arc<State>);

#[derive(Debug)]
struct State {
    files: Mutex<Files>,
    turns: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Files {
    /// Files as they were when they told their version.
    known: HashMap<PathBuf, (Stamp, String)>,
    /// Files that are being asked.
    asking: HashMap<(PathBuf, Stamp), Asking>,
}

impl Default for Programs {
    fn default() -> Self {
        let (files, turns) = (Mutex::default(), Arc::new(Semaphore::new(TOGETHER)));
        Self(Arc::new(State { files, turns }))
    }
}

impl Programs {
    /// Returns the version of a program as it is known; where it is not, it is asked for if `is_needed`,
    /// else for the next time.
    pub async fn version(
        &self,
        program: &OsString,
        environment: &Environment,
        is_needed: bool,
    ) -> Option<String> {
        let path = find(program, environment)?;
        let meta = fs::metadata(&path).ok()?;
        let stamp = (meta.modified().ok()?, meta.len());
        let asking = {
            let mut files = self.0.files.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, version)) = files.known.get(&path).filter(|(then, _)| *then == stamp) {
                return Some(version.clone());
            }
            let new = || self.asking((path.clone(), stamp), environment.clone());
            files.asking.entry((path.clone(), stamp)).or_insert_with(new).clone()
        };
        // It is answered and remembered also when nobody waits for it.
        tokio::spawn(asking.clone());
        if is_needed { timeout(PATIENCE, asking).await.ok().flatten() } else { None }
    }

    /// Returns the question to a program, which has not begun.
    fn asking(&self, (path, stamp): (PathBuf, Stamp), environment: Environment) -> Asking {
        // The question stands in the state: held by it, neither would end with the daemon, and a program that
        // hangs would outlive it.
        let (state, turns) = (Arc::downgrade(&self.0), Arc::clone(&self.0.turns));
        let asking = async move {
            let version = {
                let _turn = turns.acquire_owned().await.ok();
                ask(&path, &environment).await
            };
            let Some(state) = state.upgrade() else { return version };
            let mut files = state.files.lock().unwrap_or_else(PoisonError::into_inner);
            files.asking.remove(&(path.clone(), stamp));
            if let Some(version) = &version {
                files.known.insert(path, (stamp, version.clone()));
            }
            version
        };
        asking.boxed().shared()
    }
}

/// Where a program is found in the environment it will get.
pub fn find(program: &OsString, environment: &Environment) -> Option<PathBuf> {
    if program.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(program));
    }
    let path = variable(environment, "PATH")?;
    std::env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

async fn ask(path: &Path, environment: &Environment) -> Option<String> {
    let mut command = Command::new(path);
    command
        .arg("--version")
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        // It belongs to no runner, also when it is asked on behalf of one: what carries a runner's mark is
        // taken for a process of its agent.
        .env_remove(RUNNER_MARK)
        .current_dir("/")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    let said = output.stdout.get(..LONGEST).unwrap_or(&output.stdout);
    let said = String::from_utf8_lossy(said).trim().to_owned();
    (!said.is_empty()).then_some(said)
}

/// Whether the user's files of this agent send its telemetry somewhere.
pub fn has_own_telemetry(agent: Agent, given: &Environment) -> bool {
    let home = variable(given, "HOME").or_else(|| environment::get("HOME"));
    let Some(home) = home.map(PathBuf::from) else { return false };
    let at = |name: &str| variable(given, name).map(PathBuf::from);
    own_telemetry(agent, &home, at).into_iter().any(|(path, words)| {
        let mut text = String::new();
        let read =
            fs::File::open(path).and_then(|f| f.take(LONGEST_FILE).read_to_string(&mut text));
        read.is_ok() && words.iter().any(|word| text.contains(word))
    })
}

fn variable(environment: &Environment, name: &str) -> Option<OsString> {
    environment.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_version_is_asked_once_and_again_when_the_file_changed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("agent");
        let count = dir.path().join("count");
        let write = |version: &str| {
            let count = count.display();
            let script = format!("#!/bin/sh\necho x >> {count}\necho {version}${RUNNER_MARK}\n");
            fs::write(&file, script).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let programs = Programs::default();
        let path = ("PATH".into(), dir.path().into());
        let environment: Environment = vec![path, (RUNNER_MARK.into(), "-not".into())];
        let ask = async || programs.version(&"agent".into(), &environment, true).await;
        write("1.2");
        assert_eq!(ask().await.as_deref(), Some("1.2"));
        assert_eq!(ask().await.as_deref(), Some("1.2"));
        assert_eq!(fs::read_to_string(&count).unwrap().lines().count(), 1);
        write("1.2.10");
        assert_eq!(ask().await.as_deref(), Some("1.2.10"));
    }

    #[tokio::test]
    async fn a_program_that_told_nothing_is_asked_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("agent");
        let slow = dir.path().join("slow");
        let script = format!("#!/bin/sh\n[ -e '{}' ] || echo 1.2\n", slow.display());
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let programs = Programs::default();
        let environment: Environment = vec![("PATH".into(), dir.path().into())];
        let ask = async || programs.version(&"agent".into(), &environment, true).await;
        fs::write(&slow, "").unwrap();
        assert_eq!(ask().await, None);
        fs::remove_file(&slow).unwrap();
        // The file of the program is as it was.
        assert_eq!(ask().await.as_deref(), Some("1.2"));
    }

    #[test]
    fn telemetry_of_the_users_files_is_seen() {
        let home = tempfile::tempdir().unwrap();
        let environment: Environment = vec![("HOME".into(), home.path().into())];
        assert!(!has_own_telemetry(Agent::Codex, &environment));
        fs::create_dir(home.path().join(".codex")).unwrap();
        fs::write(home.path().join(".codex/config.toml"), "[otel]\nexporter = 'x'\n").unwrap();
        assert!(has_own_telemetry(Agent::Codex, &environment));
    }
}
