//! Deciding from the dashboard in a terminal: questions answered, runners picked, choices kept.

use std::{fs, time::Duration};

use stratavore::{client::Client, config::Places, domain::answer::Answer};

use crate::support::{Terminal, World, pause, wait_until};

const LIMIT: Duration = Duration::from_secs(10);

/// A program that asks by OSC 7501, takes a line and says which.
const ASKS: &str = r#"
report() { printf '\033]7501;state=%s\033\\' "$1"; }
report "blocked:app=asks:kind=permission:msg=$(printf 'rm -r build' | base64)"
read -r answer
report working
echo "got $answer"
exec sleep 600
"#;

fn open(world: &World, words: &[&str], shown: &str) -> Terminal {
    let terminal = Terminal::sized(world.command(words), 120, 40);
    terminal.wait_taken();
    terminal.wait_for(shown);
    terminal
}

#[test]
fn a_question_is_answered_from_its_row() {
    let world = World::with_project();
    let name = world.launch(&[], &["sh", "-c", ASKS]);
    let mut terminal = open(&world, &[], "rm -r build");
    terminal.wait_for("permission");
    // The first key may come before the question can have been read; it is refused then.
    wait_until("the answer arrives", LIMIT, || {
        terminal.type_text("y");
        pause(Duration::from_millis(100));
        world.run(["logs", &name]).stdout.contains("got y")
    });
    terminal.wait_for("working");
    // Nobody asks any more: nothing more is sent.
    terminal.type_text("y");
    terminal.wait_for("asks nothing");
    terminal.type_text("q");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
}

#[test]
fn attach_without_a_name_has_one_picked() {
    let world = World::with_project();
    world.agent("echo", &[]);
    let second = world.agent("echo", &[]);
    let mut terminal = open(&world, &["attach"], "attach to");
    terminal.wait_for(&second.name);
    terminal.type_text(&second.name);
    terminal.type_text("\r");
    // The picker gives the terminal back before the agent gets it.
    wait_until("the picker is gone", LIMIT, || !terminal.screen().contains("attach to"));
    terminal.wait_taken();
    terminal.type_text("hello");
    terminal.wait_for("hello");
    terminal.type_bytes(b"\x1c");
    terminal.wait_for(&format!("detached from {}", second.name));
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
    // Nobody picked: nobody is attached to.
    let mut terminal = open(&world, &["attach"], "attach to");
    terminal.type_text("\x1b");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
    terminal.assert_modes_restored();
}

#[test]
fn what_is_typed_ahead_of_the_picker_reaches_the_agent() {
    let world = World::with_project();
    world.agent("echo", &[]);
    let second = world.agent("echo", &[]);
    let mut terminal = open(&world, &["attach"], "attach to");
    terminal.wait_for(&second.name);
    // One piece, as somebody types who knows the way, or a script does.
    terminal.type_text(&format!("{}\rtyped ahead", second.name));
    wait_until("the agent has it", LIMIT, || {
        world.run(["logs", &second.name]).stdout.contains("typed ahead")
    });
    wait_until("the picker is gone", LIMIT, || !terminal.screen().contains("attach to"));
    terminal.wait_taken();
    terminal.type_bytes(b"\x1c");
    terminal.wait_for(&format!("detached from {}", second.name));
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
}

/// A program that asks twice by OSC 7501 and tells what it got each time.
const ASKS_TWICE: &str = r#"
stty raw -echo
report() { printf '\033]7501;state=%s\033\\' "$1"; }
for question in one two; do
    report "blocked:app=asks:kind=permission:msg=$(printf "$question" | base64)"
    answer=$(dd bs=1 count=2 2>/dev/null | tr '\r' '.')
    printf 'got %s for %s\r\n' "$answer" "$question"
done
exec sleep 600
"#;

#[test]
fn a_question_is_answered_once_whoever_answers() {
    let world = World::with_project();
    let name = world.launch(&[], &["sh", "-c", ASKS_TWICE]);
    wait_until("it asks", LIMIT, || world.show(&name)["activity"]["state"] == "blocked");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let places = Places::at(world.root());
        let client = Client::connect_if_running(&places).await.expect("a daemon").expect("one");
        let asked = client.get_runner(&name).await.expect("it").activity.since.expect("asked");
        // Two who have read the same question answer at the same time.
        let answers = [&Answer::Approve, &Answer::Deny];
        let [yes, no] = answers.map(|answer| client.answer(&name, asked, answer));
        let (yes, no) = tokio::join!(yes, no);
        let refused: Vec<_> = [yes, no].into_iter().filter_map(Result::err).collect();
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert_eq!(refused[0].reason, "NOT_ASKED");
        assert!(refused[0].message.contains("was answered already"), "{refused:?}");
        // What comes later is not for the question that is asked by then.
        let late = client.answer(&name, asked, &Answer::Approve).await;
        assert_eq!(late.expect_err("refused").reason, "NOT_ASKED");
    });
    wait_until("it asks the second question", LIMIT, || {
        world.run(["logs", &name]).stdout.contains("for one")
    });
    pause(Duration::from_millis(300));
    assert!(!world.run(["logs", &name]).stdout.contains("for two"), "nobody answered that");
}

/// A program that says only that it waits, and draws for what.
const ASKS_ON_ITS_SCREEN: &str = r"
printf '\033]7501;state=blocked:app=asks:kind=permission\033\\'
printf '  Would you like to run this?\r\n\r\n  $ rm -r build\r\n\r\n> 1. Yes\r\n  2. No\r\n'
exec sleep 600
";

#[test]
fn a_question_that_stands_only_on_the_screen_stands_in_the_row() {
    let world = World::with_project();
    world.launch(&[], &["sh", "-c", ASKS_ON_ITS_SCREEN]);
    let mut terminal = open(&world, &[], "permission");
    terminal.wait_for("$ rm -r build · Would you");
    terminal.type_text("q");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
}

#[test]
fn what_was_looked_at_is_known_after_a_restart() {
    let world = World::with_project();
    let script = "printf '\\033]7501;state=working\\033\\\\'; sleep 1; \
                  printf '\\033]7501;state=done\\033\\\\'; exec sleep 600";
    let name = world.launch(&[], &["sh", "-c", script]);
    let mut terminal = open(&world, &[], "DONE");
    // Inside it is seen.
    terminal.type_text("\r");
    terminal.wait_for(&format!("keys go to {name}"));
    terminal.type_bytes(b"\x1c");
    terminal.wait_for("IDLE");
    terminal.type_text("q");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
    let mut terminal = open(&world, &[], "IDLE");
    assert!(!terminal.screen().contains("DONE"), "{}", terminal.screen());
    terminal.type_text("q");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
}

#[test]
fn a_theme_is_kept_and_what_happened_is_written() {
    let world = World::with_project();
    world.agent("echo", &[]);
    let mut terminal = open(&world, &[], "p-1");
    terminal.type_bytes(b"\x14");
    terminal.wait_for("THEMES");
    terminal.type_text("jj\r");
    terminal.wait_for("the theme is night");
    terminal.type_text(":write what\r");
    terminal.wait_for("it is in ");
    terminal.type_text("q");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
    assert_eq!(fs::read_to_string(world.root().join("dashboard.theme")).unwrap(), "night");
    let files = fs::read_dir(world.root().join("log")).unwrap();
    let mut names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let told = names.find(|name| name.ends_with("events.jsonl")).expect("it was written");
    let told = fs::read_to_string(world.root().join("log").join(told)).unwrap();
    assert!(told.contains("\"runners\"") && told.contains("{\"key\":\":\"}"), "{told}");
}

#[test]
fn keys_that_clash_are_refused_with_their_place() {
    let world = World::with_project();
    let path = world.path("keys.yaml");
    fs::write(&path, "keys:\n  list:\n    stop: X\n").unwrap();
    let output = world.run(["--config", path.to_str().unwrap(), "config", "validate"]);
    output.expect_code(2);
    let refused = world.run(["--config", path.to_str().unwrap(), "config", "validate"]);
    for said in ["keys.list.stop", "keys.yaml", "keys.list.kill"] {
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
}
