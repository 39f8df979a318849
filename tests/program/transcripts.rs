//! What agents write down: counted where nobody reports, searched, exported, brought back, imported.

use std::{fs, time::Duration};

use serde_json::Value;

use crate::support::{EXE, Say as _, World, wait_until, wait_value, write_script};

const SOON: Duration = Duration::from_secs(20);

/// Writes a transcript as Claude Code does, and reports no usage: `say ID OUTPUT TEXT`, `cut`.
const CLAUDE: &str = r#"#!/bin/bash
[ "$1" = --version ] && { echo '2.1.329 (Claude Code)'; exit; }
how=begins
while [ $# -gt 0 ]; do case $1 in
  --session-id) id=$2; shift ;; --resume=*) id=${1#*=}; how='goes on with' ;;
esac; shift; done
stty -echo
file=$HOME/.claude/projects/-p/$id.jsonl; mkdir -p "${file%/*}"
line() {
  printf '{"type":"%s","sessionId":"%s","cwd":"%s","uuid":"%s","timestamp":"%s",%s}\n' "$1" "$id" "$PWD" "$2" "$(date -u +%FT%T.000Z)" "$3" >>"$file"
}
printf '{"hook_event_name":"SessionStart","session_id":"%s","transcript_path":"%s","source":"startup"}' "$id" "$file" | 'EXE' hook claude
[ -e "$file" ] && echo "has $(wc -l <"$file") lines"
echo "$how $id"
while read -r word one two rest; do case $word in
  say)
    line user "u$one" '"message":{"role":"user","content":"'"$rest"'"}'
    line assistant "a$one" '"requestId":"r'"$id$one"'","message":{"id":"m'"$one"'","model":"m","stop_reason":"end_turn","content":[{"type":"text","text":"said '"$one"'"}],"usage":{"input_tokens":10,"output_tokens":'"$two"'}}'
    echo "wrote $one" ;;
  cut)
    line user ux '"message":{"role":"user","content":"go on"}'
    line user uy '"message":{"role":"user","content":"[Request interrupted by user]"}'
    echo cut ;;
esac; done
"#;

fn world() -> (World, String) {
    start(World::with_project())
}

fn start(world: World) -> (World, String) {
    let program = world.path("claude");
    write_script(&program, &CLAUDE.replace("EXE", EXE), 0o755);
    let name = world.launch(&[], &[program.to_str().unwrap()]);
    world.wait_log(&name, "begins ");
    (world, name)
}

impl World {
    fn tell(&self, name: &str, text: &str) {
        self.run(["send", "--now", name, text]).expect_code(0);
    }

    fn wait_used(&self, name: &str, tokens: i64, quality: &str) -> Value {
        wait_value(&format!("{name} has used {tokens}, {quality}"), SOON, || {
            let runner = self.show(name);
            let is_so = runner.number("tokens_used") == Some(tokens)
                && runner.text("usage_quality") == quality;
            is_so.then_some(runner)
        })
    }

    fn found(&self, words: &str) -> usize {
        self.json(["sessions", "search", words]).as_array().unwrap().len()
    }
}

#[test]
fn what_nobody_reports_is_read_and_counted_once_over_a_daemons_death() {
    let (world, name) = world();
    world.tell(&name, "say 1 20 hello there");
    world.wait_used(&name, 30, "late");
    world.kill_daemon();
    world.tell(&name, "say 2 5 my PASSWORD=hunter22 is short");
    world.wait_used(&name, 45, "late");
    world.tell(&name, "cut");
    let runner = world.wait_used(&name, 45, "floor");
    let id = runner.text("session_id").to_owned();
    let session = world.json(["sessions", "show", &id]);
    assert_eq!(session.text("first_prompt"), "hello there");
    assert_eq!(session.number("message_count"), Some(5), "{session}");
    let totals = world.json(["tokens", "--by", "session"]);
    assert_eq!((&totals[0]["requests"], totals[0].text("quality")), (&2.into(), "floor"));
    let told = world.json(["events", "--type", "tokens.used"]);
    let sum: i64 =
        told.as_array().unwrap().iter().map(|it| it["data"]["tokens"].as_i64().unwrap()).sum();
    assert_eq!(sum, 45, "{told}");
    assert_eq!((world.found("hello"), world.found("hunter22"), world.found("redacted")), (1, 0, 1));
    world.run(["sessions", "search", "!"]).expect_error(2, &["no word"]);
}

#[test]
fn a_transcript_outlives_its_agents_file_and_comes_back_with_the_session() {
    let (world, name) = world();
    world.tell(&name, "say 1 20 hello there");
    let runner = world.wait_used(&name, 30, "late");
    let id = runner.text("session_id").to_owned();
    world.tell(&name, "say 2 5 the api_key='abcdefgh' is mine");
    world.wait_used(&name, 45, "late");
    world.run(["kill", &name]).expect_code(0);
    let copy = world.root().join(format!("blobs/transcripts/{id}/{id}.jsonl.gz"));
    wait_until("a copy is kept", SOON, || copy.is_file());
    let file = world.home().join(format!(".claude/projects/-p/{id}.jsonl"));
    let original = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let markdown = world.run(["sessions", "export", &id[..8]]).expect_code(0).stdout;
    for part in ["# hello there", "## User (2", "## Assistant", "said 2", "[redacted: secret]"] {
        assert!(markdown.contains(part), "{part}: {markdown}");
    }
    assert!(!markdown.contains("abcdefgh"));
    let out = world.path("out.json");
    let words = ["sessions", "export", &id, "--format", "json", "--output", out.to_str().unwrap()];
    world.run(words).expect_code(0);
    let json: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    assert_eq!(json["session"].text("id"), id);
    assert_eq!(json["messages"].as_array().unwrap().len(), 4, "{json}");
    world.run(words).expect_error(6, &["out.json"]);
    assert!(!file.exists(), "only for whoever goes on with it");
    world.run(["sessions", "resume", &id]).expect_code(0);
    world.wait_log(&name, "has 4 lines");
    assert_eq!(fs::read(&file).unwrap(), original);
    assert_eq!(world.show(&name).number("tokens_used"), Some(45), "nothing is counted again");
}

#[test]
fn a_storage_that_is_away_is_told_of_once_and_the_copy_stays() {
    let world = World::new();
    let directory = world.home().join(".config/stratavore");
    fs::create_dir_all(&directory).unwrap();
    let server = "{endpoint: 'http://bob:canary@127.0.0.1:1', bucket: attic}";
    fs::write(directory.join("stratavore.yaml"), format!("storage:\n  s3: {server}\n")).unwrap();
    world.project("p");
    let (world, name) = start(world);
    world.tell(&name, "say 1 20 hello there");
    let id = world.wait_used(&name, 30, "late").text("session_id").to_owned();
    world.run(["kill", &name]).expect_code(0);
    for _ in 0..2 {
        let told = wait_value("it is told of", Duration::from_secs(40), || {
            let health = world.run(["health", "--format", "json"]).stdout;
            let health: Value = serde_json::from_str(&health).ok()?;
            let storage = health.as_array()?.iter().find(|part| part["name"] == "storage")?;
            (storage["state"] == "degraded").then(|| storage.text("detail").to_owned())
        });
        assert!(told.contains("bucket attic") && told.contains("they stay here"), "{told}");
        assert!(!told.contains("canary"), "{told}");
        let alerts = world.json(["events", "--type", "system.alert"]);
        let about: Vec<_> = alerts.as_array().unwrap().iter().map(|it| &it["data"]).collect();
        assert_eq!(about.iter().filter(|it| it["component"] == "storage").count(), 1, "{alerts}");
        // The next daemon finds it away still, and the alert waiting.
        world.kill_daemon();
    }
    assert!(world.root().join(format!("blobs/transcripts/{id}/{id}.jsonl.gz")).is_file());
}

#[test]
fn conversations_on_the_disk_are_found_imported_and_charged_to_nobody() {
    let world = World::with_project();
    let cwd = world.json(["projects", "show", "p"]).text("path").to_owned();
    let id = "0f0e0d0c-0000-4000-8000-000000000001";
    let folder = world.home().join(".claude/projects/-p");
    fs::create_dir_all(&folder).unwrap();
    let write = |id: &str, cwd: &str| {
        let line = |kind: &str, uuid: &str, rest: &str| {
            format!(
                r#"{{"type":"{kind}","sessionId":"{id}","cwd":"{cwd}","uuid":"{uuid}","timestamp":"2026-01-02T03:04:05.000Z",{rest}}}"#
            )
        };
        let asked = line("user", "u1", r#""message":{"content":"teach me to whistle"}"#);
        let said = line(
            "assistant",
            "a1",
            r#""requestId":"r1","message":{"id":"m1","model":"m","stop_reason":"end_turn","content":"blow","usage":{"input_tokens":7,"output_tokens":3}}"#,
        );
        fs::write(folder.join(format!("{id}.jsonl")), format!("{asked}\n{said}\n")).unwrap();
    };
    write(id, &cwd);
    write("0f0e0d0c-0000-4000-8000-000000000002", "/elsewhere");
    let found = world.json(["sessions", "import", "--dry-run"]);
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    assert_eq!(world.json(["sessions"]).as_array().unwrap().len(), 0);
    let imported = world.json(["sessions", "import", "--all"]);
    assert_eq!(imported.as_array().unwrap().len(), 1, "{imported}");
    let session = &world.json(["sessions"])[0];
    assert_eq!((session.text("id"), session.text("origin")), (id, "imported"));
    assert_eq!(
        (session.text("first_prompt"), session.number("tokens_used")),
        ("teach me to whistle", Some(10))
    );
    assert!(session["resumable"] == true && !session["ended_at"].is_null(), "{session}");
    assert_eq!(world.json(["tokens"]).as_array().unwrap().len(), 0);
    let all = world.json(["tokens", "--imported"]);
    assert_eq!(all[0]["tokens"]["output"], 3, "{all}");
    assert_eq!(world.json(["projects", "show", "p"]).number("total_tokens"), Some(0));
    assert_eq!(world.found("whistle"), 1);
    // Again there is nothing new; the other one goes where it is told to.
    assert_eq!(world.json(["sessions", "import", "--all"]).as_array().unwrap().len(), 0);
    let other = world.json([
        "sessions",
        "import",
        "0f0e0d0c-0000-4000-8000-000000000002",
        "--project",
        "p",
    ]);
    assert_eq!(other[0].text("project"), "p", "{other}");
    world.run(["sessions", "import", "--agent", "nobody", "--all"]).expect_error(2, &["claude"]);
}
