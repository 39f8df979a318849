//! d0: how screens are read: the bundled rules, the user's own files in their place, those that
//! corrections have taught before both, and the screens that every one of them is tried on.
//!
//! ```text
//! <root>/screens/NAME.toml              rules in the place of ours
//! <root>/screens/AGENT-taught.toml      rules before all others
//! <root>/screens/fixtures/AGENT/*.toml  screens and what they were
//! ```
//!
//! Invariant: a file is there whole or not at all, readable by its owner alone; one that cannot be read
//! is left out and told.

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    agents::{
        fixtures::Fixture,
        screens::{Drafted, On, Rules, Seen},
    },
    domain::{activity::ActivitySource, agent::Agent},
};

/// What is looked at of a file, in bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// Screens that are kept of one agent.
const MOST_FIXTURES: usize = 200;

/// Rules that may be taught for one agent.
const MOST_TAUGHT: usize = 100;

/// All rules that are in force.
#[derive(Debug, Clone, Default)]
pub struct ScreenRules {
    dir: PathBuf,
    known: Arc<RwLock<Arc<Known>>>,
}

/// The user's files.
#[derive(Debug, Default)]
struct Known {
    /// In the place of ours.
    own: HashMap<String, Rules>,
    /// Before all others.
    added: HashMap<String, Vec<Rules>>,
}

impl ScreenRules {
    /// Reads the user's files, `*.toml`, in a directory; one that cannot be read is left out and told.
    pub fn load(dir: &Path) -> Self {
        let rules = Self { dir: dir.to_owned(), known: Arc::default() };
        rules.reload();
        rules
    }

    /// Reads them again; what looks at a screen from now on uses them.
    pub fn reload(&self) {
        let mut known = Known::default();
        for (path, text) in files(&self.dir) {
            match Rules::parse(&text) {
                Ok(rules) if rules.adds() => {
                    known.added.entry(rules.agent().to_owned()).or_default().push(rules);
                }
                Ok(rules) => {
                    known.own.insert(rules.agent().to_owned(), rules);
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), error, "failed to read rules for screens");
                }
            }
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there are rules for a program, by its short name.
    pub fn has(&self, program: &str) -> bool {
        self.is_taught(program)
            || self.known().own.contains_key(program)
            || bundled(program).is_some()
    }

    /// Whether a person has taught anything about its screens.
    pub fn is_taught(&self, program: &str) -> bool {
        self.known().added.contains_key(program)
    }

    /// Whether a screen of a program tells, by the rules that nobody has taught, that its input box is there.
    pub fn know_rest(&self, program: &str) -> bool {
        let known = self.known();
        known.own.get(program).or_else(|| bundled(program)).is_some_and(Rules::know_rest)
    }

    /// Whether it can be told of a program that a text stands in its input box.
    pub fn know_drafts(&self, program: &str) -> bool {
        let known = self.known();
        known.own.get(program).or_else(|| bundled(program)).is_some_and(Rules::know_drafts)
    }

    /// Returns the text in a program's input box; `None` where none is seen in it.
    pub fn draft(&self, program: &str, screen: &str) -> Option<Drafted> {
        let known = self.known();
        known.own.get(program).or_else(|| bundled(program))?.draft(screen)
    }

    /// Returns what a title or a screen of a program tells by the rules that nobody has taught.
    pub fn look(&self, program: &str, on: On, text: &str) -> Option<Seen> {
        let known = self.known();
        known.own.get(program).or_else(|| bundled(program))?.look(on, text)
    }

    /// Returns what a screen of a program tells by the rules that a person has taught.
    pub fn taught(&self, program: &str, text: &str) -> Option<Seen> {
        let known = self.known();
        known.added.get(program)?.iter().find_map(|rules| rules.look(On::Screen, text))
    }

    /// Returns the patterns of the rules by which a title and a screen of a program are told now, each with
    /// who tells by it.
    pub fn patterns(
        &self,
        program: &str,
        title: &str,
        screen: &str,
    ) -> Vec<(ActivitySource, String)> {
        let known = self.known();
        let mut taught = known.added.get(program).into_iter().flatten();
        let taught = taught.find_map(|rules| rules.pattern(On::Screen, screen));
        let ours = known.own.get(program).or_else(|| bundled(program));
        let found = [
            (ActivitySource::Taught, taught),
            (ActivitySource::Title, ours.and_then(|rules| rules.pattern(On::Title, title))),
            (ActivitySource::Screen, ours.and_then(|rules| rules.pattern(On::Screen, screen))),
        ];
        let told = found.into_iter().filter_map(|(source, pattern)| Some((source, pattern?)));
        told.map(|(source, pattern)| (source, pattern.to_owned())).collect()
    }

    /// Returns the screens of a program of which it is known what they were, ours and the user's.
    pub fn fixtures(&self, program: &str) -> Vec<Fixture> {
        let mut found: Vec<Fixture> = Fixture::bundled(program).cloned().collect();
        for (path, text) in files(&self.fixtures_of(program)) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match Fixture::parse(&name, &text) {
                Ok(fixture) => found.push(fixture),
                Err(error) => {
                    tracing::warn!(path = %path.display(), error, "failed to read a known screen");
                }
            }
        }
        found
    }

    /// Where the rules are that a program's corrections teach.
    pub fn taught_file(&self, program: &str) -> PathBuf {
        self.dir.join(format!("{}-taught.toml", file_name(program)))
    }

    fn fixtures_of(&self, program: &str) -> PathBuf {
        self.dir.join("fixtures").join(file_name(program))
    }

    /// Keeps a screen; returns its file. One that is kept already is not kept again.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or there are too many.
    pub fn keep(&self, fixture: &Fixture) -> io::Result<PathBuf> {
        let dir = self.fixtures_of(&fixture.agent);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let text = fixture.text();
        let kept = files(&dir);
        if let Some((path, _)) = kept.iter().find(|(_, known)| *known == text) {
            return Ok(path.clone());
        }
        if kept.len() >= MOST_FIXTURES {
            let what = format!("{} screens are kept there already", kept.len());
            return Err(io::Error::other(what));
        }
        let stem = fixture.stem();
        let free = (1..=MOST_FIXTURES * 2)
            .map(|n| dir.join(format!("{stem}-{n}.toml")))
            .find(|path| !path.exists());
        let path = free.unwrap_or_else(|| dir.join(format!("{stem}.toml")));
        write(&path, &text)?;
        Ok(path)
    }

    /// Adds a rule before those that were taught before; returns the file. What it was before is put
    /// back when the whole cannot be read.
    ///
    /// # Errors
    ///
    /// When it cannot be written, there are too many, or the file was damaged.
    pub fn teach(&self, program: &str, rule: &str) -> io::Result<PathBuf> {
        let path = self.taught_file(program);
        let before = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => format!(
                "# What corrections of `{0}` have taught, the newest first. To forget one, remove it\n\
                 # and its screen below fixtures/; `stratavore daemon restart` reads this anew.\n\
                 version = 1\nagent = \"{0}\"\nadds = true\n",
                program.escape_default()
            ),
            Err(error) => return Err(error),
        };
        let damaged = |why: String| io::Error::other(format!("{}: {why}", path.display()));
        let rules = Rules::parse(&before).map_err(damaged)?;
        if rules.agent() != program || !rules.adds() {
            return Err(damaged(format!("it is not of rules that are added for `{program}`")));
        }
        if rules.count() >= MOST_TAUGHT {
            return Err(damaged(format!("{MOST_TAUGHT} rules are in it already")));
        }
        // Above the first rule and the comment that belongs to it.
        let mut at = before.len();
        let mut offset = 0;
        for line in before.split_inclusive('\n') {
            if line.starts_with("adds") {
                at = offset + line.len();
                break;
            }
            offset += line.len();
        }
        let (head, tail) = before.split_at(at);
        let text = format!("{head}\n{rule}{tail}");
        Rules::parse(&text).map_err(damaged)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        write(&path, &text)?;
        Ok(path)
    }
}

fn bundled(program: &str) -> Option<&'static Rules> {
    Rules::bundled(Agent::of(program)?)
}

/// The files of a directory that are TOML, in the order of their names.
fn files(dir: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "toml")).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let mut text = String::new();
        let read = fs::File::open(&path)
            .and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut text));
        match read {
            Ok(_) => Some((path, text)),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "failed to read rules or a screen");
                None
            }
        }
    };
    paths.into_iter().filter_map(read).collect()
}

/// A program's name as that of a file: a program may be called anything.
fn file_name(program: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let name: String =
        program.chars().take(64).map(|letter| if plain(letter) { letter } else { '_' }).collect();
    if name.is_empty() || name.starts_with('.') { format!("_{name}") } else { name }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{
        agents::teaching,
        domain::{
            activity::ActivityState,
            correction::{Screenshot, Truth},
        },
    };

    const RULE: &str = "[[rule]]\non = 'title'\nstate = 'idle'\npattern = 'rest'\n";

    #[test]
    fn rules_of_the_user_take_the_place_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        for (file, agent) in [("a.toml", "gemini"), ("b.toml", "own-tool")] {
            let text = format!("version = 1\nagent = '{agent}'\n{RULE}");
            fs::write(dir.path().join(file), text).unwrap();
        }
        fs::write(dir.path().join("broken.toml"), "version = ").unwrap();
        let rules = ScreenRules::load(dir.path());
        for program in ["gemini", "own-tool"] {
            assert!(rules.look(program, On::Title, "rest").is_some());
        }
        assert!(rules.has("claude") && !rules.has("bash") && !rules.is_taught("gemini"));
    }

    #[test]
    fn what_is_taught_is_in_force_at_once_the_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let rules = ScreenRules::load(&dir.path().join("screens"));
        let rule = |state: &str, pattern: &str| {
            format!(
                "# why\n[[rule]]\non = \"screen\"\nstate = \"{state}\"\npattern = \"{pattern}\"\n"
            )
        };
        let path = rules.teach("odd \"tool", &rule("idle", "ready")).unwrap();
        rules.reload();
        let state = |text| rules.taught("odd \"tool", text).map(|seen| seen.state);
        assert_eq!(state("is ready"), Some(ActivityState::Idle));
        rules.teach("odd \"tool", &rule("working", "is ready")).unwrap();
        assert_eq!(state("is ready"), Some(ActivityState::Idle), "not before it is read again");
        rules.reload();
        assert_eq!(state("is ready"), Some(ActivityState::Working));
        assert_eq!(state("ready"), Some(ActivityState::Idle));
        assert!(rules.teach("odd \"tool", "nonsense").is_err());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(rules.look("odd \"tool", On::Screen, "is ready").is_none());
    }

    #[test]
    fn a_screen_is_kept_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let rules = ScreenRules::load(dir.path());
        let mut fixture = Fixture {
            name: "blocked-trust-1".to_owned(),
            agent: "../tool".to_owned(),
            truth: Truth::parse("blocked", "trust").unwrap(),
            looked: Screenshot { title: "t".to_owned(), lines: vec!["Trust it?".to_owned()] },
        };
        let path = rules.keep(&fixture).unwrap();
        assert!(path.starts_with(dir.path().join("fixtures")), "{}", path.display());
        assert_eq!(rules.keep(&fixture).unwrap(), path);
        assert_eq!(rules.fixtures("../tool"), vec![fixture.clone()]);
        fixture.looked.title = "another".to_owned();
        assert!(rules.keep(&fixture).unwrap().ends_with("blocked-trust-2.toml"));
        let rule = "[[rule]]\non = \"screen\"\nstate = \"idle\"\npattern = \"Trust\"\n";
        let idle = Truth::parse("idle", "").unwrap();
        let known = rules.fixtures("../tool");
        let wrong = teaching::wrong_by(rule, &idle, &known).unwrap();
        assert_eq!(wrong, ["blocked-trust-1", "blocked-trust-2"]);
    }
}
