//! `stratavore PROJECT`: into that project's agent; if none runs, on with its conversation, and if there
//! is none, with a new one.
//!
//! Invariant: a conversation is gone on with only where there is no doubt which one; otherwise the
//! person is told which there are, and nothing is started. Of several agents that live one is entered, and
//! the person is told of the others.

use std::{ffi::OsString, fs, path::Path};

use chrono::{DateTime, Utc};

use super::{Outcome, attach};
use crate::{
    cli::{
        context::{Context, block_on, environment_of_client, umask},
        human::{age, clip, one_line},
        is_interactive,
        printer::Printer,
        top::Cli,
    },
    client::{Client, size_of_terminal},
    domain::{
        activity::ActivityState,
        failure::Failure,
        launch::{LaunchRequest, RestartPolicy},
        name::check_project_name,
        project::Project,
        runner::{Runner, RunnerStatus},
        session::{Session, ToContinue, to_continue},
    },
};

/// The newest sessions that are looked at.
const LOOKED_AT: u32 = 200;

/// Conversations that are told when it is not known which is meant.
const MOST_TOLD: usize = 8;

/// Other live runners that are named; the rest are counted.
const MOST_NAMED: usize = 4;

/// What other programs call the same.
const SYNONYMS: [(&str, &str); 7] = [
    ("list", "runners"),
    ("log", "logs"),
    ("ls", "runners"),
    ("ps", "runners"),
    ("run", "launch"),
    ("start", "launch"),
    ("top", "watch"),
];

/// What ends, replaces or removes something: who mistypes a word is not told to do that.
const DESTRUCTIVE: [&str; 5] = ["kill", "restart", "restore", "uninstall", "reconcile"];

/// Goes into a live runner of the project, goes on with its conversation, or launches its agent.
pub(super) fn run(words: &[OsString], context: &Context, printer: Printer) -> Outcome {
    let Some((name, rest)) = words.split_first() else { return ("", Ok(())) };
    let name = name.to_string_lossy().into_owned();
    // A word that can be no project is a mistyped command, and starts nothing.
    if let Err(error) = check_project_name(&name) {
        let failure = Failure::usage("UNKNOWN_COMMAND", error.to_string());
        return ("understand the command", Err(unknown(&name, failure, Vec::new())));
    }
    if rest.iter().any(|word| word == "--help" || word == "-h") {
        let failure = Failure::usage("UNKNOWN_COMMAND", String::new());
        return ("understand the command", Err(unknown(&name, failure, Vec::new())));
    }
    if let Some(word) = rest.first() {
        let word = word.to_string_lossy();
        let word = word.escape_debug();
        let meant = SYNONYMS.iter().find(|(synonym, _)| *synonym == name);
        let failure = if let Some((_, meant)) = meant {
            Failure::usage("UNKNOWN_COMMAND", format!("no command and no project `{name}`"))
                .with_hint(format!("did you mean: stratavore {meant} {word}"))
        } else {
            let what = format!("`{word}` after the project's name");
            Failure::usage("UNEXPECTED_ARGUMENT", what)
                .with_hint(format!("stratavore launch {name} -- COMMAND"))
        };
        return ("understand", Err(failure));
    }
    ("go into the project", go(&name, context, printer))
}

fn go(name: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let runner = block_on(async {
        let client = context.client().await?;
        let project = match client.get_project(name).await {
            Ok(project) => project,
            Err(failure) => {
                // A word that begins an id is hardly meant as one.
                let runner = client.get_runner(name).await.ok();
                if let Some(runner) = runner.filter(|runner| runner.name == name) {
                    let what = format!("`{name}` is a runner, and no project");
                    let verb = if runner.status.is_live() { "attach" } else { "runners show" };
                    return Err(Failure { message: what, ..failure }
                        .with_hint(format!("stratavore {verb} {name}")));
                }
                let projects = client.list_projects("").await.unwrap_or_default();
                let names = projects.into_iter().map(|project| project.name).collect();
                return Err(unknown(name, failure, names));
            }
        };
        let live = client.list_runners(name, "live", 0).await?;
        if let Some((runner, others)) = meant(&live) {
            if !others.is_empty() {
                printer.note(&told(runner, &others));
            }
            return Ok(runner.name.clone());
        }
        if let Some(runner) = resumed(&client, &project, printer).await? {
            return Ok(runner);
        }
        let request = LaunchRequest {
            request_id: None,
            project: name.to_owned(),
            name: String::new(),
            command: Vec::new(),
            cwd: None,
            worktree: None,
            environment: environment_of_client(),
            size: size_of_terminal().unwrap_or_default(),
            restart: RestartPolicy::Never,
            umask: umask(),
            max_tokens: None,
        };
        let launched = client.launch(&request).await?;
        for warning in &launched.warnings {
            printer.note(&format!("! {warning}"));
        }
        Ok(launched.runner.name)
    })?;
    if is_interactive() {
        return attach::by_name(&runner, context, printer);
    }
    printer.line(&runner)
}

/// Returns the runner to go into, and the others, the likelier ones first.
fn meant(live: &[Runner]) -> Option<(&Runner, Vec<&Runner>)> {
    let mut all: Vec<&Runner> = live.iter().collect();
    all.sort_by_key(|runner| {
        let since = runner.activity.since.unwrap_or(runner.started_at).max(runner.started_at);
        std::cmp::Reverse(rank(runner.status, runner.activity.state, since))
    });
    let mut all = all.into_iter();
    all.next().map(|first| (first, all.collect()))
}

/// How likely a runner is meant: whoever needs the person, else whoever was active last.
fn rank(status: RunnerStatus, state: ActivityState, since: DateTime<Utc>) -> (u8, i64) {
    let at = since.timestamp_micros();
    match (status, state) {
        (RunnerStatus::Stopping, _) => (0, at),
        // The one that has waited longest.
        (_, ActivityState::Blocked) => (3, -at),
        (_, ActivityState::Working) => (2, at),
        _ => (1, at),
    }
}

/// Says which runner is gone into, why, and which others there are.
fn told(runner: &Runner, others: &[&Runner]) -> String {
    let why = match (runner.status, runner.activity.state) {
        (RunnerStatus::Stopping, _) => "is being stopped",
        (_, ActivityState::Blocked) => "needs you",
        (_, ActivityState::Working) => "is at work",
        _ => "was active last",
    };
    let named = others.iter().take(MOST_NAMED);
    let mut names: Vec<String> =
        named.map(|other| format!("{} ({})", other.name, other.activity.state.as_str())).collect();
    if others.len() > MOST_NAMED {
        names.push(format!("{} more", others.len() - MOST_NAMED));
    }
    let live = if others.len() == 1 { "lives" } else { "live" };
    format!("{} {why}; beside it {live} {}", runner.name, names.join(", "))
}

/// Goes on with the conversation of a project's directory; returns the name of the runner that holds it,
/// `None` when there is none to go on with.
async fn resumed(
    client: &Client,
    project: &Project,
    printer: Printer,
) -> Result<Option<String>, Failure> {
    let name = &project.name;
    let sessions = client.list_sessions(name, "", LOOKED_AT).await?;
    let directory = real(&project.path);
    let now = Utc::now();
    let line = |session: &Session| {
        format!(
            "{}, {}, {} ago: {}",
            session.id,
            session.agent,
            age(session.last_at(), now),
            clip(&one_line(session.about()), 60)
        )
    };
    match to_continue(&sessions, |cwd| real(Path::new(cwd)) == directory) {
        ToContinue::Nothing => {
            printer
                .note(&format!("no conversation of {name} can be gone on with; a new one begins"));
            Ok(None)
        }
        ToContinue::One(session) => {
            let from = environment_of_client();
            let size = size_of_terminal().unwrap_or_default();
            let with = (&from, size, umask());
            let runner =
                client.resume_session(&session.id, false, with).await.map_err(|failure| {
                    let hint = match failure.hint.as_str() {
                        "" => format!("stratavore launch {name} begins a new one"),
                        hint => format!("{hint}; stratavore launch {name} begins a new one"),
                    };
                    let message = format!("go on with session {}: {}", session.id, failure.message);
                    Failure { message, hint, ..failure }
                })?;
            printer.note(&format!("{} goes on with {}", runner.name, line(session)));
            Ok(Some(runner.name))
        }
        ToContinue::Several(several) => {
            for session in several.iter().take(MOST_TOLD) {
                printer.talk(&format!("  {}", line(session)));
            }
            let what = format!(
                "{} conversations of {name} were open side by side; which one is not known",
                several.len()
            );
            Err(Failure::conflict("SESSION_AMBIGUOUS", what).with_hint(format!(
                "stratavore sessions resume ID --attach goes on with one, --lost with all that \
                 were lost; stratavore launch {name} begins a new one"
            )))
        }
    }
}

/// A directory by its real name: agents tell that one.
fn real(path: &Path) -> std::path::PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Names the command or project that was probably meant.
fn unknown(name: &str, failure: Failure, projects: Vec<String>) -> Failure {
    use clap::CommandFactory as _;
    let cli = Cli::command();
    let mut names = projects;
    let commands = cli.get_subcommands().filter(|command| !command.is_hide_set());
    let commands = commands.map(clap::Command::get_name).filter(|c| !DESTRUCTIVE.contains(c));
    names.extend(commands.map(str::to_owned));
    let what = format!("no command and no project `{}`", name.escape_debug());
    let synonym = SYNONYMS.iter().find(|(word, _)| *word == name).map(|(_, command)| *command);
    let near = synonym.or_else(|| crate::config::nearest(name, &names).map(String::as_str));
    let hint = match near {
        Some(near) => format!("did you mean: stratavore {near}"),
        None => "stratavore --help".to_owned(),
    };
    Failure { message: what, hint, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_needs_the_person_comes_first_then_whoever_was_active_last() {
        use ActivityState::{Blocked, Done, Idle, Working};
        use RunnerStatus::{Running, Stopping};
        let at = |second: i64| DateTime::from_timestamp(1_000_000 + second, 0).unwrap();
        let order = [
            rank(Running, Blocked, at(10)),
            rank(Running, Blocked, at(20)),
            rank(Running, Working, at(5)),
            rank(Running, Done, at(90)),
            rank(Running, Idle, at(80)),
            rank(Stopping, Blocked, at(99)),
        ];
        assert!(order.windows(2).all(|two| two[0] > two[1]), "{order:?}");
    }

    #[test]
    fn a_word_leads_to_what_others_call_it_and_to_nothing_that_destroys() {
        let hint = |word: &str| {
            unknown(word, Failure::usage("UNKNOWN_COMMAND", ""), vec!["shop".to_owned()]).hint
        };
        for (word, command) in [
            ("list", "runners"),
            ("ls", "runners"),
            ("ps", "runners"),
            ("run", "launch"),
            ("start", "launch"),
            ("log", "logs"),
            ("shpo", "shop"),
            ("lunch", "launch"),
        ] {
            assert_eq!(hint(word), format!("did you mean: stratavore {command}"));
        }
        for word in ["kil", "kll", "restor", "uninstal", "demo-agen"] {
            let hint = hint(word);
            let told = hint.rsplit(' ').next().unwrap();
            assert!(!DESTRUCTIVE.contains(&told) && told != "demo-agent", "{word}: {hint}");
        }
    }
}
