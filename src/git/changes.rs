//! What differs between two pictures of the files, and which commits lie between.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{GitError, Scratch, command::Ask};

/// Files that are listed at most; the rest is counted.
const MOST_FILES: usize = 2000;
/// Commits that are listed at most.
const MOST_COMMITS: usize = 500;
/// A difference may take so long.
const LIMIT: Duration = Duration::from_secs(20);
/// And its list be so long, in bytes.
const LIST: usize = 16 << 20;

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// The first line of its message.
    pub subject: String,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiff {
    /// Relative to the root of the files.
    pub path: PathBuf,
    /// Where it was before, if it was moved.
    pub from: Option<PathBuf>,
    /// `A`dded, `M`odified, `D`eleted, `R`enamed, `T` another kind of thing.
    pub status: char,
    /// Lines added and removed, `None` when it is not text.
    pub lines: Option<(u64, u64)>,
}

/// How two pictures differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// The files, by path.
    pub files: Vec<FileDiff>,
    /// Further files.
    pub more_files: usize,
    /// As text, with what it was cut to.
    pub patch: Vec<u8>,
    /// It was cut.
    pub is_cut: bool,
}

/// Returns how two trees differ, with at most so many bytes of text.
///
/// # Errors
///
/// When git does not answer in time.
pub async fn difference(
    directory: &Path,
    scratch: Option<&Scratch>,
    (from, to): (&str, &str),
    most: usize,
) -> Result<Difference, GitError> {
    let environment = scratch.map(Scratch::environment).unwrap_or_default();
    let ask = |form: &[&str]| {
        let plain = ["diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color"];
        Ask::new(directory).envs(&environment).args(plain).args(form).args([from, to]).within(LIMIT)
    };
    let list = ask(&["-z", "--raw", "--numstat"]).at_most(LIST).answer();
    let text = async {
        if most == 0 {
            return Ok((Vec::new(), false));
        }
        let form = ["-p", "--src-prefix=a/", "--dst-prefix=b/", "--full-index"];
        let answer = ask(&form).at_most(most).answer().await?;
        let is_cut = answer.is_cut;
        Ok((answer.bytes()?, is_cut))
    };
    let (list, (patch, is_cut)) = tokio::try_join!(list, text)?;
    let mut files = parse(&list.bytes()?);
    let more_files = files.len().saturating_sub(MOST_FILES);
    files.truncate(MOST_FILES);
    Ok(Difference { files, more_files, patch, is_cut })
}

/// Returns the paths at which two trees differ.
///
/// # Errors
///
/// When git does not answer in time.
pub async fn uncommitted(
    directory: &Path,
    scratch: &Scratch,
    (head, tree): (&str, &str),
) -> Result<BTreeSet<PathBuf>, GitError> {
    let ask = Ask::new(directory).envs(&scratch.environment()).within(LIMIT).at_most(LIST);
    let args = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", head, tree];
    let bytes = ask.args(args).answer().await?.bytes()?;
    Ok(bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(path).collect())
}

/// Returns the commits that are in one and not in another, newest first, and whether there are more.
///
/// # Errors
///
/// When git does not answer in time.
pub async fn commits(
    directory: &Path,
    without: Option<&str>,
    with: &str,
) -> Result<(Vec<Commit>, bool), GitError> {
    let most = format!("--max-count={}", MOST_COMMITS + 1);
    let form = "--format=%H%x1f%at%x1f%an%x1f%s";
    let mut ask = Ask::new(directory).args(["log", "-z", "--no-decorate", &most, form, with]);
    if let Some(without) = without {
        ask = ask.args([format!("^{without}")]);
    }
    let bytes = ask.args(["--"]).within(LIMIT).at_most(LIST).answer().await?.bytes()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut found: Vec<_> = text.split('\0').filter_map(commit).collect();
    let is_more = found.len() > MOST_COMMITS;
    found.truncate(MOST_COMMITS);
    Ok((found, is_more))
}

/// Counts the commits of `with` that are on no branch of a remote and in none of `others`.
///
/// # Errors
///
/// When git does not answer in time.
pub async fn commits_missing_in(
    directory: &Path,
    with: &str,
    others: &[String],
) -> Result<u64, GitError> {
    let ask = Ask::new(directory).args(["rev-list", "--count", with, "--not", "--remotes"]);
    let word = ask.args(others).args(["--"]).within(LIMIT).word().await?;
    word.parse().map_err(|_error| GitError::TooLong { what: "rev-list".to_owned() })
}

/// Returns lines added and removed since the last commit, in files that git knows.
///
/// # Errors
///
/// When git does not answer in time.
pub async fn lines_changed(directory: &Path, limit: Duration) -> Result<(u64, u64), GitError> {
    let args = ["diff", "--no-ext-diff", "--no-textconv", "--numstat", "HEAD"];
    let bytes = Ask::new(directory).args(args).within(limit).answer().await?.bytes()?;
    Ok(sum(&String::from_utf8_lossy(&bytes)))
}

/// Adds up git's lines `added<TAB>removed<TAB>file`; a binary file has `-`.
fn sum(numstat: &str) -> (u64, u64) {
    numstat.lines().fold((0, 0), |(added, removed), line| {
        let mut words = line.split('\t').map(|word| word.parse::<u64>().unwrap_or(0));
        (added + words.next().unwrap_or(0), removed + words.next().unwrap_or(0))
    })
}

/// Reads git's two lists, one after the other, with NUL between all fields:
/// `:mode mode id id status`, path, for moves another path; then `added<TAB>removed<TAB>path`, where a
/// move has no path there but two fields more.
fn parse(bytes: &[u8]) -> Vec<FileDiff> {
    let mut files = Vec::new();
    let mut counted = 0;
    let mut fields = bytes.split(|byte| *byte == 0);
    while let Some(field) = fields.next() {
        if let Some(raw) = field.strip_prefix(b":") {
            let status = raw.rsplit(|byte| *byte == b' ').next().and_then(|word| word.first());
            let status = status.map_or('?', |byte| char::from(*byte));
            let Some(first) = fields.next() else { break };
            let from = matches!(status, 'R' | 'C').then(|| path(first));
            let at = if from.is_some() { fields.next().unwrap_or_default() } else { first };
            files.push(FileDiff { path: path(at), from, status, lines: None });
            continue;
        }
        let mut words = field.splitn(3, |byte| *byte == b'\t');
        let (Some(added), Some(removed), Some(name)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if name.is_empty() {
            fields.nth(1);
        }
        let file: Option<&mut FileDiff> = files.get_mut(counted);
        if let Some(file) = file {
            file.lines = number(added).zip(number(removed));
        }
        counted += 1;
    }
    files
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn path(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}

fn commit(text: &str) -> Option<Commit> {
    let mut words = text.splitn(4, '\u{1f}');
    let id = words.next().filter(|id| super::refs::is_object(id))?.to_owned();
    let at = words.next()?.parse().ok()?;
    let (author, subject) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Commit { id, author, at, subject })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_added_up() {
        assert_eq!(sum(""), (0, 0));
        assert_eq!(sum("1\t2\ta.rs\n-\t-\tlogo.png\n30\t0\ta b.md\n"), (31, 2));
    }

    #[test]
    fn both_lists_are_read_with_moves_binaries_and_hostile_names() {
        let text = b":100644 100644 a b M\0a\nb\x1b[31m.rs\0:100644 100644 a b R090\0old\0new\t1\0\
            :000000 100644 0 b A\0logo.png\0\
            1\t2\ta\nb\x1b[31m.rs\x003\t4\t\0old\0new\t1\0-\t-\tlogo.png\0";
        let files = parse(text);
        let [odd, moved, logo] = files.as_slice() else { panic!("{files:?}") };
        assert_eq!((odd.path.as_path(), odd.lines), (Path::new("a\nb\x1b[31m.rs"), Some((1, 2))));
        assert_eq!((moved.status, moved.lines), ('R', Some((3, 4))));
        assert_eq!(moved.from.as_deref(), Some(Path::new("old")));
        assert_eq!(moved.path, Path::new("new\t1"));
        assert_eq!((logo.status, logo.lines), ('A', None));
        assert!(parse(b"").is_empty());
        assert!(parse(b":100644").is_empty());
    }

    #[test]
    fn commits_are_read() {
        let id = "a".repeat(40);
        let found = commit(&format!("{id}\u{1f}12\u{1f}Ann\u{1f}fix \u{1f} it")).unwrap();
        assert_eq!((found.at, found.subject.as_str()), (12, "fix \u{1f} it"));
        assert_eq!(commit(""), None);
    }
}
