//! The files of the approval policy: the user's `approvals.yaml`, and what a project's
//! `.stratavore.yaml` adds to it.
//!
//! Read anew for each decision: a rule is in force when it is saved. Invariant: a file that cannot be
//! read allows nothing, and takes no denial from the other.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{
    ConfigError, environment, layers,
    worktree::{self, PROJECT_FILE, WorktreeConfig},
};
use crate::domain::approval::{Decision, Policy, Rule};

/// The key of the user's rules in their file, and of a project's in its file.
const USER_KEY: &str = "rules";
pub(super) const PROJECT_KEY: &str = "approvals";

/// Rules in a file, at most.
const MOST: usize = 1000;

/// Directories above an agent's own that a project's file is looked for in.
const CLIMB: usize = 16;

/// Returns where the user's rules stand; `None` without a home.
pub fn user_file() -> Option<PathBuf> {
    environment::config_home().map(|home| home.join("stratavore").join("approvals.yaml"))
}

/// Returns the rules for a project's directory.
///
/// # Errors
///
/// The first thing that is wrong in either file.
pub fn load(project: &Path) -> Result<Policy, ConfigError> {
    match in_force(project) {
        (policy, None) => Ok(policy),
        (_, Some(wrong)) => Err(wrong),
    }
}

/// Returns the rules that are in force for a project's directory, and the first thing that is wrong.
///
/// A file in which anything is wrong allows nothing; what it asks and denies holds as far as it can be
/// read. One file takes nothing from the other.
pub fn in_force(project: &Path) -> (Policy, Option<ConfigError>) {
    let (user, wrong) = user_file().map_or((Vec::new(), None), |file| rules(&file, USER_KEY));
    if project.as_os_str().is_empty() {
        return (Policy { user, project: Vec::new() }, wrong);
    }
    let own = project.join(PROJECT_FILE);
    let (mut rules, mut wrong_there) = rules(&own, PROJECT_KEY);
    if let Some(rule) = rules.iter().find(|rule| rule.decision == Decision::Allow) {
        wrong_there.get_or_insert(ConfigError::BadValue {
            key: PROJECT_KEY.to_owned(),
            origin: own.display().to_string(),
            why: format!("`{}`: a project may ask and deny, not allow", rule.text()),
        });
        rules.retain(|rule| rule.decision != Decision::Allow);
    }
    (Policy { user, project: rules }, wrong.or(wrong_there))
}

/// Says what else is wrong with a project's file: as it is, no worktree is made with it.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn check_project(project: &Path) -> Result<(), ConfigError> {
    worktree::of_project(project, &WorktreeConfig::default()).map(drop)
}

/// Returns the directory of the project's file for an agent that works here: the nearest above it.
pub fn project_of(cwd: &Path) -> PathBuf {
    let found = cwd.ancestors().take(CLIMB).find(|dir| dir.join(PROJECT_FILE).is_file());
    found.unwrap_or(cwd).to_owned()
}

/// Returns the rules of a file, none when there is no such file, and the first thing that is wrong with it:
/// then it allows nothing.
fn rules(file: &Path, key: &str) -> (Vec<Rule>, Option<ConfigError>) {
    let mut all = Vec::new();
    let wrong = read(file, key, &mut all).err();
    if wrong.is_some() {
        all.retain(|rule| rule.decision != Decision::Allow);
    }
    (all, wrong)
}

/// Adds the rules of a file that can be read.
fn read(file: &Path, key: &str, all: &mut Vec<Rule>) -> Result<(), ConfigError> {
    let mut wrong = None;
    for (found, value) in layers::read_leaves(file)? {
        if found != key {
            if key == PROJECT_KEY {
                // Rules that stand where nobody reads them would be taken for rules in force.
                if found.starts_with("approvals.") {
                    return Err(ConfigError::BadValue {
                        key: found,
                        origin: file.display().to_string(),
                        why: "the rules of a project are a list directly below `approvals:`"
                            .to_owned(),
                    });
                }
                continue;
            }
            return Err(ConfigError::UnknownKey {
                nearest: Some(key.to_owned()),
                origin: file.display().to_string(),
                key: found,
            });
        }
        let bad = |number: usize, why: String| ConfigError::BadValue {
            key: format!("{key}[{number}]"),
            origin: file.display().to_string(),
            why,
        };
        let Value::Array(values) = &value else {
            return Err(bad(1, "it is no list of rules".to_owned()));
        };
        if values.len() > MOST {
            return Err(bad(MOST, format!("there are more than {MOST} rules")));
        }
        for (index, value) in values.iter().enumerate() {
            let number = index + 1;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let place = format!("{name}, rule {number}");
            match rule(value, place) {
                Ok(rule) => all.push(rule),
                Err(why) => drop(wrong.get_or_insert(bad(number, why))),
            }
        }
    }
    wrong.map_or(Ok(()), Err)
}

/// Reads `{allow: Bash(cargo test*), agent: claude}`.
fn rule(value: &Value, place: String) -> Result<Rule, String> {
    let example = "a rule is `allow`, `ask` or `deny` with a tool, as `allow: Bash(cargo test*)`";
    let fields = value.as_object().ok_or(example)?;
    let (mut decided, mut agent) = (None, None);
    for (key, value) in fields {
        let text = value.as_str().ok_or_else(|| format!("`{key}` is not a text"))?;
        match (key.as_str(), Decision::parse(key)) {
            (_, Some(decision)) if decided.is_none() => decided = Some((decision, text)),
            (_, Some(_)) => return Err("it decides twice".to_owned()),
            ("agent", None) => agent = Some(text),
            (other, None) => {
                return Err(format!("`{}` is unknown; {example}", other.escape_debug()));
            }
        }
    }
    let (decision, what) = decided.ok_or(example)?;
    Rule::parse(decision, agent, what, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, key: &str) -> Result<Vec<Rule>, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("approvals.yaml");
        std::fs::write(&file, text).unwrap();
        let (rules, wrong) = rules(&file, key);
        wrong.map_or(Ok(rules), |error| Err(error.to_string()))
    }

    #[test]
    fn what_is_wrong_in_one_place_takes_no_denial_from_another() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("approvals.yaml");
        let text = "rules:\n  - allow: Bash(ls)\n  - alow: x\n  - deny: Bash(rm -rf *)\n";
        std::fs::write(&file, text).unwrap();
        let (found, wrong) = rules(&file, USER_KEY);
        let told: Vec<_> = found.iter().map(Rule::text).collect();
        assert_eq!(told, ["deny: Bash(rm -rf *)"], "nothing is allowed by it");
        assert!(wrong.unwrap().to_string().contains("alow"));
        std::fs::write(&file, "rules: [[[\n").unwrap();
        let (found, wrong) = rules(&file, USER_KEY);
        assert!(found.is_empty() && wrong.is_some());
        for text in ["approvals: [[[\n", "approvals:\n  - allow: Bash(ls)\n  - deny: Bash(dd *)\n"]
        {
            std::fs::write(dir.path().join(PROJECT_FILE), text).unwrap();
            let (policy, wrong) = in_force(dir.path());
            assert_eq!(policy.project.len(), usize::from(text.contains("deny")));
            assert!(wrong.is_some(), "{text}");
        }
        assert!(load(dir.path()).is_err(), "and it is said");
    }

    #[test]
    fn rules_are_read_in_order() {
        let text =
            "rules:\n  - allow: Bash(cargo test*)\n  - {deny: \"Bash(rm -rf *)\", agent: codex}\n";
        let found = read(text, USER_KEY).unwrap();
        let told: Vec<_> = found.iter().map(Rule::text).collect();
        assert_eq!(told, ["allow: Bash(cargo test*)", "deny: Bash(rm -rf *) for codex"]);
        assert_eq!(found[1].place, "approvals.yaml, rule 2");
        assert_eq!(read("", USER_KEY), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, told) in [
            ("rules: yes", "no list"),
            ("rules: [1]", "a rule is"),
            ("rules: [{allow: Bash, deny: Bash}]", "decides twice"),
            ("rules: [{allow: Bash, tool: x}]", "`tool` is unknown"),
            ("rules: [{allow: 'Bash('}]", "parenthesis"),
            ("rule: []", "did you mean `rules`"),
        ] {
            let error = read(text, USER_KEY).unwrap_err();
            assert!(error.contains(told) && error.contains("approvals.yaml"), "{text}: {error}");
        }
    }

    #[test]
    fn a_project_file_has_other_keys_and_must_not_allow() {
        let text = "worktree:\n  base: main\napprovals:\n  - deny: Bash(git push*)\n";
        assert_eq!(read(text, PROJECT_KEY).unwrap().len(), 1);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(PROJECT_FILE), "approvals: [{allow: Bash}]").unwrap();
        let error = load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("not allow"), "{error}");
        for text in ["approvals:\n  rules:\n  - deny: Bash\n", "approvals:\n  deny: Bash\n"] {
            std::fs::write(dir.path().join(PROJECT_FILE), text).unwrap();
            let error = load(dir.path()).unwrap_err().to_string();
            assert!(error.contains("a list directly below"), "{error}");
        }
        let text = "approvals: [{deny: Bash}]\nworktree:\n  setp: x\n";
        std::fs::write(dir.path().join(PROJECT_FILE), text).unwrap();
        assert!(load(dir.path()).is_ok());
        let error = check_project(dir.path()).unwrap_err().to_string();
        assert!(error.contains("worktree.setup"), "{error}");
        let below = dir.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        assert_eq!(project_of(&below), dir.path());
    }
}
