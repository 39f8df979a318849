//! Merges the layers of the configuration and remembers where each value came from.
//!
//! The defaults, serialised, are the list of keys that exist: each layer is checked against it, so
//! that a misspelt key is refused instead of silently ignored.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt, fs,
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{Config, ConfigError, Loaded, agents, presets};

/// Largest configuration file read; a larger one is a mistake.
const MAX_FILE: u64 = 1 << 20;

/// Variables that begin like settings and are none.
const NOT_SETTINGS: &[&str] = &["STRATAVORE_HOME", "STRATAVORE_CONFIG", "STRATAVORE_RUNNER"];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A command line flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag(name) => write!(f, "{name}"),
        }
    }
}

/// What the configuration is made of.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file named by `--config` or `$STRATAVORE_CONFIG`: must exist, replaces the other files.
    pub explicit: Option<PathBuf>,
    /// Files that may exist, weakest first.
    pub files: Vec<PathBuf>,
    /// The environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Values set by flags: path, value, the flag's name.
    pub flags: Vec<(String, Value, String)>,
}

impl Sources {
    /// Returns the usual sources of this process.
    pub fn of_process(explicit: Option<PathBuf>) -> Self {
        use super::environment;
        let explicit =
            explicit.or_else(|| environment::get("STRATAVORE_CONFIG").map(PathBuf::from));
        let mut files = vec![PathBuf::from("/etc/stratavore/stratavore.yaml")];
        files.extend(environment::config_home().map(|home| super::user_file(&home)));
        Self { explicit, files, environment: environment::all(), flags: Vec::new() }
    }
}

/// Merges all layers.
pub(super) fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let defaults = serde_json::to_value(Config::default()).map_err(|error| {
        ConfigError::Syntax { path: "defaults".to_owned(), why: error.to_string() }
    })?;
    let mut known = BTreeMap::new();
    flatten("", &defaults, &mut known);
    let mut values = known.clone();
    let mut origins: BTreeMap<_, _> =
        known.keys().map(|key| (key.clone(), Origin::Default)).collect();
    let mut exposed = Vec::new();
    let mut set = |key: String, value, origin: Origin| {
        origins.insert(key.clone(), origin);
        values.insert(key, value);
    };

    let files = match &sources.explicit {
        Some(path) => std::slice::from_ref(path),
        None => sources.files.as_slice(),
    };
    for path in files {
        let Some((text, open)) = read(path, sources.explicit.is_some())? else { continue };
        if open {
            exposed.push(path.clone());
        }
        for (key, value) in parse(path, &text)? {
            let origin = Origin::File(path.clone());
            check_known(&key, &known, &place_of(path, &text, &key))?;
            set(key, value, origin);
        }
    }
    for (name, value) in &sources.environment {
        let Some((key, value)) = from_variable(name, value, &known)? else { continue };
        set(key, value, Origin::Environment(name.to_string_lossy().into_owned()));
    }
    for (key, value, flag) in &sources.flags {
        check_known(key, &known, flag)?;
        set(key.clone(), value.clone(), Origin::Flag(flag.clone()));
    }
    let config = build(&values, &origins)?;
    // What is shown is what the configuration shows of itself: its secrets it keeps.
    let shown = serde_json::to_value(&config).map_err(|error| ConfigError::Syntax {
        path: "the configuration".to_owned(),
        why: error.to_string(),
    })?;
    let mut values = BTreeMap::new();
    flatten("", &shown, &mut values);
    Ok(Loaded { config, origins, values, exposed })
}

/// Reads a file, with whether others can read it too. `None` when it may and does not exist.
fn read(path: &Path, must_exist: bool) -> Result<Option<(String, bool)>, ConfigError> {
    let unreadable =
        |why: String| ConfigError::Unreadable { path: path.display().to_string(), why };
    // Without O_NONBLOCK the open of a fifo would wait for a writer.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = match fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let meta = file.metadata().map_err(|error| unreadable(error.to_string()))?;
    if !meta.is_file() {
        return Err(unreadable("it is not a regular file".to_owned()));
    }
    if meta.len() > MAX_FILE {
        return Err(unreadable(format!(
            "it has {} bytes, at most {MAX_FILE} are read",
            meta.len()
        )));
    }
    let mut text = String::new();
    let got = file.take(MAX_FILE).read_to_string(&mut text);
    got.map_err(|error| unreadable(error.to_string()))?;
    Ok(Some((text, meta.mode() & 0o077 != 0)))
}

/// Parses a file into its leaves by path.
fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, Value>, ConfigError> {
    let syntax = |why: String| ConfigError::Syntax { path: path.display().to_string(), why };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let meaningful = |line: &str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#') && line != "---" && line != "{}"
    };
    if !text.lines().any(meaningful) {
        return Ok(BTreeMap::new());
    }
    let value: Value = serde_saphyr::from_str(text)
        .map_err(|error| syntax(error.to_string().trim().to_owned()))?;
    match value {
        Value::Object(_) => {
            let mut leaves = BTreeMap::new();
            flatten("", &value, &mut leaves);
            Ok(leaves)
        }
        _ => Err(syntax("the top level is not a mapping of sections".to_owned())),
    }
}

/// Returns the leaves of a file by path, none when it does not exist.
pub(super) fn read_leaves(path: &Path) -> Result<BTreeMap<String, Value>, ConfigError> {
    match read(path, false)? {
        Some((text, _)) => parse(path, &text),
        None => Ok(BTreeMap::new()),
    }
}

/// Says where in a file a key stands.
fn place_of(path: &Path, text: &str, key: &str) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    let line = text.lines().position(|line| {
        line.trim_start().strip_prefix(last).is_some_and(|rest| rest.trim_start().starts_with(':'))
    });
    match line {
        Some(index) => format!("{}:{}", path.display(), index + 1),
        None => path.display().to_string(),
    }
}

/// Writes each leaf of a value under its path.
fn flatten(prefix: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&path, value, leaves);
            }
        }
        // An empty section (`daemon:`) sets nothing.
        Value::Null | Value::Object(_) => {}
        leaf => {
            leaves.insert(prefix.to_owned(), leaf.clone());
        }
    }
}

/// Refuses a key that does not exist, naming the nearest one that does.
fn check_known(
    key: &str,
    known: &BTreeMap<String, Value>,
    origin: &str,
) -> Result<(), ConfigError> {
    if known.contains_key(key) || presets::is_field(key) || agents::is_field(key) {
        return Ok(());
    }
    Err(ConfigError::UnknownKey {
        key: key.to_owned(),
        origin: origin.to_owned(),
        nearest: nearest(key, known.keys()).cloned(),
    })
}

/// Returns the candidate with the smallest edit distance, if one is near at all.
pub fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a String>,
) -> Option<&'a String> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|&(distance, _)| distance <= 2 + word.len() / 4)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Returns the Levenshtein distance of two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let best = (diagonal + usize::from(ca != *cb)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Returns the setting that an environment variable makes, if it is one.
fn from_variable(
    name: &OsStr,
    value: &OsStr,
    known: &BTreeMap<String, Value>,
) -> Result<Option<(String, Value)>, ConfigError> {
    let Some(text) = name.to_str() else { return Ok(None) };
    let Some(rest) = text.strip_prefix("STRATAVORE_") else { return Ok(None) };
    if NOT_SETTINGS.contains(&text) {
        return Ok(None);
    }
    let wanted = rest.to_ascii_lowercase();
    let key = known.keys().find(|key| key.replace('.', "_") == wanted);
    let (Some(key), Some(value)) = (key, value.to_str()) else {
        // A stray variable is not worth refusing to start; `config validate` still lists settings.
        return Ok(None);
    };
    let parsed = match known.get(key) {
        Some(Value::Number(_)) => {
            value.trim().parse::<u64>().map(Value::from).map_err(|error| ConfigError::BadValue {
                key: key.clone(),
                origin: format!("${text}"),
                why: format!("`{}`: {error}", value.escape_debug()),
            })?
        }
        Some(Value::Array(_)) => {
            value.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
        }
        Some(Value::Bool(_)) => Value::Bool(matches!(value, "1" | "true" | "yes")),
        _ => Value::String(value.to_owned()),
    };
    Ok(Some((key.clone(), parsed)))
}

/// Builds the typed configuration from the leaves.
fn build(
    values: &BTreeMap<String, Value>,
    origins: &BTreeMap<String, Origin>,
) -> Result<Config, ConfigError> {
    let mut tree = Map::new();
    for (path, value) in values {
        insert(&mut tree, path, value.clone());
    }
    serde_path_to_error::deserialize(Value::Object(tree)).map_err(|error| {
        let key = error.path().to_string();
        ConfigError::BadValue {
            origin: origins.get(&key).map_or_else(|| "defaults".into(), ToString::to_string),
            key,
            why: error.inner().to_string(),
        }
    })
}

/// Puts a leaf where its path says.
fn insert(tree: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            tree.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let section = tree.entry(section).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(section) = section {
                insert(section, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str) -> Result<Loaded, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.yaml");
        fs::write(&path, text).unwrap();
        super::super::load(&Sources { explicit: Some(path), ..Sources::default() })
    }

    #[test]
    fn later_layers_win_and_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.yaml");
        fs::write(&path, "\u{feff}runner:\r\n  stop_grace_seconds: 7\r\n  history_lines: 5\r\n")
            .unwrap();
        let loaded = super::super::load(&Sources {
            files: vec![dir.path().join("missing.yaml"), path.clone()],
            environment: vec![("STRATAVORE_RUNNER_HISTORY_LINES".into(), "9".into())],
            flags: vec![("logging.level".into(), "debug".into(), "--debug".into())],
            ..Sources::default()
        })
        .unwrap();
        assert_eq!(loaded.config.runner.stop_grace_seconds, 7);
        assert_eq!(loaded.config.runner.history_lines, 9);
        assert_eq!(loaded.config.logging.level, "debug");
        let origin = |key: &str| loaded.origins.get(key).unwrap().to_string();
        assert_eq!(origin("runner.stop_grace_seconds"), path.display().to_string());
        assert_eq!(origin("runner.history_lines"), "$STRATAVORE_RUNNER_HISTORY_LINES");
        assert_eq!(origin("logging.level"), "--debug");
        assert_eq!(origin("attach.detach_key"), "default");
    }

    #[test]
    fn a_variable_sets_a_list() {
        let loaded = super::super::load(&Sources {
            environment: vec![("STRATAVORE_DOCKER_RABBITMQ_HOSTS".into(), "a, b:5673".into())],
            ..Sources::default()
        });
        assert_eq!(loaded.unwrap().config.docker.rabbitmq.hosts, ["a", "b:5673"]);
    }

    #[test]
    fn empty_files_are_defaults() {
        for text in ["", "\n# nothing\n", "---\n", "daemon:\n"] {
            assert_eq!(with_file(text).unwrap().config, Config::default(), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("daemon: [", "c.yaml"),
            ("- a\n", "mapping"),
            ("daemon:\n  heartbeat_interval_second: 3\n", "heartbeat_interval_seconds"),
            ("runner:\n  history_lines: many\n", "runner.history_lines"),
            ("runner:\n  stop_grace_seconds: -1\n", "runner.stop_grace_seconds"),
            ("daemon:\n  heartbeat_interval_seconds: 0\n", "between 1 and 3600"),
            ("logging:\n  level: loud\n", "loud"),
            ("attach:\n  detach_key: ctrl-m\n", "Enter"),
            ("database:\n  url: mysql://x\n", "postgres://"),
            ("docker:\n  rabbitmq:\n    publisher_confirms: false\n", "lost unnoticed"),
            ("database:\n  postgresql:\n    ssl_mode: maybe\n", "verify-full"),
            ("presets:\n  mine:\n    modell: x\n", "presets.mine.modell"),
            ("presets:\n  mine:\n    permissions: all\n", "none of own, plan"),
            ("agents:\n  mine:\n    comand: [x]\n", "agents.mine.comand"),
            ("agents:\n  mine:\n    god: [x]\n", "program and arguments"),
            ("agents:\n  mine:\n    command: [x, '{modell}']\n", "{modell}"),
            ("agents:\n  claude:\n    command: [x]\n", "another name"),
            ("agents:\n  codex:\n    mode: server\n", "app-server"),
            ("keys:\n  list:\n    stopp: x\n", "did you mean `keys.list.stop`"),
            ("keys:\n  list:\n    stop: true\n", "keys.list.stop"),
            ("keys:\n  list:\n    stop: X\n", "keys.list.kill"),
            ("keys:\n  list:\n    stop: ctrl-\n", "not a key"),
        ];
        for (text, expected) in cases {
            let error = with_file(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
        let error = with_file("\nrunner:\n  nope: 1\n").unwrap_err().to_string();
        assert!(error.contains("c.yaml:3"), "{error}");
    }

    #[test]
    fn a_password_is_nowhere_to_be_read() {
        let text =
            "database:\n  url: postgres://u:hunter2@h/d\n  postgresql:\n    password: hunter2\n";
        let loaded = with_file(text).unwrap();
        assert_eq!(loaded.config.database.postgresql.password.reveal(), "hunter2");
        let shown = serde_json::to_string(&loaded.config).unwrap();
        for shown in [format!("{loaded:?}"), shown, format!("{:?}", loaded.values)] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let wrong = "database:\n  url: mysql://u:hunter2@h/d\n";
        assert!(!with_file(wrong).unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn devices_directories_and_giants_are_refused_at_once() {
        for path in ["/dev/zero", "/", "/no/such/file"] {
            let sources = Sources { explicit: Some(path.into()), ..Sources::default() };
            assert!(matches!(super::super::load(&sources), Err(ConfigError::Unreadable { .. })));
        }
    }
}
