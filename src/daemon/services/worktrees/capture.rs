//! Remembers what is checked out where a runner is launched, and all files as they are, so that what it
//! changes is told exactly. Nothing of this keeps an agent from being started.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::timeout;

use super::Services;
use crate::{
    daemon::store::Workplace,
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
        let (root, head) = (repository.root().to_owned(), repository.head.clone());
        let name = launch_ref(&id.to_string());
        let all_left_out = snapshot.left_out.len() + snapshot.more_left_out;
        // Only the picture itself has to be there before the agent changes anything. That git keeps it
        // may follow: it removes nothing that is younger than days.
        if snapshot.is_head
            && let Some(head) = head
        {
            let picture = head.clone();
            tokio::spawn(async move {
                let kept = async {
                    let commit =
                        git::commit_tree(&root, &snapshot.tree, Some(&head), message).await?;
                    git::set_ref(&root, &name, &commit).await
                };
                note_unkept(kept.await);
            });
            return Ok((picture, all_left_out));
        }
        let commit = git::commit_tree(&root, &snapshot.tree, head.as_deref(), message).await?;
        let kept = commit.clone();
        tokio::spawn(async move { note_unkept(git::set_ref(&root, &name, &kept).await) });
        Ok((commit, all_left_out))
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

    /// Removes what was remembered for the launch of a runner that is removed. Later nobody may know its
    /// repository any more.
    pub(in crate::daemon::services) async fn forget_launch(&self, runner: &Runner) {
        let Some(checkout) = &runner.checkout else { return };
        let place = launch_ref(&runner.id.to_string());
        // Of another node's runner there is nothing here.
        let refs = git::refs_below(&checkout.repository, &place).await.unwrap_or_default();
        for named in refs {
            if let Err(error) =
                git::delete_ref(&checkout.repository, &named.name, &named.commit).await
            {
                tracing::debug!(%error, "failed to remove a ref; it goes after 30 days");
            }
        }
    }

    /// Returns what is checked out in a directory where a runner is launched, and the names of live runners
    /// that work in the same files, the oldest first.
    pub(in crate::daemon::services) async fn surroundings(
        &self,
        cwd: &Path,
        id: RunnerId,
        warnings: &mut Vec<String>,
    ) -> (Option<RunnerCheckout>, Vec<String>) {
        let own = &self.context.origin.node_id;
        let (checkout, places) =
            tokio::join!(self.capture(cwd, id, warnings), self.store.workplaces(own));
        let sharers = sharers(cwd, checkout.as_ref(), places.unwrap_or_default()).await;
        (checkout, sharers)
    }
}

/// Returns the names of those that work in the same files, in their order.
async fn sharers(
    cwd: &Path,
    checkout: Option<&RunnerCheckout>,
    places: Vec<Workplace>,
) -> Vec<String> {
    // Most are alone, or side by side: then nobody has to ask the disk which directories are the same.
    if places.iter().all(|place| place.cwd == cwd) {
        return places.into_iter().map(|place| place.name).collect();
    }
    let (cwd, checkout) = (cwd.to_owned(), checkout.cloned());
    let names = tokio::task::spawn_blocking(move || {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let here = real(&cwd);
        let mut known: HashMap<PathBuf, PathBuf> = HashMap::new();
        let mut names = Vec::new();
        for place in places {
            let there = known.entry(place.cwd.clone()).or_insert_with(|| real(&place.cwd));
            if *there == here || shares_checkout(&place, there, checkout.as_ref(), &here) {
                names.push(place.name);
            }
        }
        names
    });
    timeout(LOOK, names).await.ok().and_then(Result::ok).unwrap_or_default()
}

/// The runner is told exactly all the same, until git tidies up.
fn note_unkept(kept: Result<(), GitError>) {
    if let Err(error) = kept {
        tracing::warn!(%error, "git may remove the files as they were at a launch some day");
    }
}

/// Whether one of two directories of the same checkout lies in the other.
fn shares_checkout(
    place: &Workplace,
    there: &Path,
    checkout: Option<&RunnerCheckout>,
    here: &Path,
) -> bool {
    let Some(checkout) = checkout else { return false };
    checkout.repository == place.repository && (there.starts_with(here) || here.starts_with(there))
}
