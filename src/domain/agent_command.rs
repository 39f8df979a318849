//! How an agent is told its model, what it may do without asking, and its first prompt: the flags
//! of the agents we know, in one place.
//!
//! Invariant: a program we do not know gets no flag it was not given, and what cannot be said to a
//! program is refused, never left out in silence. The flags were measured with Claude Code 2.1.328,
//! Codex 0.169, Gemini 0.61, opencode 1.18, Qwen 0.24, Copilot 1.0 and aider 0.86.

use std::ffi::OsString;

use super::{agent::Agent, agent_template::Template};

/// What an agent may do without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Permission {
    /// What its own settings say.
    #[default]
    Own,
    /// Nothing that changes anything.
    Ask,
    /// Edit files of the project.
    Edits,
    /// Read and propose, nothing else.
    Plan,
    /// What a model of its own holds to be harmless.
    Auto,
    /// Everything: god mode.
    Everything,
}

impl Permission {
    /// All of them, the most careful after the agent's own first.
    pub const ALL: [Self; 6] =
        [Self::Own, Self::Plan, Self::Ask, Self::Edits, Self::Auto, Self::Everything];

    /// The word for people and configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Ask => "ask",
            Self::Edits => "edits",
            Self::Plan => "plan",
            Self::Auto => "auto",
            Self::Everything => "god",
        }
    }

    /// Parses the word; empty means the agent's own.
    pub fn parse(word: &str) -> Option<Self> {
        let word = if word.is_empty() { "own" } else { word };
        Self::ALL.into_iter().find(|permission| permission.as_str() == word)
    }

    /// What it allows, in words.
    pub fn allows(self) -> &'static str {
        match self {
            Self::Own => "does what its own settings allow",
            Self::Ask => "asks before every change and every command",
            Self::Edits => "edits files of the project without asking, asks for the rest",
            Self::Plan => "reads and proposes; changes nothing",
            Self::Auto => "asks only for what its own judgement holds to be risky",
            Self::Everything => "runs every command and changes every file you can, without asking",
        }
    }
}

/// What an agent is told at its start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wishes {
    /// The model; empty for the agent's own.
    pub model: String,
    /// What it may do.
    pub permission: Permission,
    /// What it is to begin with; empty for nothing.
    pub prompt: String,
}

/// Returns whether a program is an agent that can be told something at its start.
pub fn is_known(program: &str) -> bool {
    Agent::of(program).is_some()
}

/// Returns which permissions a program can be told; its own for one we do not know.
pub fn permissions(program: &str) -> &'static [Permission] {
    use Permission::{Ask, Auto, Edits, Everything, Own, Plan};
    match Agent::of(program) {
        Some(Agent::Claude | Agent::Qwen) => &[Own, Plan, Ask, Edits, Auto, Everything],
        Some(Agent::Codex) => &[Own, Ask, Edits, Everything],
        Some(Agent::Gemini) => &[Own, Plan, Ask, Edits, Everything],
        Some(Agent::Opencode | Agent::Copilot | Agent::Aider) => &[Own, Everything],
        None => &[Own],
    }
}

/// Refuses god mode where the agent itself would refuse it at its start.
///
/// # Errors
///
/// Says who refuses it.
pub fn may_be_god(
    agent: Option<Agent>,
    is_root: bool,
    is_confined: bool,
) -> Result<(), &'static str> {
    // Claude Code 2.1.332 takes IS_SANDBOX for the user's word that root is confined. It is never set here.
    if agent == Some(Agent::Claude) && is_root && !is_confined {
        return Err("claude refuses god mode as root");
    }
    Ok(())
}

/// Whether a command is one of god mode, whoever wrote it.
///
/// By the flags of a launch, by the names that the agents' own helps give besides (Claude Code 2.1.332,
/// Codex 0.171, Gemini 0.61, Qwen 0.24, Copilot 1.0), or by the words that `own`, the template of an agent
/// of the user's own, adds for it.
pub fn is_god(command: &[String], own: Option<&Template>) -> bool {
    let Some((program, words)) = command.split_first() else { return false };
    if let Some(own) = own {
        return own.is_god(words);
    }
    let Some(agent) = Agent::of(program) else { return false };
    let others: &[&[&str]] = match agent {
        Agent::Claude => &[&["--permission-mode", "bypassPermissions"]],
        Agent::Codex | Agent::Copilot => &[&["--yolo"]],
        Agent::Gemini | Agent::Qwen => &[&["--yolo"], &["-y"]],
        Agent::Opencode | Agent::Aider => &[],
    };
    // The first of its flags, with its value, is what says it.
    let flags = flags(agent, Permission::Everything);
    let others_from = flags.iter().skip(1).position(|word| word.starts_with('-'));
    let own = flags.get(..others_from.map_or(flags.len(), |at| at + 1)).unwrap_or_default();
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let words = words.get(..end).unwrap_or_default();
    others.iter().copied().chain([own]).any(|flags| {
        let joined = flags.join("=");
        words.windows(flags.len()).any(|some| some == flags) || words.contains(&joined)
    })
}

/// Returns names of models to begin with; an agent takes many more.
pub fn models(program: &str) -> &'static [&'static str] {
    match Agent::of(program) {
        Some(Agent::Claude) => &["opus", "sonnet", "haiku"],
        _ => &[],
    }
}

/// Returns the command with the flags for what is wished. `version` is the program's own, if it is
/// known.
///
/// # Errors
///
/// Says what the program cannot be told.
pub fn command(
    mut command: Vec<OsString>,
    version: Option<&str>,
    wishes: &Wishes,
) -> Result<Vec<OsString>, String> {
    let program = command.first().map(|word| word.to_string_lossy().into_owned());
    let program = program.unwrap_or_default();
    let Some(agent) = Agent::of(&program) else {
        return match (wishes.model.is_empty(), wishes.prompt.is_empty(), wishes.permission) {
            (true, true, Permission::Own) => Ok(command),
            (false, ..) => Err(format!(
                "{program}: how it is told a model is not known; write it into the command"
            )),
            (_, false, _) => Err(format!(
                "{program}: how it is told a prompt is not known; write it into the command"
            )),
            _ => Err(format!(
                "{program}: how it is told permissions is not known; write it into the command"
            )),
        };
    };
    if !permissions(&program).contains(&wishes.permission) {
        return Err(format!("{program} has no mode `{}`", wishes.permission.as_str()));
    }
    if agent == Agent::Codex && version.is_some_and(has_shared_server) {
        // Else the turn runs in a server of its own, which outlives the runner.
        command.push("--no-daemon".into());
    }
    command.extend(flags(agent, wishes.permission).iter().map(OsString::from));
    if !wishes.model.is_empty() {
        command.extend(["--model".into(), wishes.model.clone().into()]);
    }
    if !wishes.prompt.is_empty() {
        let none = || format!("{program} takes no first prompt; send it when it runs");
        command.extend(prompt(agent, &wishes.prompt).ok_or_else(none)?);
    }
    Ok(command)
}

fn flags(agent: Agent, permission: Permission) -> &'static [&'static str] {
    match (agent, permission) {
        // Newer versions call it `manual` in their help; this word every version takes (2.0.77 to 2.1.332).
        (Agent::Claude, Permission::Ask) => &["--permission-mode", "default"],
        (Agent::Claude, Permission::Edits) => &["--permission-mode", "acceptEdits"],
        (Agent::Claude, Permission::Plan) => &["--permission-mode", "plan"],
        (Agent::Claude, Permission::Auto) => &["--permission-mode", "auto"],
        // What it allows was said in our own dialog; its own would end the launch by default.
        (Agent::Claude, Permission::Everything) => &[
            "--dangerously-skip-permissions",
            "--settings",
            r#"{"skipDangerousModePermissionPrompt":true}"#,
        ],
        (Agent::Codex, Permission::Ask) => &["-a", "on-request", "-s", "read-only"],
        (Agent::Codex, Permission::Edits) => &["-a", "on-request", "-s", "workspace-write"],
        (Agent::Codex, Permission::Everything) => &["--dangerously-bypass-approvals-and-sandbox"],
        (Agent::Gemini | Agent::Qwen, Permission::Ask) => &["--approval-mode", "default"],
        (Agent::Gemini, Permission::Edits) => &["--approval-mode", "auto_edit"],
        (Agent::Gemini | Agent::Qwen, Permission::Plan) => &["--approval-mode", "plan"],
        (Agent::Gemini | Agent::Qwen, Permission::Everything) => &["--approval-mode", "yolo"],
        (Agent::Qwen, Permission::Edits) => &["--approval-mode", "auto-edit"],
        (Agent::Qwen, Permission::Auto) => &["--approval-mode", "auto"],
        (Agent::Opencode, Permission::Everything) => &["--auto"],
        (Agent::Copilot, Permission::Everything) => &["--allow-all"],
        (Agent::Aider, Permission::Everything) => &["--yes-always"],
        _ => &[],
    }
}

/// How a first prompt is given to the interactive program; `None` where it takes none.
fn prompt(agent: Agent, text: &str) -> Option<Vec<OsString>> {
    let option = |name: &str| Some(vec![format!("{name}={text}").into()]);
    match agent {
        // A text that begins with a dash is no flag.
        Agent::Claude | Agent::Codex => Some(vec!["--".into(), text.into()]),
        Agent::Gemini | Agent::Qwen => option("--prompt-interactive"),
        Agent::Opencode => option("--prompt"),
        Agent::Copilot => option("--interactive"),
        Agent::Aider => None,
    }
}

/// Codex has a server that all its windows share since 0.169 at the latest.
fn has_shared_server(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (0, 169)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn god_mode_is_seen_in_every_command_that_has_it_and_in_no_other() {
        for agent in Agent::ALL {
            for permission in
                Permission::ALL.into_iter().filter(|it| permissions(agent.as_str()).contains(it))
            {
                let wishes = Wishes { permission, ..Wishes::default() };
                let made = command(vec![agent.as_str().into()], None, &wishes).unwrap();
                let made: Vec<String> =
                    made.into_iter().map(|word| word.into_string().unwrap()).collect();
                assert_eq!(is_god(&made, None), permission == Permission::Everything, "{made:?}");
            }
        }
        for by_hand in [
            "/usr/bin/claude --model opus --dangerously-skip-permissions",
            "claude --permission-mode=bypassPermissions",
            "gemini --approval-mode=yolo",
            "qwen -y",
            "codex --yolo resume 1",
        ] {
            assert!(is_god(&words(by_hand), None), "{by_hand}");
        }
        for not in
            ["claude -- --dangerously-skip-permissions", "bash --yolo", "gemini --approval-mode"]
        {
            assert!(!is_god(&words(not), None), "{not}");
        }
        let own = Template { god: words("--yes"), ..Template::default() };
        assert!(is_god(&words("mine --yes"), Some(&own)));
        assert!(!is_god(&words("mine"), Some(&own)));
        assert!(!is_god(&words("mine"), Some(&Template::default())));
        assert!(!is_god(&[], None));
    }

    fn said(program: &str, version: Option<&str>, wishes: &Wishes) -> Result<String, String> {
        let words = command(vec![program.into()], version, wishes)?;
        Ok(words.join(std::ffi::OsStr::new(" ")).into_string().unwrap())
    }

    #[test]
    fn each_agent_is_told_in_its_own_words() {
        let wishes = Wishes {
            model: "opus".to_owned(),
            permission: Permission::Everything,
            prompt: "fix it".to_owned(),
        };
        assert_eq!(
            said("/usr/bin/claude", None, &wishes).unwrap(),
            "/usr/bin/claude --dangerously-skip-permissions --settings \
             {\"skipDangerousModePermissionPrompt\":true} --model opus -- fix it"
        );
        assert_eq!(
            said("codex", Some("0.169.0"), &wishes).unwrap(),
            "codex --no-daemon --dangerously-bypass-approvals-and-sandbox --model opus -- fix it"
        );
        assert_eq!(
            said("gemini", None, &wishes).unwrap(),
            "gemini --approval-mode yolo --model opus --prompt-interactive=fix it"
        );
        assert_eq!(
            said("opencode", None, &wishes).unwrap(),
            "opencode --auto --model opus --prompt=fix it"
        );
    }

    #[test]
    fn nothing_wished_is_nothing_said() {
        for program in ["claude", "codex", "gemini", "opencode", "bash"] {
            assert_eq!(said(program, None, &Wishes::default()).unwrap(), program);
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let wish = |model: &str, permission, prompt: &str| Wishes {
            model: model.to_owned(),
            permission,
            prompt: prompt.to_owned(),
        };
        for wishes in [
            wish("m", Permission::Own, ""),
            wish("", Permission::Everything, ""),
            wish("", Permission::Own, "p"),
        ] {
            assert!(said("bash", None, &wishes).unwrap_err().contains("bash"));
        }
        assert!(said("codex", None, &wish("", Permission::Plan, "")).is_err());
    }

    #[test]
    fn every_permission_offered_has_its_flags_and_its_word() {
        for program in Agent::ALL.map(Agent::as_str) {
            for permission in permissions(program) {
                let has_flags = !flags(Agent::of(program).unwrap(), *permission).is_empty();
                assert_eq!(has_flags, *permission != Permission::Own, "{program} {permission:?}");
                assert_eq!(Permission::parse(permission.as_str()), Some(*permission));
            }
        }
        assert_eq!(Permission::parse("everything"), None);
    }
}
