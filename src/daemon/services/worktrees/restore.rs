//! Makes removed worktrees again, as they were: the branch, the commits, and what was not committed.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    Services, failure,
    make::{free_path, make_directories, slug},
    shown,
};
use crate::{
    domain::{
        checkout::{TrashedWorktree, Worktree},
        event::EventType,
        failure::Failure,
    },
    git::{self, NewWorktree},
};

/// Restored files are as a person's files usually are.
const UMASK: u32 = 0o022;

/// Names that are tried when a branch has gone on meanwhile.
const TRIES: u32 = 20;

impl Services {
    /// Makes a removed worktree again: the newest of this name, the one that this ref keeps, or the newest in
    /// which the runner of this name worked.
    ///
    /// # Errors
    ///
    /// `NOTHING_TO_RESTORE`, `WORKTREE_AMBIGUOUS`, or when git does not make it.
    pub async fn restore_worktree(&self, word: &str) -> Result<Worktree, Failure> {
        let (services, word) = (self.clone(), word.to_owned());
        self.detached(async move {
            let _changing = services.worktrees.changing.lock().await;
            let trash = services.list_trash().await?;
            let is_named = |trashed: &&TrashedWorktree| {
                trashed.name == word
                    || trashed.reference == word
                    || trashed.name.rsplit('/').next() == Some(word.as_str())
            };
            let mut found = trash.iter().find(is_named);
            if found.is_none() {
                let places = services.places_of(&word).await?;
                found = of_runner(&trash, &places, &word)?;
            }
            let Some(trashed) = found else {
                let what = format!("no removed worktree `{}` is kept", shown(&word));
                return Err(Failure::not_found("NOTHING_TO_RESTORE", what)
                    .with_hint("stratavore worktrees restore lists them"));
            };
            services.restore(trashed).await
        })
        .await
    }

    /// Returns the worktree that a runner of this node was given, and the directory that it works in.
    async fn places_of(&self, name: &str) -> Result<Vec<PathBuf>, Failure> {
        let own = &self.context.origin.node_id;
        let mut runners = self.store.runner_list("", "", 0).await?;
        runners.retain(|runner| runner.name == name && runner.node_id == *own);
        let places = runners.into_iter().flat_map(|runner| {
            let given = runner.checkout.and_then(|checkout| checkout.worktree);
            given.into_iter().chain([runner.cwd])
        });
        Ok(places.collect())
    }

    async fn restore(&self, trashed: &TrashedWorktree) -> Result<Worktree, Failure> {
        let name = &trashed.name;
        let common = PathBuf::from(&trashed.repository);
        let what = format!("restore {name}");
        let failed = |error| failure(&what, &error);
        let project = name.split('/').next().unwrap_or(name).to_owned();
        let parent = self.worktrees_root().join(&project);
        let was = PathBuf::from(&trashed.path);
        let path = if was.is_absolute() && was.symlink_metadata().is_err() {
            make_directories(&self.worktrees_root(), was.parent().unwrap_or(&parent))?;
            was
        } else {
            make_directories(&self.worktrees_root(), &parent)?;
            free_path(&parent, &slug(name.rsplit('/').next().unwrap_or(name)))?
        };
        let head = git::resolve(&common, &format!("{}~1", trashed.reference)).await;
        let head = head.map_err(failed)?.ok_or_else(|| {
            Failure::conflict("NOTHING_TO_RESTORE", format!("{name} had no commit"))
                .with_hint(format!("git show {} shows its files", trashed.reference))
        })?;
        let (branch, start) = branch_for(&common, &trashed.branch, &head).await.map_err(failed)?;
        let start = start.then_some(head.as_str());
        let new = NewWorktree { path: &path, branch: &branch, start, umask: UMASK };
        git::add(&common, &new).await.map_err(failed)?;
        let tree = format!("{}^{{tree}}", trashed.reference);
        git::restore_files(&path, &tree, UMASK).await.map_err(failed)?;
        let data = serde_json::json!({
            "path": path, "branch": branch, "kept_as": trashed.reference,
        });
        let event = self.context.project_event(EventType::WorktreeRestored, &project, data);
        self.store.event_append(vec![event]).await?;
        let made = self.inspect_worktrees("").await?.into_iter().find(|made| made.path == path);
        made.map(|made| made.worktree)
            .ok_or_else(|| Failure::internal(format!("find the restored `{}`", path.display())))
    }
}

/// Returns what was removed last, newest first, of what lay around these places of a runner.
///
/// # Errors
///
/// `WORKTREE_AMBIGUOUS` when it worked in several that were removed.
fn of_runner<'a>(
    trash: &'a [TrashedWorktree],
    places: &[PathBuf],
    name: &str,
) -> Result<Option<&'a TrashedWorktree>, Failure> {
    let was_there = |trashed: &&TrashedWorktree| {
        Path::new(&trashed.path).is_absolute()
            && places.iter().any(|place| place.starts_with(&trashed.path))
    };
    let names: BTreeSet<&str> =
        trash.iter().filter(was_there).map(|trashed| trashed.name.as_str()).collect();
    if names.len() > 1 {
        let names: Vec<_> = names.into_iter().collect();
        let what = format!("`{}` could be {}", shown(name), names.join(", "));
        return Err(Failure::not_found("WORKTREE_AMBIGUOUS", what).with_hint("use its whole name"));
    }
    Ok(trash.iter().find(was_there))
}

/// Returns the branch to check out, and whether it must be made: the old one if it is where it was and
/// nobody uses it, else one beside it.
async fn branch_for(
    common: &Path,
    branch: &str,
    head: &str,
) -> Result<(String, bool), git::GitError> {
    if branch.is_empty() {
        return Ok((String::new(), true));
    }
    let at = async |name: &str| git::resolve(common, &format!("refs/heads/{name}")).await;
    match at(branch).await? {
        None => return Ok((branch.to_owned(), true)),
        Some(commit) if commit == head => {
            let listed = git::list(common).await?;
            if !listed.iter().any(|listed| listed.branch.as_deref() == Some(branch)) {
                return Ok((branch.to_owned(), false));
            }
        }
        Some(_) => {}
    }
    for number in 1..=TRIES {
        let name = match number {
            1 => format!("{branch}-restored"),
            _ => format!("{branch}-restored-{number}"),
        };
        if at(&name).await?.is_none() {
            return Ok((name, true));
        }
    }
    Ok((String::new(), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_stands_for_the_worktree_that_it_had() {
        let trashed = |name: &str, path: &str, reference: &str| TrashedWorktree {
            name: name.to_owned(),
            removed_at: chrono::DateTime::UNIX_EPOCH,
            branch: String::new(),
            path: path.to_owned(),
            reference: reference.to_owned(),
            repository: "/r/.git".to_owned(),
        };
        let trash = [
            trashed("api/fix", "/w/api/fix", "newer"),
            trashed("api/other", "/w/api/other", "other"),
            trashed("api/fix", "/w/api/fix", "older"),
            trashed("api/lost", "", "lost"),
        ];
        let find = |places: &[&str]| {
            let places: Vec<_> = places.iter().map(PathBuf::from).collect();
            let found = of_runner(&trash, &places, "api-1");
            found.map(|found| found.map(|one| one.reference.clone())).map_err(|why| why.reason)
        };
        assert_eq!(find(&["/w/api/fix", "/w/api/fix/src"]), Ok(Some("newer".to_owned())));
        assert_eq!(find(&["/w/api/fixed"]), Ok(None));
        assert_eq!(find(&[]), Ok(None));
        let two = find(&["/w/api/fix", "/w/api/other/src"]);
        assert_eq!(two, Err("WORKTREE_AMBIGUOUS".to_owned()));
    }
}
