//! Two daemons of one server tell people outside and hear them: one at a time, and the other when the
//! first is killed.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use crate::{
    servers::Postgres,
    support::{Bot, Call, TOKEN, Trouble, USER, World, message, stays, wait_until},
};

const LIMIT: Duration = Duration::from_mins(1);

/// A world of this server whose daemon finds the bot under this host name: calls tell whose they are.
fn member(bot: &Bot, database: &str, host: &str) -> World {
    let world = World::new();
    let directory = world.home().join(".config/stratavore");
    fs::create_dir_all(&directory).unwrap();
    let api = bot.url().replace("127.0.0.1", host);
    let text = format!(
        "database:\n  url: {database}\ndocker:\n  telegram:\n    token: {TOKEN}\n    chat_id: {USER}\n    \
         api_url: {api}\nnotify:\n  dwell_seconds: 0\n  cooldown_seconds: 1\n"
    );
    fs::write(directory.join("stratavore.yaml"), text).unwrap();
    world
}

fn is_of(call: &Call, host: &str) -> bool {
    call.headers.get("host").is_some_and(|named| named.starts_with(host))
}

#[test]
fn one_of_two_daemons_hears_and_tells_and_the_other_when_it_is_killed() {
    const ONE: &str = "127.0.0.1";
    const OTHER: &str = "localhost";
    let bot = Bot::start();
    // The stand-in has a runtime of its own, which must not end inside of another.
    let database = tokio::runtime::Runtime::new().unwrap().block_on(Postgres::shared().database());
    let (one, other) = (member(&bot, &database, ONE), member(&bot, &database, OTHER));
    let polls = |host: &str| bot.calls("GetUpdates").iter().filter(|it| is_of(it, host)).count();
    let told = |words: &str| {
        let all = bot.taken("SendMessage");
        all.into_iter().filter(|call| call.words().contains(words)).collect::<Vec<_>>()
    };

    one.run(["status"]).expect_code(0);
    wait_until("the first one listens", LIMIT, || polls(ONE) > 0);
    other.run(["status"]).expect_code(0);
    // The server is as it is: the poller bears it, and the other one stays away.
    bot.trouble("GetUpdates", Trouble::Wait(1));
    bot.trouble("GetUpdates", Trouble::Broken);
    let conflict = "Conflict: terminated by other getUpdates request";
    bot.trouble("GetUpdates", Trouble::Refuse(409, conflict));
    bot.trouble("SendMessage", Trouble::Html);
    bot.trouble("SendMessage", Trouble::Wait(1));
    other.run(["notify", "from the other one"]).expect_code(0);
    bot.wait("SendMessage", "from the other one");
    bot.wait_heard(bot.write("/budget"));
    bot.wait("SendMessage", "No budget is set");
    // Sent again, it is not done again.
    bot.repeat();
    bot.wait_heard(bot.write("/inbox"));
    bot.wait("SendMessage", "Nothing waits for you");
    assert_eq!(told("No budget is set").len(), 1);
    assert_eq!(polls(OTHER), 0, "one asks for updates");
    assert!(bot.taken("SendMessage").iter().all(|call| is_of(call, ONE)), "and the same one tells");

    // Killed while the server takes a message and never answers: nobody knows whether it was told.
    bot.trouble("SendMessage", Trouble::Silent);
    other.run(["notify", "through the gap"]).expect_code(0);
    wait_until("it is being sent", LIMIT, || {
        bot.calls("SendMessage").iter().any(|call| call.words().contains("through the gap"))
    });
    one.kill_daemon();
    let polled = polls(ONE);
    bot.write("/status");
    let group = json!({ "id": -100, "type": "group", "title": "all" });
    let mut in_group = message(USER, "/status");
    in_group["chat"] = group;
    bot.sent(json!({ "message": in_group }));
    bot.sent(json!({ "message": message(666, "/status") }));
    bot.wait("SendMessage", "live runners in 0 projects");
    bot.wait("SendMessage", "through the gap");
    let answers = told("live runners in 0 projects");
    assert!(answers.iter().all(|call| is_of(call, OTHER)), "{answers:?}");

    // The first one comes back, and does not take it away again.
    one.run(["status"]).expect_code(0);
    bot.wait_heard(bot.write("/budget"));
    wait_until("it is answered", LIMIT, || told("No budget is set").len() == 2);
    stays("the first one leaves it to the other", Duration::from_secs(3), || polls(ONE) == polled);
    assert_eq!(
        told("live runners in 0 projects").len(),
        1,
        "strangers are not answered, nobody twice"
    );
    assert_eq!(told("through the gap").len(), 1);
    assert_eq!(told("from the other one").len(), 1);
    let sent = one.json(["notify", "list"]);
    let waits = |delivery: &Value| delivery["state"] == "waiting";
    assert!(!sent.as_array().unwrap().iter().any(waits), "{sent}");
}
