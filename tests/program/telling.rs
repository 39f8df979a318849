//! People outside are told later, or again: what quiet hours keep back, how a question ended.

use std::time::Duration;

use crate::{
    notifying::{deliveries, settings},
    support::{Bot, Trouble, World, wait_until},
};

const LIMIT: Duration = Duration::from_mins(1);

/// A program that asks, takes a line, says which, and is at work.
const ASKS: &str = r#"
stty -echo
report() { printf '\033]7501;state=%s\033\\' "$1"; }
report "blocked:app=asks:kind=permission:msg=$(printf 'rm -r build' | base64)"
read -r answer; echo "got $answer"
report working
exec sleep 600
"#;

#[test]
fn what_quiet_hours_keep_back_comes_when_they_are_changed_or_somebody_says_so() {
    let bot = Bot::start();
    let world = World::new();
    let hour = |hours| (chrono::Utc::now() + chrono::TimeDelta::hours(hours)).format("%H:%M");
    let quiet = format!("  time_zone: UTC\n  quiet_hours: {}-{}\n", hour(-1), hour(20));
    settings(&world, &bot, &quiet);
    world.project("p");
    let waits = |name: &str| {
        deliveries(&world, &format!("{name} failed")).iter().any(|it| it["state"] == "waiting")
    };
    let first = world.launch(&[], &["sh", "-c", "exit 3"]);
    wait_until("it waits for the morning", LIMIT, || waits(&first));
    let listed = world.run(["notify", "list"]).stdout;
    assert!(listed.contains("waiting 19h") || listed.contains("waiting 20h"), "{listed}");
    let id = deliveries(&world, &format!("{first} failed"))[0]["id"].to_string();
    let retried = ["1 notification is tried again"];
    world.run(["notify", "retry", &id]).expect_error(0, &retried);
    bot.wait("SendMessage", &format!("{first} failed"));
    let second = world.launch(&[], &["sh", "-c", "exit 4"]);
    wait_until("it waits for the morning", LIMIT, || waits(&second));
    let other = format!("  time_zone: UTC\n  quiet_hours: {}-{}\n", hour(2), hour(3));
    settings(&world, &bot, &other);
    world.run(["daemon", "restart"]).expect_code(0);
    bot.wait("SendMessage", &format!("{second} failed"));
}

#[test]
fn a_question_that_is_answered_elsewhere_loses_its_buttons_and_says_so() {
    let bot = Bot::start();
    let world = World::new();
    settings(&world, &bot, "");
    world.project("p");
    // The first is a picture with words below it.
    let first = world.launch(&[], &["sh", "-c", ASKS]);
    let asked = bot.wait("SendPhoto", &format!("{first} asks for permission"));
    assert!(asked.button("Approve").is_some(), "{asked:?}");
    bot.trouble("EditMessageCaption", Trouble::Wait(1));
    world.run(["inbox", "answer", &first, "yes"]).expect_code(0);
    let edited = bot.wait("EditMessageCaption", "answered by command line: yes");
    assert!(edited.words().contains("rm -r build"), "{}", edited.words());
    assert_eq!(edited.button("Approve"), None);
    wait_until("it is written down", LIMIT, || {
        deliveries(&world, &format!("{first} asks"))
            .iter()
            .any(|it| it["state"] == "sent" && it["error"] == "answered by command line: yes")
    });
    // The second became a message: its picture was refused.
    bot.trouble("SendPhoto", Trouble::Refuse(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"));
    let second = world.launch(&[], &["sh", "-c", ASKS]);
    bot.wait("SendMessage", &format!("{second} asks for permission"));
    let no_caption = "Bad Request: there is no caption in the message to edit";
    bot.trouble("EditMessageCaption", Trouble::Refuse(400, no_caption));
    world.run(["kill", &second]).expect_code(0);
    let edited = bot.wait("EditMessageText", "the runner");
    assert!(edited.words().contains(&format!("{second} asks")), "{}", edited.words());
    assert_eq!(edited.button("Approve"), None);
}
