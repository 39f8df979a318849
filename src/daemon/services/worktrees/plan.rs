//! Decides what worktree a launch gets, before anything is written or made: what cannot be is refused
//! with nothing changed.

use std::path::{Path, PathBuf};

use super::{Services, failure, short, shown};
use crate::{
    config::worktree::{self, PROJECT_FILE, ProjectWorktrees},
    daemon::worktrees,
    domain::{
        checkout::{SETUP_NOT_TRUSTED, SetupChoice, WorktreeWish},
        event::EventType,
        failure::Failure,
        project::Project,
    },
    git::{self, Repository},
};

/// A worktree that can be made.
#[derive(Debug)]
pub(in crate::daemon::services) struct Plan {
    /// Of which repository.
    pub(super) repository: Repository,
    /// The project's directory, where files are copied from.
    pub(super) source: PathBuf,
    /// What makes it ready.
    pub(super) ready: ProjectWorktrees,
    /// The branch; empty for one named after the runner.
    pub(super) branch: String,
    /// The branch exists.
    pub(super) exists: bool,
    /// The commit that it begins from, or is at.
    pub(super) start: String,
    /// The whole name of what it begins from; empty when that is no branch.
    pub(super) base: String,
}

impl Services {
    /// Plans a worktree for a launch in this directory.
    ///
    /// # Errors
    ///
    /// `NOT_A_REPOSITORY`, `NO_COMMITS`, `BASE_NOT_FOUND`, `BAD_BRANCH`, `BRANCH_IN_USE`, or
    /// `SETUP_NOT_TRUSTED` with the command that would be run.
    pub(in crate::daemon::services) async fn plan_worktree(
        &self,
        project: &Project,
        cwd: &Path,
        wish: &WorktreeWish,
    ) -> Result<Plan, Failure> {
        let place = format!("make a worktree of `{}`", shown(&cwd.to_string_lossy()));
        let repository = Repository::around(cwd).await.map_err(|error| failure(&place, &error))?;
        let (directory, user) = (project.path.clone(), self.context.config.worktree.clone());
        let read = move || worktree::of_project(&directory, &user);
        let ready = tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| Failure::internal(format!("read a project's file: {error}")))?
            .map_err(|error| {
                Failure::usage("BAD_PROJECT_FILE", error.to_string()).with_hint(
                    "correct it there; stratavore approvals check, in its directory, looks again",
                )
            })?;
        let plan = branch_of(&repository, &ready, wish, &place).await?;
        let (branch, exists, start, base) = plan;
        let ready = self.trusted(project, ready, wish.setup).await?;
        let source = project.path.clone();
        Ok(Plan { repository, source, ready, branch, exists, start, base })
    }

    /// Returns what makes a worktree ready, with the command only if it may be run.
    async fn trusted(
        &self,
        project: &Project,
        ready: ProjectWorktrees,
        choice: SetupChoice,
    ) -> Result<ProjectWorktrees, Failure> {
        if choice == SetupChoice::Skip || ready.setup.trim().is_empty() {
            return Ok(ProjectWorktrees { setup: String::new(), ..ready });
        }
        if !ready.is_setup_foreign {
            return Ok(ready);
        }
        let unreadable = |error: std::io::Error| {
            let what = format!("read which set-up commands are allowed: {error}");
            Failure::unavailable("TRUST_UNREADABLE", what)
        };
        let file = self.context.places.trusted_setups();
        let directory = project.path.canonicalize().unwrap_or_else(|_| project.path.clone());
        let is_trusted = worktrees::is_trusted(&file, &directory, &ready.setup);
        if is_trusted.map_err(unreadable)? {
            return Ok(ready);
        }
        if choice == SetupChoice::Trust {
            let now = self.context.clock.now();
            worktrees::trust(&file, &directory, &ready.setup, now).map_err(unreadable)?;
            let data = serde_json::json!({ "command": ready.setup, "directory": directory });
            let event = self.context.project_event(EventType::SetupTrusted, &project.name, data);
            self.store.event_append(vec![event]).await?;
            return Ok(ready);
        }
        let what = format!(
            "{PROJECT_FILE} of {} has `{}` run in new worktrees, and you have not allowed that yet",
            project.name,
            shown(&ready.setup)
        );
        Err(Failure::denied(SETUP_NOT_TRUSTED, what).with_hint(
            "--trust-setup allows this command from now on, --no-setup launches without it",
        ))
    }
}

/// Returns the branch, whether it exists, its commit and the ref that it is to go back to.
async fn branch_of(
    repository: &Repository,
    ready: &ProjectWorktrees,
    wish: &WorktreeWish,
    place: &str,
) -> Result<(String, bool, String, String), Failure> {
    let root = repository.root();
    let failed = |error| failure(place, &error);
    let branch = wish.branch.clone();
    if !branch.is_empty() {
        if !git::is_branch_name(root, &branch).await.map_err(failed)? {
            let what = format!("`{}` cannot be the name of a branch", shown(&branch));
            return Err(Failure::usage("BAD_BRANCH", what));
        }
        let existing = format!("refs/heads/{branch}");
        if let Some(commit) = git::resolve(root, &existing).await.map_err(failed)? {
            if !wish.base.is_empty() {
                let what = format!("the branch `{}` exists: it has its beginning", shown(&branch));
                return Err(Failure::usage("BASE_OF_EXISTING", what)
                    .with_hint("leave --base out to check it out as it is"));
            }
            refuse_used(root, &branch).await?;
            let base = own_base(repository, ready, &branch).await.unwrap_or_default();
            return Ok((branch, true, commit, base));
        }
        // A branch that only a remote has is gone on with.
        let remote = format!("refs/remotes/origin/{branch}");
        if wish.base.is_empty()
            && let Some(commit) = git::resolve(root, &remote).await.map_err(failed)?
        {
            return Ok((branch, false, commit, remote));
        }
    }
    let words = [wish.base.as_str(), ready.base.as_str()];
    let word = words.into_iter().find(|word| !word.is_empty()).unwrap_or("HEAD");
    let Some(start) = git::resolve(root, word).await.map_err(failed)? else {
        if word == "HEAD" {
            let what = format!("{place}: the repository has no commits");
            return Err(Failure::conflict("NO_COMMITS", what)
                .with_hint("git commit makes the first one; a worktree begins from a commit"));
        }
        let what = format!("{place}: there is no commit `{}` to begin from", shown(word));
        return Err(Failure::not_found("BASE_NOT_FOUND", what)
            .with_hint("--base names a branch, a tag or a commit; git fetch may bring it"));
    };
    let base = git::ref_of(root, word).await.map_err(failed)?.unwrap_or_default();
    Ok((branch, false, start, base))
}

/// Refuses a branch that is checked out already, and says where.
async fn refuse_used(root: &Path, branch: &str) -> Result<(), Failure> {
    let listed = git::list(root).await.map_err(|error| failure("list the worktrees", &error))?;
    let used = listed.iter().find(|listed| listed.branch.as_deref() == Some(branch));
    let Some(used) = used else { return Ok(()) };
    let path = shown(&used.path.to_string_lossy());
    let what = format!("the branch `{}` is checked out in `{path}`", shown(branch));
    let hint = if used.path.exists() {
        format!("--cwd '{path}' launches there; --worktree without a name makes a new branch")
    } else {
        format!("that directory is gone: git -C '{}' worktree prune", root.display())
    };
    Err(Failure::conflict("BRANCH_IN_USE", what).with_hint(hint))
}

/// The branch that an existing one is to go back to, as far as that can be guessed: the project's base,
/// else what is checked out.
async fn own_base(
    repository: &Repository,
    ready: &ProjectWorktrees,
    branch: &str,
) -> Option<String> {
    let word = if ready.base.is_empty() { "HEAD" } else { ready.base.as_str() };
    let base = git::ref_of(repository.root(), word).await.ok()??;
    (short(&base) != branch).then_some(base)
}
