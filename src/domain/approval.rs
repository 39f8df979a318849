//! The approval policy: what agents may do without asking, what they are asked about, and what they
//! may not, by agent, tool and what the tool is given.
//!
//! Rules are looked at in order and the first that matches decides; without one a person is asked. A
//! project's own rules come from whoever wrote its repository: they may only tighten what the user's
//! say. Invariant: a rule that allows never matches more than it says: in what a shell is given, no
//! wildcard stands for a sign that begins another command, and what was cut off is never allowed.

use serde::{Deserialize, Serialize};

/// Who it is that answers where the policy does.
pub const BY_POLICY: &str = "approval policy";

/// The longest pattern.
const LONGEST_RULE: usize = 500;

/// Signs with which a shell begins another command, or does more than run one.
const CONTROL: &[char] = &[';', '&', '|', '<', '>', '`', '$', '(', ')', '{', '}', '\n', '\r'];

/// What is decided; later ones are stricter.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may.
    Allow,
    /// A person is asked.
    Ask,
    /// It may not.
    Deny,
}

impl Decision {
    /// The word for people, files and the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Allow, Self::Ask, Self::Deny].into_iter().find(|it| it.as_str() == word)
    }
}

/// A rule: `allow: Bash(cargo test*)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ApprovalRule)]
pub struct Rule {
    /// What it decides.
    pub decision: Decision,
    /// The agent that it is for, as a pattern; `*` for every one.
    pub agent: String,
    /// The tool, as a pattern, or one of the kinds `shell`, `edit`, `read` and `web`.
    pub tool: String,
    /// What the tool is given, as a pattern; `None` for anything.
    pub argument: Option<String>,
    /// Where it stands, for people and the record.
    pub place: String,
}

/// What an agent wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish<'a> {
    /// The agent's short name.
    pub agent: &'a str,
    /// The tool's name.
    pub tool: &'a str,
    /// What the tool is given: a command, a path, an address.
    pub argument: &'a str,
    /// Some of it is missing here.
    pub is_cut: bool,
    /// The agent's working directory: patterns may be relative to it.
    pub cwd: &'a str,
}

/// What was decided, and by which rule; none when none matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ApprovalVerdict)]
pub struct Verdict {
    /// The decision.
    pub decision: Decision,
    /// The rule, as people read it.
    pub rule: Option<String>,
}

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
#[schema(as = ApprovalPolicy)]
pub struct Policy {
    /// The user's.
    pub user: Vec<Rule>,
    /// The project's.
    pub project: Vec<Rule>,
}

impl Rule {
    /// Reads what a rule is for: `Bash`, `Bash(git push*)`, `edit(src/*)`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub fn parse(
        decision: Decision,
        agent: Option<&str>,
        what: &str,
        place: String,
    ) -> Result<Self, String> {
        if what.chars().count() > LONGEST_RULE {
            return Err(format!("it is longer than {LONGEST_RULE} characters"));
        }
        let what = what.trim();
        let (tool, argument) = match what.split_once('(') {
            Some((tool, rest)) => {
                let inner = rest.strip_suffix(')').ok_or("the closing parenthesis is missing")?;
                (tool.trim(), Some(inner.to_owned()))
            }
            None => (what, None),
        };
        if tool.is_empty() || tool.contains(char::is_whitespace) {
            return Err("it names no tool, as `Bash(cargo test*)` does".to_owned());
        }
        let agent = agent.unwrap_or("*").trim().to_owned();
        Ok(Self { decision, agent, tool: tool.to_owned(), argument, place })
    }

    /// Returns the rule as people read it.
    pub fn text(&self) -> String {
        let argument = self.argument.as_ref().map(|it| format!("({it})")).unwrap_or_default();
        let agent = if self.agent == "*" { String::new() } else { format!(" for {}", self.agent) };
        format!("{}: {}{argument}{agent}", self.decision.as_str(), self.tool)
    }

    /// Whether the rule is about what an agent wants to do.
    fn matches(&self, wish: &Wish<'_>) -> bool {
        glob(&lower(&self.agent), &lower(wish.agent), all) && self.is_tool(wish) && self.fits(wish)
    }

    fn is_tool(&self, wish: &Wish<'_>) -> bool {
        let (pattern, tool) = (lower(&self.tool), lower(wish.tool));
        // To answer for the user what the agent asks the user must be said in so many words.
        if self.decision == Decision::Allow && is_question(&tool) {
            return pattern == tool;
        }
        match pattern.as_str() {
            "shell" => is_shell(&tool),
            "edit" => is_edit(&tool),
            "read" => is_read(&tool),
            "web" => tool.starts_with("web") || tool.contains("fetch"),
            _ => glob(&pattern, &tool, all),
        }
    }

    fn fits(&self, wish: &Wish<'_>) -> bool {
        let is_shell = is_shell(&lower(wish.tool));
        let Some(pattern) = &self.argument else {
            return true;
        };
        let pattern = pattern.trim();
        // A new line is no blank: it ends a command.
        let argument = wish.argument.trim_matches([' ', '\t']);
        let relative = (!wish.cwd.is_empty())
            .then(|| argument.strip_prefix(wish.cwd)?.strip_prefix('/'))
            .flatten();
        let forms = [Some(argument), relative.filter(|_| !is_shell)];
        let mut forms = forms.into_iter().flatten();
        match self.decision {
            Decision::Allow if wish.is_cut => false,
            Decision::Allow if is_shell => glob(pattern, argument, |c| !CONTROL.contains(&c)),
            // A path that climbs is not where its beginning says that it is.
            Decision::Allow if climbs(argument) => false,
            Decision::Allow => forms.any(|form| glob(pattern, form, all)),
            Decision::Ask | Decision::Deny if is_shell => {
                glob(pattern, argument, all)
                    || argument
                        .split(CONTROL)
                        .map(without_prefixes)
                        .any(|command| glob(pattern, command, all))
            }
            Decision::Ask | Decision::Deny => forms.any(|form| glob(pattern, form, all)),
        }
    }
}

impl Policy {
    /// Whether there is any rule.
    pub fn is_empty(&self) -> bool {
        self.user.is_empty() && self.project.is_empty()
    }

    /// Decides.
    pub fn decide(&self, wish: &Wish<'_>) -> Verdict {
        let first = |rules: &[Rule]| rules.iter().find(|rule| rule.matches(wish)).cloned();
        let user = first(&self.user);
        let own = user.as_ref().map_or(Decision::Ask, |rule| rule.decision);
        // A project's rule counts where it is the stricter one, or the only one that says so.
        let is_only = |rule: &Rule| user.is_none() && rule.decision == own;
        let project = first(&self.project).filter(|rule| rule.decision > own || is_only(rule));
        let rule = project.or(user);
        let decision = rule.as_ref().map_or(Decision::Ask, |rule| rule.decision);
        let rule = rule.map(|rule| format!("{} ({})", rule.text(), rule.place));
        Verdict { decision, rule }
    }
}

/// A command without what stands before it: `sudo A=b rm` is `rm`.
fn without_prefixes(command: &str) -> &str {
    let mut left = command.trim();
    loop {
        let Some((word, rest)) = left.split_once(char::is_whitespace) else { return left };
        let is_setting = word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        let is_prefix = matches!(word, "sudo" | "env" | "nohup" | "time" | "exec" | "command");
        if !is_setting && !is_prefix {
            return left;
        }
        left = rest.trim_start();
    }
}

fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

fn is_shell(tool: &str) -> bool {
    ["bash", "shell", "exec", "command", "terminal", "powershell"]
        .iter()
        .any(|name| tool.contains(name))
}

fn is_edit(tool: &str) -> bool {
    ["edit", "write", "patch", "replace", "create_file"].iter().any(|name| tool.contains(name))
}

fn is_read(tool: &str) -> bool {
    ["read", "glob", "grep", "search", "list", "ls"].iter().any(|name| tool.starts_with(name))
}

/// Whether the tool asks the user something.
fn is_question(tool: &str) -> bool {
    tool.contains("ask") && tool.contains("user") || tool == "exitplanmode"
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

fn all(_: char) -> bool {
    true
}

/// Whether a text is what a pattern says: `*` stands for any number of letters, `?` for one, of those
/// for which `wild` holds. Time grows with the product of the lengths at most.
fn glob(pattern: &str, text: &str, wild: impl Fn(char) -> bool) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // Behind the last `*`, and up to where it reaches.
    let mut last: Option<(usize, usize)> = None;
    while seen < text.len() {
        let letter = text.get(seen).copied().unwrap_or_default();
        match pattern.get(at) {
            Some('*') => {
                at += 1;
                last = Some((at, seen));
            }
            Some('?') if wild(letter) => {
                at += 1;
                seen += 1;
            }
            Some(wanted) if *wanted == letter && *wanted != '?' => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((behind, reach)) = last else { return false };
                // The `*` takes one more letter, if it may.
                if !text.get(reach).is_some_and(|letter| wild(*letter)) {
                    return false;
                }
                last = Some((behind, reach + 1));
                at = behind;
                seen = reach + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|sign| *sign == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(decision: Decision, what: &str) -> Rule {
        Rule::parse(decision, None, what, "rule 1".to_owned()).unwrap()
    }

    fn policy(rules: &[(Decision, &str)]) -> Policy {
        let user = rules.iter().map(|(decision, what)| rule(*decision, what)).collect();
        Policy { user, project: Vec::new() }
    }

    fn shell(argument: &str) -> Wish<'_> {
        Wish { agent: "claude", tool: "Bash", argument, ..Wish::default() }
    }

    #[test]
    fn no_wildcard_that_allows_stands_for_another_command() {
        let policy = policy(&[(Decision::Allow, "Bash(git status*)")]);
        for fine in ["git status", "git status --short", "git status -- a.rs"] {
            assert_eq!(policy.decide(&shell(fine)).decision, Decision::Allow, "{fine}");
        }
        for other in [
            "git status && rm -rf /",
            "git status; rm -rf /",
            "git status | sh",
            "git status & rm x",
            "git status > /etc/passwd",
            "git status < x",
            "git status $(rm -rf /)",
            "git status `rm -rf /`",
            "git status\nrm -rf /",
            "git status\rrm",
            "git status ${IFS}",
            "git status <(rm x)",
            "git push",
            "x git status",
        ] {
            assert_eq!(policy.decide(&shell(other)).decision, Decision::Ask, "{other}");
        }
        let cut = Wish { is_cut: true, ..shell("git status") };
        assert_eq!(policy.decide(&cut).decision, Decision::Ask);
    }

    #[test]
    fn a_pattern_that_says_so_allows_two_commands_and_no_third() {
        let policy = policy(&[(Decision::Allow, "shell(cargo build && cargo test*)")]);
        let decide = |text| policy.decide(&shell(text)).decision;
        assert_eq!(decide("cargo build && cargo test --all"), Decision::Allow);
        assert_eq!(decide("cargo build && cargo test; rm x"), Decision::Ask);
    }

    #[test]
    fn what_is_denied_is_denied_wherever_it_stands_in_a_command() {
        let policy = policy(&[(Decision::Deny, "Bash(rm -rf *)"), (Decision::Allow, "Bash")]);
        for bad in
            ["rm -rf /", "cd / && rm -rf *", "true; sudo rm -rf x", "A=b rm -rf x", "$(rm -rf x)"]
        {
            let verdict = policy.decide(&shell(bad));
            assert_eq!(verdict.decision, Decision::Deny, "{bad}");
            assert_eq!(verdict.rule.as_deref(), Some("deny: Bash(rm -rf *) (rule 1)"));
        }
        assert_eq!(policy.decide(&shell("rm x")).decision, Decision::Allow);
    }

    #[test]
    fn a_project_may_tighten_and_never_loosen() {
        let mut policy = policy(&[(Decision::Deny, "Bash(git push*)"), (Decision::Allow, "Bash")]);
        policy.project = vec![rule(Decision::Allow, "Bash"), rule(Decision::Ask, "Bash")];
        assert_eq!(policy.decide(&shell("git push")).decision, Decision::Deny);
        policy.project = vec![rule(Decision::Ask, "Bash(cargo publish*)")];
        assert_eq!(policy.decide(&shell("cargo publish")).decision, Decision::Ask);
        assert_eq!(policy.decide(&shell("cargo test")).decision, Decision::Allow);
        // What it asks counts as its rule also where the user's say nothing; what it allows never does.
        policy.user.clear();
        let verdict = policy.decide(&shell("cargo publish"));
        assert_eq!((verdict.decision, verdict.rule.is_some()), (Decision::Ask, true));
        policy.project = vec![rule(Decision::Allow, "Bash")];
        assert_eq!(policy.decide(&shell("ls")), Verdict { decision: Decision::Ask, rule: None });
    }

    #[test]
    fn tools_are_known_by_kind_and_paths_do_not_climb() {
        let policy = policy(&[(Decision::Allow, "edit(src/*)")]);
        let edit =
            |tool, argument| Wish { agent: "gemini", tool, argument, cwd: "/p", ..Wish::default() };
        for (tool, path, decision) in [
            ("Write", "src/a.rs", Decision::Allow),
            ("write_file", "/p/src/a/b.rs", Decision::Allow),
            ("Edit", "/q/src/a.rs", Decision::Ask),
            ("Edit", "src/../../etc/passwd", Decision::Ask),
            ("Bash", "src/x", Decision::Ask),
        ] {
            assert_eq!(policy.decide(&edit(tool, path)).decision, decision, "{tool} {path}");
        }
    }

    #[test]
    fn what_asks_the_user_is_not_answered_by_a_wildcard() {
        let question = Wish { tool: "AskUserQuestion", ..shell("") };
        let all = policy(&[(Decision::Allow, "*")]);
        assert_eq!(all.decide(&question).decision, Decision::Ask);
        assert_eq!(all.decide(&shell("ls")).decision, Decision::Allow);
        let named = policy(&[(Decision::Allow, "askuserquestion")]);
        assert_eq!(named.decide(&question).decision, Decision::Allow);
    }

    #[test]
    fn rules_for_one_agent_are_for_that_one() {
        let rule = Rule::parse(Decision::Allow, Some("codex"), "Bash(ls)", String::new()).unwrap();
        let policy = Policy { user: vec![rule], project: Vec::new() };
        assert_eq!(policy.decide(&shell("ls")).decision, Decision::Ask);
        let codex = Wish { agent: "codex", ..shell("ls") };
        assert_eq!(policy.decide(&codex).decision, Decision::Allow);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for bad in ["", "(x)", "Bash(x", "git push"] {
            assert!(Rule::parse(Decision::Allow, None, bad, String::new()).is_err(), "{bad}");
        }
        assert_eq!(rule(Decision::Deny, "Bash(f(x))").argument.as_deref(), Some("f(x)"));
    }

    proptest! {
        #[test]
        fn a_command_with_another_one_behind_it_is_never_allowed(
            before in "[a-z ]{0,20}", sign in "[;&|<>`$\n]", after in "\\PC{0,20}",
        ) {
            let text = format!("{before}{sign}{after}");
            let policy = policy(&[(Decision::Allow, "Bash(*)")]);
            prop_assert_eq!(policy.decide(&shell(&text)).decision, Decision::Ask);
        }

        #[test]
        fn stars_find_what_they_hide(parts in proptest::collection::vec("[a-c]{0,3}", 1..6)) {
            let pattern = parts.join("*");
            prop_assert!(glob(&pattern, &parts.join("bb"), all));
            prop_assert!(glob(&pattern, &parts.concat(), all));
        }
    }
}
