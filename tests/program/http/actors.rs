//! Who did it: whatever is changed over HTTP has the name of the token in its events.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::support::{HttpCall as Call, Say as _, World, wait_until, write_script};

/// Is at rest, then at work for ever, as it says.
const AGENT: &str = r#"#!/bin/bash
say() { printf '\033]7501;state=%s\033\\' "$1"; }
stty -echo
say idle
read -r line
say working
exec sleep 600
"#;

/// What is changed by calls, by the event that tells it.
const CHANGES: &[&str] = &[
    "backup.made",
    "budget.changed",
    "inbox.closed",
    "inbox.snoozed",
    "project.created",
    "project.deleted",
    "prompt.cancelled",
    "prompt.delivered",
    "prompt.queued",
    "quota.changed",
    "runner.paused",
    "runner.removed",
    "runner.resumed",
    "runner.started",
    "runner.starting",
    "runner.stopping",
    "token.created",
    "token.revoked",
    "worktree.created",
    "worktree.removed",
];

#[test]
fn every_change_names_the_token_that_made_it() {
    let world = World::serving();
    let admin = world.api("admin");
    let operator = world.api("operator");
    // The tokens themselves were made on the command line.
    let start = events(&world).len();
    let program = world.path("teller");
    write_script(&program, AGENT, 0o755);
    let directory = world.path("work");
    fs::create_dir(&directory).unwrap();
    repository(&world, &directory);
    let done = |method: &str, path: &str, body: Value| {
        let answer = admin.send(Call::new(method, &format!("/api/v1{path}")).json(&body));
        assert!(
            answer.status < 300,
            "{method} {path}: {:?}",
            String::from_utf8_lossy(&answer.body)
        );
        answer.expect(answer.status)
    };
    let none = || json!({});
    done("POST", "/projects", json!({ "name": "p", "path": directory }));
    done("PUT", "/projects/p/quota", json!({ "max_concurrent_runners": 9 }));
    done("PUT", "/budgets/project:p/daily", json!({ "limit": { "tokens": 500_000 } }));
    let launch = json!({ "project": "p", "command": [program], "worktree": {} });
    let name = done("POST", "/runners", launch)["runner"].text("name").to_owned();
    wait_until("it is at rest", Duration::from_secs(10), || {
        world.show(&name)["activity"].text("state") == "idle"
    });
    let at = |what: &str| format!("/runners/{name}/{what}");
    done("POST", &at("prompts"), json!({ "text": "hello", "when": "queued" }));
    wait_until("it is at work", Duration::from_secs(10), || {
        world.show(&name)["activity"].text("state") == "working"
    });
    let waits = done("POST", &at("prompts"), json!({ "text": "later", "when": "queued" }));
    done("DELETE", &format!("/prompts/{}", waits.text("queued")), none());
    done("POST", &at("pause"), none());
    done("POST", &at("resume"), none());
    done("POST", &at("kill"), none());
    done("DELETE", &format!("/runners/{name}"), none());
    done("DELETE", &format!("/worktrees/{name}"), none());
    let fails = json!({ "project": "p", "command": ["sh", "-c", "exit 3"] });
    done("POST", "/runners", fails);
    let item = || admin.get("/api/v1/inbox")["items"].get(0).cloned();
    wait_until("it has failed", Duration::from_secs(10), || item().is_some());
    let item = item().unwrap().text("id").to_owned();
    done("POST", &format!("/inbox/{item}/snooze"), json!({ "seconds": 600 }));
    done("POST", &format!("/inbox/{item}/dismiss"), none());
    done("DELETE", "/projects/p", none());
    done("POST", "/tokens", json!({ "name": "ci", "scope": "viewer" }));
    done("DELETE", "/tokens/ci", none());
    admin.send(Call::new("GET", "/api/v1/backup")).expect(200);

    let told = events(&world);
    let mut by: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in &told[start..] {
        by.entry(event.text("event_type").into()).or_default().push(event.text("user_id").into());
    }
    for change in CHANGES {
        let who = by.get(*change).map(Vec::as_slice).unwrap_or_default();
        assert!(!who.is_empty(), "no {change} in {:?}", by.keys());
        assert!(who.iter().all(|who| who == "http:admin-test"), "{change}: {who:?}");
    }
    // Another token has another name, and what is done on the command line has none.
    operator
        .send(Call::new("POST", "/api/v1/runners").json(&json!({ "project": "q" })))
        .expect(404);
    world.project("q");
    let body = json!({ "project": "q", "command": ["sleep", "60"] });
    operator.post("/api/v1/runners", &body).expect(201);
    let told = events(&world);
    let last = |kind: &str| {
        let found = told.iter().rev().find(|event| event.text("event_type") == kind);
        found.unwrap().text("user_id").to_owned()
    };
    assert_eq!(last("runner.starting"), "http:operator-test");
    assert!(last("project.created").starts_with("uid:"), "{}", last("project.created"));
    world.run(["audit", "verify"]).expect_code(0);
}

/// Makes a repository with one commit.
fn repository(world: &World, directory: &Path) {
    for words in [
        &["init", "-q", "-b", "main"][..],
        &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ] {
        let mut git = world.foreign("git");
        git.arg("-C").arg(directory).args(words);
        world.run_command(git).expect_code(0);
    }
}

/// All events, the oldest first.
fn events(world: &World) -> Vec<Value> {
    let all = world.json(["events", "list", "--limit", "1000"]);
    let mut all = all.as_array().unwrap().clone();
    all.sort_by_key(|event| event["position"].as_u64());
    all
}
