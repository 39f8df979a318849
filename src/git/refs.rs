//! Names of commits: branches, our own refs, what a person types.

use std::{path::Path, time::Duration};

use super::{GitError, command::Ask};

/// What is read of a message, in bytes.
const MESSAGE: usize = 64 << 10;

/// Refs that are listed at most; older ones are found when newer ones are gone.
const MOST_REFS: &str = "--count=5000";

/// Files that git makes in a repository are for whom its user lets.
pub(super) const USUAL: u32 = 0o022;

/// A ref and what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRef {
    /// The whole name, `refs/…`.
    pub name: String,
    /// The commit.
    pub commit: String,
    /// When the commit was made, in seconds since 1970.
    pub made_at: i64,
}

/// Returns the commit that a word names, `None` if there is none.
///
/// # Errors
///
/// When git does not answer.
pub async fn resolve(directory: &Path, word: &str) -> Result<Option<String>, GitError> {
    // What begins with a dash would be an option, and git has no name that does.
    if word.starts_with('-') || word.contains('\0') {
        return Ok(None);
    }
    let commit = format!("{word}^{{commit}}");
    let ask = Ask::new(directory).args(["rev-parse", "--verify", "--quiet", "--end-of-options"]);
    let answer = ask.args([commit]).answer().await?;
    if !answer.is_success() {
        return Ok(None);
    }
    let name = String::from_utf8_lossy(&answer.bytes()?).trim().to_owned();
    Ok(Some(name).filter(|name| is_object(name)))
}

/// Returns the whole name of the ref that a word means, `refs/heads/main`; `None` when it means none.
///
/// # Errors
///
/// When git does not answer.
pub async fn ref_of(directory: &Path, word: &str) -> Result<Option<String>, GitError> {
    if word.starts_with('-') || word.contains('\0') {
        return Ok(None);
    }
    let ask =
        Ask::new(directory).args(["rev-parse", "--verify", "--quiet", "--symbolic-full-name"]);
    let answer = ask.args(["--end-of-options", word]).answer().await?;
    if !answer.is_success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&answer.bytes()?).into_owned();
    let name = text.lines().find(|line| line.starts_with("refs/")).map(str::to_owned);
    Ok(name)
}

/// Whether a branch may have this name.
///
/// # Errors
///
/// When git does not answer.
pub async fn is_branch_name(directory: &Path, name: &str) -> Result<bool, GitError> {
    if name.is_empty() || name.starts_with('-') || name.contains('\0') || name.len() > 200 {
        return Ok(false);
    }
    let whole = format!("refs/heads/{name}");
    let answer = Ask::new(directory).args(["check-ref-format", &whole]).answer().await?;
    Ok(answer.is_success() && name != "HEAD")
}

/// Lets a ref of ours name a commit.
///
/// # Errors
///
/// When git does not do it.
pub async fn set_ref(directory: &Path, name: &str, commit: &str) -> Result<(), GitError> {
    let ask = Ask::new(directory).args(["update-ref", "--no-deref", name, commit]).making(USUAL);
    ask.bytes().await.map(drop)
}

/// Removes a ref, if it still names this commit; one that is not there is no error.
///
/// # Errors
///
/// When git does not do it.
pub async fn delete_ref(directory: &Path, name: &str, commit: &str) -> Result<(), GitError> {
    let ask = Ask::new(directory).args(["update-ref", "--no-deref", "-d", name, commit]);
    ask.making(USUAL).bytes().await.map(drop)
}

/// Returns the refs below a place, `refs/stratavore/trash`.
///
/// # Errors
///
/// When git does not answer.
pub async fn refs_below(directory: &Path, place: &str) -> Result<Vec<NamedRef>, GitError> {
    let format = "--format=%(objectname) %(committerdate:unix) %(refname)";
    let ask = Ask::new(directory).args(["for-each-ref", MOST_REFS, "--sort=committerdate", format]);
    let bytes = ask.args([place]).within(Duration::from_secs(20)).bytes().await?;
    Ok(String::from_utf8_lossy(&bytes).lines().filter_map(parse).collect())
}

/// Returns the message of a commit.
///
/// # Errors
///
/// When git does not answer.
pub async fn message(directory: &Path, commit: &str) -> Result<String, GitError> {
    let ask = Ask::new(directory).args(["log", "-1", "--format=%B", commit]).at_most(MESSAGE);
    Ok(String::from_utf8_lossy(&ask.answer().await?.bytes()?).into_owned())
}

fn parse(line: &str) -> Option<NamedRef> {
    let mut words = line.splitn(3, ' ');
    let (commit, made_at, name) = (words.next()?, words.next()?, words.next()?);
    let made_at = made_at.parse().ok()?;
    is_object(commit).then(|| NamedRef {
        name: name.to_owned(),
        commit: commit.to_owned(),
        made_at,
    })
}

/// Whether a word is the name of an object and nothing else.
pub(super) fn is_object(word: &str) -> bool {
    matches!(word.len(), 40 | 64) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_are_read_and_nonsense_is_not() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let line = format!("{commit} 1790000000 refs/stratavore/trash/p/x");
        let found = parse(&line).unwrap();
        assert_eq!(
            (found.made_at, found.name.as_str()),
            (1_790_000_000, "refs/stratavore/trash/p/x")
        );
        assert_eq!(parse("x 1 refs/y"), None);
        assert_eq!(parse(""), None);
    }
}
