//! People outside are told, and heard: the real daemon against a Bot API that misbehaves.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    process::Stdio,
    time::Duration,
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use stratavore::{client::Client, config::Places, domain::chain::to_hex};

use crate::support::{
    Bot, Call, TOKEN, Trouble, USER, World, message, press, wait_until, wait_value,
};

const LIMIT: Duration = Duration::from_mins(1);

/// A program that asks, takes a line, says which, and asks again.
const ASKS: &str = r#"
stty -echo
report() { printf '\033]7501;state=%s\033\\' "$1"; }
ask() { report "blocked:app=asks:kind=permission:msg=$(printf "$1" | base64)"; }
printf 'Run \033[31mrm -r build\033[m?\r\n'
ask 'rm -r build'
read -r answer; echo "got $answer"
ask 'rm -r dist'
read -r answer; echo "got $answer too"
report working
exec sleep 600
"#;

/// A program that is at work when it has been given a line, until the file is there.
const WORKS: &str = r#"
stty -echo
report() { printf '\033]7501;state=%s\033\\' "$1"; }
report idle
while read -r line; do
  echo "got $line"
  report working
  until [ -e GO ]; do sleep 0.05; done
  report done
done
"#;

/// A world whose daemon tells people through this bot.
fn told_by(bot: &Bot, more: &str) -> World {
    let world = World::new();
    settings(&world, bot, more);
    world.project("p");
    world
}

pub(crate) fn settings(world: &World, bot: &Bot, more: &str) {
    let directory = world.home().join(".config/stratavore");
    fs::create_dir_all(&directory).unwrap();
    let text = format!(
        "docker:\n  telegram:\n    token: {TOKEN}\n    chat_id: {USER}\n    api_url: {}\n\
         notify:\n  dwell_seconds: 0\n  cooldown_seconds: 1\n{more}",
        bot.url()
    );
    fs::write(directory.join("stratavore.yaml"), text).unwrap();
}

/// Returns what became of notifications about something.
pub(crate) fn deliveries(world: &World, title: &str) -> Vec<Value> {
    let all = world.json(["notify", "list"]);
    let all = all.as_array().cloned().unwrap_or_default();
    let is_meant = |delivery: &Value| {
        delivery["notification"]["title"].as_str().is_some_and(|text| text.contains(title))
    };
    all.into_iter().filter(is_meant).collect()
}

fn logged(world: &World, name: &str) -> String {
    world.run(["logs", name]).stdout
}

/// Everything that the product has written down.
fn written(world: &World) -> String {
    let mut text = world.run(["daemon", "logs"]).stdout;
    for line in [
        &["notify", "list", "--format", "json"][..],
        &["events", "list", "--format", "json"],
        &["config", "show", "--source"],
        &["health"],
    ] {
        let output = world.run(line);
        text.push_str(&output.stdout);
        text.push_str(&output.stderr);
    }
    text
}

#[test]
fn a_question_comes_with_a_picture_and_is_answered_by_its_button_once() {
    let bot = Bot::start();
    let world = told_by(&bot, "");
    let name = world.launch(&[], &["sh", "-c", ASKS]);
    let first = bot.wait("SendPhoto", "asks for permission");
    assert!(first.words().contains("rm -r build"), "{}", first.words());
    let begins = first.raw.windows(8).any(|bytes| bytes == b"\x89PNG\r\n\x1a\n");
    assert!(begins, "the picture is none");
    let yes = first.button("Approve").expect("a button");
    assert!(first.button("Deny").is_some() && first.button("Look").is_some());
    bot.press(&yes);
    wait_until("the answer arrives", LIMIT, || logged(&world, &name).contains("got y"));
    bot.wait_heard(bot.press("nonsense"));
    assert!(!bot.taken("EditMessageReplyMarkup").is_empty(), "the buttons are taken away");
    // The same button again is one to a question that is not asked any more.
    let second = bot.wait("SendPhoto", "rm -r dist");
    bot.press(&yes);
    let refused = bot.wait("AnswerCallbackQuery", "no longer asks that");
    assert_eq!(refused.body["callback_query_id"], format!("press-{yes}"));
    // All that was sent comes a second time: none of it is done again.
    let presses = bot.taken("AnswerCallbackQuery").len();
    bot.repeat();
    let heard = bot.write("/inbox");
    let inbox = bot.wait("SendMessage", "rm -r dist");
    bot.wait_heard(heard);
    assert_eq!(bot.taken("AnswerCallbackQuery").len(), presses);
    assert!(!logged(&world, &name).contains("too"), "{}", logged(&world, &name));
    assert_eq!(inbox.button("Approve"), second.button("Approve"));
    // By its name, as it was shown.
    bot.write(&format!("/approve {name}"));
    wait_until("the answer arrives", LIMIT, || logged(&world, &name).contains("got y too"));
    bot.write(&format!("/deny {name}"));
    bot.wait("SendMessage", "asks nothing");
}

#[test]
fn what_the_server_does_wrong_is_borne_and_the_token_is_nowhere() {
    let bot = Bot::start();
    for trouble in [Trouble::Wait(1), Trouble::Html, Trouble::Broken] {
        bot.trouble("SendMessage", trouble);
    }
    bot.trouble("GetUpdates", Trouble::Refuse(409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"));
    let world = told_by(&bot, "");
    world.run(["notify", "a.b!c (d) _e_ *f* [g]", "--severity", "critical"]).expect_code(0);
    let call = bot.wait("SendMessage", "a.b!c (d) _e_ *f* [g]");
    assert_eq!(call.body["disable_notification"], false);
    wait_until("it is written down", LIMIT, || {
        deliveries(&world, "a.b!c").iter().all(|delivery| delivery["state"] == "sent")
    });
    let times =
        bot.taken("SendMessage").iter().filter(|call| call.words().contains("a.b!c")).count();
    assert_eq!(times, 1, "told once");
    let log = written(&world);
    assert!(!log.contains("canary"), "the token is in {log}");
    assert!(log.contains("another program asks for this bot's updates"), "{log}");
    let started = bot.wait("SendMessage", "Stratavore started on");
    assert!(started.words().contains(env!("CARGO_PKG_VERSION")), "{}", started.words());
    assert_eq!(started.body["disable_notification"], true, "what only informs makes no noise");
}

#[test]
fn a_refused_notification_is_parked_and_tried_again_when_somebody_says_so() {
    let bot = Bot::start();
    let world = told_by(&bot, "");
    bot.wait("SendMessage", "Stratavore started on");
    bot.trouble("SendMessage", Trouble::Refuse(403, "Forbidden: bot was blocked by the user"));
    world.run(["notify", "hello there"]).expect_code(0);
    wait_until("it is parked", LIMIT, || {
        deliveries(&world, "hello").iter().any(|delivery| delivery["state"] == "parked")
    });
    let parked = &deliveries(&world, "hello")[0];
    assert!(parked["error"].as_str().unwrap().contains("blocked by the user"), "{parked}");
    let health = world.run(["health"]);
    assert!(health.stdout.contains("1 parked"), "{}", health.stdout);
    world.run(["notify", "retry"]).expect_code(0);
    bot.wait("SendMessage", "hello there");
    // Whoever is told to try that of `health` may find that nothing waits; one of a number is there or not.
    let none = world.run(["notify", "retry"]).expect_code(0);
    assert!(none.stderr.contains("none waits"), "{}", none.stderr);
    world.run(["notify", "retry", "999999"]).expect_error(3, &["no such notification"]);
    // A long text comes in pieces that are short enough, in order.
    let long = "word ".repeat(2500);
    world.run(["notify", &format!("long\n{long}")]).expect_code(0);
    bot.wait("SendMessage", "long");
    wait_until("all of it came", LIMIT, || {
        let words: usize =
            bot.taken("SendMessage").iter().map(|call| call.words().matches("word").count()).sum();
        words >= 2500
    });
    // Of one line that is too long for a title, the rest comes below it.
    world.run(["notify", &"brick ".repeat(1700)]).expect_code(0);
    wait_until("all of it came", LIMIT, || {
        let calls = bot.taken("SendMessage");
        calls.iter().map(|call| call.words().matches("brick").count()).sum::<usize>() >= 1700
    });
}

#[test]
fn only_the_named_user_is_heard_and_only_in_the_private_chat() {
    let bot = Bot::start();
    let world = told_by(&bot, "");
    let name = world.launch(&[], &["sh", "-c", ASKS]);
    let yes = bot.wait("SendPhoto", "asks for permission").button("Approve").expect("a button");
    let send = format!("/send {name} evil");
    let group = json!({ "id": -100, "type": "group", "title": "all" });
    let mut in_group = message(USER, &send);
    in_group["chat"] = group.clone();
    let mut press_in_group = press(USER, &yes);
    press_in_group["message"]["chat"] = group.clone();
    let mut forwarded = message(USER, &send);
    forwarded["forward_origin"] = json!({
        "type": "user", "date": 1_700_000_000, "sender_user": { "id": 1, "is_bot": false, "first_name": "X" },
    });
    let mut in_the_name_of = message(USER, &send);
    in_the_name_of["sender_chat"] = group;
    let mut by_a_bot = message(USER, &send);
    by_a_bot["via_bot"] = json!({ "id": 9, "is_bot": true, "first_name": "B" });
    let mut edited = message(USER, &send);
    edited["edit_date"] = json!(chrono::Utc::now().timestamp());
    let mut elsewhere = message(666, &send);
    elsewhere["chat"]["id"] = json!(USER);
    let mut old = message(USER, &send);
    old["date"] = json!(chrono::Utc::now().timestamp() - 3600);
    for update in [
        json!({ "message": message(666, &send) }),
        json!({ "message": in_group }),
        json!({ "message": forwarded }),
        json!({ "message": in_the_name_of }),
        json!({ "message": by_a_bot }),
        json!({ "message": edited }),
        json!({ "message": elsewhere }),
        json!({ "message": old }),
        json!({ "edited_message": message(USER, &send) }),
        json!({ "channel_post": message(USER, &send) }),
        json!({ "callback_query": press(666, &yes) }),
        json!({ "callback_query": press_in_group }),
        json!({ "something_new": { "of": "next year" } }),
    ] {
        bot.sent(update);
    }
    bot.wait_heard(bot.write("/runners"));
    let runners = bot.wait("SendMessage", &format!("🙋 {name}"));
    assert_eq!(runners.body["chat_id"], USER);
    assert!(!logged(&world, &name).contains("got"), "{}", logged(&world, &name));
    let strangers = |call: &Call| call.body["chat_id"] != json!(USER);
    assert!(!bot.calls("SendMessage").iter().any(strangers), "nobody else is answered");
    assert!(bot.taken("AnswerCallbackQuery").is_empty());
    bot.wait("SendMessage", "I was away when you sent");
    // A line is not typed into a dialog.
    bot.write(&send);
    bot.wait("SendMessage", "It waits for an answer");
}

#[test]
fn a_line_is_typed_when_its_agent_is_at_rest_and_what_is_known_is_told() {
    let bot = Bot::start();
    let world = told_by(&bot, "");
    let go = world.path("go");
    let name = world.launch(&[], &["bash", "-c", &WORKS.replace("GO", go.to_str().unwrap())]);
    wait_until("it is at rest", LIMIT, || world.show(&name)["activity"]["state"] == "idle");
    let first = bot.write(&format!("/send {name} one"));
    let told =
        bot.wait("SendMessage", &format!("typed 3 bytes into {name}, submitted, turn started"));
    assert!(told.button("Look").is_some(), "{told:?}");
    wait_until("it works", LIMIT, || world.show(&name)["activity"]["state"] == "working");
    bot.write(&format!("/send {name} two"));
    bot.wait("SendMessage", &format!("queued for {name}: typed when it is at rest"));
    assert!(!logged(&world, &name).contains("got two"));
    // The same again is not done again.
    bot.repeat();
    bot.wait_heard(first.max(bot.write("/budget")));
    fs::write(&go, "").unwrap();
    wait_until("it was typed", LIMIT, || logged(&world, &name).contains("got two"));
    for line in ["got one", "got two"] {
        assert_eq!(logged(&world, &name).matches(line).count(), 1, "{line}");
    }
    let asked = ["events", "list", "--type", "prompt.queued"];
    assert_eq!(world.json(asked)[0]["user_id"], format!("telegram:{USER}"));
}

#[test]
fn what_ends_a_runner_is_asked_back_about_once() {
    let bot = Bot::start();
    let world = told_by(&bot, "");
    let agent = world.agent("echo", &[]);
    bot.write(&format!("/stop {}", agent.name));
    let asked = bot.wait("SendMessage", &format!("End {}", agent.name));
    let yes = asked.button("End it").expect("a button");
    let listed = || world.json(["runners", "show", &agent.name])["status"].clone();
    assert_eq!(listed(), "running");
    // Somebody else's finger, and a nonce that was made up.
    bot.sent(json!({ "callback_query": press(666, &yes) }));
    bot.press("c:00000000000000000000000000000000");
    bot.wait("AnswerCallbackQuery", "nothing was ended");
    assert_eq!(listed(), "running");
    bot.press(&yes);
    bot.wait("AnswerCallbackQuery", "is terminated");
    wait_until("it has ended", LIMIT, || listed() == "terminated");
    let over = bot.taken("AnswerCallbackQuery").len();
    bot.press(&yes);
    wait_until("it is refused", LIMIT, || bot.taken("AnswerCallbackQuery").len() > over);
    let last = bot.taken("AnswerCallbackQuery").pop().unwrap();
    assert!(last.words().contains("nothing was ended"), "{}", last.words());
    bot.write("/send nobody hello");
    bot.wait("SendMessage", "no runner `nobody`");
    bot.write("/status");
    bot.wait("SendMessage", "live runners in 1 project");
    bot.write("/budget");
    bot.wait("SendMessage", "No budget is set");
    bot.write("/help");
    bot.wait("SendMessage", "/approve RUNNER");
}

#[test]
fn what_is_over_before_it_is_told_is_not_told() {
    let bot = Bot::start();
    let world = told_by(&bot, "");
    settings(&world, &bot, "  presence_seconds: 0\n");
    world.launch(
        &[],
        &["sh", "-c", &ASKS.replace("ask 'rm -r dist'", "report working; exec sleep 600")],
    );
    bot.wait("SendPhoto", "asks for permission");
    // A longer dwell from now on.
    let directory = world.home().join(".config/stratavore/stratavore.yaml");
    let text = fs::read_to_string(&directory).unwrap();
    fs::write(&directory, text.replace("dwell_seconds: 0", "dwell_seconds: 4")).unwrap();
    world.run(["daemon", "restart"]).expect_code(0);
    let second = world.launch(&[], &["sh", "-c", ASKS]);
    wait_until("it waits to be told", LIMIT, || {
        deliveries(&world, &second).iter().any(|delivery| {
            delivery["state"] == "waiting" && delivery["notification"]["asks"].is_object()
        })
    });
    world.run(["kill", &second]).expect_code(0);
    wait_until("it is over", LIMIT, || {
        deliveries(&world, &format!("{second} asks"))
            .iter()
            .all(|delivery| delivery["state"] == "suppressed")
    });
    let about = |call: &Call| call.words().contains(&format!("{second} asks"));
    assert!(!bot.calls("SendPhoto").iter().any(about));
}

#[test]
fn what_waits_outlives_the_daemon() {
    let bot = Bot::start();
    let world = told_by(&bot, "");
    bot.wait("SendMessage", "Stratavore started on");
    bot.trouble("SendMessage", Trouble::Wait(3));
    world.run(["notify", "through thick and thin"]).expect_code(0);
    wait_until("it waits", LIMIT, || {
        deliveries(&world, "thick").iter().any(|delivery| delivery["state"] == "waiting")
            && !bot.calls("SendMessage").iter().all(|call| call.taken)
    });
    world.kill_daemon();
    world.run(["status"]).expect_code(0);
    bot.wait("SendMessage", "through thick and thin");
    wait_until("it is written down", LIMIT, || {
        deliveries(&world, "thick").iter().all(|delivery| delivery["state"] == "sent")
    });
    let taken = bot.taken("SendMessage");
    assert_eq!(taken.iter().filter(|call| call.words().contains("thick")).count(), 1);
    // The daemon's own end is told, at once or by the next one.
    world.run(["daemon", "stop"]).expect_code(0);
    world.run(["status"]).expect_code(0);
    bot.wait("SendMessage", "Stratavore stopped on");
}

#[test]
fn a_webhook_is_signed_and_ntfy_has_its_form_and_rules_say_where() {
    let bot = Bot::start();
    let more = format!(
        "  webhook:\n    url: {0}/hook\n    secret: s3cret-canary\n  ntfy:\n    url: {0}/topics\n    \
         token: tk-canary\n  rules:\n    - {{event: runner.failed, channels: [webhook, ntfy]}}\n    \
         - {{event: runner., mute: true}}\n    - {{channels: [telegram]}}\n",
        bot.url()
    );
    // The topic is the last part of its address; the server is what is above it.
    let more = more.replace("/topics\n", "/topics/mine\n");
    bot.trouble("/hook", Trouble::Broken);
    let world = told_by(&bot, &more);
    world.launch(&[], &["sh", "-c", "exit 3"]);
    let hook = wait_value("the webhook is told", LIMIT, || bot.taken("/hook").pop());
    assert_eq!(hook.body["event_type"], "runner.failed");
    assert_eq!(hook.body["body"], "exit code 3");
    let again = bot.calls("/hook");
    assert!(
        again.len() >= 2 && again[0].headers["idempotency-key"] == hook.headers["idempotency-key"]
    );
    let signature = &hook.headers["stratavore-signature"];
    let (seconds, code) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut expected = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret-canary").unwrap();
    expected.update(format!("{seconds}.").as_bytes());
    expected.update(&hook.raw);
    let hex = to_hex(&expected.finalize().into_bytes().into());
    assert_eq!(code, hex);
    let topic = wait_value("ntfy is told", LIMIT, || bot.taken("/topics").pop());
    assert_eq!((&topic.body["topic"], &topic.body["priority"]), (&json!("mine"), &json!(4)));
    assert_eq!(topic.headers["authorization"], "Bearer tk-canary");
    bot.wait("SendMessage", "Stratavore started on");
    let about = |call: &Call| call.words().contains("failed");
    assert!(!bot.calls("SendMessage").iter().any(about), "a rule sends it elsewhere");
    assert!(!written(&world).contains("canary"));
    let tests = world.json(["notify", "test"]);
    assert_eq!(tests.as_array().map(Vec::len), Some(3), "{tests}");
    world.run(["notify", "x", "--channel", "desktop"]).expect_error(3, &["none of"]);
}

#[test]
fn setup_finds_the_user_and_writes_what_only_the_owner_reads() {
    let bot = Bot::start();
    let world = World::new();
    let directory = world.home().join(".config/stratavore");
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("stratavore.yaml");
    let before = format!("# mine\ndocker:\n  telegram:\n    api_url: {}\n", bot.url());
    fs::write(&file, before).unwrap();
    let mut child = world
        .command(["setup", "telegram"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{TOKEN}").unwrap();
    let mut said = String::new();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        said.push_str(&line);
        said.push('\n');
        if let Some((_, code)) = line.split_once("this code: ") {
            assert!(line.contains("t.me/my_bot"), "{line}");
            // Neither a stranger's guess nor other words will do.
            bot.sent(json!({ "message": message(666, "000000x") }));
            bot.write("hello");
            bot.write(code);
        }
    }
    let code = wait_value("it ends", LIMIT, || child.try_wait().unwrap());
    assert!(code.success(), "{said}");
    bot.wait("SendMessage", "Stratavore can reach you");
    assert!(!said.contains("canary"), "{said}");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# mine\n") && !text.contains("canary"), "{text}");
    for name in ["stratavore.yaml", "telegram.token"] {
        let mode = fs::metadata(directory.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    world.run(["notify", "test", "telegram"]).expect_code(0);
    bot.wait("SendMessage", "can reach you");
}

#[test]
fn nothing_is_pushed_while_somebody_is_before_the_screen() {
    let bot = Bot::start();
    let world = told_by(&bot, "  presence_seconds: 8\n");
    let waits = format!("while [ ! -e go ]; do sleep 0.1; done\n{ASKS}");
    let name = world.launch(&[], &["sh", "-c", &waits]);
    let id = world.json(["runners", "show", &name])["id"].as_str().unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let places = Places::at(world.root());
        let client = Client::connect_if_running(&places).await.unwrap().unwrap();
        client.note_looking(&[id]).await.unwrap();
    });
    fs::write(world.path("p-p/go"), "").unwrap();
    wait_until("it is put off", LIMIT, || {
        deliveries(&world, "asks").iter().any(|delivery| {
            delivery["error"].as_str().is_some_and(|why| why.contains("before its screen"))
        })
    });
    assert!(bot.calls("SendPhoto").is_empty(), "somebody is looking");
    // They leave without an answer.
    bot.wait("SendPhoto", "asks for permission");
}

#[test]
fn what_was_put_away_is_not_pushed_and_the_inbox_is_the_same_everywhere() {
    let bot = Bot::start();
    let world = told_by(&bot, "");
    let name = world.launch(&[], &["sh", "-c", "exit 3"]);
    bot.wait("SendMessage", "failed");
    bot.write("/inbox");
    let inbox = bot.wait("SendMessage", &format!("📌 {name}"));
    bot.press(&inbox.button("Put away").expect("a button"));
    bot.wait("AnswerCallbackQuery", "It is put away");
    let left = world.json(["inbox"]);
    assert_eq!(left.as_array().map(Vec::len), Some(0), "{left}");
    bot.write("/inbox");
    bot.wait("SendMessage", "Nothing waits for you");
}
