//! Who is let in: a table over every route that the document names.

use serde_json::json;

use crate::support::{HttpCall as Call, World};

#[test]
fn no_route_lets_in_who_may_not() {
    let world = World::serving();
    let admin = world.api("admin");
    let (viewer, operator) = (world.api("viewer"), world.api("operator"));
    let at = admin.address;
    for (method, path, scope) in admin.operations() {
        let call = || Call::new(&method, &path);
        let about = format!("{method} {path}");
        let known = |call: Call| admin.send(call);
        for host in
            ["evil.example", "localhost.evil.example", "192.0.2.1", "a@localhost", "evil@127.0.0.1"]
        {
            known(call().header("Host", host)).expect_problem(421, "WRONG_HOST");
        }
        known(call().header("Host", "localhost").header("Host", "evil.example"))
            .expect_problem(421, "WRONG_HOST");
        for origin in ["http://evil.example", "null", "http://localhost:1", "https://localhost"] {
            known(call().header("Origin", origin)).expect_problem(403, "FOREIGN_ORIGIN");
        }
        for site in ["cross-site", "same-site"] {
            known(call().header("Sec-Fetch-Site", site)).expect_problem(403, "FOREIGN_ORIGIN");
        }
        let Some(scope) = scope else {
            call().send(at).expect(200);
            continue;
        };
        let naked = call().send(at);
        naked.expect_problem(401, "NO_TOKEN");
        assert!(naked.header("www-authenticate").starts_with("Bearer"), "{about}");
        let unknown = format!("svt_{}_{}", "0".repeat(32), "0".repeat(64));
        for wrong in ["Bearer", "Bearer x", "Basic eDp5", &format!("Bearer {unknown}")] {
            call().header("Authorization", wrong).send(at).expect_problem(401, "NO_TOKEN");
        }
        for (api, own) in [(&viewer, "viewer"), (&operator, "operator")] {
            let is_enough = own == scope || scope == "viewer";
            // A stream of events has no end.
            if is_enough && path.ends_with("/stream") {
                continue;
            }
            let answer = api.send(call());
            if is_enough {
                assert!(![401, 403, 421].contains(&answer.status), "{about}: {answer:?}");
            } else {
                answer.expect_problem(403, "SCOPE_TOO_NARROW");
                let hint = answer.expect(403)["hint"].to_string();
                assert!(hint.contains("tokens create NAME --scope "), "{about}: {hint}");
            }
        }
    }
    assert!(world.daemon().is_some(), "nothing was ended");
}

#[test]
fn pages_of_a_configured_origin_may_call() {
    let world = World::serving()
        .set("STRATAVORE_API_ORIGINS", "https://board.example")
        .set("STRATAVORE_API_HOSTS", "api.example");
    let api = world.api("viewer");
    let from = |origin: &str| Call::new("GET", "/api/v1/status").header("Origin", origin);
    let answer = api.send(from("https://board.example").header("Host", "api.example"));
    answer.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "https://board.example");
    api.send(from("https://evil.example")).expect_problem(403, "FOREIGN_ORIGIN");
    // The page's browser asks first, without a token.
    let asked = Call::new("OPTIONS", "/api/v1/status").header("Origin", "https://board.example");
    let answer = asked.header("Access-Control-Request-Method", "GET").send(api.address);
    assert_eq!(answer.status, 204);
    assert!(answer.header("access-control-allow-headers").contains("Authorization"));
}

#[test]
fn tokens_end_are_revoked_and_leave_a_trace() {
    let world = World::serving();
    let admin = world.api("admin");
    let body = json!({ "name": "ci", "scope": "viewer", "lifetime_seconds": 1000 });
    let made = admin.post("/api/v1/tokens", &body).expect(201);
    let text = made["text"].as_str().unwrap().to_owned();
    assert_eq!(made["token"]["created_by"], "http:admin-test");
    admin.post("/api/v1/tokens", &body).expect_problem(409, "TOKEN_EXISTS");
    for name in ["", "a b", "..", "a/b", "\u{202e}x", "-x"] {
        let body = json!({ "name": name, "scope": "viewer" });
        admin.post("/api/v1/tokens", &body).expect_problem(400, "BAD_TOKEN_NAME");
        world.run(["tokens", "create", "--", name]).expect_error(2, &["letters, digits"]);
    }
    let status = |token: &str| {
        let call = Call::new("GET", "/api/v1/status");
        call.header("Authorization", &format!("bearer {token}")).send(admin.address)
    };
    status(&text).expect(200);
    // Nowhere, but with whoever made it.
    let secret = text.rsplit('_').next().unwrap();
    let listed = world.run(["tokens", "list", "--format", "json"]).expect_code(0).stdout;
    assert!(listed.contains("\"ci\"") && !listed.contains(secret), "{listed}");
    for file in ["stratavore.db", "stratavore.db-wal"] {
        let bytes = std::fs::read(world.root().join(file)).unwrap_or_default();
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "the secret is in {file}");
    }
    world.run(["tokens", "revoke", "ci"]).expect_code(0);
    status(&text).expect_problem(401, "NO_TOKEN");
    world.run(["tokens", "revoke", "ci"]).expect_error(4, &["revoked already"]);
    world.run(["tokens", "revoke", "none"]).expect_error(3, &["no token"]);
    world.run(["tokens", "create", "ci", "--scope", "king"]).expect_error(2, &["viewer, operator"]);
    // Of those that end by themselves, too.
    let short = world.run(["tokens", "create", "short", "--expires", "1s"]).expect_code(0).stdout;
    crate::support::wait_until("it has ended", std::time::Duration::from_secs(10), || {
        status(short.trim()).status == 401
    });
    let events = world.json(["events", "list", "--type", "token."]);
    let told: Vec<_> =
        events.as_array().unwrap().iter().map(|event| &event["data"]["by"]).collect();
    assert_eq!(told, ["cli", "http:admin-test", "cli", "cli"]);
}
