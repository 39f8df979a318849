//! Installing: which files go where, with what in them. Only [`plan`] decides; who calls it writes.

mod record;
mod unit;

use std::path::{Path, PathBuf};

pub(super) use self::record::{Record, Removed, remove};
use super::{complete, man};
use crate::domain::failure::Failure;

/// Where each kind of file goes.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The program.
    pub bin: PathBuf,
    /// What is read by others: manual and completions.
    pub share: PathBuf,
    /// Units of systemd.
    pub units: PathBuf,
    /// Completions of fish, which looks elsewhere for a user's.
    pub fish: PathBuf,
    /// Whether for all users.
    pub is_system: bool,
    /// Goes before all of it.
    pub destdir: Option<PathBuf>,
}

impl Layout {
    /// The places of one user.
    pub(super) fn user(home: &Path, config_home: &Path) -> Self {
        Self {
            bin: home.join(".local/bin"),
            share: home.join(".local/share"),
            units: config_home.join("systemd/user"),
            fish: config_home.join("fish/completions"),
            is_system: false,
            destdir: None,
        }
    }

    /// The places of a machine.
    pub(super) fn system() -> Self {
        Self {
            bin: "/usr/local/bin".into(),
            share: "/usr/local/share".into(),
            units: "/etc/systemd/system".into(),
            fish: "/usr/local/share/fish/vendor_completions.d".into(),
            is_system: true,
            destdir: None,
        }
    }

    /// Where a file is written to.
    pub(super) fn at(&self, path: &Path) -> PathBuf {
        match &self.destdir {
            Some(destdir) => destdir.join(path.strip_prefix("/").unwrap_or(path)),
            None => path.to_owned(),
        }
    }

    /// The file that remembers what was installed.
    pub(super) fn record(&self) -> PathBuf {
        self.at(&self.share.join("stratavore/installed.json"))
    }
}

/// What is to be installed.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The program as it lies now.
    pub program: PathBuf,
    /// Whether the service runs it from there.
    pub keep_binary: bool,
    /// Whether systemd listens for it.
    pub socket: bool,
    /// The root directory, if it is another than the usual one.
    pub root: Option<PathBuf>,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// What it is.
    pub what: &'static str,
    /// Where it goes, the directory that stands before all left out.
    pub path: PathBuf,
    /// What is in it.
    pub content: Content,
}

/// Where a file's content comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// It is this.
    Text(Vec<u8>),
    /// It is a copy of the program there.
    Program(PathBuf),
}

/// Returns all files to be written, in order.
///
/// # Errors
///
/// When a page or a script cannot be made, which would be a defect.
pub(super) fn plan(layout: &Layout, wanted: &Wanted) -> Result<Vec<Item>, Failure> {
    let mut items = Vec::new();
    let mut add = |what, path, content| items.push(Item { what, path, content });
    let installed = layout.bin.join("stratavore");
    let program = if wanted.keep_binary { wanted.program.clone() } else { installed.clone() };
    if !wanted.keep_binary && wanted.program != layout.at(&installed) {
        add("program", installed, Content::Program(wanted.program.clone()));
    }
    let root = wanted.root.as_deref();
    if layout.is_system {
        let text = unit::system_service(&program);
        add("unit", layout.units.join("stratavore@.service"), Content::Text(text.into()));
    } else {
        let text = unit::user_service(&program, root);
        add("unit", layout.units.join("stratavore.service"), Content::Text(text.into()));
        if wanted.socket {
            let text = unit::user_socket(root);
            add("unit", layout.units.join("stratavore.socket"), Content::Text(text.into()));
        }
    }
    let pages =
        man::pages().map_err(|error| Failure::internal(format!("write the manual: {error}")))?;
    for (name, text) in pages {
        add("manual", layout.share.join("man/man1").join(name), Content::Text(text));
    }
    let completions = [
        ("bash", layout.share.join("bash-completion/completions/stratavore")),
        ("zsh", layout.share.join("zsh/site-functions/_stratavore")),
        ("fish", layout.fish.join("stratavore.fish")),
    ];
    for (shell, path) in completions {
        add("completion", path, Content::Text(complete::script(shell)?));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            program: "/src/target/stratavore".into(),
            keep_binary: false,
            socket: false,
            root: None,
        }
    }

    fn unit_of(items: &[Item]) -> String {
        let unit = items.iter().find(|item| item.what == "unit").unwrap();
        match &unit.content {
            Content::Text(text) => String::from_utf8(text.clone()).unwrap(),
            Content::Program(_) => panic!("a unit is text"),
        }
    }

    #[test]
    fn a_user_gets_all_files_below_home() {
        let layout = Layout::user(Path::new("/home/amy"), Path::new("/home/amy/.config"));
        let items = plan(&layout, &wanted()).unwrap();
        assert!(items.iter().all(|item| item.path.starts_with("/home/amy")), "{items:?}");
        let has = |path: &str| items.iter().any(|item| item.path == Path::new(path));
        for path in [
            "/home/amy/.local/bin/stratavore",
            "/home/amy/.config/systemd/user/stratavore.service",
            "/home/amy/.local/share/man/man1/stratavore.1",
            "/home/amy/.local/share/man/man1/stratavore-runners-list.1",
            "/home/amy/.config/fish/completions/stratavore.fish",
        ] {
            assert!(has(path), "{path}");
        }
        assert!(!has("/home/amy/.config/systemd/user/stratavore.socket"));
        assert!(unit_of(&items).contains("\nExecStart=/home/amy/.local/bin/stratavore --daemon\n"));
    }

    #[test]
    fn a_program_that_stays_is_run_from_where_it_is() {
        let layout = Layout { destdir: Some("/pkg".into()), ..Layout::system() };
        let items = plan(&layout, &Wanted { keep_binary: true, ..wanted() }).unwrap();
        assert!(items.iter().all(|item| item.what != "program"));
        assert!(unit_of(&items).contains("\nExecStart=/src/target/stratavore --daemon\n"));
        let unit = layout.at(Path::new("/etc/systemd/system/stratavore@.service"));
        assert_eq!(unit, Path::new("/pkg/etc/systemd/system/stratavore@.service"));
    }

    #[test]
    fn another_root_is_told_to_the_service_and_the_socket() {
        let layout = Layout::user(Path::new("/h"), Path::new("/h/.config"));
        let wanted = Wanted { socket: true, root: Some("/data/a b%".into()), ..wanted() };
        let items = plan(&layout, &wanted).unwrap();
        assert!(unit_of(&items).contains("\nEnvironment=\"STRATAVORE_HOME=/data/a b%%\"\n"));
        let socket = items.iter().find(|item| item.path.ends_with("stratavore.socket")).unwrap();
        let Content::Text(text) = &socket.content else { panic!("text") };
        let text = String::from_utf8(text.clone()).unwrap();
        assert!(text.contains("\nListenStream=/data/a b%%/run/daemon.sock\n"), "{text}");
    }
}
