//! What was removed and is kept for a while: commits under refs of ours, in the repositories themselves.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDateTime, Utc};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::{KEPT, Services, TOGETHER};
use crate::{
    domain::{checkout::TrashedWorktree, failure::Failure},
    git::{self, NamedRef, Repository},
};

/// Where the refs are.
pub(super) const TRASH: &str = "refs/stratavore/trash";
/// And those of runners.
const RUNNERS: &str = "refs/stratavore/runners";

/// The end of a ref's name, to the microsecond: nothing is removed twice in one.
const TIME: &str = "%Y%m%dT%H%M%S%6fZ";

/// What is listed at most.
const MOST: usize = 200;

/// What a worktree was, in the message of the commit that keeps its files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) branch: String,
}

impl Memory {
    /// The message.
    pub(super) fn message(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        format!("files of the worktree {} when it was removed\n\n{text}\n", self.name)
    }

    /// Reads it back; of a message that is none of ours nothing is known.
    fn parse(message: &str) -> Self {
        let line = message.lines().rfind(|line| line.starts_with('{'));
        line.and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default()
    }
}

/// The ref of something that is removed now.
pub(super) fn trash_ref(name: &str, now: DateTime<Utc>) -> String {
    format!("{TRASH}/{name}/{}", now.format(TIME))
}

/// Returns the name and the time that a ref tells.
fn parse(reference: &str) -> Option<(String, DateTime<Utc>)> {
    let (name, time) = reference.strip_prefix(TRASH)?.strip_prefix('/')?.rsplit_once('/')?;
    let time = NaiveDateTime::parse_from_str(time, TIME).ok()?;
    Some((name.to_owned(), time.and_utc()))
}

impl Services {
    /// Returns what was removed and can be restored, newest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn list_trash(&self) -> Result<Vec<TrashedWorktree>, Failure> {
        let repositories = self.known_repositories().await?;
        let mut found: Vec<(NamedRef, PathBuf)> = Vec::new();
        for repository in repositories {
            match git::refs_below(&repository, TRASH).await {
                Ok(refs) => found.extend(refs.into_iter().map(|r| (r, repository.clone()))),
                Err(error) => tracing::debug!(?repository, %error, "failed to look into the trash"),
            }
        }
        found.retain(|(named, _)| parse(&named.name).is_some());
        found.sort_by_key(|(named, _)| std::cmp::Reverse(parse(&named.name).map(|(_, at)| at)));
        found.truncate(MOST);
        let read = stream::iter(found).map(async |(named, repository)| {
            let message = git::message(&repository, &named.commit).await.unwrap_or_default();
            let memory = Memory::parse(&message);
            let (name, removed_at) = parse(&named.name).unwrap_or_default();
            TrashedWorktree {
                name,
                removed_at,
                branch: memory.branch,
                path: memory.path,
                reference: named.name,
                repository: repository.to_string_lossy().into_owned(),
            }
        });
        Ok(read.buffered(TOGETHER).collect().await)
    }

    /// Removes what was kept long enough: removed worktrees, and the files as they were at launches of
    /// runners that have ended. Returns how many.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn empty_trash(&self) -> Result<u64, Failure> {
        let before = (self.context.clock.now() - KEPT).timestamp();
        let live = self.store.runner_list("", "live", 0).await?;
        let live: BTreeSet<String> = live.iter().map(|runner| runner.id.to_string()).collect();
        let mut gone = 0;
        for repository in self.known_repositories().await? {
            for place in [TRASH, RUNNERS] {
                let refs = git::refs_below(&repository, place).await.unwrap_or_default();
                let is_live =
                    |named: &NamedRef| named.name.split('/').any(|word| live.contains(word));
                for named in refs.iter().filter(|r| r.made_at < before && !is_live(r)) {
                    match git::delete_ref(&repository, &named.name, &named.commit).await {
                        Ok(()) => gone += 1,
                        Err(error) => tracing::warn!(?repository, %error, "failed to remove a ref"),
                    }
                }
            }
        }
        Ok(gone)
    }

    /// Returns the repositories of projects and runners that are there.
    async fn known_repositories(&self) -> Result<BTreeSet<PathBuf>, Failure> {
        let own = &self.context.origin.node_id;
        let runners = self.store.runner_list("", "", 0).await?;
        let runners = runners.iter().filter(|runner| runner.node_id == *own);
        let known = runners.filter_map(|runner| runner.checkout.as_ref());
        let mut repositories: BTreeSet<PathBuf> = known
            .map(|checkout| checkout.repository.clone())
            .filter(|path| path.is_dir())
            .collect();
        let projects = self.store.project_list(None).await?;
        let paths: BTreeSet<PathBuf> = projects.into_iter().map(|project| project.path).collect();
        let looks = stream::iter(paths).map(async |path: PathBuf| common(&path).await);
        let found: Vec<_> = looks.buffer_unordered(TOGETHER).collect().await;
        repositories.extend(found.into_iter().flatten());
        Ok(repositories)
    }
}

async fn common(path: &Path) -> Option<PathBuf> {
    Some(Repository::around(path).await.ok()?.common)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_tells_what_it_keeps_and_since_when() {
        let now = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
        let name = trash_ref("api/fix-login", now);
        assert_eq!(parse(&name), Some(("api/fix-login".to_owned(), now)));
        assert_eq!(parse("refs/stratavore/trash/x"), None);
        assert_eq!(parse("refs/heads/main"), None);
        let memory = Memory { name: "api/x".into(), path: "/w\n".into(), ..Memory::default() };
        assert_eq!(Memory::parse(&memory.message()), memory);
        assert_eq!(Memory::parse("a commit of somebody"), Memory::default());
    }
}
