//! An agent that calls: whatever token it shows, it may report for itself and nothing else.

use std::{fs, time::Duration};

use crate::support::{Answer, HttpCall as Call, Say as _, World, wait_until, wait_value};

/// Different refusals of one runner that are written down in a minute.
const WRITTEN: usize = 30;

#[test]
fn an_agent_may_report_for_itself_and_nothing_else() {
    let world = World::serving();
    world.project("p");
    let other = world.agent("echo", &[]);
    let admin = world.api("admin");
    let (go, out) = (world.path("go"), world.path("out"));
    fs::create_dir(&out).unwrap();
    let shown = format!("Bearer {}", admin.token);
    let mut calls: Vec<(String, Call)> = Vec::new();
    // Verbs and paths that are none are one and the same for the log.
    for n in 0..100 {
        let call = Call::new(&format!("VERB{n}"), &format!("/{n}"));
        calls.push((format!("nonsense {n}"), call));
    }
    calls.push(("the worst".into(), Call::new("POST", "/api/v1/runners/x/kill")));
    for (method, path, _) in admin.operations() {
        // As itself is tried below.
        if path.ends_with("/heartbeat") {
            continue;
        }
        let call = Call::new(&method, &path);
        calls.push((format!("{method} {path}"), call.clone()));
        calls.push((format!("{method} {path} with a token"), call.header("Authorization", &shown)));
    }
    let beat = |path: String| Call::new("POST", &path).header("Authorization", &shown);
    calls.push(("for another".into(), beat(format!("/api/v1/runners/{}/heartbeat", other.name))));
    calls.push(("for itself".into(), beat("/api/v1/runners/p-2/heartbeat".into())));
    calls.push(("for itself, without a token".into(), {
        let body = serde_json::json!({ "runner_id": "p-2", "status": "running" });
        Call::new("POST", "/api/v1/heartbeat").json(&body)
    }));
    for (n, (_, call)) in calls.iter().enumerate() {
        fs::write(world.path(&format!("call-{n}")), call.bytes(admin.address)).unwrap();
    }
    let script = format!(
        "while [ ! -e {go} ]; do sleep 0.02; done; for n in $(seq 0 {last}); do \
         exec 3<>/dev/tcp/127.0.0.1/{port}; cat {home}/call-$n >&3; cat <&3 >{out}/$n; \
         exec 3>&-; done; touch {out}/end; sleep 60",
        go = go.display(),
        last = calls.len() - 1,
        port = admin.address.port(),
        home = world.path("").display(),
        out = out.display(),
    );
    let name = world.launch(&[], &["bash", "-c", &script]);
    assert_eq!(name, "p-2");
    fs::write(&go, "").unwrap();
    wait_until("all was tried", Duration::from_mins(1), || out.join("end").exists());
    for (n, (what, _)) in calls.iter().enumerate() {
        let bytes = fs::read(out.join(n.to_string())).unwrap();
        let answer = Answer::parse(&bytes).unwrap_or_else(|| panic!("{what}: {bytes:?}"));
        if what.starts_with("for itself") {
            assert_eq!(answer.expect(200)["command"], "", "{what}");
        } else {
            assert_eq!(answer.status, 403, "{what}: {answer:?}");
            answer.expect_problem(403, "AGENT_DENIED");
        }
    }
    // It is written down, by whom and what, and once for each.
    let denied = wait_value("the refusals are written down", Duration::from_secs(10), || {
        let events = world.json(["events", "list", "--type", "call.denied", "--limit", "1000"]);
        let events = events.as_array().unwrap().clone();
        (events.len() >= WRITTEN).then_some(events)
    });
    assert!(denied.iter().all(|event| event.text("runner") == "p-2"), "{denied:?}");
    let mut told: Vec<_> = denied.iter().map(|event| event["data"].text("call")).collect();
    assert!(told.contains(&"POST /api/v1/runners/{runner}/kill"), "{told:?}");
    assert!(told.contains(&"something that is not there"), "{told:?}");
    assert!(!told.iter().any(|call| call.contains("VERB")), "{told:?}");
    let count = told.len();
    assert!(count <= 2 * WRITTEN + 2, "a few a minute: {count}");
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), count, "each is told once");
    assert_eq!(world.show(&other.name).text("status"), "running");
}
