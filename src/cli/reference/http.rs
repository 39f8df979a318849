//! The reference of the HTTP API, from its description: what there is, and how it is called.
//!
//! `program http::cookbook` runs every command of it.

use serde_json::Value;

use super::{calls, cell, check};
use crate::daemon::api_document;

const HEAD: &str = "# HTTP\n\nGenerated from the API's own description by `./tests/run docs`; the daemon serves \
that description, `OpenAPI` 3.1, at `/api/v1/openapi.json`. What answers hold is in `openapi.json`, \
not on this page.\n\n\
The API listens on `127.0.0.1:8077` (`api.listen`), on other addresses with a certificate only \
(`api.tls_certificate`, `api.tls_key`). `stratavore health` tells the address, and why it is not served when \
the port is taken. A call shows a token; it is printed once, and only its hash is kept:\n\n\
```sh\nstratavore tokens create laptop --scope operator\nstratavore tokens list\nstratavore tokens revoke \
laptop\n```\n\n\
A `viewer` looks, an `operator` runs agents and answers them, an `admin` does the rest. A process inside a \
runner is refused, whatever token it shows, but for reports of its own. Refusals are events (`call.denied`): of \
each runner every route once a minute, 30 a minute at most, and then how many more there were. Requests for other host names, and from pages of other origins, are refused (`api.hosts`, \
`api.origins`).\n\n\
- **Failures** are `application/problem+json` (RFC 9457): `code` stays the same over releases, `detail` is for \
people, `hint` is what to do next.\n\
- **Lists** come in pages: `limit` items, and `next` is the `cursor` of the following page.\n\
- **Repeats**: a `POST` with an `Idempotency-Key` is done once. The same key with the same request gets the \
first answer again, with another request 422. Keys are remembered in the database for a day, the newest \
10,000 of them; those of launches for as long as their runner is. An answer that holds a secret (a new token) or \
has more than 16 KiB is given again by the same daemon only, afterwards 409 `IDEMPOTENCY_ANSWER_GONE`; a call whose \
daemon died with it is not made again: 409 `IDEMPOTENCY_UNSETTLED`. While the database is away, keys are \
remembered in memory.\n\
- **Bodies** are JSON objects, and so is every object in them; lists of values in their place are refused.\n\
- **Parameters** that a call does not name are refused, as are fields of a body: 400 `BAD_QUERY`.\n\
- **Limits**: a body has a mebibyte at most and must be there within ten seconds, as must a header; a token \
makes 50 calls in a second (`api.requests_per_second`), then 429 with `Retry-After`. After 401, 403 and 421 the \
connection is closed; where all are used up (`api.connections`), the one that is idle for the longest is.\n\
- **Following**: `events/stream` are server-sent events, whose `id` is the position in the log; who comes back \
with `Last-Event-ID` misses nothing, and a position that the log has not reached is refused (`AHEAD_OF_LOG`). \
`runners/{runner}/attach` is a WebSocket. Both end when their token does, the WebSocket with 1008.\n\n\
`assets/http_client` is a client in Rust with a function for each call, to begin one's own with. In the commands, `$API` is \
`http://127.0.0.1:8077/api/v1`, `$SERVER` the same without a path, `$TOKEN` a token.\n";

/// Bodies that are shown, by the operation.
const BODIES: &[(&str, &str)] = &[
    ("answer_item", r#"{"answer":"yes"}"#),
    ("answer_runner", r#"{"answer":"2","asked_at":"2026-11-20T18:00:00Z"}"#),
    ("approve_item", r#"{"asked_at":"2026-11-20T18:00:00Z"}"#),
    ("correct_runner", r#"{"state":"idle","draft":true}"#),
    ("create_project", r#"{"name":"web","path":"/tmp"}"#),
    ("create_project_alias", r#"{"name":"web","path":"/tmp"}"#),
    ("create_token", r#"{"name":"ci","scope":"viewer","lifetime_seconds":3600}"#),
    ("import_conversation", r#"{"agent":"claude","path":"/tmp/talk.jsonl","project":"shop"}"#),
    ("launch_runner", r#"{"project":"shop","agent":"claude","prompt":"fix the failing test"}"#),
    ("launch_runner_alias", r#"{"project":"shop","command":["make","test"]}"#),
    ("notify", r#"{"text":"the build is green"}"#),
    ("prune_worktrees", r#"{"project":"shop"}"#),
    ("resize_runner", r#"{"cols":120,"rows":40}"#),
    ("send_heartbeat", r#"{"status":"running"}"#),
    ("send_heartbeat_alias", r#"{"runner_id":"shop-1","status":"running"}"#),
    ("send_input", r#"{"text":"go on","submit":true}"#),
    ("send_prompt", r#"{"text":"now the tests","when":"now"}"#),
    ("set_budget", r#"{"limit":{"tokens":500000}}"#),
    ("set_quota", r#"{"max_concurrent_runners":3}"#),
    ("snooze_item", r#"{"seconds":3600}"#),
    ("stop_runner", r#"{"grace_ms":5000}"#),
    ("stop_runner_alias", r#"{"runner_id":"shop-1"}"#),
];

/// What stands for a part of a path, and for a parameter that has to be there.
const NAMES: &[(&str, &str)] = &[
    ("{runner}", "shop-1"),
    ("{project}", "shop"),
    ("{scope}", "project:shop"),
    ("{period}", "daily"),
    ("{event}", "1"),
    ("{token}", "ci"),
    ("{session}", "6a917f9e"),
    ("{item}", "0198c1d2"),
    ("{prompt}", "0198c1d2-0000-7000-8000-000000000000"),
    ("{node}", "old-laptop"),
    ("{worktree}", "shop-1"),
];

#[test]
fn the_reference_of_http_is_what_the_description_says() {
    let document = serde_json::to_value(api_document()).unwrap();
    let mut tags: Vec<(String, String)> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let tag = operation["tags"][0].as_str().unwrap().to_owned();
            let shown = section(&document, path, &method.to_uppercase(), operation);
            match tags.iter_mut().find(|(known, _)| *known == tag) {
                Some((_, text)) => text.push_str(&shown),
                None => tags.push((tag, shown)),
            }
        }
    }
    // Other names for the same come last.
    tags.sort_by_key(|(tag, _)| (tag == "aliases", tag.clone()));
    let mut page = HEAD.to_owned();
    for (tag, text) in &tags {
        page.push_str(&format!("\n## {tag}\n{text}"));
    }
    page.push_str(&calls::table());
    let bodies = document["paths"].to_string();
    for (id, _) in BODIES {
        assert!(bodies.contains(&format!("\"operationId\":\"{id}\"")), "there is no {id}");
    }
    check("http.md", &page);
}

/// Describes an operation.
fn section(document: &Value, path: &str, method: &str, operation: &Value) -> String {
    let scope = operation["x-scope"].as_str().map_or("anybody".to_owned(), |it| format!("`{it}`"));
    let mut text = format!("\n### {method} {path}\n\n{}", operation["summary"].as_str().unwrap());
    if let Some(more) = operation["description"].as_str() {
        text.push_str(&format!(" {}", cell(more)));
    }
    text.push_str(&format!(" For: {scope}.\n"));
    let mut rows = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (name, about) = (&parameter["name"], &parameter["description"]);
        let place = parameter["in"].as_str().unwrap();
        let about = cell(about.as_str().unwrap_or_default());
        rows.push(format!("| `{}` | {place} | {about} |", name.as_str().unwrap()));
    }
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
        let body = &document["components"]["schemas"][name];
        for (field, about) in body["properties"].as_object().unwrap() {
            let must = body["required"].as_array().into_iter().flatten().any(|one| one == field);
            let place = if must { "body, needed" } else { "body" };
            let about = cell(about["description"].as_str().unwrap_or_default());
            rows.push(format!("| `{field}` | {place} | {about} |"));
        }
    }
    if !rows.is_empty() {
        let rows = rows.join("\n");
        text.push_str(&format!("\n| name | where | what it is |\n|---|---|---|\n{rows}\n"));
    }
    if path.ends_with("/attach") {
        return text;
    }
    text.push_str(&format!("\n```shell\n{}\n```\n", command(path, method, operation)));
    text
}

/// Returns a command that calls it.
fn command(path: &str, method: &str, operation: &Value) -> String {
    let id = operation["operationId"].as_str().unwrap();
    let filled = NAMES.iter().fold(path.to_owned(), |path, (name, own)| path.replace(name, own));
    assert!(!filled.contains('{'), "nothing stands for the names in {path}");
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let needed = parameters.filter(|one| one["in"] == "query" && one["required"] == true);
    let query: Vec<_> = needed
        .map(|one| match one["name"].as_str().unwrap() {
            "id" => "id=shop-1".to_owned(),
            "agent" => "agent=claude".to_owned(),
            "tool" => "tool=Bash".to_owned(),
            name => format!("{name}=panic"),
        })
        .collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let mut parts = vec!["curl -sS".to_owned()];
    if path.ends_with("/stream") {
        parts.push("-N".to_owned());
    }
    if operation["x-scope"].is_string() {
        parts.push("-H \"Authorization: Bearer $TOKEN\"".to_owned());
    }
    let body = BODIES.iter().find(|(known, _)| *known == id).map(|(_, body)| *body);
    match (method, body) {
        ("GET", _) | ("POST", Some(_)) => {}
        _ => parts.push(format!("-X {method}")),
    }
    if let Some(body) = body {
        parts.push(format!("-H 'Content-Type: application/json' -d '{body}'"));
    }
    if id == "launch_runner" {
        parts.push("-H 'Idempotency-Key: tonight'".to_owned());
    }
    let url = match filled.strip_prefix("/api/v1") {
        Some(rest) => format!("\"$API{rest}{query}\""),
        None => format!("\"$SERVER{filled}\""),
    };
    parts.push(url);
    parts.join(" ")
}
