//! What is also done by hand on the machine, done from elsewhere: looked at, checked, saved.

use std::fs;

use serde_json::{Value, json};

use crate::support::{HttpCall as Call, Say as _, World};

#[test]
fn a_backup_that_was_fetched_is_restored_on_the_machine() {
    let world = World::serving();
    world.project("kept");
    let (admin, operator) = (world.api("admin"), world.api("operator"));
    operator.send(Call::new("GET", "/api/v1/backup")).expect_problem(403, "SCOPE_TOO_NARROW");
    let backup = admin.send(Call::new("GET", "/api/v1/backup"));
    assert_eq!((backup.status, backup.header("content-type")), (200, "application/gzip"));
    assert_eq!(backup.header("content-length"), backup.body.len().to_string());
    assert!(backup.header("content-disposition").ends_with(".tar.gz\""), "{backup:?}");
    let left: Vec<_> = fs::read_dir(world.root().join("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let file = world.path("fetched.tar.gz");
    fs::write(&file, &backup.body).unwrap();
    world.project("lost");
    world.run(["daemon", "stop"]).expect_code(0);
    world.run(["restore".as_ref(), file.as_os_str(), "--force".as_ref()]).expect_code(0);
    world.run(["audit", "verify"]).expect_code(0);
    let names: Vec<_> = world.json(["projects", "list"]).as_array().unwrap().clone();
    let names: Vec<_> = names.iter().map(|project| project.text("name")).collect();
    assert_eq!(names, ["kept"]);
    // What was there before it went is in it: that it went is not, but for where it was taken.
    let all = world.json(["events", "list", "--type", "token."]);
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
}

#[test]
fn the_log_is_checked_with_the_key_that_waits_or_one_that_is_sent() {
    let world = World::serving();
    world.project("p");
    let (admin, viewer) = (world.api("admin"), world.api("viewer"));
    let verify = |body: &Value| admin.post("/api/v1/audit/verify", body);
    let found = verify(&json!({})).expect(200);
    assert_eq!((&found["good"], &found["wrong"]), (&true.into(), &0.into()), "{found}");
    assert!(found.number("checked").unwrap() > 2, "{found}");
    viewer.post("/api/v1/audit/verify", &json!({})).expect_problem(403, "SCOPE_TOO_NARROW");
    let key = world.run(["audit", "key"]).expect_code(0).stdout;
    verify(&json!({})).expect_problem(404, "KEY_SHOWN");
    verify(&json!({ "keys": ["short"] })).expect_problem(400, "BAD_KEY");
    let found = verify(&json!({ "keys": [key.trim()] })).expect(200);
    assert_eq!(found["good"], true, "{found}");
    let other = verify(&json!({ "keys": ["ab".repeat(32)] })).expect(200);
    assert_eq!(other["good"], false, "another key has sealed nothing here: {other}");
    assert!(!world.run(["daemon", "logs"]).stdout.contains(key.trim()));
}

#[test]
fn database_configuration_and_verdicts_are_what_the_command_line_says() {
    let world = World::serving().set("STRATAVORE_NOTIFY_WEBHOOK_SECRET", "hush-canary");
    world.project("p");
    let (admin, viewer) = (world.api("admin"), world.api("viewer"));
    let told = world.json(["database", "status"]);
    let got = viewer.get("/api/v1/database");
    for field in ["kind", "name", "schema", "schema_known", "is_reachable", "projects"] {
        assert_eq!(got[field], told[field], "{field}");
    }
    let config = admin.get("/api/v1/config");
    assert_eq!(config, world.json(["config", "show"]));
    assert!(!config.to_string().contains("canary"), "{config}");
    viewer.send(Call::new("GET", "/api/v1/config")).expect_problem(403, "SCOPE_TOO_NARROW");

    let rules = world.home().join(".config/stratavore/approvals.yaml");
    fs::create_dir_all(rules.parent().unwrap()).unwrap();
    fs::write(&rules, "rules:\n  - allow: Bash(cargo test*)\n").unwrap();
    let asked = |argument: &str| {
        let path = "/api/v1/projects/p/approvals/verdict?agent=claude&tool=Bash&argument=";
        viewer.get(&format!("{path}{argument}"))
    };
    assert_eq!(asked("cargo%20test%20--lib").text("decision"), "allow");
    let words = ["approvals", "test", "claude", "Bash", "cargo test --lib"];
    assert_eq!(asked("cargo%20test%20--lib"), world.json(words));
    assert_eq!(asked("cargo%20test;rm").text("decision"), "ask");
    let path = "/api/v1/projects/none/approvals/verdict?agent=claude&tool=Bash";
    viewer.send(Call::new("GET", path)).expect_problem(404, "PROJECT_NOT_FOUND");
}
