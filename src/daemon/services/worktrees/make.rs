//! Makes the worktree of a runner whose row is there, and makes it ready: files copied, set-up run.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{OWN_BRANCHES, Services, failure, plan::Plan, shown};
use crate::{
    config::places::make_private,
    daemon::worktrees::{self, Setup},
    domain::{
        activity::{Activity, ActivityState},
        checkout::RunnerCheckout,
        event::EventType,
        evidence::Evidence,
        failure::Failure,
        launch::{LaunchRequest, agent_environment},
        runner::Runner,
    },
    git::{self, NewWorktree},
};

/// Names that are tried when one is taken.
const TRIES: u32 = 100;

/// A directory's name is cut to so many characters.
const LONGEST: usize = 80;

/// The record of the set-up, in the runner's directory.
const SETUP_LOG: &str = "setup.log";

impl Services {
    /// Makes a runner's worktree; returns the runner with where it works.
    ///
    /// # Errors
    ///
    /// When git does not make it, or it cannot be made ready. What was made then stays: it may hold
    /// what is needed to find out why.
    pub(in crate::daemon::services) async fn make_worktree(
        &self,
        runner: &Runner,
        plan: Plan,
        request: &LaunchRequest,
        warnings: &mut Vec<String>,
    ) -> Result<Runner, Failure> {
        let (runner, path) = self.check_out(runner, &plan, request.umask).await?;
        let cwd = below(&path, &plan.repository.prefix);
        let (from, to) = (plan.source.clone(), cwd.clone());
        let top = plan.repository.top.clone();
        let patterns = plan.ready.copy.clone();
        if let Some(top) = top.filter(|_| !patterns.is_empty()) {
            // Below the root of the files where the project is.
            let place = from.canonicalize().ok().and_then(|from| {
                from.strip_prefix(top.canonicalize().ok()?).ok().map(Path::to_owned)
            });
            let to = place.map_or(to, |place| below(&path, &place));
            let copy = move || worktrees::copy(&top, &from, &to, &patterns);
            match tokio::task::spawn_blocking(copy).await {
                Ok(copied) => warnings.extend(copied.notes),
                Err(error) => warnings.push(format!("files were not copied: {error}")),
            }
        }
        self.set_up(&runner, &plan, &cwd, request).await?;
        let captured = self.capture(&path, runner.id, warnings).await;
        let known = runner.checkout.clone().unwrap_or_default();
        let launch_snapshot = captured.map(|captured| captured.launch_snapshot);
        let launch_snapshot = launch_snapshot.unwrap_or_default();
        let checkout = RunnerCheckout { launch_snapshot, ..known };
        self.record_checkout(&runner, &cwd, &checkout).await
    }

    /// Checks the branch out in a new directory and records where.
    async fn check_out(
        &self,
        runner: &Runner,
        plan: &Plan,
        umask: u32,
    ) -> Result<(Runner, PathBuf), Failure> {
        let _changing = self.worktrees.changing.lock().await;
        let root = plan.repository.root();
        let branch = if plan.branch.is_empty() {
            free_branch(root, &format!("{OWN_BRANCHES}{}", runner.name)).await?
        } else {
            plan.branch.clone()
        };
        let parent = self.worktrees_root().join(&runner.project);
        make_directories(&self.worktrees_root(), &parent)?;
        let path = free_path(&parent, &slug(&branch))?;
        let start = (!plan.exists).then_some(plan.start.as_str());
        let new = NewWorktree { path: &path, branch: &branch, start, umask };
        let what = format!("make the worktree `{}`", path.display());
        git::add(root, &new).await.map_err(|error| failure(&what, &error))?;
        let checkout = RunnerCheckout {
            repository: plan.repository.common.clone(),
            worktree: Some(path.clone()),
            branch: branch.clone(),
            base_branch: plan.base.clone(),
            base_commit: plan.start.clone(),
            launch_commit: plan.start.clone(),
            launch_snapshot: String::new(),
        };
        let cwd = below(&path, &plan.repository.prefix);
        let runner = self.record_checkout(runner, &cwd, &checkout).await?;
        let data = serde_json::json!({
            "path": path, "branch": branch, "base": plan.base, "commit": plan.start,
        });
        let event = self.context.runner_event(EventType::WorktreeCreated, &runner, data);
        self.store.event_append(vec![event]).await?;
        Ok((runner, path))
    }

    async fn record_checkout(
        &self,
        runner: &Runner,
        cwd: &Path,
        checkout: &RunnerCheckout,
    ) -> Result<Runner, Failure> {
        let now = self.context.clock.now();
        let cwd = cwd.to_string_lossy();
        let runner = self.store.runner_set_checkout(runner, &cwd, checkout, now).await?;
        self.changes.runner(&runner);
        Ok(runner)
    }

    /// Runs the set-up command, if there is one.
    async fn set_up(
        &self,
        runner: &Runner,
        plan: &Plan,
        cwd: &Path,
        request: &LaunchRequest,
    ) -> Result<(), Failure> {
        let command = plan.ready.setup.as_str();
        if command.is_empty() {
            return Ok(());
        }
        let dir = self.fleet.dir(runner.id);
        make_private(dir.path()).map_err(|error| {
            Failure::unavailable("SETUP_FAILED", format!("keep what the set-up says: {error}"))
        })?;
        let log = dir.path().join(SETUP_LOG);
        self.tell_setup(runner, Some(format!("set-up: {}", shown(command)))).await;
        let environment = agent_environment(
            request.environment.clone(),
            self.context.places.root(),
            &runner.id.to_string(),
        );
        let setup = Setup {
            command,
            directory: cwd,
            environment: &environment,
            umask: request.umask,
            limit: Duration::from_secs(self.context.config.worktree.setup_seconds),
            log: log.clone(),
        };
        let given_up = self.worktrees.begin(runner.id);
        let done = given_up.run_until_cancelled(worktrees::run(&setup)).await;
        self.worktrees.end(runner.id);
        let why = match done {
            Some(Ok(())) => {
                self.tell_setup(runner, None).await;
                return Ok(());
            }
            Some(Err(error)) => error.to_string(),
            None => "it was stopped".to_owned(),
        };
        let what =
            format!("the set-up `{}` failed: {why}; its output: {}", shown(command), log.display());
        Err(Failure::unavailable("SETUP_FAILED", what).with_hint(format!(
            "stratavore launch {} --cwd '{}' starts there all the same; stratavore worktrees remove {}",
            runner.project,
            cwd.display(),
            runner.name
        )))
    }

    /// Tells who watches what a launch is waiting for.
    async fn tell_setup(&self, runner: &Runner, message: Option<String>) {
        let now = self.context.clock.now();
        let state = ActivityState::Starting;
        let activity = Activity { state, message, since: Some(now), ..Activity::default() };
        let evidence = Evidence { run: runner.run, ..Evidence::default() };
        let told = (&activity, "");
        let told = self.store.runner_set_activity(runner, told, &evidence, (None, &[]), now).await;
        if let Ok(runner) = told {
            self.changes.runner(&runner);
        }
    }
}

/// Returns a place below a directory, without a slash at the end.
fn below(directory: &Path, place: &Path) -> PathBuf {
    directory.join(place).components().collect()
}

/// Returns the name, or the name with a number when there is such a branch.
async fn free_branch(root: &Path, wanted: &str) -> Result<String, Failure> {
    for number in 1..=TRIES {
        let name = if number == 1 { wanted.to_owned() } else { format!("{wanted}-{number}") };
        let taken = git::resolve(root, &format!("refs/heads/{name}")).await;
        if taken.map_err(|error| failure("look for a free branch", &error))?.is_none() {
            return Ok(name);
        }
    }
    Err(Failure::conflict("NO_FREE_BRANCH", format!("`{wanted}` and its like are all taken"))
        .with_hint("name one: --worktree BRANCH"))
}

/// Returns a path at which nothing is.
pub(super) fn free_path(parent: &Path, wanted: &str) -> Result<PathBuf, Failure> {
    let named = |number| match number {
        1 => parent.join(wanted),
        _ => parent.join(format!("{wanted}-{number}")),
    };
    let mut free = (1..=TRIES).map(named).filter(|path| path.symlink_metadata().is_err());
    free.next().ok_or_else(|| {
        let what = format!("`{}` is full of directories of that name", parent.display());
        Failure::conflict("NO_FREE_PATH", what).with_hint("stratavore worktrees prune")
    })
}

/// Returns a branch's name as that of a directory, without what marks the branch as ours.
pub(super) fn slug(branch: &str) -> String {
    let own = branch.strip_prefix(OWN_BRANCHES).unwrap_or(branch);
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let slug: String = own.chars().map(plain).take(LONGEST).collect();
    let slug = slug.trim_matches(['.', '-']).to_owned();
    // It becomes part of a ref, which must not end so or have two dots.
    let slug = slug.replace("..", "-");
    let slug = slug.strip_suffix(".lock").map(str::to_owned).unwrap_or(slug);
    if slug.is_empty() { "worktree".to_owned() } else { slug }
}

/// Makes the directory of a project's worktrees; the default one is ours alone.
pub(super) fn make_directories(root: &Path, parent: &Path) -> Result<(), Failure> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        let what = format!("make the directory `{}`: {error}", path.display());
        Failure::unavailable("NO_WORKTREE_DIRECTORY", what)
            .with_hint("worktree.directory in the configuration says where worktrees go")
    };
    for path in [root, parent] {
        match make_private(path) {
            Ok(()) => {}
            // A directory of the user's, open as the user has it.
            Err(_) if path.is_dir() => {}
            Err(error) => {
                std::fs::create_dir_all(path).map_err(|_error| failed(path, &error))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_become_names_of_directories() {
        for (branch, name) in [
            ("stratavore/api-3", "api-3"),
            ("fix/login", "fix-login"),
            ("../../etc", "etc"),
            ("naïve", "na-ve"),
            ("a..b", "a-b"),
            ("x.lock", "x"),
            ("日本", "worktree"),
        ] {
            assert_eq!(slug(branch), name, "{branch}");
        }
    }
}
