//! What a runner has changed since it was launched: exactly, by comparing all files as they were then
//! with all files as they are now.

use std::{collections::BTreeSet, path::PathBuf};

use chrono::DateTime;

use super::{Services, failure, shown};
use crate::{
    domain::{
        checkout::{ChangeState, Changes, CommitLine, FileChange, RunnerCheckout},
        failure::Failure,
        runner::Runner,
    },
    git::{
        self, Bounds, Commit, Difference, FileDiff, GitError, LeftOut, Repository, Scratch,
        Snapshot,
    },
};

/// The difference as text is cut to so many bytes, whatever was asked for: an answer has a bound.
const MOST_PATCH: usize = 2 << 20;

/// Notes about single files; there may be many.
const MOST_NOTES: usize = 10;

/// The names that git gives to a tree of nothing, by the length of its names.
const EMPTY_TREES: [&str; 2] = [
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
];

/// What a checkout is compared with.
struct Before {
    tree: String,
    commit: Option<String>,
    notes: Vec<String>,
}

impl Services {
    /// Returns what has changed in a runner's files since its launch, with at most so many bytes of the
    /// difference as text.
    ///
    /// # Errors
    ///
    /// `NO_CHECKOUT` when it was not launched in a repository, or git does not answer in time.
    pub async fn changes(&self, word: &str, patch_bytes: u32) -> Result<Changes, Failure> {
        let runner = self.resolve_here(word).await?;
        let Some(checkout) = &runner.checkout else {
            let what = format!(
                "nothing is known of what was checked out when {} was launched",
                runner.name
            );
            return Err(Failure::conflict("NO_CHECKOUT", what)
                .with_hint("its directory was in no git repository, or it was adopted"));
        };
        let most = usize::try_from(patch_bytes).unwrap_or(usize::MAX).min(MOST_PATCH);
        // So that many dashboards do not start many gits.
        let _place = self.worktrees.looking.acquire().await.ok();
        let failed = |error| failure(&format!("look at the files of {}", runner.name), &error);
        self.compare(&runner, checkout, most).await.map_err(failed)
    }

    async fn compare(
        &self,
        runner: &Runner,
        checkout: &RunnerCheckout,
        most: usize,
    ) -> Result<Changes, GitError> {
        let place = checkout.worktree.as_ref().unwrap_or(&runner.cwd);
        let mut changes = Changes {
            runner: runner.name.clone(),
            since: checkout.launch_commit.clone(),
            ..Changes::default()
        };
        let now = match Repository::around(place).await {
            Ok(now) if now.common == checkout.repository && now.top.is_some() => now,
            Ok(_) | Err(GitError::NoRepository) => {
                return without_files(checkout, changes, most).await;
            }
            Err(error) => return Err(error),
        };
        let root = now.root().to_owned();
        changes.directory = root.to_string_lossy().into_owned();
        changes.branch = now.branch.clone().unwrap_or_default();
        let scratch = Scratch::aside(&self.context.places.scratch(), &now)?;
        let (before, snapshot) =
            tokio::try_join!(before(checkout), git::tree(&now, &scratch, Bounds::COMPARE))?;
        let (from, tree) = (before.tree.as_str(), snapshot.tree.as_str());
        let head = now.head.as_deref().unwrap_or(empty_tree(tree));
        let with = now.head.as_deref();
        let since = before.commit.as_deref();
        let (difference, uncommitted, commits) = tokio::try_join!(
            git::difference(&root, Some(&scratch), (from, tree), most),
            git::uncommitted(&root, &scratch, (head, tree)),
            commits(&root, since, with),
        )?;
        // There may be many objects to remove.
        tokio::task::spawn_blocking(move || drop(scratch));
        changes.notes = before.notes;
        note_left_out(&snapshot, &mut changes.notes);
        fill(&mut changes, difference, commits, &state_of(&snapshot, &uncommitted));
        Ok(changes)
    }
}

async fn commits(
    root: &std::path::Path,
    since: Option<&str>,
    with: Option<&str>,
) -> Result<(Vec<Commit>, bool), GitError> {
    match with {
        Some(with) => git::commits(root, since, with).await,
        None => Ok((Vec::new(), false)),
    }
}

/// What is known when the files are gone: what was committed on the branch.
async fn without_files(
    checkout: &RunnerCheckout,
    mut changes: Changes,
    most: usize,
) -> Result<Changes, GitError> {
    let repository = &checkout.repository;
    changes.branch.clone_from(&checkout.branch);
    let before = before(checkout).await?;
    changes.notes = before.notes;
    let tip = format!("refs/heads/{}", checkout.branch);
    let tip =
        if checkout.branch.is_empty() { None } else { git::resolve(repository, &tip).await? };
    let Some(tip) = tip else {
        changes.notes.push("its files and its branch are gone".to_owned());
        return Ok(changes);
    };
    changes.notes.push("its files are gone: only what was committed is told".to_owned());
    let since = before.commit.as_deref();
    let (difference, commits) = tokio::try_join!(
        git::difference(repository, None, (&before.tree, &tip), most),
        git::commits(repository, since, &tip),
    )?;
    fill(&mut changes, difference, commits, &|_| ChangeState::Committed);
    Ok(changes)
}

/// Returns what the files were at the launch, as exactly as that is known.
async fn before(checkout: &RunnerCheckout) -> Result<Before, GitError> {
    let repository = &checkout.repository;
    let mut notes = Vec::new();
    let known = async |commit: &str| match commit {
        "" => Ok(None),
        commit => git::resolve(repository, commit).await,
    };
    let commit = known(&checkout.launch_commit).await?;
    if let Some(snapshot) = known(&checkout.launch_snapshot).await? {
        // A commit of somebody else's says nothing of files that were left out.
        let is_ours = Some(&snapshot) != commit.as_ref();
        let message =
            if is_ours { git::message(repository, &snapshot).await? } else { String::new() };
        let line = message.lines().rfind(|line| line.starts_with('['));
        let left_out: Vec<LeftOut> =
            line.and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
        for left in left_out.iter().take(MOST_NOTES) {
            notes.push(format!(
                "at the launch `{}` was not looked into: {}",
                shown(&left.path),
                left.why
            ));
        }
        return Ok(Before { tree: snapshot, commit, notes });
    }
    notes.push(
        "how the files were at the launch is not known: what was not committed then counts as changed"
            .to_owned(),
    );
    // A repository without a commit says nothing of the length of its names; nearly all are short.
    let tree = commit.clone().unwrap_or_else(|| empty_tree("").to_owned());
    Ok(Before { tree, commit, notes })
}

fn empty_tree(like: &str) -> &'static str {
    let [short, long] = EMPTY_TREES;
    if like.len() == long.len() { long } else { short }
}

fn note_left_out(snapshot: &Snapshot, notes: &mut Vec<String>) {
    for left in snapshot.left_out.iter().take(MOST_NOTES) {
        notes.push(format!("`{}` is not looked into: {}", shown(&left.path), left.why));
    }
    let more = snapshot.left_out.len().saturating_sub(MOST_NOTES) + snapshot.more_left_out;
    if more > 0 {
        notes.push(format!("and {more} others"));
    }
}

/// Tells how far a change has come by what git knows of the file now.
fn state_of<'a>(
    snapshot: &'a Snapshot,
    uncommitted: &'a BTreeSet<PathBuf>,
) -> impl Fn(&FileDiff) -> ChangeState + 'a {
    let untracked: BTreeSet<&PathBuf> = snapshot.untracked.iter().collect();
    move |file| {
        if untracked.contains(&file.path) {
            ChangeState::Untracked
        } else if uncommitted.contains(&file.path)
            || file.from.as_ref().is_some_and(|from| uncommitted.contains(from))
        {
            ChangeState::Uncommitted
        } else {
            ChangeState::Committed
        }
    }
}

fn fill(
    changes: &mut Changes,
    difference: Difference,
    (commits, more_commits): (Vec<Commit>, bool),
    state: &dyn Fn(&FileDiff) -> ChangeState,
) {
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let file = |file: &FileDiff| FileChange {
        path: text(&file.path),
        from: file.from.as_ref().map(text),
        status: status(file.status).to_owned(),
        added: file.lines.map(|(added, _)| added),
        removed: file.lines.map(|(_, removed)| removed),
        state: state(file),
    };
    let commit = |commit: Commit| CommitLine {
        id: commit.id,
        author: commit.author,
        at: DateTime::from_timestamp(commit.at, 0).unwrap_or_default(),
        subject: commit.subject,
    };
    changes.files = difference.files.iter().map(file).collect();
    changes.more_files = u64::try_from(difference.more_files).unwrap_or(u64::MAX);
    changes.commits = commits.into_iter().map(commit).collect();
    changes.more_commits = more_commits;
    changes.patch = difference.patch;
    changes.is_patch_cut = difference.is_cut;
}

fn status(letter: char) -> &'static str {
    match letter {
        'A' => "added",
        'D' => "deleted",
        'R' | 'C' => "renamed",
        'T' => "retyped",
        _ => "modified",
    }
}
