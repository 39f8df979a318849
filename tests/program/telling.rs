//! People outside are told later, or again: what quiet hours keep back, how a question ended, what a
//! channel does not take until somebody has seen to it.

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

/// A program that asks something with choices, takes the number of one, and says which.
const CHOICES: &str = r#"
stty -echo
printf 'Which colour?\r\n\r\n> 1. Red\r\n  2. Blue\r\n'
printf '\033]7501;state=blocked:app=asks:kind=question:msg=%s\033\\' "$(printf 'Which colour?' | base64)"
read -r answer; echo "got $answer"
printf '\033]7501;state=working\033\\'
exec sleep 600
"#;

#[test]
fn a_question_with_choices_is_answered_by_the_button_of_one() {
    let bot = Bot::start();
    let world = World::new();
    settings(&world, &bot, "");
    world.project("p");
    let name = world.launch(&[], &["sh", "-c", CHOICES]);
    let asked = bot.wait("SendPhoto", "Which colour?");
    assert_eq!(asked.button("Approve"), None, "yes is no answer to it");
    let blue = asked.button("2 · Blue").expect("a button for each choice");
    bot.write("/inbox");
    let list = bot.wait("SendMessage", "Which colour?");
    assert_eq!(list.button("2 · Blue"), Some(blue.clone()));
    bot.press(&blue);
    bot.wait("AnswerCallbackQuery", "2 is chosen");
    wait_until("the answer arrives", LIMIT, || world.run(["logs", &name]).stdout.contains("got 2"));
    // What is pressed is message 7 for the stand-in; the list is another one, and loses its buttons too.
    wait_until("the list has no buttons", LIMIT, || {
        bot.taken("EditMessageReplyMarkup").iter().any(|call| call.body["message_id"] != 7)
    });
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

#[test]
fn a_token_that_is_not_taken_is_told_and_tried_again_when_somebody_says_so() {
    let bot = Bot::start();
    let world = World::new();
    settings(&world, &bot, "");
    world.project("p");
    bot.wait("SendMessage", "Stratavore started on");
    bot.trouble("SendMessage", Trouble::Refuse(401, "Unauthorized"));
    world.run(["notify", "hello there"]).expect_code(0);
    let told = || world.run(["health"]).stdout.contains("does not take the token");
    wait_until("health tells of it", LIMIT, told);
    // The channel rests for ten minutes; nobody waits for that here.
    world.run(["notify", "retry"]).expect_error(0, &["1 notification is tried again"]);
    bot.wait("SendMessage", "hello there");
    wait_until("it is well again", LIMIT, || !told());
}

#[test]
fn another_program_that_hears_the_bot_for_long_is_told() {
    let bot = Bot::start();
    for _ in 0..100 {
        let why = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
        bot.trouble("GetUpdates", Trouble::Refuse(409, why));
    }
    let world = World::new();
    settings(&world, &bot, "");
    world.project("p");
    wait_until("health tells of it", LIMIT, || {
        // It asks again every 30 s by itself.
        world.run(["notify", "retry"]);
        world.run(["health"]).stdout.contains("another program asks for this bot's updates")
    });
}
