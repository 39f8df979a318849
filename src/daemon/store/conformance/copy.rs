//! One database copied into another of the other kind: nothing lost, nothing doubled, also when it
//! is cut short, repeated, or meets what is there already.

use std::collections::BTreeMap;

use super::{migration::leave_old, *};
use crate::{
    daemon::store::{AuditLog, Copied, Copying, Progress, about, copy, query::Query},
    domain::{
        audit::{Audit, AuditReport},
        chain::Key,
        event::Event,
    },
};

/// A database of the other kind, empty.
async fn other_kind(world: &World) -> Database {
    if world.store.is_shared() {
        return Database::File(world.dir.path().join("target.db"));
    }
    let url = Postgres::shared().database().await;
    Database::Server(Box::new(DatabaseConfig { url: url.as_str().into(), ..Default::default() }))
}

async fn copy_into(
    world: &World,
    target: &Database,
    is_renaming: bool,
    told: &mut (dyn FnMut(Progress) + Send),
) -> Result<Copied, StoreError> {
    let dir = world.dir.path();
    let copying = Copying {
        from: world.database.location(),
        to: target.location(),
        scratch: &dir.join("scratch.db"),
        keyring: Keyring::open(&dir.join("copier").join("audit.key")).unwrap(),
        origin: Origin {
            node_id: "copier".into(),
            hostname: "host".into(),
            user: "uid:0".into(),
            publishes: false,
        },
        is_renaming,
        is_live: true,
    };
    copy(copying, told).await
}

/// Checks the whole chain of a database with the keys of these nodes.
async fn audit(database: &Database, dir: &Path, nodes: &[&str]) -> AuditReport {
    let key = |node: &&str| {
        let file = dir.join(node).join("audit.verify");
        Key::parse(&std::fs::read_to_string(file).unwrap()).unwrap()
    };
    let mut audit = Audit::new(nodes.iter().map(key).collect(), Vec::new());
    let log = AuditLog::open(database.location()).unwrap();
    let mut position = 0;
    loop {
        let rows = log.after(position, 1000).await.unwrap();
        let Some(last) = rows.last() else { break };
        position = last.event.position;
        for row in &rows {
            audit.check(row);
        }
    }
    log.close().await;
    audit.finish()
}

async fn all_events(store: &Store) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    loop {
        let after = all.last().map_or(0, |event| event.position);
        let page = store.event_after(after, 1000).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// What an event is wherever it is.
fn essence(event: &Event) -> Event {
    Event { position: 0, sequence: 0, ..event.clone() }
}

/// Fills every table; of the events only the first 40 are delivered.
async fn fill(world: &World, events: usize) -> Runner {
    world.project("p").await;
    world.project("q").await;
    let mut runner = world.runner(&World::new_runner("p")).await.0;
    runner = world.go(&runner, RunnerStatus::Running).await.unwrap();
    let request = NewRunner { request_id: Some(Uuid::new_v4()), ..World::new_runner("p") };
    let ended = world.runner(&request).await.0;
    world.go(&ended, RunnerStatus::Failed).await.unwrap();
    for number in 0..events / 100 {
        let id = format!("n{}", number % 7);
        let news = (0..100).map(|n| NewEvent {
            data: serde_json::json!({ "n": n, "text": "ünï \"x\"", "real": 1.5, "none": null }),
            ..event(EventType::DaemonStarted, "daemon", &id)
        });
        world.store.event_append(news.collect()).await.unwrap();
    }
    let queued = world.store.outbox_list(false, 40).await.unwrap();
    let ids: Vec<_> = queued.iter().map(|entry| entry.id).collect();
    world.store.outbox_deliver(&ids).await.unwrap();
    for sql in [
        "INSERT INTO project_capabilities (project_name, capability_name, config) \
         VALUES ('p', 'c', '{\"a\": [1, 2.5]}')",
        "INSERT INTO resource_quotas (project_name, max_concurrent_runners) VALUES ('p', 7)",
        "INSERT INTO project_numbers (project_name, last_runner) VALUES ('gone', 12)",
        "INSERT INTO presence (surface, active_at) VALUES ('x', '2026-01-01T00:00:00.000000Z')",
        "INSERT INTO token_budgets (scope, scope_id, limit_tokens, used_tokens, \
         period_granularity, period_start, period_end) VALUES ('project', 'p', 9007199254740993, \
         5, 'daily', '2026-01-01T00:00:00.000000Z', '2026-01-02T00:00:00.000000Z')",
        "INSERT INTO sessions (id, project_name, started_at, created_at, summary) VALUES ('s', \
         'p', '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z', 'it''s')",
        "INSERT INTO session_blobs (session_id, blob_type, storage_key, size_bytes) \
         VALUES ('s', 'transcript', 'k1', 3), ('s', 'transcript', 'k2', 4)",
        "INSERT INTO transcript_files (node_id, path, session_id, position, reader) \
         VALUES ('node', '/t', 's', 9, '{\"a\": 1}')",
        "INSERT INTO queued_prompts (id, runner_id, prompt) VALUES ('00000000-0000-0000-0000-000000000007', \
         '00000000-0000-0000-0000-000000000001', 'go on')",
        "INSERT INTO session_messages (session_id, message_key, role, at, body) \
         VALUES ('s', 'm', 'user', '2026-01-01T00:00:00.000000Z', 'hello')",
        "INSERT INTO agent_tokens (token, runner_id, expires_at) VALUES ('t', \
         '00000000-0000-0000-0000-000000000001', '2026-01-02T00:00:00.000000Z')",
        "INSERT INTO api_tokens (id, name, secret_hash, scope, created_at) VALUES \
         ('00000000-0000-0000-0000-000000000009', 't', 'h', 'viewer', '2026-01-01T00:00:00.000000Z')",
        "INSERT INTO notifications (channel, event_id, dedup_key, payload, state, attempts, created_at, \
         due_at) VALUES ('telegram', '00000000-0000-0000-0000-00000000000a', 'k', '{\"title\": \"ü\"}', \
         'waiting', 2, '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z'), ('ntfy', \
         '00000000-0000-0000-0000-00000000000a', 'k', '{}', 'parked', 9, \
         '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z')",
        "INSERT INTO notify_cursors (name, position, updated_at) VALUES ('notifier', 25, \
         '2026-01-01T00:00:00.000000Z'), ('telegram/4242', 107, '2026-01-01T00:00:00.000000Z')",
        "INSERT INTO http_repeats (key, asked, begun_at, status, content_type, body) VALUES \
         ('00000000-0000-0000-0000-00000000000b', 'h', '2026-01-01T00:00:00.000000Z', 201, \
         'application/json', '{}')",
        "INSERT INTO usage_days (project_name, day, tokens) VALUES ('p', '2026-01-01', 77)",
        "INSERT INTO usage_requests (key, project_name, at, input_tokens, counted, cost_nanos) \
         VALUES ('claude:1', 'p', '2026-01-01T00:00:00.000000Z', 70, 77, 9007199254740993)",
        "INSERT INTO spools (runner_id, position) VALUES ('r', 7)",
        "INSERT INTO session_runners (session_id, runner_id, since) VALUES ('s', 'r', \
         '2026-01-01T00:00:00.000000Z')",
        "INSERT INTO aggregates (entity_type, entity_id, sequence) VALUES ('daemon', 'quiet', 50)",
    ] {
        world.database.execute(sql).await;
    }
    let blob = match world.database {
        Database::File(_) => "UPDATE sessions SET context_vector = x'00ff10'",
        Database::Server(_) => "UPDATE sessions SET context_vector = '\\x00ff10'",
    };
    world.database.execute(blob).await;
    runner
}

async fn counts(store: &Store, tables: &Copied) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for table in &tables.tables {
        let query = Query::new(format!("SELECT count(*) AS n FROM {}", table.table));
        counts.insert(table.table, store.fetch(query).await.unwrap()[0].count("n").unwrap());
    }
    counts
}

async fn everything_arrives_once_and_the_chain_holds(world: World) {
    let runner = fill(&world, 3000).await;
    let target = other_kind(&world).await;
    let waiting = world.store.outbox_counts().await.unwrap().waiting;
    let mut told = 0;
    let copied = copy_into(&world, &target, false, &mut |_| told += 1).await.unwrap();
    assert!(told > 20, "{told}");
    assert_eq!((copied.queued, copied.unsealed), (waiting, 0));
    let before = counts(&world.store, &copied).await;
    assert!(before.values().all(|count| *count > 0), "{before:?}");
    for table in &copied.tables {
        let all = (table.source, table.target);
        assert_eq!(all, (before[table.table], before[table.table]), "{table:?}");
    }
    // Again: nothing is written.
    let again = copy_into(&world, &target, false, &mut |_| {}).await.unwrap();
    assert!(again.tables.iter().all(|table| table.written == 0), "{again:?}");
    assert_eq!(again.queued, 0);

    let store = target.open(world.dir.path(), "other").await.unwrap();
    assert_eq!(counts(&store, &copied).await, before);
    let (old, new) = (all_events(&world.store).await, all_events(&store).await);
    assert_eq!(old, new, "into an empty log they come as they were");
    let there = store.runner_get(runner.id).await.unwrap().unwrap();
    assert_eq!(there, runner);
    assert_eq!(store.project_get("p").await.unwrap(), world.store.project_get("p").await.unwrap());
    let ids = async |store: &Store| {
        let entries = store.outbox_list(false, 10_000).await.unwrap();
        entries.into_iter().map(|e| (e.event_id, e.routing_key, e.payload)).collect::<Vec<_>>()
    };
    assert_eq!(ids(&store).await, ids(&world.store).await);
    let query = Query::new("SELECT metadata FROM events WHERE position = 30");
    let row = &store.fetch(query).await.unwrap()[0];
    let origin = row.json::<serde_json::Value>("metadata").unwrap()["copied_from"].clone();
    assert_eq!((&origin["position"], &origin["sequence"]), (&30.into(), &old[29].sequence.into()));
    assert!(origin["seal"].as_str().unwrap().len() == 64, "{origin}");
    let query = Query::new("SELECT limit_tokens FROM token_budgets");
    let limit = store.fetch(query).await.unwrap()[0].count("limit_tokens").unwrap();
    assert_eq!(limit, 9_007_199_254_740_993, "numbers keep every digit");
    // What was told is not told again, what waits is told from there, and a bot's updates go on.
    assert_eq!(store.cursor("notifier").await.unwrap(), Some(25));
    assert_eq!(store.cursor("telegram/4242").await.unwrap(), Some(107));
    let states = async |channel| store.notification_counts(channel).await.unwrap();
    assert_eq!((states("telegram").await.waiting, states("ntfy").await.parked), (1, 1));
    // Names go on where they were, and so does an entity whose events are all gone.
    let news = World::new_runner("p");
    let caused = event(EventType::RunnerStarting, "runner", &news.id.to_string());
    assert_eq!(store.runner_create(&news, caused).await.unwrap().0.name, "p-3");
    lead(&store, "other").await;
    store.event_append(vec![event(EventType::DaemonStarted, "daemon", "quiet")]).await.unwrap();
    assert_eq!(all_events(&store).await.last().unwrap().sequence, 51);
    store.close().await;
    let report = audit(&target, world.dir.path(), &["copier", "other"]).await;
    assert!(report.is_good(), "{report:?}");
}

async fn what_is_there_is_merged_and_the_newer_wins(world: World) {
    let runner = fill(&world, 200).await;
    let target = other_kind(&world).await;
    let store = target.open(world.dir.path(), "other").await.unwrap();
    lead(&store, "other").await;
    // The target has an older copy, and has gone on for itself.
    copy_into(&world, &target, false, &mut |_| {}).await.unwrap();
    let news = NewRunner { project: "q".into(), ..World::new_runner("q") };
    let caused = event(EventType::RunnerStarting, "runner", &news.id.to_string());
    let own = store.runner_create(&news, caused).await.unwrap().0;
    let caused = event(EventType::DaemonStarted, "daemon", "n0");
    store.event_append(vec![caused]).await.unwrap();
    store.project_remember_number("p", 40).await.unwrap();
    target.execute("UPDATE resource_quotas SET max_concurrent_runners = 9, updated_at = '2099-01-01T00:00:00.000000Z'").await;
    // So has the source.
    world.go(&runner, RunnerStatus::Failed).await.unwrap();
    world.store.event_append(vec![event(EventType::DaemonStarted, "daemon", "n0")]).await.unwrap();
    let news = World::new_runner("p");
    let (third, _) = world.runner(&news).await;
    target.execute("UPDATE runners SET updated_at = '2001-01-01T00:00:00.000000Z'").await;

    // A daemon there, which seals what was copied after it was, has read its log itself.
    target
        .execute(
            "INSERT INTO notify_cursors (name, position, updated_at) VALUES ('notifier', 20, \
             '2026-01-01T00:00:00.000000Z'), ('telegram/4242', 102, '2026-01-01T00:00:00.000000Z') \
             ON CONFLICT (name) DO UPDATE SET position = excluded.position",
        )
        .await;
    world
        .database
        .execute(
            "UPDATE notifications SET state = 'sent', reference = 'm', settled_at = \
        '2026-01-02T00:00:00.000000Z' WHERE channel = 'telegram'",
        )
        .await;

    let copied = copy_into(&world, &target, false, &mut |_| {}).await.unwrap();
    assert_eq!(store.cursor("telegram/4242").await.unwrap(), Some(107), "it was further");
    assert_eq!(store.cursor("notifier").await.unwrap(), Some(20), "that log is read by its own");
    assert_eq!(store.notification_counts("telegram").await.unwrap().waiting, 0);
    let events = copied.tables.iter().find(|table| table.table == "events").unwrap();
    // That it failed is told to a person, too.
    assert_eq!(events.written, 4, "{copied:?}");
    let there = store.runner_get(runner.id).await.unwrap().unwrap();
    assert_eq!(there.status, RunnerStatus::Failed);
    assert_eq!(store.runner_get(third.id).await.unwrap().unwrap().name, "p-3");
    assert!(store.runner_get(own.id).await.unwrap().is_some());
    let project = store.project_get("p").await.unwrap().unwrap();
    assert_eq!((project.total_runners, project.active_runners), (3, 1));
    let query = Query::new("SELECT max_concurrent_runners AS n FROM resource_quotas");
    assert_eq!(store.fetch(query).await.unwrap()[0].count("n").unwrap(), 9);
    let news = World::new_runner("p");
    let caused = event(EventType::RunnerStarting, "runner", &news.id.to_string());
    assert_eq!(store.runner_create(&news, caused).await.unwrap().0.name, "p-41");
    store.close().await;

    let store = target.open(world.dir.path(), "other").await.unwrap();
    lead(&store, "other").await;
    store.event_append(vec![event(EventType::DaemonStarted, "daemon", "x")]).await.unwrap();
    let all = all_events(&store).await;
    let mut newest = BTreeMap::new();
    for event in &all {
        let key = (event.entity_type.clone(), event.entity_id.clone());
        let sequence = newest.entry(key).or_insert(0);
        *sequence += 1;
        assert_eq!(event.sequence, *sequence, "{event:?}");
    }
    let known: BTreeSet<_> = all.iter().map(|event| &event.event_id).collect();
    assert_eq!(known.len(), all.len());
    for event in all_events(&world.store).await {
        let found = all.iter().find(|other| other.event_id == event.event_id).unwrap();
        assert_eq!(essence(found), essence(&event));
    }
    store.close().await;
    let report = audit(&target, world.dir.path(), &["copier", "other"]).await;
    assert!(report.is_good(), "{report:?}");
}

async fn names_that_clash_are_told_before_anything_is_written(world: World) {
    fill(&world, 100).await;
    let target = other_kind(&world).await;
    let store = target.open(world.dir.path(), "other").await.unwrap();
    let new = NewProject {
        name: "p".into(),
        path: "/".into(),
        description: String::new(),
        tags: vec![],
        quotas: QuotaChange::default(),
    };
    let created = event(EventType::ProjectCreated, "project", "p");
    store.project_create(&new, at(0), vec![created]).await.unwrap();
    let news = World::new_runner("p");
    let caused = event(EventType::RunnerStarting, "runner", &news.id.to_string());
    assert_eq!(store.runner_create(&news, caused).await.unwrap().0.name, "p-1");

    let error = copy_into(&world, &target, false, &mut |_| {}).await.unwrap_err();
    assert_eq!(reason(&error), "NAMES_CLASH");
    assert!(error.to_string().contains("p-1"), "{error}");
    assert!(store.project_get("q").await.unwrap().is_none());
    let copied = copy_into(&world, &target, true, &mut |_| {}).await.unwrap();
    assert_eq!(copied.renamed, [("p-1".to_owned(), "p-3".to_owned())]);
    let again = copy_into(&world, &target, false, &mut |_| {}).await.unwrap();
    assert!(again.tables.iter().all(|table| table.written == 0), "{again:?}");
    assert_eq!(store.runner_find("p-3").await.unwrap().len(), 1);
    store.close().await;
}

async fn cut_short_anywhere_it_is_completed_by_the_next(world: World) {
    fill(&world, 1200).await;
    let target = other_kind(&world).await;
    let mut cuts = 0;
    for stop_after in (1..).step_by(2) {
        let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
        let mut seen = 0;
        let mut told = |_| {
            seen += 1;
            if seen == stop_after {
                tx.send(()).unwrap();
            }
        };
        let outcome = tokio::select! {
            biased;
            Some(()) = rx.recv() => None,
            outcome = copy_into(&world, &target, false, &mut told) => Some(outcome),
        };
        if let Some(outcome) = outcome {
            outcome.unwrap();
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 10, "{cuts}");
    // A lease that nobody gave back would end by itself.
    target.execute("UPDATE leases SET until = '2001-01-01T00:00:00.000000Z'").await;
    let copied = copy_into(&world, &target, false, &mut |_| {}).await.unwrap();
    assert!(copied.tables.iter().all(|table| table.source == table.target), "{copied:?}");
    assert_eq!(copied.unsealed, 0);
    let store = target.open(world.dir.path(), "other").await.unwrap();
    let (old, new) = (all_events(&world.store).await, all_events(&store).await);
    assert_eq!(old, new);
    let (old, new) = (world.store.outbox_counts().await, store.outbox_counts().await);
    assert_eq!(old.unwrap().waiting, new.unwrap().waiting);
    store.close().await;
    let report = audit(&target, world.dir.path(), &["copier"]).await;
    assert!(report.is_good(), "{report:?}");
}

async fn a_newer_schema_is_refused_on_either_side(world: World) {
    fill(&world, 0).await;
    let target = other_kind(&world).await;
    target.open(world.dir.path(), "other").await.unwrap().close().await;
    let newer = "UPDATE _sqlx_migrations SET version = 9997 + version";
    let newest = 9997 + crate::daemon::store::known_schema();
    target.execute(newer).await;
    let error = copy_into(&world, &target, false, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found, .. } if found == newest), "{error}");
    target.execute("UPDATE _sqlx_migrations SET version = version - 9997").await;
    world.database.execute(newer).await;
    let error = copy_into(&world, &target, false, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found, .. } if found == newest), "{error}");
}

on_both! {
    everything_arrives_once_and_the_chain_holds,
    what_is_there_is_merged_and_the_newer_wins,
    names_that_clash_are_told_before_anything_is_written,
    cut_short_anywhere_it_is_completed_by_the_next,
    a_newer_schema_is_refused_on_either_side,
}

/// A file as an old version left it, and an empty server.
async fn old_file() -> (World, Database) {
    let world = embedded().await;
    let path = world.dir.path().join("old.db");
    let target = other_kind(&world).await;
    let world = World { database: Database::File(path), ..world };
    leave_old(&world.database).await;
    (world, target)
}

#[tokio::test]
async fn a_file_with_an_old_schema_is_copied_and_stays_as_it_is() {
    let (world, target) = old_file().await;
    let Database::File(path) = &world.database else { unreachable!() };
    let bytes = std::fs::read(path).unwrap();
    copy_into(&world, &target, false, &mut |_| {}).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), bytes);
    assert_eq!(about(world.database.location()).await.unwrap().schema, 1);
    assert!(!world.dir.path().join("scratch.db").exists());
    let store = target.open(world.dir.path(), "other").await.unwrap();
    let events = all_events(&store).await;
    let told: Vec<_> = events.iter().map(|event| (event.position, event.sequence)).collect();
    assert_eq!(told, [(1, 1), (2, 2), (3, 3)]);
    assert!(store.project_get("old").await.unwrap().is_some());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_that_seals_there_seals_what_comes() {
    let world = embedded().await;
    fill(&world, 5000).await;
    let target = other_kind(&world).await;
    let store = target.open(world.dir.path(), "other").await.unwrap();
    lead(&store, "other").await;
    let copied = copy_into(&world, &target, false, &mut |_| {}).await.unwrap();
    let sealing = async {
        // What the daemon writes about an entity comes behind what was copied about it.
        for _ in 0..20 {
            let caused = event(EventType::DaemonStarted, "daemon", "n0");
            store.event_append(vec![caused]).await.unwrap();
        }
        let mut doorbell = store.doorbell();
        let total = world.store.event_newest().await.unwrap() + 20;
        doorbell.wait_for(|newest| *newest == total).await.unwrap();
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), sealing).await.unwrap();
    let mut newest = BTreeMap::new();
    for event in all_events(&store).await {
        let sequence = newest.entry(event.entity_id.clone()).or_insert(0);
        *sequence += 1;
        assert_eq!(event.sequence, *sequence, "{event:?} of {copied:?}");
    }
    store.close().await;
    let report = audit(&target, world.dir.path(), &["copier", "other"]).await;
    assert!(report.is_good(), "{report:?}");
}
