//! Quotas: what a project may use, asked of the program as a person would, and in the database as a
//! person with a shell would.

use std::{fs, time::Duration};

use sqlx::{Connection as _, sqlite::SqliteConnection};

use crate::support::{Say as _, World, elapsed_since, now, wait_until, wait_value};

const SOON: Duration = Duration::from_secs(20);

impl World {
    /// Runs a statement in the embedded database while the daemon uses it.
    pub(crate) fn by_hand(&self, statement: &str) {
        let url = format!("sqlite://{}", self.root().join("stratavore.db").display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    fn quota(&self, project: &str) -> serde_json::Value {
        self.json(["quotas", "show", project])[0].clone()
    }
}

#[test]
fn a_full_project_refuses_and_says_how_to_raise_it() {
    let world = World::with_project();
    world.run(["quotas", "set", "p", "max_concurrent_runners", "1"]).expect_code(0);
    let one = world.agent("echo", &[]);
    let launch = || world.run(["launch", "p", "--", "sleep", "60"]);
    let hint = "stratavore quotas set p max_concurrent_runners 2";
    launch().expect_error(7, &["failed to launch: project p has 1 of 1 runners", hint]);
    assert_eq!(world.runners().len(), 1, "a refused launch leaves nothing");
    assert_eq!(world.quota("p")["used"]["runners"], 1);

    let words: Vec<_> = hint.split_whitespace().skip(1).collect();
    let set = world.run(&words).expect_code(0);
    assert!(set.stdout.contains("1 of 2"), "{}", set.stdout);
    launch().expect_code(0);
    launch().expect_code(7);
    // A slot returns with the end of its runner; a restart needs one like a launch.
    world.run(["kill", &one.name, "--force"]).expect_code(0);
    launch().expect_code(0);
    world.run(["restart", &one.name]).expect_error(7, &["has 2 of 2 runners"]);
    // A limit written by hand is in force at once.
    world.by_hand("UPDATE resource_quotas SET max_concurrent_runners = 3");
    world.run(["restart", &one.name]).expect_code(0);
    launch().expect_error(7, &["has 3 of 3 runners"]);
    world.run(["quotas", "clear", "p", "runners"]).expect_code(0);
    launch().expect_code(0);
    world.run(["quotas", "clear", "p", "runners"]).expect_error(3, &["no max_concurrent_runners"]);
    let changes = world.json(["events", "list", "--type", "quota."]);
    assert_eq!(changes.as_array().unwrap().len(), 3);
    assert_eq!(changes[0].text("entity_type"), "project");
}

#[test]
fn a_project_is_registered_with_its_limits() {
    let world = World::new();
    let dir = world.home();
    let path = dir.to_str().unwrap();
    let limits = ["--max-runners", "0", "--memory-limit", "4G", "--token-limit", "500k"];
    let words = ["new", "q", "--path", path].into_iter().chain(limits);
    world.run(words).expect_code(0);
    world.run(["launch", "q", "--", "true"]).expect_error(7, &["project q has 0 of 0 runners"]);
    let quota = world.quota("q");
    assert_eq!(quota["quota"]["max_memory_mb"], 4096);
    assert_eq!(quota["quota"]["max_tokens_per_day"], 500_000);
    assert!(quota["quota"]["max_cpu_percent"].is_null());
    world.run(["new", "r", "--path", path, "--memory-limit", "much"]).expect_error(2, &["4G"]);
    world.run(["quotas", "set", "q", "max_disk", "1"]).expect_error(2, &["max_memory_mb"]);
    world.run(["quotas", "set", "q", "memory", "-1"]).expect_error(2, &["no limit like"]);
    world.run(["quotas", "set", "nobody", "memory", "1"]).expect_error(3, &["nobody"]);
    world.run(["quotas", "show", "nobody"]).expect_error(3, &["no project `nobody`"]);
    world.run(["quotas", "clear", "q"]).expect_code(0);
    world.run(["quotas", "clear", "q"]).expect_error(3, &["has no quota"]);
}

#[test]
fn a_budget_inserted_by_hand_takes_effect_at_once() {
    let world = World::with_project();
    world.run(["launch", "p", "--", "true"]).expect_code(0);
    world.by_hand(
        "INSERT INTO token_budgets (scope, scope_id, limit_tokens, used_tokens, \
         period_granularity, period_start, period_end) VALUES ('project', 'p', 100, 100, 'daily', \
         '2000-01-01T00:00:00.000000Z', '2999-01-01T00:00:00.000000Z')",
    );
    world.run(["launch", "p", "--", "true"]).expect_error(
        7,
        &["the daily budget for project:p has 0 tokens left: 100 tokens of 100 tokens are used"],
    );
    world.by_hand("UPDATE token_budgets SET limit_tokens = 101");
    world.run(["launch", "p", "--", "true"]).expect_code(0);
    // A prompt sees it, too, whenever the daemon looks by itself.
    let name = world.launch(&[], &["cat"]);
    for turn in 0..3 {
        world.by_hand("UPDATE token_budgets SET limit_tokens = 100");
        let no = format!("no-{turn}");
        world.run(["send", "--now", &name, &no]).expect_error(7, &["is held"]);
        world.by_hand("UPDATE token_budgets SET limit_tokens = 101");
        let yes = format!("yes-{turn}");
        world.run(["send", "--now", &name, &yes]).expect_code(0);
        world.wait_log(&name, &yes);
    }
    assert!(!world.run(["logs", &name]).stdout.contains("no-"));
}

/// Writes the row of a launch whose daemon died in the middle of it.
fn half_launched(world: &World, id: &str, name: &str) {
    let node = fs::read_to_string(world.root().join("node")).unwrap();
    let (node, when) = (node.trim(), "2999-01-01T00:00:00.000000Z");
    world.by_hand(&format!(
        "INSERT INTO runners (id, name, node_id, project_name, status, started_at, created_at, \
         updated_at) VALUES ('{id}', '{name}', '{node}', 'p', 'starting', '{when}', '{when}', \
         '{when}')"
    ));
}

#[test]
fn the_slot_of_an_interrupted_launch_returns_within_fifteen_seconds() {
    let world = World::with_project();
    world.run(["quotas", "set", "p", "runners", "1"]).expect_code(0);
    // Nobody in this daemon is at it; and it is younger than anything that tells ages.
    let begun = now();
    half_launched(&world, "11111111-1111-4111-8111-111111111111", "p-91");
    world.run(["launch", "p", "--", "sleep", "60"]).expect_code(7);
    let ended = world.wait_status("p-91", "failed", Duration::from_secs(15));
    assert!(elapsed_since(begun) < Duration::from_secs(15));
    assert!(ended.text("reason").contains("interrupted"), "{ended}");
    let name = world.launch(&[], &["sleep", "60"]);
    world.run(["kill", &name, "--force"]).expect_code(0);
    // The next daemon settles it when it starts.
    world.kill_daemon();
    half_launched(&world, "22222222-2222-4222-8222-222222222222", "p-92");
    let begun = now();
    world.wait_status("p-92", "failed", Duration::from_secs(15));
    assert!(elapsed_since(begun) < Duration::from_secs(15));
    world.launch(&[], &["sleep", "60"]);
}

#[test]
fn more_memory_than_allowed_is_told_once_and_that_it_is_over_once() {
    let world = World::with_project();
    world.run(["daemon", "stop"]).expect_code(0);
    let config = world.home().join(".config/stratavore");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("stratavore.yaml"), "daemon:\n  heartbeat_interval_seconds: 1\n")
        .unwrap();
    world.run(["quotas", "set", "p", "max_memory_mb", "16"]).expect_code(0);
    let health = world.run(["health"]).expect_code(0).stdout;
    if health.contains("memory is held") || health.contains("memory and cpu are held") {
        // The kernel sees to it here, and nothing is left to be told.
        return;
    }
    let agent = world.agent("mem", &["--count", "48"]);
    let alerts = || world.json(["events", "list", "--type", "system.alert"]);
    let first = wait_value("it is told", SOON, || alerts().as_array().unwrap().first().cloned());
    let data = &first["data"];
    assert_eq!((data.text("severity"), data.text("component")), ("warning", "quotas"));
    assert!(data.text("message").contains(" of 16 MiB memory"), "{data}");
    let list = world.run(["runners"]).expect_code(0);
    assert!(list.stderr.contains("! project p uses "), "{}", list.stderr);
    assert!(world.run(["quotas"]).expect_code(0).stdout.contains("of 16 MiB !"));
    let sampled = || world.show(&agent.name).text("last_heartbeat").to_owned();
    for _ in 0..3 {
        let before = sampled();
        wait_until("the next sample", SOON, || sampled() != before);
    }
    assert_eq!(alerts().as_array().unwrap().len(), 1, "told once");
    world.run(["kill", &agent.name, "--force"]).expect_code(0);
    wait_until("its end is told", SOON, || alerts().as_array().unwrap().len() == 2);
    assert_eq!(alerts()[1]["data"].text("severity"), "info");
}
