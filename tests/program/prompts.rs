//! Prompts reach their agents once, when these are at rest, and what is known of them is told.

use std::time::Duration;

use crate::support::{Say as _, World, wait_until, write_script};

const SOON: Duration = Duration::from_secs(15);

/// Says what it does as agents do: `work` takes until the file `go` is there, `mute` begins no turn, `ask`
/// waits for an answer, `late` begins a turn when the file is there, anything else is a turn of a moment.
const AGENT: &str = r#"#!/bin/bash
say() { printf '\033]7501;state=%s\033\\' "$1"; }
stty -echo
say idle
while read -r line; do
  echo "got $line"
  case $line in
    mute*) ;;
    ask*) say blocked ;;
    late*) until [ -e GO ]; do sleep 0.05; done; rm -f GO; say working; sleep 0.2; say done ;;
    work*) say working; until [ -e GO ]; do sleep 0.05; done; rm -f GO; say done ;;
    *) say working; sleep 0.2; say done ;;
  esac
done
"#;

fn world() -> (World, String) {
    let world = World::with_project();
    let program = world.path("teller");
    let go = world.path("go");
    write_script(&program, &AGENT.replace("GO", go.to_str().unwrap()), 0o755);
    let name = world.launch(&[], &[program.to_str().unwrap()]);
    wait_state(&world, &name, "idle");
    (world, name)
}

fn wait_state(world: &World, name: &str, state: &str) {
    wait_until(&format!("{name} is {state}"), SOON, || {
        world.show(name)["activity"].text("state") == state
    });
}

/// How many lines of its record say that it got this.
fn got(world: &World, name: &str, text: &str) -> usize {
    let log = world.run(["logs", name]).expect_code(0).stdout;
    log.lines().filter(|line| line.trim() == format!("got {text}")).count()
}

#[test]
fn three_facts_are_told() {
    let (world, name) = world();
    let told = world.json(["send", &name, "hello"]);
    assert_eq!(told[0]["typed_bytes"], 5, "{told}");
    assert_eq!(told[0]["submitted"], true, "{told}");
    assert_eq!(told[0]["started"]["is"], "yes", "{told}");
    assert_eq!(told[0]["started"]["source"], "osc7501", "{told}");
    wait_state(&world, &name, "done");
    world.run(["send", &name, "mute"]).expect_error(6, &["no turn started"]);
    assert_eq!(got(&world, &name, "mute"), 1);
    world.run(["send", "--no-submit", &name, "mu"]).expect_code(0);
    world.run(["send", "--now", &name, "te"]).expect_code(0);
    wait_until("both are one line", SOON, || got(&world, &name, "mute") == 2);
}

#[test]
fn a_prompt_for_another_occupant_or_a_busy_agent_is_not_typed() {
    let (world, name) = world();
    world.run(["send", "--run", "2", &name, "x"]).expect_error(4, &["is at run 1, not 2"]);
    world.run(["send", "--session", "abc", &name, "x"]).expect_error(4, &["nothing was typed"]);
    world.run(["send", &name, "work"]).expect_code(0);
    world.run(["send", "--wait", "1", &name, "x"]).expect_error(4, &["--when-idle"]);
    std::fs::write(world.path("go"), "").unwrap();
    wait_state(&world, &name, "done");
    world.run(["send", &name, "ask"]).expect_code(0);
    wait_state(&world, &name, "blocked");
    world.run(["send", &name, "x"]).expect_error(4, &["asks something"]);
    assert_eq!(got(&world, &name, "x"), 0);
}

#[test]
fn what_is_queued_is_typed_in_its_order_and_survives_the_daemon() {
    let (world, name) = world();
    world.run(["send", &name, "work"]).expect_code(0);
    for text in ["first", "second", "third"] {
        world.run(["send", "--when-idle", &name, text]).expect_code(0);
    }
    let waiting = world.json(["send", "--list", &name]);
    let texts: Vec<_> = waiting.as_array().unwrap().iter().map(|it| it.text("text")).collect();
    assert_eq!(texts, ["first", "second", "third"]);
    world.run(["send", "--cancel", waiting[1].text("id")]).expect_code(0);
    world.run(["send", "--cancel", waiting[1].text("id")]).expect_error(4, &["wait any more"]);
    world.kill_daemon();
    std::fs::write(world.path("go"), "").unwrap();
    // The next command starts the next daemon.
    wait_until("the last one is typed", SOON, || got(&world, &name, "third") == 1);
    assert_eq!((got(&world, &name, "first"), got(&world, &name, "second")), (1, 0));
    wait_until("all are settled", SOON, || {
        world.json(["send", "--list", &name]).as_array().unwrap().is_empty()
    });
    let all = world.json(["send", "--list", "--all", &name]);
    let states: Vec<_> = all.as_array().unwrap().iter().map(|it| it.text("state")).collect();
    assert_eq!(states, ["delivered", "cancelled", "delivered"]);
    assert!(all[0].text("note").contains("turn started"), "{all}");
}

#[test]
fn what_is_queued_for_a_run_is_not_typed_into_the_next() {
    let (world, name) = world();
    world.run(["send", &name, "work"]).expect_code(0);
    world.run(["send", "--when-idle", &name, "late"]).expect_code(0);
    world.run(["restart", &name, "--grace", "0s"]).expect_code(0);
    wait_until("it is settled", SOON, || {
        let all = world.json(["send", "--list", "--all", &name]);
        all[0].text("state") == "failed"
    });
    assert_eq!(got(&world, &name, "late"), 0);
}

#[test]
fn what_is_queued_for_a_runner_that_ends_is_not_left_waiting() {
    let (world, name) = world();
    world.run(["send", &name, "work"]).expect_code(0);
    world.run(["send", "--when-idle", &name, "never"]).expect_code(0);
    world.run(["kill", &name]).expect_code(0);
    wait_until("it is settled", SOON, || {
        let all = world.json(["send", "--list", "--all", &name]);
        all[0].text("state") == "failed" && all[0].text("note").contains("the runner ended")
    });
}

#[test]
fn a_turn_that_starts_late_puts_right_what_was_told() {
    let (world, name) = world();
    world.run(["send", &name, "work"]).expect_code(0);
    world.run(["send", "--when-idle", &name, "late"]).expect_code(0);
    std::fs::write(world.path("go"), "").unwrap();
    let note = || world.json(["send", "--list", "--all", &name])[0].text("note").to_owned();
    wait_until("it is settled", SOON, || note().contains("no turn started"));
    std::fs::write(world.path("go"), "").unwrap();
    wait_until("its turn is seen", SOON, || note().contains("submitted, turn started (osc7501"));
    // One that was not queued has its event.
    let told = || {
        let events = world.json(["events", "--type", "prompt.delivered"]);
        events.as_array().unwrap().iter().filter(|it| it["data"]["started"]["is"] == "yes").count()
    };
    let before = told();
    world.run(["send", &name, "late"]).expect_error(6, &["no turn started"]);
    assert_eq!(told(), before);
    std::fs::write(world.path("go"), "").unwrap();
    wait_until("its turn is told", SOON, || told() == before + 1);
}

/// Tells of its rest by its title, and begins to read seconds later, as Gemini CLI does on a busy machine:
/// what is typed before is thrown away.
const STARTING: &str = r#"#!/bin/bash
stty -echo
title() { printf '\033]2;%s\033\\' "$1"; }
title '◇  Ready (a)'
sleep 4
while read -r -t 0.01 -n 1; do :; done
printf '\033[?2004h > Type your message\r\n'
while read -r line; do
  title '✦  Working… (a)'
  line=${line//$'\033[200~'/}
  echo "got ${line//$'\033[201~'/}"
  sleep 1
  title '◇  Ready (a)'
done
"#;

#[test]
fn an_agent_that_rests_before_it_reads_is_typed_into_when_its_box_is_there() {
    let world = World::with_project();
    let program = world.path("gemini");
    write_script(&program, STARTING, 0o755);
    let name = world.launch(&[], &[program.to_str().unwrap()]);
    wait_state(&world, &name, "idle");
    let told = world.json(["send", &name, "hello"]);
    assert_eq!(told[0]["started"]["is"], "yes", "{told}");
    wait_until("it has it", SOON, || got(&world, &name, "hello") == 1);
}

/// Takes what is typed into its box, and Enter for nothing, as Gemini CLI does just after a turn.
const STANDING: &str = r#"#!/bin/bash
stty -echo
printf '\033]2;%s\033\\' '◇  Ready (a)'
edge() { printf "$1%.0s" {1..40}; printf '\r\n'; }
box() { printf '\033[H\033[2J'; edge ▄; printf ' > %s\r\n' "$1"; edge ▀; }
printf '\033[?2004h'
box '  Type your message'
while read -r line; do
  line=${line//$'\033[200~'/}
  box "${line//$'\033[201~'/}"
done
"#;

#[test]
fn a_text_that_stands_in_the_box_is_not_told_as_submitted() {
    let world = World::with_project();
    let program = world.path("gemini");
    write_script(&program, STANDING, 0o755);
    let name = world.launch(&[], &[program.to_str().unwrap()]);
    wait_state(&world, &name, "idle");
    let told = world.run(["send", &name, "hello"]);
    told.expect_error(6, &["Enter did not submit the prompt", "stands in the input box"]);
}
