//! Lists the worktrees of runners, and what keeps each from being removed.
//!
//! What is on the disk is the truth: one whose runners are forgotten is listed, too.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use futures_util::{StreamExt as _, stream};

use super::{Services, TOGETHER, short, shown};
use crate::{
    domain::{checkout::Worktree, failure::Failure, runner::Runner},
    git::{self, GitError, Repository},
};

/// Worktrees that are looked at, at most.
const MOST: usize = 2000;

/// A worktree with what is needed to remove it.
#[derive(Debug)]
pub(super) struct Inspected {
    /// What is shown.
    pub(super) worktree: Worktree,
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its repository, unless it is broken.
    pub(super) repository: Option<Repository>,
    /// What is in it and could not be kept: then it is not removed, forced or not.
    pub(super) stuck: Vec<String>,
}

impl Services {
    /// Returns the worktrees of this node, of one project unless it is empty.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn list_worktrees(&self, project: &str) -> Result<Vec<Worktree>, Failure> {
        let inspected = self.inspect_worktrees(project).await?;
        Ok(inspected.into_iter().map(|inspected| inspected.worktree).collect())
    }

    /// Looks at all worktrees.
    pub(super) async fn inspect_worktrees(&self, project: &str) -> Result<Vec<Inspected>, Failure> {
        let own = &self.context.origin.node_id;
        let mut runners = self.store.runner_list("", "", 0).await?;
        runners.retain(|runner| runner.node_id == *own);
        let root = self.worktrees_root();
        let scan = tokio::task::spawn_blocking(move || found(&root)).await;
        let mut all =
            scan.map_err(|error| Failure::internal(format!("look for worktrees: {error}")))?;
        for runner in &runners {
            let path = runner.checkout.as_ref().and_then(|checkout| checkout.worktree.clone());
            // Made while another directory was configured.
            if let Some(path) = path.filter(|path| !all.contains_key(path) && path.is_dir()) {
                let last = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                all.insert(path, (runner.project.clone(), last));
            }
        }
        all.retain(|_, (of, _)| project.is_empty() || of == project);
        let runners = &runners;
        let inspect = |(path, (project, last))| inspect(path, project, last, runners);
        let mut inspected: Vec<_> =
            stream::iter(all).map(inspect).buffer_unordered(TOGETHER).collect().await;
        inspected.sort_by(|a, b| a.worktree.name.cmp(&b.worktree.name));
        Ok(inspected)
    }

    /// Returns the worktree that a word names: its name, its branch, its path, a runner of it, or the
    /// last part of its name.
    ///
    /// # Errors
    ///
    /// `WORKTREE_NOT_FOUND`, or `WORKTREE_AMBIGUOUS` with the names it could mean.
    pub(super) async fn resolve_worktree(&self, word: &str) -> Result<Inspected, Failure> {
        let mut all = self.inspect_worktrees("").await?;
        let last = |worktree: &Worktree| worktree.name.rsplit('/').next() == Some(word);
        let ways: [&dyn Fn(&Worktree) -> bool; 5] = [
            &|worktree| worktree.name == word,
            &|worktree| worktree.path == word,
            &|worktree| worktree.runners.iter().any(|runner| runner == word),
            &|worktree| worktree.branch == word,
            &last,
        ];
        for is_meant in ways {
            let meant = |inspected: &Inspected| is_meant(&inspected.worktree);
            let names: Vec<_> =
                all.iter().filter(|i| meant(i)).map(|i| i.worktree.name.clone()).collect();
            match names.as_slice() {
                [] => {}
                [_] => {
                    let at = all.iter().position(meant).unwrap_or_default();
                    return Ok(all.swap_remove(at));
                }
                names => {
                    let what = format!("`{}` could be {}", shown(word), names.join(", "));
                    return Err(Failure::not_found("WORKTREE_AMBIGUOUS", what)
                        .with_hint("use its whole name"));
                }
            }
        }
        Err(Failure::not_found("WORKTREE_NOT_FOUND", format!("no worktree `{}`", shown(word)))
            .with_hint("stratavore worktrees lists them"))
    }
}

/// Returns the worktrees below a directory by path, with project and name.
fn found(root: &Path) -> BTreeMap<PathBuf, (String, String)> {
    let mut all = BTreeMap::new();
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    for project in entries(root) {
        for entry in entries(&project.path()) {
            if all.len() >= MOST {
                return all;
            }
            let (project, name) = (project.file_name(), entry.file_name());
            let names =
                (project.to_string_lossy().into_owned(), name.to_string_lossy().into_owned());
            if entry.path().join(".git").is_file() {
                all.insert(entry.path(), names);
            }
        }
    }
    all
}

/// Looks at one worktree.
async fn inspect(path: PathBuf, project: String, last: String, runners: &[Runner]) -> Inspected {
    let in_it = |runner: &&Runner| {
        let made = runner.checkout.as_ref().and_then(|checkout| checkout.worktree.as_ref());
        made == Some(&path) || runner.cwd.starts_with(&path)
    };
    let its: Vec<&Runner> = runners.iter().filter(in_it).collect();
    let live = its.iter().filter(|runner| runner.status.is_live());
    let mut worktree = Worktree {
        name: format!("{project}/{last}"),
        project,
        path: path.to_string_lossy().into_owned(),
        live: live.map(|runner| runner.name.clone()).collect(),
        runners: its.iter().map(|runner| runner.name.clone()).collect(),
        ..Worktree::default()
    };
    worktree.kept.extend(worktree.live.iter().map(|name| format!("{name} works in it")));
    let repository = match Repository::around(&path).await {
        Ok(repository) if repository.top.as_deref().is_some_and(|top| is_same(top, &path)) => {
            repository
        }
        Ok(_) | Err(GitError::NoRepository) => {
            "its repository is gone, or knows nothing of it".clone_into(&mut worktree.broken);
            return Inspected { worktree, path, repository: None, stuck: Vec::new() };
        }
        Err(error) => {
            worktree.broken = error.to_string();
            return Inspected { worktree, path, repository: None, stuck: Vec::new() };
        }
    };
    worktree.branch = repository.branch.clone().unwrap_or_default();
    let stuck = match judge(&repository, &its, &mut worktree).await {
        Ok(stuck) => stuck,
        Err(error) => {
            worktree.broken = error.to_string();
            Vec::new()
        }
    };
    worktree.kept.extend(stuck.iter().cloned());
    Inspected { worktree, path, repository: Some(repository), stuck }
}

fn is_same(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}

/// Finds out what would be lost with it; returns what could not even be kept.
async fn judge(
    repository: &Repository,
    its: &[&Runner],
    worktree: &mut Worktree,
) -> Result<Vec<String>, GitError> {
    let root = repository.root();
    let listed = git::list(root).await?;
    let bases = bases(repository, its, &listed).await?;
    worktree.dirty_files = git::dirty_files(root).await?;
    match worktree.dirty_files {
        0 => {}
        1 => worktree.kept.push("1 file is not committed".to_owned()),
        count => worktree.kept.push(format!("{count} files are not committed")),
    }
    if repository.head.is_none() {
        return Ok(vec!["its branch has no commit yet".to_owned()]);
    }
    worktree.unpushed_commits = git::commits_missing_in(root, "HEAD", &bases).await?;
    let base = bases.first().map_or("another branch", |base| short(base));
    match worktree.unpushed_commits {
        0 => {}
        1 => worktree.kept.push(format!("1 commit is neither on a remote nor in {base}")),
        count => {
            worktree.kept.push(format!("{count} commits are neither on a remote nor in {base}"));
        }
    }
    let locked = listed.iter().find(|listed| is_same(&listed.path, root));
    if let Some(why) = locked.and_then(|listed| listed.locked.as_deref()) {
        let why = if why.is_empty() { String::new() } else { format!(": {}", shown(why)) };
        worktree.kept.push(format!("it is locked{why}"));
    }
    let mut stuck = Vec::new();
    for submodule in git::submodules(root).await? {
        // Its commits are below the worktree's own, and go with it.
        let head = git::resolve(&submodule, "HEAD").await?.is_some();
        let own = if head { git::commits_missing_in(&submodule, "HEAD", &[]).await? } else { 0 };
        if own > 0 || git::dirty_files(&submodule).await? > 0 {
            let name = submodule.strip_prefix(root).unwrap_or(&submodule).to_string_lossy();
            stuck.push(format!(
                "the submodule `{}` has changes or commits of its own",
                shown(&name)
            ));
        }
    }
    Ok(stuck)
}

/// Returns where commits count as safe: what the branch is to go back to, else what the repository's own
/// files show; and the commit that it began from.
async fn bases(
    repository: &Repository,
    its: &[&Runner],
    listed: &[git::Listed],
) -> Result<Vec<String>, GitError> {
    let own = repository.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
    let first = listed.first().and_then(|listed| listed.branch.as_ref());
    let first = first.map(|branch| format!("refs/heads/{branch}"));
    let checkouts = its.iter().filter_map(|runner| runner.checkout.as_ref());
    let told = checkouts.flat_map(|c| [c.base_branch.clone(), c.base_commit.clone()]);
    let mut bases: Vec<String> = Vec::new();
    for base in told.chain(first).filter(|base| !base.is_empty() && Some(base) != own.as_ref()) {
        if !bases.contains(&base) && git::resolve(repository.root(), &base).await?.is_some() {
            bases.push(base);
        }
    }
    Ok(bases)
}
