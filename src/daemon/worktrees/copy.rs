//! Copies files that a project names from its directory into a new worktree.
//!
//! The names come from a repository, from whoever wrote that. Invariant: nothing outside of the
//! repository is read, nothing outside of the worktree is written, nothing is overwritten.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Component, Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

/// Files that are copied at most.
const MOST_FILES: usize = 1000;
/// The largest file that is copied, in bytes.
const MOST_OF_ONE: u64 = 10 << 20;
/// Entries of directories that are looked at for a pattern.
const MOST_ENTRIES: usize = 200_000;
/// What is told at most.
const MOST_NOTES: usize = 20;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copied {
    /// Relative to both directories.
    pub files: Vec<PathBuf>,
    /// What was not, and why.
    pub notes: Vec<String>,
}

impl Copied {
    fn note(&mut self, what: &Path, why: &str) {
        if self.notes.len() < MOST_NOTES {
            let shown = what.to_string_lossy().escape_debug().to_string();
            self.notes.push(format!("`{shown}` is not copied: {why}"));
        }
    }
}

/// Copies what matches the patterns. `repository` is the root of the files that `from` belongs to.
pub fn copy(repository: &Path, from: &Path, to: &Path, patterns: &[String]) -> Copied {
    let mut copied = Copied::default();
    let roots = (repository.canonicalize(), to.canonicalize());
    let (Ok(repository), Ok(to)) = roots else {
        copied.note(from, "a directory is gone");
        return copied;
    };
    for pattern in patterns {
        let is_inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if pattern.is_empty() || !Path::new(pattern).components().all(is_inside) {
            copied.note(Path::new(pattern), "it names no file below the project's directory");
            continue;
        }
        for name in matching(from, pattern, &mut copied) {
            if copied.files.len() >= MOST_FILES {
                copied.note(&name, "there are too many files");
                return copied;
            }
            if copied.files.contains(&name) {
                continue;
            }
            match copy_one(&repository, &from.join(&name), &to, &name) {
                Ok(()) => copied.files.push(name),
                Err(error) => copied.note(&name, &error.to_string()),
            }
        }
    }
    copied
}

/// Returns the files that a pattern means, relative to the directory.
fn matching(from: &Path, pattern: &str, copied: &mut Copied) -> Vec<PathBuf> {
    if !pattern.contains(['*', '?', '[', '{']) {
        let is_there = from.join(pattern).symlink_metadata().is_ok();
        return is_there.then(|| PathBuf::from(pattern)).into_iter().collect();
    }
    let glob: GlobMatcher = match GlobBuilder::new(pattern).literal_separator(true).build() {
        Ok(glob) => glob.compile_matcher(),
        Err(error) => {
            copied.note(Path::new(pattern), &error.kind().to_string());
            return Vec::new();
        }
    };
    let deepest =
        if pattern.contains("**") { usize::MAX } else { Path::new(pattern).components().count() };
    let is_ours = |entry: &walkdir::DirEntry| {
        entry.depth() == 0
            || !(entry.file_type().is_dir()
                && (entry.file_name() == ".git" || entry.path().join(".git").exists()))
    };
    let entries = WalkDir::new(from).follow_links(false).max_depth(deepest).into_iter();
    let mut found = Vec::new();
    for (count, entry) in entries.filter_entry(is_ours).enumerate() {
        if count >= MOST_ENTRIES {
            copied.note(Path::new(pattern), "there are too many files to look through");
            break;
        }
        let Ok(entry) = entry else { continue };
        let Ok(name) = entry.path().strip_prefix(from) else { continue };
        if !entry.file_type().is_dir() && glob.is_match(name) {
            found.push(name.to_owned());
        }
    }
    found.sort();
    found
}

fn copy_one(repository: &Path, from: &Path, to: &Path, name: &Path) -> io::Result<()> {
    let real = from.canonicalize()?;
    if !real.starts_with(repository) || real.starts_with(repository.join(".git")) {
        return Err(io::Error::other("it leads out of the repository's files"));
    }
    let options = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let options = options.bits().cast_signed();
    let source = fs::OpenOptions::new().read(true).custom_flags(options).open(&real)?;
    let meta = source.metadata()?;
    if meta.is_dir() {
        return Err(io::Error::other("it is a directory; a pattern like `dir/**` names its files"));
    }
    if !meta.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if meta.len() > MOST_OF_ONE {
        return Err(io::Error::other(format!("it is larger than {} MB", MOST_OF_ONE >> 20)));
    }
    let target = below(to, name)?;
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target);
    let mut file = made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => io::Error::other("the worktree has it already"),
        _ => error,
    })?;
    io::copy(&mut source.take(MOST_OF_ONE), &mut file)?;
    file.set_permissions(fs::Permissions::from_mode(meta.permissions().mode() & 0o777))
}

/// Returns where a file goes, with the directories made; through no symlink, which could lead anywhere.
fn below(to: &Path, name: &Path) -> io::Result<PathBuf> {
    let mut at = to.to_owned();
    for part in name.parent().into_iter().flat_map(Path::components) {
        let Component::Normal(part) = part else { continue };
        at.push(part);
        match at.symlink_metadata() {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(io::Error::other("a directory on its way is none")),
            Err(_) => fs::create_dir(&at)?,
        }
    }
    let last = name.file_name().ok_or_else(|| io::Error::other("it has no name"))?;
    Ok(at.join(last))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_is_inside_is_copied_and_nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        for path in ["from/app", "from/.git", "to/app"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        for (name, text) in [
            ("outside", "secret"),
            ("from/.env", "A=1"),
            ("from/.env.local", "B=2"),
            ("from/.git/config", "x"),
            ("from/app/.env", "C=3"),
            ("from/kept", "new"),
            ("to/kept", "old"),
        ] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        symlink(dir.path().join("outside"), from.join(".env.out")).unwrap();
        symlink(".env", from.join(".env.link")).unwrap();
        // A directory of the worktree that leads out of it.
        symlink(dir.path(), to.join("way")).unwrap();
        fs::create_dir(from.join("way")).unwrap();
        fs::write(from.join("way/.env"), "D").unwrap();
        let patterns = [
            ".env*",
            "**/.env",
            "kept",
            "../outside",
            "/etc/passwd",
            ".git/config",
            "app",
            "gone",
            "way/.env",
            "[",
        ];
        let copied = copy(&from, &from, &to, &patterns.map(str::to_owned));
        let files: Vec<_> = copied.files.iter().map(|file| file.to_str().unwrap()).collect();
        assert_eq!(files, [".env", ".env.link", ".env.local", "app/.env"]);
        assert_eq!(fs::read_to_string(to.join("app/.env")).unwrap(), "C=3");
        assert_eq!(fs::read_to_string(to.join("kept")).unwrap(), "old");
        assert!(to.join(".env.link").symlink_metadata().unwrap().is_file());
        assert!(!to.join(".env.out").exists() && !dir.path().join(".env").exists());
        let told = copied.notes.join("\n");
        for word in
            [".env.out", "way/.env", "kept", "../outside", "/etc/passwd", ".git/config", "`app`"]
        {
            assert!(told.contains(word), "{word}: {told}");
        }
    }
}
