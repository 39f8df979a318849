//! What an agent uses is counted, and budgets stop it: with a program that reports as Claude Code does.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{EXE, Say as _, Terminal, World, wait_until, wait_value, write_script};

const SOON: Duration = Duration::from_secs(15);

/// Reports as Claude Code does, at the word of whoever types: `use TOKENS [AFTER]`, `again`, `new`,
/// `prompt TEXT`, `try COMMAND`.
const CLAUDE: &str = r#"#!/bin/bash
[ "$1" = --version ] && { echo '2.1.329 (Claude Code)'; exit; }
how=begins
while [ $# -gt 0 ]; do case $1 in
  --session-id) id=$2; shift ;; --resume=*) id=${1#*=}; how='goes on with' ;;
esac; shift; done
stty -echo
at=${OTEL_EXPORTER_OTLP_ENDPOINT#http://}; host=${at%%/*}; path=/${at#*/}; n=0
post() {
  exec 3<>"/dev/tcp/${host%:*}/${host#*:}"
  printf 'POST %s/v1/logs HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s' "$path" ${#1} "$1" >&3
  read -r line <&3; exec 3>&-
}
a() { printf '{"key":"%s","value":{"stringValue":"%s"}}' "$1" "$2"; }
report() {
  post '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"claude_code.api_request"},"attributes":['"$(a session.id $id),$(a model m),$(a request_id r-$id-$n),$(a input_tokens 0),$(a output_tokens $1),$(a cost_usd 0.5)"']}]}]}]}'
}
hook() {
  printf '{"hook_event_name":"%s","session_id":"%s","transcript_path":"/t","prompt":"%s","source":"startup","cwd":"%s"}' "$1" "$id" "$2" "$PWD" | 'EXE' hook claude
}
hook SessionStart
echo "$how $id"
while read -r word one two; do case $word in
  use) n=$((n+1)); last=$one; sleep "${two:-0}"; report "$one"; echo "used $n" ;;
  again) report "$last"; echo again ;;
  new) id=next-$id; hook SessionStart; echo "begins $id" ;;
  prompt) echo "told $(hook UserPromptSubmit "$one")" ;;
  try) $one $two; echo "code $?" ;;
esac; done
"#;

/// A world in which `claude` is that program, and a runner of it.
fn world() -> (World, String) {
    let world = World::with_project();
    let program = world.path("claude");
    write_script(&program, &CLAUDE.replace("EXE", EXE), 0o755);
    let name = world.launch(&[], &[program.to_str().unwrap()]);
    world.wait_log(&name, "begins ");
    (world, name)
}

impl World {
    fn say(&self, name: &str, text: &str) {
        self.run(["send", "--now", name, text]).expect_code(0);
    }

    fn wait_tokens(&self, name: &str, tokens: i64) -> Value {
        wait_value(&format!("{name} has used {tokens}"), SOON, || {
            Some(self.show(name)).filter(|runner| runner.number("tokens_used") == Some(tokens))
        })
    }

    /// How many lines of its record say just this.
    fn lines(&self, name: &str, text: &str) -> usize {
        let log = self.run(["logs", name]).expect_code(0).stdout;
        log.lines().filter(|line| line.trim() == text).count()
    }

    fn wait_hold(&self, name: &str, is_held: bool) {
        wait_until(&format!("{name} is held: {is_held}"), SOON, || {
            self.show(name)["hold"].is_null() != is_held
        });
    }
}

#[test]
fn what_is_used_is_counted_once_whether_a_daemon_lives_or_not() {
    let (world, name) = world();
    world.say(&name, "use 100");
    let runner = world.wait_tokens(&name, 100);
    assert_eq!(runner["cost"], 500_000_000);
    world.say(&name, "again");
    world.wait_log(&name, "again");
    world.say(&name, "use 10 1");
    world.kill_daemon();
    // The next command starts the next daemon.
    world.wait_log(&name, "used 2");
    world.wait_tokens(&name, 110);
    for by in ["project", "runner", "session", "model", "agent", "day"] {
        let totals = world.json(["tokens", "--by", by]);
        assert_eq!(totals.as_array().unwrap().len(), 1, "{totals}");
        assert_eq!(totals[0]["requests"], 2, "{totals}");
        assert_eq!(totals[0]["tokens"]["output"], 110, "{totals}");
        assert_eq!(totals[0].text("quality"), "exact");
    }
    let told = world.json(["events", "--type", "tokens.used"]);
    let sum: i64 =
        told.as_array().unwrap().iter().map(|it| it["data"]["tokens"].as_i64().unwrap()).sum();
    assert_eq!(sum, 110, "{told}");
}

#[test]
fn who_begins_another_conversation_has_ended_the_first() {
    let (world, name) = world();
    world.say(&name, "use 100");
    world.wait_tokens(&name, 100);
    world.say(&name, "new");
    world.wait_log(&name, "begins next-");
    world.say(&name, "use 10");
    let next = world.wait_tokens(&name, 110).text("session_id").to_owned();
    let first = next.strip_prefix("next-").unwrap();
    let [next, former] = [&next, first].map(|id| world.json(["sessions", "show", id]));
    assert_eq!((next.text("origin"), next.text("resumed_from")), ("cleared", first), "{next}");
    assert!(next["ended_at"].is_null() && former["ended_at"].is_string(), "{former}");
    assert_eq!((next.number("tokens_used"), former.number("tokens_used")), (Some(10), Some(100)));
    let ended = world.json(["events", "--type", "session.ended"]);
    let ended: Vec<_> = ended.as_array().unwrap().iter().map(|it| it.text("entity_id")).collect();
    assert_eq!(ended, [first]);
}

/// Reports as Gemini CLI does, which is given no hooks: its telemetry alone names the conversation.
const GEMINI: &str = r#"#!/bin/bash
[ "$1" = --version ] && { echo 0.61.0; exit; }
echo "begins with $*"
while [ $# -gt 0 ]; do case $1 in --session-id) id=$2; shift ;; --resume=*) id=${1#*=} ;; esac; shift; done
stty -echo
at=${GEMINI_TELEMETRY_OTLP_ENDPOINT#http://}; host=${at%%/*}; path=/${at#*/}
a() { printf '{"key":"%s","value":{"%s":"%s"}}' "$1" "$2" "$3"; }
use() {
  local it="$(a session.id stringValue $id),$(a event.name stringValue gemini_cli.api_response),$(a model stringValue m)"
  it="$it,$(a input_token_count intValue 0),$(a output_token_count intValue $1),$(a role stringValue main)"
  it='{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":['"$it"']}]}]}]}'
  exec 3<>"/dev/tcp/${host%:*}/${host#*:}"
  printf 'POST %s/v1/logs HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s' "$path" ${#it} "$it" >&3
  read -r line <&3; exec 3>&-
}
last() {
  local dir=$HOME/.gemini/tmp/p/chats
  mkdir -p "$dir"
  local at=2026-12-03T05:33:00.572Z
  { printf '{"sessionId":"%s","projectHash":"0","startTime":"%s","lastUpdated":"%s","kind":"main"}\n' "$id" $at $at
    printf '{"id":"1","timestamp":"%s","type":"user","content":[{"text":"said last"}]}\n' $at
  } > "$dir/session-2026-12-03T05-33-${id%%-*}.jsonl"
  use 5
  exit
}
trap last TERM HUP
echo ready
while read -r word one; do case $word in
  use) use "$one" ;;
  clear) id=00000000-0000-4000-8000-00000000000$one; echo "cleared to $one" ;;
esac; done
"#;

#[test]
fn a_conversation_that_telemetry_alone_names_is_another_one() {
    let world = World::with_project();
    let program = world.path("gemini");
    write_script(&program, GEMINI, 0o755);
    let name = world.launch(&[], &[program.to_str().unwrap()]);
    world.wait_log(&name, "ready");
    world.say(&name, "use 100");
    let first = world.wait_tokens(&name, 100).text("session_id").to_owned();
    world.say(&name, "clear 7");
    world.say(&name, "use 10");
    let next = world.wait_tokens(&name, 110).text("session_id").to_owned();
    assert_eq!(next, "00000000-0000-4000-8000-000000000007");
    let [next, former] = [&next, &first].map(|id| world.json(["sessions", "show", id]));
    assert_eq!((next.text("origin"), next.text("resumed_from")), ("cleared", &*first), "{next}");
    assert!(next["ended_at"].is_null() && former["ended_at"].is_string(), "{former}");
    assert_eq!((next.number("tokens_used"), former.number("tokens_used")), (Some(10), Some(100)));
    // What it tells and writes with its end counts, too.
    world.say(&name, "clear 8");
    world.wait_log(&name, "cleared to 8");
    world.run(["restart", &name, "--preserve-session"]).expect_code(0);
    let last = "00000000-0000-4000-8000-000000000008";
    world.wait_log(&name, &format!("begins with --resume={last}"));
    assert_eq!(world.json(["sessions", "show", last]).text("first_prompt"), "said last");
}

#[test]
fn a_budget_that_is_used_up_holds_prompts_until_it_is_raised() {
    let (world, name) = world();
    world.run(["budget", "set", "p", "daily", "1k"]).expect_code(0);
    world.say(&name, "use 800");
    world.wait_tokens(&name, 800);
    world.say(&name, "prompt one");
    wait_until("it is told nothing", SOON, || world.lines(&name, "told") == 1);
    world.say(&name, "use 300");
    world.wait_hold(&name, true);
    world.run(["send", &name, "more"]).expect_error(7, &["is used up: 1.10k of 1.00k"]);
    world.run(["launch", "p", "--", "true"]).expect_error(7, &["0 tokens left", "budget set"]);
    // Whoever types in its terminal is refused by its hook.
    world.run(["send", &name, "--no-submit", "x"]).expect_code(7);
    let terminal = Terminal::start(world.command(["attach", &name]));
    terminal.wait_for("used 2");
    terminal.type_text("prompt two\r");
    world.wait_log(&name, r#"told {"continue":false,"stopReason":"the daily budget"#);
    terminal.signal(Signal::TERM);
    drop(terminal);
    let budget = &world.json(["budget", "show"])[0];
    assert_eq!((budget["used"].as_i64(), budget["told"].as_i64()), (Some(1100), Some(100)));
    for share in ["budget.warning", "budget.exhausted"] {
        let told = world.json(["events", "--type", share]);
        assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
    }
    world.run(["budget", "set", "p", "daily", "2k"]).expect_error(0, &["; it was 1.00k tokens"]);
    world.wait_hold(&name, false);
    world.say(&name, "prompt three");
    wait_until("it is told nothing", SOON, || world.lines(&name, "told") == 2);
    // Whoever is told that it begins anew may prompt at once.
    world.run(["budget", "set", "p", "daily", "1k"]).expect_code(0);
    world.wait_hold(&name, true);
    world.run(["budget", "reset", "p"]).expect_code(0);
    world.say(&name, "prompt four");
    world.run(["budget", "remove", "p"]).expect_code(0);
    world.run(["budget", "remove", "p"]).expect_error(3, &["budget show"]);
}

#[test]
fn a_promise_is_kept_and_nobody_inside_raises_anything() {
    let (world, name) = world();
    world.run(["budget", "set", "global", "weekly", "1k"]).expect_code(0);
    let limited = world.launch(&["--max-tokens", "600"], &["sleep", "60"]);
    world.run(["launch", "p", "--max-tokens", "600", "--", "true"]).expect_error(
        7,
        &["400 tokens left, 600 tokens are asked for", "600 tokens are set aside"],
    );
    assert_eq!(world.show(&limited).number("max_tokens"), Some(600));
    world.run(["kill", &limited, "--force"]).expect_code(0);
    world.run(["launch", "p", "--max-tokens", "600", "--", "true"]).expect_code(0);
    let root = world.root();
    let raise =
        format!("try env STRATAVORE_HOME={} {EXE} budget set global weekly 9M", root.display());
    world.say(&name, &raise);
    world.wait_log(&name, "code 5");
    for (words, text) in [
        (&["budget", "set", "nobody", "daily", "5"][..], "nobody"),
        (&["budget", "set", "p", "yearly", "5"], "hourly, daily"),
        (&["budget", "set", "p", "daily", "much"], "100k"),
        (&["budget", "set", "p", "daily", "5", "--time-zone", "Mars"], "Europe/Berlin"),
    ] {
        let output = world.run(words);
        assert!(output.code != 0 && output.stderr.contains(text), "{words:?}: {}", output.stderr);
    }
}

#[test]
fn a_conversation_that_never_began_is_not_gone_on_with() {
    let world = World::with_project();
    let program = world.path("claude");
    write_script(&program, "#!/bin/sh\nexit 1\n", 0o755);
    let name = world.launch(&[], &[program.to_str().unwrap()]);
    world.wait_status(&name, "failed", SOON);
    assert!(!world.show(&name).text("session_id").is_empty(), "it was given one");
    world.run(["restart", &name, "--preserve-session"]).expect_error(3, &["no session", "restart"]);
}

#[test]
fn a_conversation_is_known_and_gone_on_with() {
    let (world, name) = world();
    world.say(&name, "prompt fix-it");
    let session = wait_value("its session is known", SOON, || {
        let sessions = world.json(["sessions", "--runner", &name]);
        let session = sessions.get(0)?.clone();
        (session.text("first_prompt") == "fix-it").then_some(session)
    });
    let id = session.text("id").to_owned();
    assert_eq!(world.show(&name).text("session_id"), id);
    world.run(["sessions", "resume", &id]).expect_error(4, &["attach"]);
    let told = world.json(["runners", "explain", &name]);
    assert_eq!(told.text("author"), "hook", "{told}");
    world.run(["restart", &name, "--preserve-session"]).expect_code(0);
    world.wait_log(&name, &format!("goes on with {id}"));
    world.run(["kill", &name]).expect_code(0);
    let ended = world.json(["sessions", "show", &id]);
    assert!(!ended["ended_at"].is_null() && ended["resumable"] == true, "{ended}");
    world.run(["sessions", "resume", &id[..8]]).expect_code(0);
    wait_until("it goes on again", SOON, || {
        let log = world.run(["logs", &name]).stdout;
        log.matches("goes on with").count() == 2
    });
    assert_eq!(world.show(&name).number("run"), Some(3));
    world.run(["kill", &name]).expect_code(0);
    let other = world.run(["sessions", "resume", &id, "--new-runner"]);
    // The program lies in no directory of PATH: a new runner is started by the agent's name.
    assert!(other.code == 0 || other.stderr.contains("claude"), "{}", other.stderr);
    world.run(["sessions", "resume", "no-such-session"]).expect_error(3, &["sessions lists"]);
}

#[test]
fn what_a_machine_takes_with_it_goes_on_at_one_word_each_in_its_conversation() {
    let (world, name) = world();
    let program = world.path("claude");
    let other = world.launch(&[], &[program.to_str().unwrap()]);
    let stopped = world.launch(&[], &[program.to_str().unwrap()]);
    let names = [&name, &other, &stopped];
    // Nobody says anything to this one, and this one has no conversation at all.
    let silent = world.launch(&[], &[program.to_str().unwrap()]);
    let plain = world.launch(&[], &["sleep", "600"]);
    for name in names.into_iter().chain([&silent]) {
        world.wait_log(name, "begins ");
    }
    let ids = names.map(|name| {
        world.say(name, "prompt go");
        wait_value("its session is known", SOON, || {
            let sessions = world.json(["sessions", "--runner", name]);
            let session = sessions.get(0)?.clone();
            (session.text("first_prompt") == "go").then(|| session.text("id").to_owned())
        })
    });
    let unused = wait_value("its session is known", SOON, || {
        let sessions = world.json(["sessions", "--runner", &silent]);
        Some(sessions.get(0)?.text("id").to_owned())
    });
    world.run(["kill", &stopped]).expect_code(0);
    // The system tells everything to end at once.
    let cut = [&name, &other, &silent, &plain];
    let supervisors = cut.map(|name| world.supervisor(name));
    world.kill_daemon();
    for supervisor in supervisors {
        supervisor.signal(Signal::TERM);
    }
    for name in cut {
        let cut_off = world.wait_status(name, "failed", SOON);
        assert_eq!(cut_off.text("reason"), "cut off by the system");
    }
    assert!(world.run(["sessions"]).expect_code(0).stdout.contains("empty"));
    let told = world.run(["sessions", "resume", "--lost"]).expect_code(0).stderr;
    for (name, why) in [(&silent, "nothing was said"), (&plain, "it had no conversation")] {
        let line = told.lines().find(|line| line.contains(&format!("{name} begins anew")));
        assert!(line.is_some_and(|line| line.contains(why)), "{told}");
        world.wait_status(name, "running", SOON);
    }
    assert_ne!(world.show(&silent).text("session_id"), unused, "it got a conversation of its own");
    for (name, id) in [(&name, &ids[0]), (&other, &ids[1])] {
        world.wait_log(name, &format!("goes on with {id}"));
        world.wait_status(name, "running", SOON);
    }
    assert_eq!(world.show(&stopped).text("status"), "terminated", "somebody had stopped it");
    let again = world.run(["sessions", "resume", "--lost"]);
    assert!(again.stderr.contains("no lost runner"), "{}", again.stderr);
}

#[test]
fn a_project_goes_on_with_its_conversation_and_nothing_is_guessed() {
    let (world, first) = world();
    let talk = |name: &str, text: &str| {
        world.say(name, &format!("prompt {text}"));
        wait_value("its session is known", SOON, || {
            let sessions = world.json(["sessions", "--runner", name]);
            let session = sessions.get(0)?.clone();
            (session.text("first_prompt") == text).then(|| session.text("id").to_owned())
        })
    };
    let goes_on = |name: &str, session: &str| {
        world.wait_log(name, &format!("goes on with {session}"));
    };
    let session = talk(&first, "first");
    assert_eq!(world.run(["p"]).expect_code(0).stdout.trim(), first, "it lives");
    world.run(["kill", &first]).expect_code(0);
    let told = world.run(["p"]).expect_code(0);
    assert_eq!(told.stdout.trim(), first);
    assert!(
        told.stderr.contains("goes on with") && told.stderr.contains("first"),
        "{}",
        told.stderr
    );
    goes_on(&first, &session);
    // A second one beside it, and both are gone: nobody knows which one is meant.
    let program = world.path("claude");
    let second = world.launch(&[], &[program.to_str().unwrap()]);
    world.wait_log(&second, "begins ");
    let other = talk(&second, "second");
    world.run(["kill", "p"]).expect_code(0);
    let refused = world.run(["p"]).expect_error(4, &["side by side", "sessions resume ID"]);
    assert!(refused.stderr.contains(&session) && refused.stderr.contains(&other));
    assert!(world.runners().iter().all(|runner| runner.text("status") != "running"));
    world.run(["sessions", "resume", &other]).expect_code(0);
    goes_on(&second, &other);
    // Whoever was used last, and alone, is the one.
    let third = world.json(["sessions", "show", &other]);
    assert!(third["ended_at"].is_null(), "{third}");
}

#[test]
fn a_state_that_is_wrong_is_learnt_from_and_right_at_once() {
    let (world, name) = world();
    world.say(&name, "prompt go");
    wait_until("the hook says that it works", SOON, || {
        world.show(&name)["activity"].text("state") == "working"
    });
    // What no hook tells: a dialog of its own.
    let terminal = Terminal::start(world.command(["attach", &name]));
    world.say(&name, "try printf Shall\\nMay_I_go_on_with_all_of_it?\\n");
    terminal.wait_for("May_I_go_on");
    terminal.signal(Signal::TERM);
    drop(terminal);
    let draft = ["runners", "correct", &name, "blocked", "--kind", "permission", "--dry-run"];
    let told = world.json(draft);
    assert_eq!(told.text("refused"), "", "{told}");
    assert!(told.text("rule").contains("May_I_go_on_with_all_of_it"), "{told}");
    assert_eq!(world.show(&name)["activity"].text("state"), "working", "nothing is kept");
    // A line that other runners show is learnt only by whoever names it; the others are named before.
    let program = world.path("claude");
    let other = world.launch(&[], &[program.to_str().unwrap()]);
    world.wait_log(&other, "begins ");
    world.say(&other, "try printf May_I_go_on_with_all_of_it?\\n");
    world.wait_log(&other, "May_I_go_on_with_all_of_it?");
    let told = world.json(draft);
    let changed = told["changes"].as_array().unwrap();
    assert_eq!(changed.len(), told["lines"].as_array().unwrap().len(), "{told}");
    world.run(&draft[..6]).expect_error(4, &["would be blocked", &other, "--dry-run"]);
    // A person is asked, and Enter takes one that changes nobody.
    let line = |at: usize| format!("  {} {}", at + 1, told["lines"][at].as_str().unwrap());
    let harmless = changed.iter().position(|names| names.as_array().unwrap().is_empty()).unwrap();
    assert_ne!(harmless, 0, "{told}");
    let asked = Terminal::start(world.command(&draft[..6]));
    asked.wait_for(&format!("(changes {other}, too)"));
    asked.wait_for(line(harmless).trim_end());
    asked.wait_for(&format!("or q for none [{}]:", harmless + 1));
    asked.type_text("q\r");
    asked.wait_for("nothing was learnt");
    drop(asked);
    world.run(["kill", &other]).expect_code(0);
    let told = world.json(&draft[..6]);
    assert_eq!(told["is_accepted"], true, "{told}");
    for file in ["file", "fixture"] {
        assert!(std::path::Path::new(told.text(file)).is_file(), "{told}");
    }
    wait_until("it is told by what was taught", SOON, || {
        let activity = world.show(&name)["activity"].clone();
        activity.text("state") == "blocked" && activity.text("source") == "taught"
    });
    assert_eq!(world.json(["runners", "explain", &name]).text("author"), "taught");
    // The same screen cannot be two things.
    let again = world.run(["runners", "correct", &name, "idle"]);
    again.expect_error(4, &["is the same screen"]);
    // Also after the next daemon has come, and no longer than the screen says so.
    world.kill_daemon();
    wait_until("the next daemon knows it", SOON, || {
        world.show(&name)["activity"].text("source") == "taught"
    });
    world.say(&name, "try seq 40");
    wait_until("the dialog is gone", SOON, || {
        world.show(&name)["activity"].text("source") != "taught"
    });
    let events = world.json(["events", "--type", "runner.corrected"]);
    assert_eq!(events.as_array().unwrap().len(), 1, "{events}");
    world.run(["runners", "correct", &name, "asleep"]).expect_code(2);
}
