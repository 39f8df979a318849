//! The other resources: what the command line shows is what is got here.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{HttpCall as Call, Say as _, World, wait_until, wait_value};

#[test]
fn a_terminal_is_looked_at_typed_into_and_read_back() {
    let world = World::serving();
    world.project("p");
    let agent = world.agent("echo", &[]);
    let api = world.api("operator");
    let at = |what: &str| format!("/api/v1/runners/{}/{what}", agent.name);
    let typed = api.post(&at("input"), &json!({ "text": "one two", "submit": true })).expect(200);
    assert!(typed.number("accepted_bytes").unwrap() >= 7, "{typed}");
    wait_until("it is on the screen", Duration::from_secs(10), || {
        api.get(&at("screen"))["lines"].to_string().contains("one two")
    });
    // The agent may still be answering between the two.
    wait_until("the end of the log is that of the log", Duration::from_secs(10), || {
        let log = api.send(Call::new("GET", &at("logs")));
        assert_eq!((log.status, log.header("content-type")), (200, "application/octet-stream"));
        assert!(String::from_utf8_lossy(&log.body).contains("one two"));
        let end = api.send(Call::new("GET", &at("logs?tail_bytes=5")));
        log.body.ends_with(&end.body) && end.body.len() == 5
    });
    api.get(&at("scrollback?count=5"));
    api.get(&at("search?text=one"));
    for wrong in ["scrollback?from=9007199254740992", "logs?tail_bytes=9007199254740992"] {
        api.send(Call::new("GET", &at(wrong))).expect_problem(400, "BAD_LIMIT");
    }
    let size = api.post(&at("resize"), &json!({ "cols": 70, "rows": 9999 })).expect(200);
    assert_eq!((&size["cols"], &size["rows"]), (&70.into(), &500.into()));
    let sent = json!({ "text": "a prompt", "when": "now" });
    let sent = api.post(&at("prompts"), &sent).expect(200);
    assert_eq!((sent.text("runner"), &sent["submitted"]), (agent.name.as_str(), &true.into()));
    assert_eq!(api.get(&at("prompts"))["items"], json!([]));
    let asked = json!({ "answer": "yes", "asked_at": "2026-01-01T00:00:00Z" });
    assert_eq!(api.post(&at("answer"), &asked).status, 409, "it asks nothing");
    let changes = api.send(Call::new("GET", &at("changes")));
    assert!([200, 409].contains(&changes.status), "{changes:?}");
    api.send(Call::new("DELETE", "/api/v1/prompts/none")).expect(404);
}

#[test]
fn an_item_of_the_inbox_is_answered_for_all() {
    let world = World::serving();
    world.project("p");
    world.launch(&[], &["sh", "-c", "exit 3"]);
    let (operator, viewer) = (world.api("operator"), world.api("viewer"));
    let item = wait_value("it has failed", Duration::from_secs(10), || {
        viewer.get("/api/v1/inbox")["items"].get(0).cloned()
    });
    assert_eq!((item.text("reason"), item.text("runner")), ("failed", "p-1"));
    let path = format!("/api/v1/inbox/{}", item.text("id"));
    assert_eq!(viewer.get(&path).text("id"), item.text("id"));
    viewer.post(&format!("{path}/dismiss"), &json!({})).expect_problem(403, "SCOPE_TOO_NARROW");
    operator.post(&format!("{path}/approve"), &json!({})).expect(409);
    operator.post(&format!("{path}/snooze"), &json!({ "seconds": 600 })).expect(200);
    assert_eq!(viewer.get("/api/v1/inbox")["items"], json!([]));
    assert_eq!(viewer.get("/api/v1/inbox?snoozed=true")["items"][0].text("id"), item.text("id"));
    let dismissed = operator.post(&format!("{path}/dismiss"), &json!({})).expect(200);
    assert_eq!(dismissed["items"][0].text("closed_by"), "http:operator-test");
    assert_eq!(world.json(["inbox"]), json!([]));
    viewer.get("/api/v1/digest?since=2026-01-01T00:00:00Z");
}

#[test]
fn limits_are_set_and_taken_away() {
    let world = World::serving();
    world.project("p");
    let (admin, operator) = (world.api("admin"), world.api("operator"));
    let put = |path: &str, body: &Value| admin.send(Call::new("PUT", path).json(body));
    let daily = "/api/v1/budgets/project:p/daily";
    assert_eq!(
        put(daily, &json!({ "limit": { "tokens": 500_000 }, "action": "warn" })).status,
        204
    );
    put(daily, &json!({ "limit": "lots" })).expect_problem(400, "BAD_BODY");
    put("/api/v1/budgets/project:p/never", &json!({ "limit": { "tokens": 1 } }))
        .expect_problem(400, "BAD_PATH");
    let budgets = operator.get("/api/v1/budgets")["items"].clone();
    assert_eq!(budgets[0]["limit"], json!({ "tokens": 500_000 }), "{budgets}");
    assert_eq!(admin.send(Call::new("POST", "/api/v1/budgets/project:p/reset")).status, 204);
    assert_eq!(admin.send(Call::new("DELETE", "/api/v1/budgets/project:p")).status, 204);
    admin
        .send(Call::new("DELETE", "/api/v1/budgets/project:p?period=daily"))
        .expect_problem(404, "BUDGET_NOT_FOUND");

    let quota = "/api/v1/projects/p/quota";
    let limit = |body: Value| put(quota, &body);
    let set = limit(json!({ "max_concurrent_runners": 1, "max_memory_mb": 512.0 })).expect(200);
    assert_eq!(set["quota"]["max_memory_mb"], 512, "{set}");
    let set = limit(json!({ "max_concurrent_runners": 1 })).expect(200);
    assert_eq!(set["quota"]["max_memory_mb"], Value::Null);
    limit(json!({ "max_memory_mb": "much" })).expect_problem(400, "BAD_BODY");
    limit(json!({ "max_memory_mb": u64::MAX })).expect_problem(400, "BAD_BODY");
    world.launch(&[], &["sleep", "60"]);
    let second = json!({ "project": "p", "command": ["sleep", "60"] });
    assert_eq!(operator.post("/api/v1/runners", &second).status, 429, "the quota holds here too");
    admin.send(Call::new("DELETE", quota)).expect(200);
    operator.post("/api/v1/runners", &second).expect(201);
}

#[test]
fn everything_that_can_be_got_is_got() {
    let world = World::serving();
    world.project("p");
    world.launch(&[], &["sleep", "60"]);
    let admin = world.api("admin");
    let document = admin.get("/api/v1/openapi.json");
    for (path, item) in document["paths"].as_object().unwrap() {
        if item.get("get").is_none() || path.ends_with("/attach") || path.ends_with("/stream") {
            continue;
        }
        let filled =
            path.replace("{runner}", "p-1").replace("{project}", "p").replace("{event}", "1");
        let filled = match filled.rsplit('/').next().unwrap() {
            "search" if filled.contains("/runners/") => format!("{filled}?text=hello"),
            "search" => format!("{filled}?words=hello"),
            "get" => format!("{filled}?id=p-1"),
            "verdict" => format!("{filled}?agent=claude&tool=Bash"),
            _ => filled,
        };
        let answer = admin.send(Call::new("GET", &filled));
        if filled.ends_with("/changes") {
            // The project is in no repository.
            answer.expect_problem(409, "NO_CHECKOUT");
        } else if filled.contains('{') {
            assert_eq!(answer.status, 404, "{filled}: {answer:?}");
        } else {
            assert_eq!(answer.status, 200, "{filled}: {}", String::from_utf8_lossy(&answer.body));
        }
    }
    // Of what is the same for both, both say the same.
    for (path, words) in [
        ("/api/v1/quotas", &["quotas", "show"][..]),
        ("/api/v1/budgets", &["budget", "show"]),
        ("/api/v1/sessions", &["sessions", "list"]),
        ("/api/v1/tokens", &["tokens", "list"]),
    ] {
        assert_eq!(admin.get(path)["items"], world.json(words.iter().copied()), "{path}");
    }
    assert_eq!(admin.get("/api/v1/nodes")["items"][0]["id"], world.json(["nodes"])[0]["id"]);
    assert_eq!(admin.get("/api/v1/status")["node_id"], world.json(["status"])["node_id"]);
    admin.send(Call::new("POST", "/api/v1/reconcile")).expect(200);
    let agents = admin.get("/api/v1/agents")["items"].clone();
    assert!(agents.as_array().unwrap().iter().any(|agent| agent.text("name") == "claude"));
    let rules = admin.get("/api/v1/projects/p/approvals");
    assert_eq!(rules, json!({ "user": [], "project": [] }));
}
