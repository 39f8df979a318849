//! Every command of the reference of the HTTP API is run, and the client that it names.

use std::{fs, path::Path, time::Duration};

use crate::support::{Output, Say as _, World, wait_until, write_script};

#[expect(dead_code, reason = "its `main` is for whoever runs it as an example")]
#[path = "../../../assets/http_client/main.rs"]
mod http_client;

/// The commands of the page.
fn commands() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/docs/http.md");
    let text = fs::read_to_string(page).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("curl "));
    let found: Vec<_> = lines.map(str::to_owned).collect();
    assert!(found.len() > 60, "only {} commands are shown", found.len());
    found
}

#[test]
fn every_command_of_the_reference_is_understood() {
    let world = World::serving();
    let bin = world.path("bin");
    fs::create_dir(&bin).unwrap();
    write_script(&bin.join("claude"), "#!/bin/sh\nexec cat\n", 0o755);
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    let world = world.set("PATH", path);
    world.project("shop");
    world.run(["launch", "shop", "--", "cat"]).expect_code(0);
    let (api, url) = (world.api("admin"), world.api_url());
    let mut wrong = Vec::new();
    for line in commands() {
        // What has no end is cut off once it has begun.
        let limit = if line.contains(" -N ") { 1 } else { 20 };
        let script = format!("{line} -m {limit} -o /dev/null -w '%{{http_code}}'");
        let mut shell = world.foreign("/bin/bash");
        shell
            .args(["-c", &script])
            .env("TOKEN", &api.token)
            .env("SERVER", &url)
            .env("API", format!("{url}/api/v1"));
        let Output { code, stdout, stderr, .. } = world.run_command(shell);
        let is_ended = code == 0 || (code == 28 && line.contains(" -N "));
        // It may not be there, or not be so just now; it must not be misunderstood.
        let is_understood = stdout.starts_with('2')
            || ["404", "409", "429"].contains(&&*stdout)
            // No agent has a conversation in that file.
            || (stdout == "400" && line.ends_with("/sessions/import\""));
        if !is_ended || !is_understood {
            wrong.push(format!("{line}: {stdout} (exit code {code}) {stderr}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_lists_launches_once_and_follows() {
    let world = World::serving();
    world.project("p");
    let api = world.api("operator");
    let client = http_client::Client::new(&world.api_url(), &api.token).unwrap();
    let body = serde_json::json!({ "project": "p", "command": ["sleep", "60"] });
    let first = client.launch_runner(&body, Some("once")).await.unwrap();
    let again = client.launch_runner(&body, Some("once")).await.unwrap();
    assert_eq!(first, again);
    let runners = client.list(&["runners"], &[("limit", "1")]).await.unwrap();
    assert_eq!(runners.len(), 1);
    assert_eq!(runners[0].text("name"), "p-1");
    // A name is one part of the path, whatever it has in it.
    let refused = client.get_runner("no/ne?").await.unwrap_err();
    assert!(refused.to_string().contains("RUNNER_NOT_FOUND"), "{refused}");
    assert!(refused.to_string().contains("no/ne?"), "{refused}");
    let log = client.read_log("p-1", &[("tail_bytes", "10")]).await.unwrap();
    assert!(log.bytes().await.unwrap().is_empty(), "it has written nothing");
    let found = client.search_scrollback("p-1", "a text", &[]).await.unwrap();
    assert_eq!(found["matches"], serde_json::json!([]), "{found}");
    let refused = client.remove_budget("global", &[]).await.unwrap_err();
    assert!(refused.to_string().contains("SCOPE"), "{refused}");

    let seen = std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default();
    let sink = std::sync::Arc::clone(&seen);
    let following = tokio::spawn(async move {
        let mut position = Some(0);
        client
            .follow(&[("type", "runner.")], &mut position, |event| {
                sink.lock().unwrap().push(event.text("event_type").to_owned());
            })
            .await
    });
    wait_until("it has followed", Duration::from_secs(10), || {
        seen.lock().unwrap().iter().any(|kind| kind == "runner.started")
    });
    following.abort();
}
