//! What waits for a person: durable items, answered through the agent's own hook, with a program that
//! asks as Claude Code does.

use std::{fs, time::Duration};

use serde_json::Value;

use crate::support::{EXE, World, wait_until, wait_value, write_script};

const SOON: Duration = Duration::from_secs(15);

/// Asks for permission as Claude Code does: by OSC 7501, and by a hook that is held. `ask COMMAND`, `use
/// COMMAND` (no dialog), `screen` (answered on the screen: the hook is ended), `done`, `run COMMAND`.
const CLAUDE: &str = r#"#!/bin/bash
[ "$1" = --version ] && { echo '2.1.329 (Claude Code)'; exit; }
stty -echo
report() { printf '\033]7501;state=%s:app=claude-code%s\033\\' "$1" "$2"; }
hook() {
  printf '{"hook_event_name":"%s","session_id":"s","cwd":"%s","tool_name":"Bash","tool_input":{"command":"%s"}}' \
    "$1" "$PWD" "$2" | 'EXE' hook claude
}
ask() { out=$(hook PermissionRequest "$1"); echo "hook said [$out]"; [ -n "$out" ] && report working; }
report idle
echo ready
while read -r word rest; do case $word in
  ask) report blocked ":kind=permission:msg=$(printf 'approve Bash: %s' "$rest" | base64 -w0)"
       ask "$rest" & held=$! ;;
  use) echo "used [$(hook PreToolUse "$rest")]" ;;
  screen) pkill -P "$held" -f 'hook claude'; kill "$held"; wait "$held" 2>/dev/null; report working; echo gone ;;
  done) report working; report done; echo ended ;;
  run) $rest; echo "code $?" ;;
esac; done
"#;

/// A world in which `claude` is that program, and a runner of it.
fn world(policy: &str) -> (World, String) {
    let world = World::with_project();
    if !policy.is_empty() {
        let place = world.home().join(".config/stratavore");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("approvals.yaml"), policy).unwrap();
    }
    let program = world.path("claude");
    write_script(&program, &CLAUDE.replace("EXE", EXE), 0o755);
    let name = world.launch(&[], &[program.to_str().unwrap()]);
    world.wait_log(&name, "ready");
    (world, name)
}

impl World {
    /// Types a line whatever the program is at: it is told here what to do next.
    fn say_now(&self, name: &str, line: &str) {
        self.run(["send", "--now", name, line]).expect_code(0);
    }

    fn inbox(&self) -> Vec<Value> {
        self.json(["--format", "json", "inbox"]).as_array().unwrap().clone()
    }

    /// Waits for the only item, as soon as the agent's own channel waits for its answer.
    fn wait_asked(&self, about: &str) -> Value {
        wait_value(&format!("it asks about {about}"), SOON, || {
            let [item] = self.inbox().try_into().ok()?;
            let is_it = item["message"].as_str()?.contains(about);
            (is_it && item["channel"] != "").then_some(item)
        })
    }

    fn wait_inbox_empty(&self) {
        wait_until("the inbox is empty", SOON, || self.inbox().is_empty());
    }

    fn item(&self, id: &Value) -> Value {
        self.json(["--format", "json", "inbox", "show", id.as_str().unwrap()])
    }
}

fn id(item: &Value) -> &str {
    item["id"].as_str().unwrap()
}

#[test]
fn a_permission_is_given_through_the_hook_and_is_gone_everywhere() {
    let (world, name) = world("");
    world.say_now(&name, "ask touch a");
    let item = world.wait_asked("touch a");
    assert_eq!((&item["reason"], &item["state"]), (&"permission".into(), &"open".into()));
    world.run(["inbox", "answer", id(&item), "yes"]).expect_code(0);
    world.wait_log(&name, r#""behavior":"allow""#);
    world.wait_inbox_empty();
    let item = world.item(&item["id"]);
    assert_eq!((&item["state"], &item["answer"]), (&"answered".into(), &"yes".into()));
    assert_eq!(item["closed_by"], "command line");
    // A second answer is none, and the first one stands in the log.
    let again = world.run(["inbox", "answer", id(&item), "no"]);
    again.expect_error(4, &["was answered by command line"]);
    let events = world.run(["events", "list", "--type", "inbox."]).expect_code(0).stdout;
    assert_eq!(events.matches("inbox.closed").count(), 1, "{events}");

    world.say_now(&name, "ask touch b");
    world.wait_asked("touch b");
    // By the runner's name as well.
    world.run(["inbox", "answer", &name, "no"]).expect_code(0);
    world.wait_log(&name, r#""behavior":"deny""#);
    world.wait_inbox_empty();
}

#[test]
fn who_answers_on_the_screen_first_is_obeyed_and_a_changed_command_is_another_question() {
    let (world, name) = world("");
    world.say_now(&name, "ask touch a");
    let first = world.wait_asked("touch a");
    world.say_now(&name, "screen");
    world.wait_log(&name, "gone");
    world.wait_inbox_empty();
    let item = world.item(&first["id"]);
    assert_eq!((&item["state"], &item["closed_by"]), (&"resolved".into(), &"".into()));
    world.say_now(&name, "ask rm -rf x");
    let second = world.wait_asked("rm -rf x");
    assert_ne!(first["id"], second["id"]);
    // The yes that was meant for the first is none to the second.
    world.run(["inbox", "answer", id(&first), "yes"]).expect_error(4, &["nothing was sent"]);
    let log = world.run(["logs", &name]).expect_code(0).stdout;
    assert!(!log.contains("allow"), "{log}");
    assert_eq!(world.inbox().len(), 1);
}

/// Asks one thing and, when the file `next` is there, another one in the same words, as Gemini CLI does that
/// wants to do two things: its title and its rules see no difference.
const ASKS_TWICE: &str = r#"#!/bin/bash
[ "$1" = --version ] && { echo 0.61.0; exit; }
stty raw -echo
dialog() {
  printf '\033[2J\033[H╭───────────────────────────────╮\r\n│ ? Shell  %-20s │\r\n' "$1"
  printf '│ Allow execution of [Shell]?   │\r\n│ ● 1. Allow once               │\r\n'
  printf '│   2. Allow for this session   │\r\n╰───────────────────────────────╯\r\n'
}
BEFORE
dialog 'touch a'
while [ ! -e NEXT ]; do sleep 0.05; done
dialog 'rm -rf /home'
printf 'got %s\r\n' "$(dd bs=1 count=1 2>/dev/null)"
exec sleep 600
"#;

/// A world with that program by a name, and its first question.
fn asked_twice(name: &str, before: &str) -> (World, String, Value) {
    let world = World::with_project();
    let program = world.path(name);
    let next = world.path("next");
    let script = ASKS_TWICE.replace("BEFORE", before).replace("NEXT", next.to_str().unwrap());
    write_script(&program, &script, 0o755);
    let name = world.launch(&[], &[program.to_str().unwrap()]);
    let first = wait_value("it asks with what stands on its screen", SOON, || {
        let [item] = world.inbox().try_into().ok()?;
        item["lines"].to_string().contains("touch a").then_some(item)
    });
    fs::write(next, "").unwrap();
    world.wait_log(&name, "rm -rf");
    (world, name, first)
}

#[test]
fn a_yes_to_one_dialog_is_none_to_the_next_that_says_the_same() {
    let (world, name, first) = asked_twice("gemini", r"printf '\033]0;✋  Action Required\007'");
    assert!(first["message"].to_string().contains("touch a"), "{first}");
    world.run(["inbox", "answer", id(&first), "yes"]).expect_error(4, &["nothing was sent"]);
    let second = wait_value("the other question is told", SOON, || {
        let [item] = world.inbox().try_into().ok()?;
        item["message"].to_string().contains("rm -rf").then_some(item)
    });
    assert_ne!(first["id"], second["id"]);
    world.run(["inbox", "answer", id(&first), "yes"]).expect_error(4, &["nothing was sent"]);
    let log = world.run(["logs", &name]).expect_code(0).stdout;
    assert!(!log.contains("got"), "{log}");
    let none = world.run(["inbox", "answer", id(&second), "9"]);
    none.expect_error(4, &["gives the choices 1 to 2", "nothing was sent"]);
    assert_eq!(world.inbox().len(), 1, "it is open still");
    world.run(["inbox", "answer", id(&second), "yes"]).expect_code(0);
    world.wait_log(&name, "got 1");
}

#[test]
fn a_failure_is_told_with_what_it_wrote_last() {
    let world = World::with_project();
    world.launch(&[], &["sh", "-c", "echo 'fatal: something broke'; exit 3"]);
    wait_until("its last lines are told", SOON, || {
        let items = world.inbox();
        items.iter().any(|it| it["lines"].to_string().contains("fatal: something broke"))
    });
}

#[test]
fn a_program_that_draws_another_question_than_it_told_of_is_not_answered_from_outside() {
    let told = r"printf '\033]7501;state=blocked:app=asks:kind=permission:msg=%s\033\\' aGVscA==";
    let (world, name, first) = asked_twice("asks", told);
    for answer in ["yes", "no"] {
        let refused = world.run(["inbox", "answer", id(&first), answer]);
        refused.expect_error(4, &["another question", "nothing was sent", "stratavore attach"]);
    }
    let log = world.run(["logs", &name]).expect_code(0).stdout;
    assert!(!log.contains("got"), "{log}");
}

#[test]
fn a_question_outlives_the_daemon_and_so_does_the_hook_that_waits() {
    let (world, name) = world("");
    world.say_now(&name, "ask touch a");
    let item = world.wait_asked("touch a");
    world.kill_daemon();
    // The next command starts the next daemon, which finds the item and the hook.
    wait_until("the answer is taken", SOON, || {
        world.run(["inbox", "answer", id(&item), "yes"]).code == 0
    });
    world.wait_log(&name, r#""behavior":"allow""#);
    world.wait_inbox_empty();
}

#[test]
fn the_policy_decides_first_and_every_decision_is_on_record() {
    let policy = "rules:\n  - deny: Bash(rm -rf *)\n  - allow: Bash(git status*)\n  \
                  - ask: Bash(cargo publish*)\n";
    let (world, name) = world(policy);
    world.say_now(&name, "ask git status --short");
    world.wait_log(&name, r#""behavior":"allow""#);
    world.wait_inbox_empty();
    // Nothing that begins another command is allowed by a wildcard: a person is asked.
    world.say_now(&name, "ask git status; touch b");
    let item = world.wait_asked("git status; touch b");
    world.run(["inbox", "answer", id(&item), "no"]).expect_code(0);
    world.wait_inbox_empty();
    // What is denied is refused before the tool is used, with no dialog and no daemon needed.
    world.say_now(&name, "use rm -rf /");
    world.wait_log(&name, r#""permissionDecision":"deny""#);
    wait_until("both decisions are recorded", SOON, || {
        let events = world.json(["--format", "json", "events", "list", "--type", "approval."]);
        let events = events.as_array().unwrap().clone();
        let told = |event: &Value| {
            let data = &event["data"];
            (
                data["decision"].as_str().unwrap().to_owned(),
                data["rule"].as_str().unwrap().to_owned(),
            )
        };
        let told: Vec<_> = events.iter().map(told).collect();
        told.len() == 2
            && told[0]
                == ("allow".into(), "allow: Bash(git status*) (approvals.yaml, rule 2)".into())
            && told[1].0 == "deny"
    });
    // That a rule wants a person to be asked is on record just the same, before anybody answers.
    world.say_now(&name, "ask cargo publish");
    let item = world.wait_asked("cargo publish");
    wait_until("that is recorded too", SOON, || {
        let events = world.json(["--format", "json", "events", "list", "--type", "approval."]);
        let last = events.as_array().unwrap().last().unwrap()["data"].clone();
        last["decision"] == "ask" && last["argument"] == "cargo publish" && last["by"] == "policy"
    });
    world.run(["inbox", "answer", id(&item), "no"]).expect_code(0);
    world.wait_inbox_empty();
    let test = world.run(["approvals", "test", "claude", "Bash", "git status && rm -rf /"]);
    assert!(test.expect_code(0).stdout.contains("deny"));
}

#[test]
fn nobody_inside_a_runner_answers_and_what_is_seen_is_gone() {
    let (world, name) = world("");
    let root = world.root();
    let tries = format!(
        "read -r x; STRATAVORE_HOME='{}' '{EXE}' inbox answer {name} yes; echo code $?; exec sleep 600",
        root.display()
    );
    let other = world.launch(&[], &["sh", "-c", &tries]);
    world.say_now(&name, "ask touch a");
    world.wait_asked("touch a");
    world.say_now(&other, "go");
    world.wait_log(&other, "code 5");
    assert_eq!(world.inbox().len(), 1);
    world.run(["inbox", "snooze", &name, "1s"]).expect_code(0);
    // It comes back by itself.
    world.wait_asked("touch a");
    world.run(["inbox", "answer", &name, "yes"]).expect_code(0);
    world.wait_inbox_empty();
    world.say_now(&name, "done");
    wait_until("the turn is told", SOON, || {
        world.inbox().iter().any(|item| item["reason"] == "finished")
    });
    let digest = world.run(["inbox", "digest", "--since", "10m"]).expect_code(0);
    assert!(digest.stdout.contains(&name), "{}", digest.stdout);
    world.run(["inbox", "dismiss", "--all"]).expect_code(0);
    world.wait_inbox_empty();
    world.run(["kill", "--force", &other]).expect_code(0);
}
