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

use super::{Config, ConfigError, Loaded, agents, presets, secret};
use crate::domain::redact::redact;

/// Most values in a file, aliases followed: a bomb made of them is refused at once.
const MOST_NODES: usize = 50_000;

/// Largest configuration file read; a larger one is a mistake.
const MAX_FILE: u64 = 1 << 20;

/// What the name of a variable that sets something begins with.
const PREFIX: &str = "STRATAVORE_";

/// Variables that begin like settings and are none.
const NOT_SETTINGS: &[&str] = &["STRATAVORE_HOME", "STRATAVORE_CONFIG", "STRATAVORE_RUNNER"];

/// Where a value that is not the default came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
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
        use crate::config::environment;
        let explicit =
            explicit.or_else(|| environment::get("STRATAVORE_CONFIG").map(PathBuf::from));
        let mut files = vec![PathBuf::from("/etc/stratavore/stratavore.yaml")];
        files.extend(environment::config_home().map(|home| crate::config::user_file(&home)));
        Self { explicit, files, environment: environment::all(), flags: Vec::new() }
    }
}

/// Merges all layers.
pub(super) fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut exposed = Vec::new();
    let paths = match &sources.explicit {
        Some(path) => std::slice::from_ref(path),
        None => sources.files.as_slice(),
    };
    let (mut files, mut open_files) = (Vec::new(), Vec::new());
    for path in paths {
        let Some((text, open)) = read(path, sources.explicit.is_some())? else { continue };
        if open {
            open_files.push(path.clone());
        }
        files.push((path, text));
    }
    let is_set = sources.environment.iter().any(|(name, _)| is_setting(name));
    let credentials = variable(sources, "CREDENTIALS_DIRECTORY");
    if files.is_empty() && !is_set && sources.flags.is_empty() && credentials.is_none() {
        // To list all keys takes longer than a quick command's answer.
        return Ok(Loaded::default());
    }

    let known = leaves(&Config::default())?;
    let mut values = known.clone();
    let mut origins = BTreeMap::new();
    let mut set = |key: String, value, origin: Origin| {
        origins.insert(key.clone(), origin);
        values.insert(key, value);
    };

    for (path, text) in files {
        for (key, value) in parse(path, &text)? {
            let place = place_of(path, &text, &key);
            if let Some(secret) = secret::of_file_key(&key) {
                let named = value.as_str().unwrap_or_default();
                let file = path.parent().unwrap_or(Path::new("/")).join(named);
                let value = from_file(&key, &place, &file, &mut exposed)?;
                set(secret.to_owned(), value, Origin::File(file));
                continue;
            }
            check_known(&key, &known, &place)?;
            set(key, value, Origin::File(path.clone()));
        }
    }
    if let Some(directory) = credentials {
        for key in secret::KEYS {
            let file = Path::new(directory).join(key);
            if file.exists() {
                let value = from_file(key, "$CREDENTIALS_DIRECTORY", &file, &mut Vec::new())?;
                set((*key).to_owned(), value, Origin::File(file));
            }
        }
    }
    for key in secret::KEYS {
        let name = format!("STRATAVORE_{}_FILE", key.replace('.', "_").to_ascii_uppercase());
        if let Some(file) = variable(sources, &name).filter(|file| !file.is_empty()) {
            let value = from_file(key, &format!("${name}"), Path::new(file), &mut exposed)?;
            set((*key).to_owned(), value, Origin::Environment(name));
        }
    }
    for (name, value) in sources.environment.iter().filter(|(name, _)| is_setting(name)) {
        let Some((key, value)) = from_variable(name, value, &known)? else { continue };
        set(key, value, Origin::Environment(name.to_string_lossy().into_owned()));
    }
    for (key, value, flag) in &sources.flags {
        check_known(key, &known, flag)?;
        set(key.clone(), value.clone(), Origin::Flag(flag.clone()));
    }
    let config = build(&values, &origins)?;
    Ok(Loaded { config, origins, open_secrets: exposed, open_files })
}

/// Whether a file of settings holds a secret, by its name or by its form; one that cannot be read may.
pub(super) fn holds_secret(path: &Path) -> bool {
    let Ok(Some((text, _))) = read(path, true) else { return true };
    let Ok(set) = parse(path, &text) else { return true };
    let is_secret = |key: &str, value: &Value| {
        let text = value.to_string();
        // Whoever knows such an address can write there; a command may be given a key.
        let is_address = matches!(key, "notify.webhook.url" | "notify.ntfy.url");
        is_address || secret::KEYS.contains(&key) || redact(&text) != text
    };
    set.iter().any(|(key, value)| is_secret(key, value))
}

/// Returns every value by its path, as the configuration shows it of itself: its secrets it keeps.
pub(super) fn leaves(config: &Config) -> Result<BTreeMap<String, Value>, ConfigError> {
    let shown = serde_json::to_value(config).map_err(|error| ConfigError::Syntax {
        path: "the configuration".to_owned(),
        why: error.to_string(),
    })?;
    let mut leaves = BTreeMap::new();
    flatten("", &shown, &mut leaves);
    Ok(leaves)
}

/// Returns a variable of the environment.
fn variable<'a>(sources: &'a Sources, name: &str) -> Option<&'a OsStr> {
    let found = sources.environment.iter().rev().find(|(other, _)| other == name)?;
    Some(found.1.as_os_str())
}

/// Reads a secret from its file; takes note of one that others can read, too.
fn from_file(
    key: &str,
    origin: &str,
    file: &Path,
    exposed: &mut Vec<PathBuf>,
) -> Result<Value, ConfigError> {
    let (text, open) = secret::read(file).map_err(|error| ConfigError::BadValue {
        key: key.to_owned(),
        origin: origin.to_owned(),
        why: format!("read `{}`: {error}", file.display()),
    })?;
    if open {
        exposed.push(file.to_owned());
    }
    Ok(Value::String(text))
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
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: MOST_NODES },
    };
    let value: Value = serde_saphyr::from_str_with_options(text, options)
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

/// Says where in a file a key stands: each of its parts is looked for among the entries of the section that the one
/// before begins.
fn place_of(path: &Path, text: &str, key: &str) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().enumerate().peekable();
    let (mut found, mut section) = (None, None);
    for part in key.split('.') {
        let mut entries = None;
        let mut is_it = |line: &str| {
            let text = line.trim_start();
            if text.is_empty() || text.starts_with(['#', '-']) {
                return false;
            }
            let is_entry = depth(line) == *entries.get_or_insert(depth(line));
            let rest = text.strip_prefix(part).filter(|_| is_entry);
            rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
        };
        let is_inside = |line: &str| {
            line.trim().is_empty() || section.is_none_or(|section| depth(line) > section)
        };
        let mut inside = std::iter::from_fn(|| lines.next_if(|(_, line)| is_inside(line)));
        let Some((index, line)) = inside.find(|(_, line)| is_it(line)) else { break };
        found = Some(index);
        section = Some(depth(line));
    }
    match found {
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
    let below = format!("{key}.");
    let is_section = |known: &&String| known.starts_with(&below);
    let some = known.keys().find(is_section).map(String::as_str);
    if let Some(one) = some.or((key == "presets").then_some("presets.NAME.command")) {
        return Err(ConfigError::BadValue {
            key: key.to_owned(),
            origin: origin.to_owned(),
            why: format!("it is a section with keys of its own, such as `{one}`"),
        });
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

/// Whether an environment variable may set something, as itself or as the name of a secret's file.
fn is_setting(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PREFIX) && !NOT_SETTINGS.contains(&name))
}

/// Returns the setting that an environment variable makes, if it is one.
fn from_variable(
    name: &OsStr,
    value: &OsStr,
    known: &BTreeMap<String, Value>,
) -> Result<Option<(String, Value)>, ConfigError> {
    let Some(name) = name.to_str() else { return Ok(None) };
    let wanted = name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase();
    let key = known.keys().find(|key| key.replace('.', "_") == wanted);
    let (Some(key), Some(value)) = (key, value.to_str()) else {
        // A stray variable is not worth refusing to start; `config validate` still lists settings.
        return Ok(None);
    };
    let parsed = match known.get(key) {
        Some(Value::Number(_)) => {
            value.trim().parse::<u64>().map(Value::from).map_err(|error| ConfigError::BadValue {
                key: key.clone(),
                origin: format!("${name}"),
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
        // Of what stands in a list, the list is what somebody has set.
        let set = key.split('[').next().unwrap_or(&key);
        ConfigError::BadValue {
            origin: origins.get(set).map_or_else(|| "defaults".into(), ToString::to_string),
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
mod tests;
