//! Remembers what is checked out where a runner is launched, and all files as they are, so that what it
//! changes is told exactly. Nothing of this keeps an agent from being started.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::timeout;

use super::Services;
use crate::{
    domain::{checkout::RunnerCheckout, id::RunnerId, runner::Runner},
    git::{self, Bounds, GitError, Repository, Scratch},
};

/// How long a launch waits for it. A giant repository is then compared with its last commit.
const LIMIT: Duration = Duration::from_secs(5);

/// And for a look at the directory itself, which may be on a disk that hangs. All of it together must
/// leave a launch its time.
const LOOK: Duration = Duration::from_secs(2);

/// The ref that keeps the files as they were at a launch.
pub(super) fn launch_ref(id: &str) -> String {
    format!("refs/stratavore/runners/{id}/launch")
}

impl Services {
    /// Returns what is checked out in a directory, `None` outside of repositories.
    pub(in crate::daemon::services) async fn capture(
        &self,
        directory: &Path,
        id: RunnerId,
        warnings: &mut Vec<String>,
    ) -> Option<RunnerCheckout> {
        let repository = match timeout(LOOK, Repository::around(directory)).await {
            Ok(Ok(repository)) => repository,
            Ok(Err(GitError::NoRepository | GitError::Missing)) => return None,
            Ok(Err(error)) => {
                warnings.push(format!("what it changes cannot be told: {error}"));
                return None;
            }
            Err(_elapsed) => {
                warnings.push("what it changes cannot be told: git does not answer".to_owned());
                return None;
            }
        };
        let head = repository.head.clone().unwrap_or_default();
        let mut checkout = RunnerCheckout {
            repository: repository.common.clone(),
            worktree: None,
            branch: repository.branch.clone().unwrap_or_default(),
            base_branch: String::new(),
            base_commit: head.clone(),
            launch_commit: head,
            launch_snapshot: String::new(),
        };
        if repository.top.is_none() {
            return Some(checkout);
        }
        let taken = timeout(LIMIT, self.keep_files(&repository, id)).await;
        match taken.unwrap_or(Err(GitError::TimedOut { what: "snapshot".into(), limit: LIMIT })) {
            Ok((commit, left_out)) => {
                checkout.launch_snapshot = commit;
                if left_out > 0 {
                    let what = if left_out == 1 { "file is" } else { "files are" };
                    warnings.push(format!(
                        "{left_out} {what} too large, or no file to git: changes there are not told"
                    ));
                }
            }
            Err(error) => warnings
                .push(format!("changes are told from the last commit on, not from now: {error}")),
        }
        Some(checkout)
    }

    /// Keeps all files of a checkout under the runner's ref; returns the commit and how many are left
    /// out.
    async fn keep_files(
        &self,
        repository: &Repository,
        id: RunnerId,
    ) -> Result<(String, usize), GitError> {
        let scratch = Scratch::keeping(&self.context.places.scratch())?;
        let snapshot = git::tree(repository, &scratch, Bounds::COMPARE).await?;
        let left_out = serde_json::to_string(&snapshot.left_out).unwrap_or_default();
        let message = format!("files at the launch of {id}\n\n{left_out}\n");
        let (root, head) = (repository.root(), repository.head.as_deref());
        let commit = git::commit_tree(root, &snapshot.tree, head, message).await?;
        git::set_ref(root, &launch_ref(&id.to_string()), &commit).await?;
        Ok((commit, snapshot.left_out.len() + snapshot.more_left_out))
    }

    /// Takes back what was remembered for a launch that did not happen.
    pub(in crate::daemon::services) async fn forget_capture(
        &self,
        checkout: Option<&RunnerCheckout>,
        id: RunnerId,
    ) {
        let Some(checkout) = checkout.filter(|c| !c.launch_snapshot.is_empty()) else { return };
        let name = launch_ref(&id.to_string());
        if let Err(error) =
            git::delete_ref(&checkout.repository, &name, &checkout.launch_snapshot).await
        {
            tracing::debug!(%error, "failed to remove a ref; it goes after 30 days");
        }
    }

    /// Returns the names of live runners that work in the same files.
    pub(in crate::daemon::services) async fn sharers(
        &self,
        cwd: &Path,
        checkout: Option<&RunnerCheckout>,
    ) -> Vec<String> {
        let Ok(live) = self.store.runner_list("", "live", 0).await else { return Vec::new() };
        let (cwd, own) = (cwd.to_owned(), self.context.origin.node_id.clone());
        let checkout = checkout.cloned();
        let names = tokio::task::spawn_blocking(move || {
            let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let here = real(&cwd);
            let shares = |runner: &Runner| {
                let there = real(&runner.cwd);
                there == here || shares_checkout(runner, &there, checkout.as_ref(), &here)
            };
            let ours = live.iter().filter(|runner| runner.node_id == own && shares(runner));
            ours.map(|runner| runner.name.clone()).collect()
        });
        timeout(LOOK, names).await.ok().and_then(Result::ok).unwrap_or_default()
    }
}

/// Whether one of two directories of the same checkout lies in the other.
fn shares_checkout(
    runner: &Runner,
    there: &Path,
    checkout: Option<&RunnerCheckout>,
    here: &PathBuf,
) -> bool {
    let (Some(checkout), Some(other)) = (checkout, &runner.checkout) else { return false };
    checkout.repository == other.repository && (there.starts_with(here) || here.starts_with(there))
}
