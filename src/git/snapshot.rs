//! A picture of all files of a checkout as they are now, as a tree of git, the untracked ones included.
//!
//! It is made with an index of its own, so that the user's is not touched, and with the objects in the
//! repository or, for a look that is thrown away, beside it. Invariant: what a picture leaves out
//! (files too large, directories that are repositories of their own) it says.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{DirBuilderExt as _, FileTypeExt as _},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    GitError, Repository,
    command::Ask,
    refs::{USUAL, is_object},
    repository::path,
};

/// What may be named as left out.
const MOST_NAMED: usize = 100;

/// How much a picture may show, and how long a step of it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The largest file, in bytes.
    one: u64,
    /// All files together, in bytes.
    all: u64,
    /// Files.
    files: usize,
    step: Duration,
}

impl Bounds {
    /// To compare with: what is larger is results, recordings, data.
    pub const COMPARE: Self =
        Self { one: 10 << 20, all: 256 << 20, files: 20_000, step: Duration::from_secs(20) };
    /// To keep what is about to be removed.
    pub const KEEP: Self =
        Self { one: 1 << 30, all: 4 << 30, files: 200_000, step: Duration::from_mins(5) };
}

/// Lists of files may be so long, in bytes.
const LIST: usize = 32 << 20;

/// What a picture does not show, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Relative to the root of the files.
    pub path: String,
    /// In words.
    pub why: String,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The tree.
    pub tree: String,
    /// What it does not show.
    pub left_out: Vec<LeftOut>,
    /// What else it does not show.
    pub more_left_out: usize,
    /// Files that git does not know, as far as they are in it.
    pub untracked: Vec<PathBuf>,
    /// It shows the files of the commit that is checked out, and nothing else.
    pub is_head: bool,
}

/// A place for an index, and for objects that nobody needs afterwards; it is gone when this is.
#[derive(Debug)]
pub struct Scratch {
    directory: PathBuf,
    /// The objects of the repository, if new ones do not go there.
    beside: Option<PathBuf>,
}

impl Scratch {
    /// Makes a place below this directory, which exists, for a picture that is kept in the repository.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn keeping(below: &Path) -> Result<Self, GitError> {
        let directory = below.join(uuid::Uuid::new_v4().simple().to_string());
        let made = fs::DirBuilder::new().mode(0o700).create(&directory);
        made.map_err(|source| io_error("make a directory for an index", source))?;
        Ok(Self { directory, beside: None })
    }

    /// Makes a place for a picture that leaves nothing behind in this repository.
    ///
    /// # Errors
    ///
    /// As [`Self::keeping`].
    pub fn aside(below: &Path, repository: &Repository) -> Result<Self, GitError> {
        let mut scratch = Self::keeping(below)?;
        let objects = fs::create_dir(scratch.directory.join("objects"));
        objects.map_err(|source| io_error("make a directory for objects", source))?;
        scratch.beside = Some(repository.common.join("objects"));
        Ok(scratch)
    }

    /// What tells git of it.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut environment = vec![("GIT_INDEX_FILE".into(), self.index().into_os_string())];
        if let Some(objects) = &self.beside {
            let own = self.directory.join("objects").into_os_string();
            environment.push(("GIT_OBJECT_DIRECTORY".into(), own));
            environment.push(("GIT_ALTERNATE_OBJECT_DIRECTORIES".into(), quoted(objects)));
        }
        environment
    }

    fn index(&self) -> PathBuf {
        self.directory.join("index")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is removed when the daemon starts again.
        fs::remove_dir_all(&self.directory).ok();
    }
}

/// Takes a picture of all files of a checkout.
///
/// # Errors
///
/// When there are no files (a bare repository), or git does not answer in time.
pub async fn tree(
    repository: &Repository,
    scratch: &Scratch,
    bounds: Bounds,
) -> Result<Snapshot, GitError> {
    let Some(top) = &repository.top else { return Err(GitError::NoRepository) };
    let environment = scratch.environment();
    let ask = || Ask::new(top).envs(&environment).within(bounds.step);
    copy_index(repository, scratch, top).await?;
    let status = ask().args(STATUS).at_most(LIST).bytes().await?;
    let head = repository.head.clone();
    let root = top.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let status = Status::read(&status);
        let is_head = status.is_clean && status.head.is_some_and(|at| Some(at) == head.as_deref());
        (sort(&root, &status, bounds), is_head)
    });
    let (sorted, is_head) =
        looked.await.map_err(|error| io_error("look at the files", io::Error::other(error)))?;
    if is_head && let Some(tree) = &repository.head_tree {
        return Ok(Snapshot { tree: tree.clone(), is_head, ..sorted.shown() });
    }
    if !sorted.listed.is_empty() {
        let args = ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"];
        ask().args(args).input(sorted.listed.clone()).making(USUAL).bytes().await?;
    }
    let tree = ask().args(["write-tree"]).making(USUAL).word().await?;
    if !is_object(&tree) {
        return Err(GitError::TooLong { what: "write-tree".to_owned() });
    }
    Ok(Snapshot { tree, ..sorted.shown() })
}

/// What has changed, in the index and in the files, and what git does not know.
const STATUS: [&str; 8] = [
    "status",
    "--porcelain=v2",
    "-z",
    "--branch",
    "--untracked-files=all",
    "--ignore-submodules=dirty",
    "--no-renames",
    "--no-ahead-behind",
];

/// What git says of the files.
#[derive(Debug, Default)]
struct Status<'a> {
    /// The commit that it compared with.
    head: Option<&'a str>,
    /// Files that differ from the index.
    changed: Vec<&'a [u8]>,
    untracked: Vec<&'a [u8]>,
    /// Nothing differs from the commit.
    is_clean: bool,
}

impl<'a> Status<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut status = Self { is_clean: true, ..Self::default() };
        for entry in bytes.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            if let Some(head) = entry.strip_prefix(b"# branch.oid ") {
                status.head = std::str::from_utf8(head).ok();
                continue;
            }
            if entry.starts_with(b"# ") {
                continue;
            }
            status.is_clean = false;
            // The name follows so many words, none of which holds a space.
            let (words, differs) = match entry {
                [b'?', ..] => {
                    status.untracked.extend(entry.get(2..));
                    continue;
                }
                [b'u', ..] => (10, true),
                [b'1', b' ', _, in_files, ..] => (8, *in_files != b'.'),
                _ => continue,
            };
            if differs && let Some(name) = entry.splitn(words + 1, |byte| *byte == b' ').last() {
                status.changed.push(name);
            }
        }
        status
    }
}

/// Makes a commit of a picture, by nobody in particular, and returns its name.
///
/// # Errors
///
/// When git does not do it.
pub async fn commit_tree(
    directory: &Path,
    tree: &str,
    parent: Option<&str>,
    message: String,
) -> Result<String, GitError> {
    let mut ask = Ask::new(directory).args(["commit-tree", "--no-gpg-sign", tree]);
    if let Some(parent) = parent {
        ask = ask.args(["-p", parent]);
    }
    for who in ["AUTHOR", "COMMITTER"] {
        ask = ask
            .env(&format!("GIT_{who}_NAME"), "stratavore")
            .env(&format!("GIT_{who}_EMAIL"), "stratavore@localhost");
    }
    ask.input(message.into_bytes()).making(USUAL).word().await
}

/// Begins with the index as it is: what git knows of the files it need not look at again.
async fn copy_index(
    repository: &Repository,
    scratch: &Scratch,
    top: &Path,
) -> Result<(), GitError> {
    let ask = Ask::new(top).args(["rev-parse", "--path-format=absolute", "--git-path", "index"]);
    let from = match &repository.index {
        Some(index) => index.clone(),
        None => path(ask.line().await?),
    };
    let to = scratch.index();
    let copied = tokio::task::spawn_blocking(move || {
        let modified = fs::metadata(&from)?.modified()?;
        fs::copy(&from, &to)?;
        // Git tells by the index's own time which files may have changed in the tick it was written.
        fs::File::options().write(true).open(&to)?.set_modified(modified)
    });
    match copied.await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            let Some(head) = &repository.head else { return Ok(()) };
            let environment = scratch.environment();
            Ask::new(top).envs(&environment).args(["read-tree", head]).bytes().await.map(drop)
        }
        Ok(done) => done.map_err(|source| io_error("copy the index", source)),
        Err(error) => Err(io_error("copy the index", io::Error::other(error))),
    }
}

/// What goes into a picture and what does not.
#[derive(Debug)]
struct Sorted {
    bounds: Bounds,
    /// Paths, each followed by NUL.
    listed: Vec<u8>,
    files: usize,
    bytes: u64,
    untracked: Vec<PathBuf>,
    left_out: Vec<LeftOut>,
    more_left_out: usize,
}

impl Sorted {
    /// What a picture of it says, but for its name.
    fn shown(self) -> Snapshot {
        let Self { left_out, more_left_out, untracked, .. } = self;
        Snapshot { tree: String::new(), left_out, more_left_out, untracked, is_head: false }
    }

    fn take(&mut self, name: &[u8], size: u64) {
        self.listed.extend_from_slice(name);
        self.listed.push(0);
        self.files += 1;
        self.bytes += size;
    }

    fn leave(&mut self, name: &[u8], why: impl Into<String>) {
        if self.left_out.len() < MOST_NAMED {
            let path = String::from_utf8_lossy(name).into_owned();
            self.left_out.push(LeftOut { path, why: why.into() });
        } else {
            self.more_left_out += 1;
        }
    }
}

/// Looks at each file that may have changed.
fn sort(top: &Path, status: &Status<'_>, bounds: Bounds) -> Sorted {
    let mut sorted = Sorted {
        bounds,
        listed: Vec::new(),
        files: 0,
        bytes: 0,
        untracked: Vec::new(),
        left_out: Vec::new(),
        more_left_out: 0,
    };
    for name in &status.changed {
        look_at(top, name, &mut sorted);
    }
    for name in &status.untracked {
        let before = sorted.files;
        look_at(top, name, &mut sorted);
        if sorted.files > before {
            sorted.untracked.push(OsStr::from_bytes(name).into());
        }
    }
    sorted
}

fn look_at(top: &Path, name: &[u8], sorted: &mut Sorted) {
    let bounds = sorted.bounds;
    if name.ends_with(b"/") {
        return sorted.leave(name, "a repository of its own");
    }
    let path = top.join(OsStr::from_bytes(name));
    let Ok(meta) = fs::symlink_metadata(&path) else {
        // It was removed, which a picture shows, too.
        return sorted.take(name, 0);
    };
    let kind = meta.file_type();
    let size = if kind.is_file() { meta.len() } else { 0 };
    if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
        sorted.leave(name, "not a file");
    } else if size > bounds.one {
        let (size, most) = (size.div_ceil(1 << 20), bounds.one >> 20);
        sorted.leave(name, format!("it has {size} MB, more than {most}"));
    } else if sorted.files >= bounds.files || sorted.bytes + size > bounds.all {
        sorted.leave(name, "there are too many files");
    } else if kind.is_file() && fs::File::open(&path).is_err() {
        sorted.leave(name, "it cannot be read");
    } else {
        sorted.take(name, size);
    }
}

/// A path as a list of directories has it: in quotes, since a colon would divide it.
fn quoted(path: &Path) -> OsString {
    let mut bytes = vec![b'"'];
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'"' | b'\\' => bytes.extend([b'\\', *byte]),
            b'\n' => bytes.extend(b"\\n"),
            byte => bytes.push(*byte),
        }
    }
    bytes.push(b'"');
    OsString::from_vec(bytes)
}

fn io_error(what: &str, source: io::Error) -> GitError {
    GitError::Io { what: what.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_by_its_words() {
        let head = "# branch.oid 0123\0# branch.head main\0";
        let status = Status::read(head.as_bytes());
        assert!(status.is_clean);
        assert_eq!(status.head, Some("0123"));
        let entry = |kind: &str, xy: &str, rest: &str| format!("{kind} {xy} N... {rest}\0");
        let text = [
            head.to_owned(),
            entry("1", "A.", "0 1 1 a b only in the index"),
            entry("1", ".M", "1 1 1 a b x  y"),
            entry("1", "MD", "1 1 0 a b gone"),
            entry("u", "UU", "1 2 3 4 a b c in conflict"),
            "? new one\0? a repository/\0".to_owned(),
        ]
        .concat();
        let status = Status::read(text.as_bytes());
        assert!(!status.is_clean);
        assert_eq!(status.changed, [&b"x  y"[..], b"gone", b"in conflict"]);
        assert_eq!(status.untracked, [&b"new one"[..], b"a repository/"]);
    }
}
