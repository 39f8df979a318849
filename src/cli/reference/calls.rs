//! What a command is over HTTP: every command, and every operation, is in this table.

use std::collections::{BTreeMap, BTreeSet};

use super::commands::leaves;
use crate::{cli::top::Cli, daemon::api_document};
use clap::CommandFactory as _;

/// What takes the place of a command.
enum Over {
    /// These calls, without the prefix.
    Calls(&'static [&'static str]),
    /// None, and why.
    None(&'static str),
}
use Over::{Calls, None as Nothing};

const ALONE: &str = "it looks after this machine, and needs no daemon";

const TABLE: &[(&str, Over)] = &[
    ("new", Calls(&["POST /projects"])),
    ("projects list", Calls(&["GET /projects"])),
    ("projects show", Calls(&["GET /projects/{project}"])),
    ("projects delete", Calls(&["DELETE /projects/{project}"])),
    ("quotas show", Calls(&["GET /quotas", "GET /projects/{project}/quota"])),
    ("quotas set", Calls(&["PUT /projects/{project}/quota"])),
    ("quotas clear", Calls(&["DELETE /projects/{project}/quota"])),
    ("launch", Calls(&["POST /runners"])),
    (
        "attach",
        Calls(&[
            "GET /runners/{runner}/attach",
            "GET /runners/{runner}/screen",
            "GET /runners/{runner}/scrollback",
            "GET /runners/{runner}/search",
            "POST /runners/{runner}/input",
            "POST /runners/{runner}/resize",
        ]),
    ),
    ("runners list", Calls(&["GET /runners"])),
    ("runners show", Calls(&["GET /runners/{runner}"])),
    ("runners explain", Calls(&["GET /runners/{runner}/explanation"])),
    ("runners correct", Calls(&["POST /runners/{runner}/correct"])),
    ("runners remove", Calls(&["DELETE /runners/{runner}"])),
    ("kill", Calls(&["POST /runners/{runner}/stop", "POST /runners/{runner}/kill"])),
    ("restart", Calls(&["POST /runners/{runner}/restart"])),
    ("pause", Calls(&["POST /runners/{runner}/pause"])),
    ("resume", Calls(&["POST /runners/{runner}/resume"])),
    ("inbox list", Calls(&["GET /inbox"])),
    ("inbox show", Calls(&["GET /inbox/{item}"])),
    (
        "inbox answer",
        Calls(&[
            "POST /inbox/{item}/answer",
            "POST /inbox/{item}/approve",
            "POST /inbox/{item}/deny",
            "POST /runners/{runner}/answer",
        ]),
    ),
    ("inbox snooze", Calls(&["POST /inbox/{item}/snooze"])),
    ("inbox dismiss", Calls(&["POST /inbox/{item}/dismiss", "POST /inbox/dismiss"])),
    ("inbox digest", Calls(&["GET /digest"])),
    ("inbox watch", Calls(&["GET /events/stream"])),
    ("approvals show", Calls(&["GET /projects/{project}/approvals"])),
    ("approvals test", Calls(&["GET /projects/{project}/approvals/verdict"])),
    ("approvals check", Calls(&["GET /projects/{project}/approvals"])),
    ("sessions list", Calls(&["GET /sessions"])),
    ("sessions show", Calls(&["GET /sessions/{session}"])),
    ("sessions search", Calls(&["GET /sessions/search"])),
    ("sessions export", Calls(&["GET /sessions/{session}/transcript"])),
    ("sessions import", Calls(&["GET /conversations", "POST /sessions/import"])),
    ("sessions resume", Calls(&["POST /sessions/{session}/resume"])),
    ("budget show", Calls(&["GET /budgets", "GET /usage"])),
    ("budget set", Calls(&["PUT /budgets/{scope}/{period}"])),
    ("budget remove", Calls(&["DELETE /budgets/{scope}"])),
    ("budget reset", Calls(&["POST /budgets/{scope}/reset"])),
    ("tokens create", Calls(&["POST /tokens"])),
    ("tokens list", Calls(&["GET /tokens"])),
    ("tokens revoke", Calls(&["DELETE /tokens/{token}"])),
    (
        "send",
        Calls(&[
            "POST /runners/{runner}/prompts",
            "GET /runners/{runner}/prompts",
            "DELETE /prompts/{prompt}",
        ]),
    ),
    ("diff", Calls(&["GET /runners/{runner}/changes"])),
    ("worktrees list", Calls(&["GET /worktrees", "GET /worktrees/trash"])),
    ("worktrees remove", Calls(&["DELETE /worktrees/{worktree}"])),
    ("worktrees prune", Calls(&["POST /worktrees/prune"])),
    ("worktrees restore", Calls(&["POST /worktrees/{worktree}/restore"])),
    ("logs", Calls(&["GET /runners/{runner}/logs"])),
    ("status", Calls(&["GET /status"])),
    ("watch", Calls(&["GET /events/stream"])),
    ("events list", Calls(&["GET /events"])),
    ("events show", Calls(&["GET /events/{event}"])),
    ("events subscribe", Calls(&["GET /events/stream"])),
    ("reconcile", Calls(&["POST /reconcile", "DELETE /nodes/{node}"])),
    ("agents", Calls(&["GET /agents"])),
    ("nodes", Calls(&["GET /nodes"])),
    ("notify", Calls(&["POST /notifications"])),
    ("notify list", Calls(&["GET /notifications"])),
    ("notify retry", Calls(&["POST /notifications/retry"])),
    ("notify discard", Calls(&["POST /notifications/discard"])),
    ("notify test", Calls(&["POST /notifications/test"])),
    (
        "setup telegram",
        Nothing("it asks a person, and writes a secret into the user's configuration"),
    ),
    ("outbox status", Calls(&["GET /outbox/counts"])),
    ("outbox list", Calls(&["GET /outbox"])),
    ("outbox retry", Calls(&["POST /outbox/retry"])),
    ("outbox discard", Calls(&["POST /outbox/discard"])),
    ("audit verify", Calls(&["POST /audit/verify"])),
    (
        "audit key",
        Nothing(
            "the first key is shown once, to who sits at the machine, and then removed from it",
        ),
    ),
    ("health", Calls(&["GET /health", "GET /healthz", "GET /readyz"])),
    ("metrics show", Calls(&["GET /metrics"])),
    ("database status", Calls(&["GET /database"])),
    ("database migrate", Nothing("a daemon that runs has done it")),
    ("database copy", Nothing("no daemon may run beside it")),
    ("config show", Calls(&["GET /config"])),
    ("config validate", Nothing("a daemon that runs was started with a valid one")),
    ("daemon start", Nothing("nobody serves the API before")),
    ("daemon stop", Nothing("nobody could start it again from there; stop it where it runs")),
    ("daemon restart", Nothing("as stop")),
    ("daemon status", Calls(&["GET /status"])),
    (
        "daemon logs",
        Nothing("they are on the machine, or in its journal, and may hold what was typed"),
    ),
    ("doctor", Nothing(ALONE)),
    ("support", Nothing(ALONE)),
    ("backup", Calls(&["GET /backup"])),
    ("restore", Nothing("no daemon may run beside it: it exchanges the root directory")),
    ("install", Nothing(ALONE)),
    ("uninstall", Nothing(ALONE)),
    ("man", Nothing(ALONE)),
    ("completion", Nothing(ALONE)),
    ("version", Calls(&["GET /status"])),
    ("demo", Nothing("it has a daemon of its own, without the API")),
];

/// Calls for programs, for which there is no command.
const PROGRAMS: &[&str] = &["GET /openapi.json", "POST /runners/{runner}/heartbeat"];

/// Returns the table as it is shown; fails where it and the program disagree.
pub(super) fn table() -> String {
    let mut command = Cli::command();
    command.build();
    let wanted: BTreeSet<_> = leaves(&command).into_iter().collect();
    let listed: BTreeSet<_> = TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed, wanted, "each command is in the table of calls");
    assert_eq!(listed.len(), TABLE.len(), "a command is in the table twice");

    let document = serde_json::to_value(api_document()).unwrap();
    let mut operations: BTreeMap<String, bool> = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["tags"][0] != "aliases" {
                let path = path.strip_prefix("/api/v1").unwrap_or(path);
                operations.insert(format!("{} {path}", method.to_uppercase()), false);
            }
        }
    }
    let mut text = String::from(
        "\n## Commands and calls\n\nWhat a command does is done over HTTP by these calls. `kill`, `send` and others \
         that take several runners are a call for each.\n\n| command | calls |\n|---|---|\n",
    );
    let calls = TABLE.iter().flat_map(|(_, over)| match over {
        Calls(calls) => *calls,
        Nothing(_) => &[],
    });
    for call in calls.chain(PROGRAMS) {
        let known = operations.get_mut(*call);
        *known.unwrap_or_else(|| panic!("there is no {call}")) = true;
    }
    let forgotten: Vec<_> = operations.iter().filter(|(_, is_named)| !**is_named).collect();
    assert!(forgotten.is_empty(), "no command stands for {forgotten:?}");
    for (name, over) in TABLE {
        let cell = match over {
            Calls(calls) => {
                calls.iter().map(|call| format!("`{call}`")).collect::<Vec<_>>().join(", ")
            }
            Nothing(why) => format!("none: {why}"),
        };
        text.push_str(&format!("| `{name}` | {cell} |\n"));
    }
    text
}
