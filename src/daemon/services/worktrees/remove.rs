//! Removes worktrees: refused while something of their own is in them, and never without keeping it.

use super::{
    OWN_BRANCHES, Services, failure,
    list::Inspected,
    shown,
    trash::{Memory, trash_ref},
};
use crate::{
    domain::{
        checkout::{TrashedWorktree, Worktree},
        event::EventType,
        failure::Failure,
    },
    git::{self, Bounds, GitError, LeftOut, Repository, Scratch},
};

impl Services {
    /// Removes the worktree that a word names; returns how it can be restored, and whether its branch
    /// went with it.
    ///
    /// # Errors
    ///
    /// `WORKTREE_IN_USE` while a live runner works in it, `WORKTREE_KEPT` while it holds something of
    /// its own and is not forced, `WORKTREE_BROKEN` when git knows nothing of it.
    pub async fn remove_worktree(
        &self,
        word: &str,
        force: bool,
    ) -> Result<(TrashedWorktree, bool), Failure> {
        let (services, word) = (self.clone(), word.to_owned());
        self.detached(async move {
            let _changing = services.worktrees.changing.lock().await;
            let inspected = services.resolve_worktree(&word).await?;
            services.remove_inspected(inspected, force).await
        })
        .await
    }

    /// Removes the worktrees that hold nothing of their own; returns them, and those that stay.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn prune_worktrees(
        &self,
        project: &str,
    ) -> Result<(Vec<TrashedWorktree>, Vec<Worktree>), Failure> {
        let (services, project) = (self.clone(), project.to_owned());
        self.detached(async move {
            let _changing = services.worktrees.changing.lock().await;
            let (mut removed, mut kept) = (Vec::new(), Vec::new());
            for inspected in services.inspect_worktrees(&project).await? {
                let mut worktree = inspected.worktree.clone();
                if !worktree.broken.is_empty() || !worktree.kept.is_empty() {
                    kept.push(worktree);
                    continue;
                }
                match services.remove_inspected(inspected, false).await {
                    Ok((trashed, _)) => removed.push(trashed),
                    Err(failure) => {
                        worktree.kept.push(failure.message);
                        kept.push(worktree);
                    }
                }
            }
            Ok((removed, kept))
        })
        .await
    }

    async fn remove_inspected(
        &self,
        inspected: Inspected,
        force: bool,
    ) -> Result<(TrashedWorktree, bool), Failure> {
        let Inspected { worktree, path, repository, stuck } = inspected;
        let name = &worktree.name;
        let (Some(repository), "") = (repository, worktree.broken.as_str()) else {
            let what = format!("{name} cannot be kept: {}", worktree.broken);
            return Err(Failure::conflict("WORKTREE_BROKEN", what)
                .with_hint(format!("look into it, then: rm -r '{}'", path.display())));
        };
        if let Some(runner) = worktree.live.first() {
            return Err(Failure::conflict("WORKTREE_IN_USE", format!("{runner} works in {name}"))
                .with_hint(format!("stratavore kill {runner} ends it first")));
        }
        let force_hint = || {
            format!(
                "git -C '{}' status shows more; with --force it goes, and can be restored for 30 days",
                path.display()
            )
        };
        if !force && !worktree.kept.is_empty() {
            let what = format!("{name} holds what is nowhere else: {}", worktree.kept.join("; "));
            return Err(Failure::conflict("WORKTREE_KEPT", what).with_hint(force_hint()));
        }
        let unkeepable = |what: String| {
            let what = format!("{name} holds what could not be kept: {what}");
            Failure::conflict("WORKTREE_STUCK", what)
                .with_hint(format!("commit and push it, or take it out of '{}'", path.display()))
        };
        if !stuck.is_empty() {
            return Err(unkeepable(stuck.join("; ")));
        }
        let failed = |error: GitError| failure(&format!("keep what is in {name}"), &error);
        let (trashed, left_out) = self.keep(&worktree, &repository).await.map_err(failed)?;
        if let Some(left) = left_out.first() {
            return Err(unkeepable(format!("`{}`, {}", shown(&left.path), left.why)));
        }
        git::remove(&repository.common, &path)
            .await
            .map_err(|error| failure(&format!("remove {name}"), &error))?;
        // Left by git when something stood in it that it did not know.
        if let Some(parent) = path.parent() {
            std::fs::remove_dir(parent).ok();
        }
        let branch_deleted = worktree.unpushed_commits == 0 && drop_branch(&repository).await;
        let data = serde_json::json!({
            "path": worktree.path, "branch": worktree.branch, "kept_as": trashed.reference,
            "branch_deleted": branch_deleted, "forced": force,
        });
        let event = self.context.project_event(EventType::WorktreeRemoved, &worktree.project, data);
        self.store.event_append(vec![event]).await?;
        Ok((trashed, branch_deleted))
    }

    /// Keeps everything that is in a worktree under a ref, unless something cannot be; returns that.
    async fn keep(
        &self,
        worktree: &Worktree,
        repository: &Repository,
    ) -> Result<(TrashedWorktree, Vec<LeftOut>), GitError> {
        let scratch = Scratch::keeping(&self.context.places.scratch())?;
        let snapshot = git::tree(repository, &scratch, Bounds::KEEP).await?;
        let memory = Memory {
            name: worktree.name.clone(),
            path: worktree.path.clone(),
            branch: worktree.branch.clone(),
        };
        let (root, head) = (repository.root(), repository.head.as_deref());
        let commit = git::commit_tree(root, &snapshot.tree, head, memory.message()).await?;
        let now = self.context.clock.now();
        let reference = trash_ref(&worktree.name, now);
        if snapshot.left_out.is_empty() {
            git::set_ref(root, &reference, &commit).await?;
        }
        let trashed = TrashedWorktree {
            name: worktree.name.clone(),
            removed_at: now,
            branch: worktree.branch.clone(),
            path: worktree.path.clone(),
            reference,
            repository: repository.common.to_string_lossy().into_owned(),
        };
        Ok((trashed, snapshot.left_out))
    }
}

/// Removes a branch that was made for a runner and has nothing that is not elsewhere.
async fn drop_branch(repository: &Repository) -> bool {
    let (Some(branch), Some(head)) = (&repository.branch, &repository.head) else { return false };
    if !branch.starts_with(OWN_BRANCHES) {
        return false;
    }
    let reference = format!("refs/heads/{branch}");
    git::delete_ref(&repository.common, &reference, head).await.is_ok()
}
