//! What every database must do, told through the store's own methods: the suite runs on each.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, Executor as _};
use uuid::Uuid;

use super::{
    Adoption, Keyring, Location, NewRunner, Opening, Origin, RunnerChange, Store, StoreError,
};
use crate::domain::{
    activity::{Activity, ActivitySource, ActivityState},
    event::{EventFilter, EventType, NewEvent, PARTITIONS, partition_of},
    id::RunnerId,
    outbox::OutboxEntry,
    project::{NewProject, ProjectStatus},
    runner::{Exit, Heartbeat, Runner, RunnerStatus},
};
use crate::{
    config::DatabaseConfig,
    daemon::{context::SystemClock, servers::Postgres},
};

/// A store to test, and what it stands on.
struct World {
    store: Store,
    database: Database,
    dir: tempfile::TempDir,
}

enum Database {
    File(PathBuf),
    Server(Box<DatabaseConfig>),
}

impl Database {
    async fn open(&self, dir: &Path, node: &str) -> Result<Store, StoreError> {
        let origin = Origin {
            node_id: node.into(),
            hostname: "host".into(),
            user: "uid:0".into(),
            publishes: true,
        };
        let keyring = Keyring::open(&dir.join(node).join("audit.key")).unwrap();
        let opening = Opening { origin, keyring, clock: Arc::new(SystemClock) };
        let location = match self {
            Self::File(path) => Location::File(path),
            Self::Server(config) => Location::Server(config),
        };
        Store::open(location, opening).await
    }
}

async fn world(database: impl FnOnce(&Path) -> Database) -> World {
    let dir = tempfile::tempdir().unwrap();
    let database = database(dir.path());
    let store = database.open(dir.path(), "node").await.unwrap();
    // On a server somebody has to seal; alone, that is this daemon.
    lead(&store, "node").await;
    World { store, database, dir }
}

/// Lets a store seal, where a lease is needed for it.
async fn lead(store: &Store, holder: &str) {
    let held = store.lease_acquire(&["sealer".into()], holder, 60).await.unwrap();
    store.seal_with(held.get("sealer").map(|epoch| (holder.to_owned(), *epoch)));
}

fn embedded(dir: &Path) -> Database {
    Database::File(dir.join("db"))
}

async fn served() -> Database {
    let url = Postgres::shared().database().await;
    Database::Server(Box::new(DatabaseConfig { url: url.as_str().into(), ..Default::default() }))
}

/// Runs each of these on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::world(super::embedded).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                let served = super::served().await;
                super::$name(super::world(|_| served).await).await;
            })*
        }
    };
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn event(event_type: EventType, entity_type: &'static str, entity_id: &str) -> NewEvent {
    NewEvent {
        id: Uuid::now_v7(),
        event_type,
        entity_type,
        entity_id: entity_id.to_owned(),
        project: "p".to_owned(),
        runner: String::new(),
        trace_id: String::new(),
        data: serde_json::json!({ "n": 1 }),
        at: at(0),
    }
}

impl World {
    async fn project(&self, name: &str) {
        let new = NewProject {
            name: name.into(),
            path: "/tmp".into(),
            description: "d".into(),
            tags: vec!["t".into()],
        };
        let event = event(EventType::ProjectCreated, "project", name);
        self.store.project_create(&new, at(0), event).await.unwrap();
    }

    fn new_runner(project: &str) -> NewRunner {
        NewRunner {
            id: RunnerId::random(),
            project: project.into(),
            name: None,
            project_path: "/tmp".into(),
            node_id: "node".into(),
            agent: "bash".into(),
            command: vec!["bash".into(), "-l".into()],
            cwd: "/tmp".into(),
            restart: "never".into(),
            max_restart_attempts: 5,
            request_id: None,
            request_digest: String::new(),
            at: at(1),
        }
    }

    async fn runner(&self, new: &NewRunner) -> (Runner, bool) {
        let event = event(EventType::RunnerStarting, "runner", &new.id.to_string());
        self.store.runner_create(new, event).await.unwrap()
    }

    async fn go(&self, runner: &Runner, to: RunnerStatus) -> Result<Runner, StoreError> {
        let event = event(EventType::RunnerStarted, "runner", &runner.id.to_string());
        self.store.runner_move(runner, to, RunnerChange::default(), event).await
    }
}

fn reason(error: &StoreError) -> &str {
    match error {
        StoreError::Refused(failure) => &failure.reason,
        other => panic!("{other}"),
    }
}

async fn projects_are_registered_once_and_forgotten_with_their_numbers_kept(world: World) {
    world.project("p").await;
    let twice = event(EventType::ProjectCreated, "project", "p");
    let new =
        NewProject { name: "p".into(), path: "/".into(), description: String::new(), tags: vec![] };
    let error = world.store.project_create(&new, at(1), twice).await.unwrap_err();
    assert_eq!(reason(&error), "PROJECT_EXISTS");

    let (first, _) = world.runner(&World::new_runner("p")).await;
    assert_eq!(first.name, "p-1");
    let project = world.store.project_get("p").await.unwrap().unwrap();
    assert_eq!((project.active_runners, project.total_runners), (1, 1));
    assert_eq!(project.status, ProjectStatus::Active);
    assert_eq!(project.tags, ["t"]);

    let delete = || event(EventType::ProjectDeleted, "project", "p");
    let error = world.store.project_delete("p", delete()).await.unwrap_err();
    assert_eq!(reason(&error), "PROJECT_BUSY");
    world.go(&first, RunnerStatus::Failed).await.unwrap();
    let project = world.store.project_get("p").await.unwrap().unwrap();
    assert_eq!(project.status, ProjectStatus::Idle);
    world.store.project_delete("p", delete()).await.unwrap();
    let error = world.store.project_delete("p", delete()).await.unwrap_err();
    assert_eq!(reason(&error), "PROJECT_NOT_FOUND");
    assert!(world.store.runner_list("", "", 0).await.unwrap().is_empty());

    world.project("p").await;
    assert_eq!(world.runner(&World::new_runner("p")).await.0.name, "p-2");
}

async fn a_runner_may_be_given_a_name_that_nobody_has(world: World) {
    world.project("p").await;
    let named = || NewRunner { name: Some("reviewer".into()), ..World::new_runner("p") };
    let (runner, _) = world.runner(&named()).await;
    assert_eq!(runner.name, "reviewer");
    assert_eq!(world.runner(&World::new_runner("p")).await.0.name, "p-2");
    for name in ["reviewer", "p"] {
        let new = NewRunner { name: Some(name.into()), ..World::new_runner("p") };
        let event = event(EventType::RunnerStarting, "runner", &new.id.to_string());
        let error = world.store.runner_create(&new, event).await.unwrap_err();
        assert_eq!(reason(&error), "NAME_TAKEN");
    }
    let found = world.store.runner_find("reviewer").await.unwrap();
    assert_eq!(found.len(), 1);
}

async fn a_request_is_carried_out_once(world: World) {
    world.project("p").await;
    let key = Some(Uuid::new_v4());
    let new =
        || NewRunner { request_id: key, request_digest: "a".into(), ..World::new_runner("p") };
    let news: Vec<_> = (0..20).map(|_| new()).collect();
    let all = futures_util::future::join_all(news.iter().map(|new| world.runner(new))).await;
    let ids: BTreeSet<_> = all.iter().map(|(runner, _)| runner.id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(all.iter().filter(|(_, repeated)| !repeated).count(), 1);
    assert_eq!(world.store.runner_list("", "", 0).await.unwrap().len(), 1);

    let other = NewRunner { request_digest: "b".into(), ..new() };
    let event = event(EventType::RunnerStarting, "runner", &other.id.to_string());
    let error = world.store.runner_create(&other, event).await.unwrap_err();
    assert_eq!(reason(&error), "REQUEST_ID_REUSED");
}

async fn parallel_launches_get_numbers_without_repeats_and_events_without_gaps(world: World) {
    world.project("p").await;
    let news: Vec<_> = (0..100).map(|_| World::new_runner("p")).collect();
    let all = futures_util::future::join_all(news.iter().map(|new| world.runner(new))).await;
    let names: BTreeSet<_> = all.iter().map(|(runner, _)| runner.name.clone()).collect();
    assert_eq!(names.len(), 100);
    let events = world.store.event_after(0, 1000).await.unwrap();
    assert_eq!(events.len(), 101);
    assert!(events.windows(2).all(|pair| pair[1].position == pair[0].position + 1));
    assert!(events.iter().skip(1).all(|event| event.runner.starts_with("p-")));
    assert_eq!(world.store.project_get("p").await.unwrap().unwrap().total_runners, 100);
}

async fn only_legal_moves_are_written_and_a_refused_one_leaves_no_event(world: World) {
    world.project("p").await;
    for from in RunnerStatus::ALL {
        for to in RunnerStatus::ALL {
            let (runner, _) = world.runner(&World::new_runner("p")).await;
            let way: &[RunnerStatus] = match from {
                RunnerStatus::Starting => &[],
                RunnerStatus::Paused => &[RunnerStatus::Running, RunnerStatus::Paused],
                RunnerStatus::Running => &[RunnerStatus::Running],
                RunnerStatus::Stopping => &[RunnerStatus::Stopping],
                RunnerStatus::Terminated => &[RunnerStatus::Terminated],
                RunnerStatus::Failed => &[RunnerStatus::Failed],
            };
            let mut runner = runner;
            for step in way {
                runner = world.go(&runner, *step).await.unwrap();
            }
            let before = world.store.event_newest().await.unwrap();
            let moved = world.go(&runner, to).await;
            let after = world.store.event_newest().await.unwrap();
            assert_eq!(moved.is_ok(), from.may_become(to), "{from:?} → {to:?}");
            assert_eq!(after - before, u64::from(from.may_become(to)), "{from:?} → {to:?}");
        }
    }
}

async fn of_two_movers_one_wins(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    let running = world.go(&runner, RunnerStatus::Running).await.unwrap();
    let ends =
        futures_util::future::join_all((0..10).map(|_| world.go(&running, RunnerStatus::Failed)))
            .await;
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
}

async fn an_end_is_kept_and_the_next_run_begins_afresh(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    let id = runner.id.to_string();
    let started = RunnerChange { pid: Some(7), supervisor_pid: Some(6), ..RunnerChange::default() };
    let started_event = event(EventType::RunnerStarted, "runner", &id);
    let runner = world
        .store
        .runner_move(&runner, RunnerStatus::Running, started, started_event)
        .await
        .unwrap();
    assert_eq!((runner.pid, runner.supervisor_pid), (Some(7), Some(6)));

    let exit = Exit {
        code: None,
        signal: Some("SIGKILL".into()),
        at: at(50),
        stopped: false,
        survivors: vec!["x (9)".into()],
    };
    let change = RunnerChange {
        reason: Some("killed by SIGKILL".into()),
        exit: Some(exit),
        ..RunnerChange::default()
    };
    let failed_event = event(EventType::RunnerFailed, "runner", &id);
    let runner =
        world.store.runner_move(&runner, RunnerStatus::Failed, change, failed_event).await.unwrap();
    assert_eq!(runner.exit_signal.as_deref(), Some("SIGKILL"));
    assert_eq!(runner.terminated_at, Some(at(50)));
    assert_eq!(runner.survivors, ["x (9)"]);
    assert_eq!(runner.pid, None);

    let change = RunnerChange { next_run: Some(1), ..RunnerChange::default() };
    let again = event(EventType::RunnerStarting, "runner", &id);
    let next =
        world.store.runner_move(&runner, RunnerStatus::Starting, change, again).await.unwrap();
    assert_eq!((next.run, next.restart_attempts), (2, 1));
    assert_eq!((next.exit_signal, next.terminated_at, next.reason), (None, None, None));
    // What is late about the first run does not touch the second.
    assert!(world.go(&runner, RunnerStatus::Failed).await.is_err());
}

async fn runners_are_found_by_name_id_and_unique_prefix(world: World) {
    world.project("p").await;
    let (one, _) = world.runner(&World::new_runner("p")).await;
    let (two, _) = world.runner(&World::new_runner("p")).await;
    let found = world.store.runner_find("p-1").await.unwrap();
    assert_eq!(found, std::slice::from_ref(&one));
    let id = two.id.to_string();
    for word in [&id[..], &id[..13]] {
        let found = world.store.runner_find(word).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&two), "{word}");
    }
    assert_eq!(world.store.runner_find("").await.unwrap().len(), 2);
    assert!(world.store.runner_find("p-").await.unwrap().is_empty());
    assert!(world.store.runner_find("%").await.unwrap().is_empty());
    let live = world.store.runner_list("p", "live", 1).await.unwrap();
    assert_eq!(live.len(), 1);
    assert_eq!(world.store.runner_get(one.id).await.unwrap(), Some(one));
}

async fn heartbeats_and_activities_are_applied(world: World) {
    world.project("p").await;
    let (one, _) = world.runner(&World::new_runner("p")).await;
    let (two, _) = world.runner(&World::new_runner("p")).await;
    let beats: Vec<_> = [&one, &two]
        .map(|runner| Heartbeat { id: runner.id, cpu_percent: 1.5, memory_mb: 3, processes: 2 })
        .to_vec();
    world.store.runner_heartbeats(&beats, at(20)).await.unwrap();
    for runner in world.store.runner_list("p", "", 0).await.unwrap() {
        assert_eq!((runner.cpu_percent, runner.memory_mb, runner.processes), (1.5, 3, 2));
        assert_eq!(runner.last_heartbeat, Some(at(20)));
    }
    let activity = Activity {
        state: ActivityState::Blocked,
        kind: Some("permission".into()),
        message: Some("Bash(git push)".into()),
        source: ActivitySource::Osc7501,
        since: Some(at(9)),
    };
    let told = vec![event(EventType::RunnerActivity, "runner", &one.id.to_string())];
    let now = world.store.runner_set_activity(&one, &activity, "t", told, at(9)).await.unwrap();
    assert_eq!((now.activity, now.title.as_str()), (activity, "t"));
}

async fn a_stranger_is_adopted_with_its_project_and_its_number(world: World) {
    let new = World::new_runner("p");
    let adoption = Adoption {
        name: "p-7".into(),
        run: 3,
        pid: 11,
        supervisor_pid: 10,
        created_at: at(-100),
        runner: new.clone(),
    };
    let adopted = || event(EventType::RunnerAdopted, "runner", &new.id.to_string());
    let runner = world.store.runner_adopt(&adoption, adopted()).await.unwrap();
    assert!(runner.adopted);
    assert_eq!((runner.run, runner.status), (3, RunnerStatus::Running));
    assert_eq!(world.store.project_get("p").await.unwrap().unwrap().active_runners, 1);
    assert_eq!(world.runner(&World::new_runner("p")).await.0.name, "p-8");
    // A row from an older copy of the database is brought up to date.
    world.go(&runner, RunnerStatus::Failed).await.unwrap();
    let again = world.store.runner_adopt(&adoption, adopted()).await.unwrap();
    assert_eq!(again.status, RunnerStatus::Running);
}

async fn events_are_filtered_and_followed(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    world.go(&runner, RunnerStatus::Running).await.unwrap();
    let list = async |filter: EventFilter| world.store.event_list(&filter, 10).await.unwrap();
    let all = list(EventFilter::default()).await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[2].sequence, 2);
    let runners = EventFilter { event_type: "runner.".into(), ..EventFilter::default() };
    assert_eq!(list(runners.clone()).await.len(), 2);
    assert_eq!(list(EventFilter { runner: "p-1".into(), ..EventFilter::default() }).await.len(), 2);
    assert_eq!(list(EventFilter { project: "q".into(), ..EventFilter::default() }).await.len(), 0);
    let late = EventFilter { since: Some(at(1)), ..EventFilter::default() };
    assert_eq!(list(late).await.len(), 0);
    for event in &all {
        assert_eq!(runners.matches(event), event.event_type.starts_with("runner."));
    }
    let doorbell = world.store.doorbell();
    assert_eq!(*doorbell.borrow(), all[2].position);
}

/// The types of events that wait for the broker.
fn waiting(entries: &[OutboxEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.event_type.as_str()).collect()
}

async fn what_happened_is_queued_in_its_order_and_leaves_when_confirmed(world: World) {
    const ALL: u64 = (1 << PARTITIONS) - 1;
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    world.go(&runner, RunnerStatus::Running).await.unwrap();
    let store = &world.store;
    let all = store.outbox_next(0, ALL, 10).await.unwrap();
    assert_eq!(waiting(&all), ["project.created", "runner.starting", "runner.started"]);
    assert_eq!(all[1].routing_key, "runner.starting.p");
    assert_eq!(all[1].payload["runner"], "p-1");
    assert_eq!(all[2].aggregate, ("runner".to_owned(), runner.id.to_string()));
    let mine = partition_of("runner", &runner.id.to_string());
    let lane = store.outbox_lane(&all[2].aggregate, 0, 10).await.unwrap();
    assert_eq!(waiting(&lane), ["runner.starting", "runner.started"]);
    let rest = store.outbox_next(0, ALL & !(1 << mine), 10).await.unwrap();
    assert!(!waiting(&rest).contains(&"runner.started"));

    store.outbox_deliver(&[all[0].id, all[1].id], at(9)).await.unwrap();
    store.outbox_refused(all[2].id, "unroutable", Some(at(20)), at(10)).await.unwrap();
    let left = store.outbox_next(0, ALL, 10).await.unwrap();
    assert_eq!((left.len(), left[0].attempts, left[0].next_retry_at), (1, 1, Some(at(20))));
    let caused = || event(EventType::DaemonStarted, "daemon", "node");
    let nothing = store.outbox_retry(None, caused()).await.unwrap_err();
    assert_eq!(reason(&nothing), "OUTBOX_NOT_FOUND");
    store.outbox_refused(all[2].id, "unroutable", None, at(30)).await.unwrap();
    let parked = store.outbox_list(true, 10).await.unwrap();
    assert_eq!((parked.len(), parked[0].parked_at), (1, Some(at(30))));
    let counts = store.outbox_counts().await.unwrap();
    assert_eq!((counts.waiting, counts.parked), (1, 1));
    assert_eq!(store.outbox_retry(Some(parked[0].event_id), caused()).await.unwrap(), 1);
    assert_eq!(store.outbox_list(true, 10).await.unwrap().len(), 0);
    store.outbox_refused(all[2].id, "unroutable", None, at(40)).await.unwrap();
    store.outbox_discard(parked[0].event_id, caused()).await.unwrap();
    assert_eq!(store.outbox_prune(at(9), 10).await.unwrap(), 0);
    assert_eq!(store.outbox_prune(at(10), 10).await.unwrap(), 2);
}

async fn the_log_is_a_chain_and_keys_change(world: World) {
    for round in 0..3 {
        let news = (0..300).map(|n| event(EventType::DaemonStarted, "daemon", &format!("{n}")));
        world.store.event_append(news.collect()).await.unwrap();
        assert_eq!(world.store.event_newest().await.unwrap(), 300 * (round + 1));
    }
    let events = world.store.event_after(0, 1000).await.unwrap();
    assert_eq!(events.len(), 900);
    assert!(events.iter().zip(1..).all(|(event, place)| event.position == place));
    assert_eq!(events[899].sequence, 3);
}

async fn leases_have_one_holder_and_an_epoch(world: World) {
    let store = &world.store;
    let names = ["relay/0".to_owned(), "relay/1".to_owned()];
    let mine = store.lease_acquire(&names, "a", 60).await.unwrap();
    assert_eq!(mine.len(), 2);
    assert!(store.lease_acquire(&names, "b", 60).await.unwrap().is_empty());
    assert_eq!(store.lease_acquire(&names, "a", 60).await.unwrap(), mine);
    store.lease_release(&names[..1], "a").await.unwrap();
    let taken = store.lease_acquire(&names, "b", 60).await.unwrap();
    assert_eq!(taken.get("relay/0"), Some(&(mine["relay/0"] + 1)));
    assert_eq!(taken.len(), 1);
}

async fn a_node_that_starts_again_supersedes_itself(world: World) {
    let store = &world.store;
    let first = store.node_register("n", "host", "1", true).await.unwrap();
    store.node_beat("n", first).await.unwrap();
    let second = store.node_register("n", "host", "2", true).await.unwrap();
    assert_eq!(second, first + 1);
    let error = store.node_beat("n", first).await.unwrap_err();
    assert_eq!(reason(&error), "NODE_SUPERSEDED");
    let node = store.node_list().await.unwrap().pop().unwrap();
    assert_eq!((node.version.as_str(), node.epoch, node.left_at), ("2", second, None));
    assert!(node.age < std::time::Duration::from_secs(30), "{:?}", node.age);
    store.node_leave("n", second, "n", at(5)).await.unwrap();
    assert_eq!(store.node_list().await.unwrap()[0].left_at, Some(at(5)));
}

async fn what_one_database_cannot_keep_neither_keeps(world: World) {
    let nul = NewEvent {
        data: serde_json::json!({ "te\0xt": ["a\0b"] }),
        ..event(EventType::DaemonStarted, "daemon", "a\0b")
    };
    world.store.event_append(vec![nul]).await.unwrap();
    let events = world.store.event_after(0, 10).await.unwrap();
    assert_eq!(events[0].entity_id, "a\u{2400}b");
    assert_eq!(events[0].data, serde_json::json!({ "te\u{2400}xt": ["a\u{2400}b"] }));
}

async fn what_was_answered_is_there_after_reopening(world: World) {
    world.project("p").await;
    let World { store, database, dir } = world;
    store.close().await;
    let store = database.open(dir.path(), "node").await.unwrap();
    assert!(store.project_get("p").await.unwrap().is_some());
    store.close().await;
}

async fn newer_schemas_are_refused(world: World) {
    let World { store, database, dir } = world;
    store.close().await;
    match &database {
        Database::File(path) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut raw = sqlx::ConnectOptions::connect(&options).await.unwrap();
            raw.execute("UPDATE _sqlx_migrations SET version = 9998 + version").await.unwrap();
            raw.close().await.unwrap();
        }
        Database::Server(config) => {
            let mut raw = sqlx::PgConnection::connect(config.url.reveal()).await.unwrap();
            raw.execute("UPDATE _sqlx_migrations SET version = 9998 + version").await.unwrap();
            raw.close().await.unwrap();
        }
    }
    let error = database.open(dir.path(), "node").await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 10_000, .. }), "{error}");
}

on_both! {
    projects_are_registered_once_and_forgotten_with_their_numbers_kept,
    a_runner_may_be_given_a_name_that_nobody_has,
    a_request_is_carried_out_once,
    parallel_launches_get_numbers_without_repeats_and_events_without_gaps,
    only_legal_moves_are_written_and_a_refused_one_leaves_no_event,
    of_two_movers_one_wins,
    an_end_is_kept_and_the_next_run_begins_afresh,
    runners_are_found_by_name_id_and_unique_prefix,
    heartbeats_and_activities_are_applied,
    a_stranger_is_adopted_with_its_project_and_its_number,
    events_are_filtered_and_followed,
    what_happened_is_queued_in_its_order_and_leaves_when_confirmed,
    the_log_is_a_chain_and_keys_change,
    leases_have_one_holder_and_an_epoch,
    a_node_that_starts_again_supersedes_itself,
    what_one_database_cannot_keep_neither_keeps,
    what_was_answered_is_there_after_reopening,
    newer_schemas_are_refused,
}
