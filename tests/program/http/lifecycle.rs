//! A runner's life over HTTP; calls that are made again; lists in pages.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Api, HttpCall as Call, Say as _, World, demo_line, wait_until};

#[test]
fn a_runner_is_launched_watched_and_ended() {
    let world = World::serving();
    let (admin, viewer) = (world.api("admin"), world.api("viewer"));
    let directory = world.path("work");
    std::fs::create_dir(&directory).unwrap();
    let body = json!({ "name": "w", "path": directory, "tags": ["x"],
        "quota": { "max_concurrent_runners": 3, "max_memory_mb": null, "max_cpu_percent": null,
            "max_tokens_per_day": null } });
    let project = admin.post("/api/v1/projects", &body).expect(201);
    assert_eq!((project.text("name"), project.text("status")), ("w", "idle"));
    admin.post("/api/v1/projects", &body).expect_problem(409, "PROJECT_EXISTS");
    assert_eq!(world.json(["projects", "list"])[0], viewer.get("/api/v1/projects")["items"][0]);

    let witness = world.witness();
    let command = demo_line("echo", &witness, &[]);
    let body = json!({ "project": "w", "command": command, "environment": { "MINE": "yes" } });
    let launched = admin.post("/api/v1/runners", &body).expect(201);
    assert_eq!(launched["runner"].text("name"), "w-1");
    witness.wait_ready();
    assert_eq!(viewer.get("/api/v1/runners/w-1"), world.show("w-1"));
    assert_eq!(viewer.get("/api/v1/runners/get?id=w-1").text("name"), "w-1");
    let listed = viewer.get("/api/v1/runners?project=w&status=live");
    assert_eq!(listed["items"][0].text("name"), "w-1");
    assert_eq!(listed, viewer.get("/api/v1/runners/list?project=w"));
    let told = viewer.get("/api/v1/runners/w-1/explanation");
    assert_eq!(told["runner"].text("name"), "w-1");

    let act = |verb: &str| admin.send(Call::new("POST", &format!("/api/v1/runners/w-1/{verb}")));
    assert_eq!(act("pause").expect(200).text("status"), "paused");
    act("pause").expect_problem(409, "ILLEGAL_TRANSITION");
    assert_eq!(act("resume").expect(200).text("status"), "running");
    let stopped = admin.post("/api/v1/runners/w-1/stop", &json!({ "grace_ms": 5000 })).expect(200);
    assert_eq!(stopped["runner"].text("status"), "terminated");
    assert_eq!(stopped["already_stopped"], false);
    assert_eq!(act("kill").expect(200)["already_stopped"], true);
    assert_eq!(act("restart").expect(200)["run"], 2);
    wait_until("it runs again", Duration::from_secs(10), || {
        viewer.get("/api/v1/runners/w-1").text("status") == "running"
    });
    let body = json!({ "runner_id": "w-1", "force": true });
    admin.post("/api/v1/runners/stop", &body).expect(200);
    admin.send(Call::new("DELETE", "/api/v1/runners/w-1")).expect(200);
    admin.send(Call::new("GET", "/api/v1/runners/w-1")).expect_problem(404, "RUNNER_NOT_FOUND");
    admin.send(Call::new("DELETE", "/api/v1/projects/w")).expect(200);
    assert_eq!(viewer.get("/api/v1/projects")["items"], json!([]));
}

#[test]
fn a_call_that_is_made_again_is_done_once() {
    let world = World::serving();
    world.project("p");
    let operator = world.api("operator");
    let launch = |key: &str, seconds: &str| {
        let body = json!({ "project": "p", "command": ["sleep", seconds] });
        operator
            .send(Call::new("POST", "/api/v1/runners").json(&body).header("Idempotency-Key", key))
    };
    let first = launch("a", "60");
    let again = launch("a", "60");
    assert_eq!(first.expect(201), again.expect(201));
    assert_eq!(again.header("idempotent-replayed"), "true");
    launch("a", "61").expect_problem(422, "IDEMPOTENCY_KEY_REUSED");
    launch("", "60").expect_problem(400, "BAD_IDEMPOTENCY_KEY");
    launch(&"k".repeat(256), "60").expect_problem(400, "BAD_IDEMPOTENCY_KEY");
    assert_eq!(world.runners().len(), 1);
    // A key belongs to who shows it.
    let other = world.api("admin");
    let body = json!({ "project": "p", "command": ["sleep", "61"] });
    let call = Call::new("POST", "/api/v1/runners").json(&body).header("Idempotency-Key", "a");
    other.send(call).expect(201);
    assert_eq!(world.runners().len(), 2);
    // A launch is remembered by the database: also by the next daemon.
    world.kill_daemon();
    world.run(["status"]).expect_code(0);
    let url = world.api_url();
    let address = url.trim_start_matches("http://").parse().unwrap();
    let operator = Api { address, token: operator.token };
    let body = json!({ "project": "p", "command": ["sleep", "60"] });
    let call = Call::new("POST", "/api/v1/runners").json(&body).header("Idempotency-Key", "a");
    let again = operator.send(call).expect(201);
    assert_eq!((again["runner"].text("name"), &again["repeated"]), ("p-1", &true.into()));
}

#[test]
fn other_calls_are_remembered_by_the_next_daemon_too() {
    let world = World::serving();
    let admin = world.api("admin");
    let directory = world.path("work");
    std::fs::create_dir(&directory).unwrap();
    let keyed = |api: &Api, path: &str, body: &Value| {
        let call = Call::new("POST", &format!("/api/v1{path}")).json(body);
        api.send(call.header("Idempotency-Key", "a"))
    };
    let body = json!({ "name": "w", "path": directory });
    let created = keyed(&admin, "/projects", &body);
    let project = created.expect(201);
    let secret = json!({ "name": "ci", "scope": "viewer" });
    let named = Call::new("POST", "/api/v1/tokens").json(&secret).header("Idempotency-Key", "b");
    let made = admin.send(named.clone()).expect(201);
    assert_eq!(admin.send(named.clone()).expect(201), made, "this daemon knows it");
    // Refusals are answers, too.
    let missing = Call::new("POST", "/api/v1/runners/none/kill").header("Idempotency-Key", "c");
    admin.send(missing.clone()).expect_problem(404, "RUNNER_NOT_FOUND");

    world.kill_daemon();
    world.run(["status"]).expect_code(0);
    let url = world.api_url();
    let address = url.trim_start_matches("http://").parse().unwrap();
    let admin = Api { address, token: admin.token };
    let again = keyed(&admin, "/projects", &body);
    assert_eq!(again.expect(201), project);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.header("content-type"), created.header("content-type"));
    keyed(&admin, "/projects", &json!({ "name": "v", "path": directory }))
        .expect_problem(422, "IDEMPOTENCY_KEY_REUSED");
    admin.send(named).expect_problem(409, "IDEMPOTENCY_ANSWER_GONE");
    let again = admin.send(missing);
    again.expect_problem(404, "RUNNER_NOT_FOUND");
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(world.json(["projects", "list"]).as_array().unwrap().len(), 1);
    let database = std::fs::read(world.root().join("stratavore.db")).unwrap();
    let written = String::from_utf8_lossy(&database);
    assert!(!written.contains(made.text("text")), "a token is in the database");
}

#[test]
fn lists_come_in_pages_that_neither_skip_nor_repeat() {
    let world = World::serving();
    for n in 0..7 {
        world.project(&format!("n{n}"));
    }
    let api = world.api("viewer");
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let cursor_part = cursor.map(|cursor: String| format!("&cursor={cursor}"));
        let page = api.get(&format!("/api/v1/projects?limit=3{}", cursor_part.unwrap_or_default()));
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|item| item.text("name").to_owned()));
        if names.len() == 3 {
            world.run(["projects", "delete", "n1", "--force"]).expect_code(0);
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(names, ["n0", "n1", "n2", "n3", "n4", "n5", "n6"]);
    for wrong in ["limit=0", "limit=1001", "limit=x", "status=busy"] {
        let answer = api.send(Call::new("GET", &format!("/api/v1/projects?{wrong}")));
        assert_eq!(answer.status, 400, "{wrong}");
    }
    api.send(Call::new("GET", "/api/v1/projects?cursor=%25")).expect_problem(404, "NO_PAGE");
    // A slip in a name gives nothing instead of everything.
    for slip in ["/api/v1/projects?statu=active", "/api/v1/events?typ=call.denied"] {
        api.send(Call::new("GET", slip)).expect_problem(400, "BAD_QUERY");
    }
}
