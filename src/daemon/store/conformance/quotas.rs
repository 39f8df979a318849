//! Quotas and budgets: set, kept under races, given back; and that the naive way does not keep them.

use futures_util::future::join_all;

use super::*;
use crate::{
    daemon::store::{
        launches, projects,
        query::{Expect, Query, Write},
        quotas,
    },
    domain::{
        failure::FailureKind,
        quota::{Quota, QuotaName},
    },
};

/// Rounds of each race; a longer run is asked for by `STRATAVORE_TEST_ROUNDS`.
fn rounds() -> usize {
    let asked = crate::config::environment::get("STRATAVORE_TEST_ROUNDS");
    asked.and_then(|text| text.to_str()?.parse().ok()).unwrap_or(12)
}

/// A race that a mutant loses is run until it is lost: when that is depends on the machine.
const MOST_TRIES: usize = 200;

/// Clients of each daemon, and how many may win.
const CLIENTS: usize = 64;
const LIMIT: u64 = 10;

impl World {
    async fn set(&self, project: &str, name: QuotaName, limit: Option<u64>) -> Quota {
        let changed = event(EventType::QuotaChanged, "project", project);
        let change = QuotaChange::from([(name, limit)]);
        self.store.quota_set(project, &change, changed).await.unwrap()
    }

    /// Runs a statement as a user with a shell would.
    pub(super) async fn by_hand(&self, sql: &str) {
        match &self.database {
            Database::File(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let mut raw = sqlx::ConnectOptions::connect(&options).await.unwrap();
                raw.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
                raw.close().await.unwrap();
            }
            Database::Server(config) => {
                let mut raw = sqlx::PgConnection::connect(config.url.reveal()).await.unwrap();
                raw.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
                raw.close().await.unwrap();
            }
        }
    }

    async fn active(&self, project: &str) -> u64 {
        self.store.project_get(project).await.unwrap().unwrap().active_runners
    }
}

async fn launch(store: &Store, project: &str) -> Result<Runner, StoreError> {
    let new = World::new_runner(project);
    let event = event(EventType::RunnerStarting, "runner", &new.id.to_string());
    store.runner_create(&new, event).await.map(|(runner, _)| runner)
}

async fn again(store: &Store, runner: &Runner) -> Result<Runner, StoreError> {
    let change = RunnerChange { next_run: Some(0), ..RunnerChange::default() };
    let event = event(EventType::RunnerStarting, "runner", &runner.id.to_string());
    store.runner_move(runner, RunnerStatus::Starting, change, event).await
}

fn refused(outcome: Result<Runner, StoreError>) -> crate::domain::failure::Failure {
    match outcome {
        Err(StoreError::Refused(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

async fn quotas_are_set_shown_and_cleared_each_with_its_event(world: World) {
    world.project("p").await;
    let store = &world.store;
    assert_eq!(store.quota_get("p").await.unwrap(), None);
    let quota = world.set("p", QuotaName::Memory, Some(4096)).await;
    assert_eq!(quota, Quota { max_memory_mb: Some(4096), ..Quota::default() });
    world.set("p", QuotaName::Runners, Some(0)).await;
    world.set("p", QuotaName::Memory, None).await;
    let quota = Quota { max_concurrent_runners: Some(0), ..Quota::default() };
    assert_eq!(store.quota_get("p").await.unwrap(), Some(quota));

    let changed = || event(EventType::QuotaChanged, "project", "p");
    store.quota_clear("p", changed()).await.unwrap();
    assert_eq!(store.quota_get("p").await.unwrap(), None);
    let error = store.quota_clear("p", changed()).await.unwrap_err();
    assert_eq!(reason(&error), "QUOTA_NOT_FOUND");
    let error = store.quota_set("nobody", &QuotaChange::default(), changed()).await.unwrap_err();
    assert_eq!(reason(&error), "PROJECT_NOT_FOUND");
    let events = store.event_after(0, 100).await.unwrap();
    let changes = events.iter().filter(|event| event.event_type == "quota.changed");
    assert_eq!(changes.map(|event| event.sequence).collect::<Vec<_>>(), [2, 3, 4, 5]);
}

async fn limits_and_use_are_listed(world: World) {
    world.project("p").await;
    world.project("q").await;
    world.set("q", QuotaName::Cpu, Some(150)).await;
    let (one, _) = world.runner(&World::new_runner("p")).await;
    let (two, _) = world.runner(&World::new_runner("p")).await;
    let (gone, _) = world.runner(&World::new_runner("p")).await;
    let beat = |id, memory_mb| Heartbeat { id, cpu_percent: 1.5, memory_mb, processes: 2 };
    let beats = [beat(one.id, 300), beat(two.id, 4), beat(gone.id, 1000)];
    world.store.runner_heartbeats(&beats, at(20)).await.unwrap();
    world.go(&gone, RunnerStatus::Failed).await.unwrap();
    world
        .by_hand("INSERT INTO usage_days (project_name, day, tokens) VALUES ('p', '2027-01-15', 7)")
        .await;
    world
        .by_hand("INSERT INTO usage_days (project_name, day, tokens) VALUES ('p', '2027-01-14', 9)")
        .await;
    let listed = world.store.quota_list("", at(0)).await.unwrap();
    let (p, q) = (&listed[0], &listed[1]);
    assert_eq!((p.quota.project.as_str(), q.quota.project.as_str()), ("p", "q"));
    assert_eq!((p.quota.used.runners, p.quota.used.memory_mb), (2, 304));
    assert!((p.quota.used.cpu_percent - 3.0).abs() < 1e-9);
    assert_eq!((p.quota.used.tokens_today, p.speaker.as_str()), (7, "node"));
    assert_eq!((q.quota.used.runners, q.quota.quota.max_cpu_percent), (0, Some(150)));
    assert_eq!(q.speaker, "");
    assert_eq!(world.store.quota_list("q", at(0)).await.unwrap().len(), 1);
}

async fn a_full_project_takes_no_launch_and_no_restart_until_a_slot_returns(world: World) {
    world.project("p").await;
    let store = &world.store;
    // A row that a user inserts has the original's default: five runners.
    world.by_hand("INSERT INTO resource_quotas (project_name) VALUES ('p')").await;
    let mut live = Vec::new();
    for _ in 0..5 {
        live.push(launch(store, "p").await.unwrap());
    }
    let newest = store.event_newest().await.unwrap();
    let failure = refused(launch(store, "p").await);
    assert_eq!((failure.kind, failure.reason.as_str()), (FailureKind::Limit, "QUOTA_EXCEEDED"));
    assert_eq!(failure.message, "project p has 5 of 5 runners");
    assert_eq!(failure.hint, "stratavore quotas set p max_concurrent_runners 6");
    assert_eq!(store.event_newest().await.unwrap(), newest, "a refusal leaves nothing");

    // A launch that failed gives its slot back, and a restart needs one like a launch.
    let failed = world.go(&live[0], RunnerStatus::Failed).await.unwrap();
    let sixth = launch(store, "p").await.unwrap();
    assert_eq!(sixth.name, "p-6", "the number of the refused one was given back too");
    assert_eq!(refused(again(store, &failed).await).reason, "QUOTA_EXCEEDED");
    let ended = world.go(&live[1], RunnerStatus::Terminated).await.unwrap();
    again(store, &failed).await.unwrap();
    assert_eq!(refused(again(store, &ended).await).reason, "QUOTA_EXCEEDED");
    world.set("p", QuotaName::Runners, None).await;
    again(store, &ended).await.unwrap();
    assert_eq!(world.active("p").await, 6);
    world.set("p", QuotaName::Runners, Some(0)).await;
    assert_eq!(refused(launch(store, "p").await).message, "project p has 6 of 0 runners");
}

async fn a_repeated_request_is_answered_also_when_the_project_is_full(world: World) {
    world.project("p").await;
    world.set("p", QuotaName::Runners, Some(1)).await;
    let key = Some(Uuid::new_v4());
    let new =
        || NewRunner { request_id: key, request_digest: "a".into(), ..World::new_runner("p") };
    let news: Vec<_> = (0..20).map(|_| new()).collect();
    let all = join_all(news.iter().map(|new| world.runner(new))).await;
    assert_eq!(all.iter().filter(|(_, repeated)| !repeated).count(), 1);
}

async fn tokens_of_the_day_and_budgets_stand_in_the_way(world: World) {
    world.project("p").await;
    world.project("q").await;
    let store = &world.store;
    world.set("p", QuotaName::Tokens, Some(1000)).await;
    world
        .by_hand(
            "INSERT INTO usage_days (project_name, day, tokens) VALUES ('p', '2027-01-15', 999)",
        )
        .await;
    let first = launch(store, "p").await.unwrap();
    world.by_hand("UPDATE usage_days SET tokens = 1000").await;
    let failure = refused(launch(store, "p").await);
    assert_eq!(failure.reason, "QUOTA_EXCEEDED");
    assert_eq!(failure.message, "project p has used 1000 of 1000 tokens of this day (UTC)");
    world.set("p", QuotaName::Tokens, None).await;
    launch(store, "p").await.unwrap();

    let budget = |scope: &str, of: &str, used: u64, from: &str| {
        format!(
            "INSERT INTO token_budgets (scope, scope_id, limit_tokens, used_tokens, \
             period_granularity, period_start, period_end) VALUES ('{scope}', '{of}', 100, {used}, \
             'daily', '{from}T00:00:00.000000Z', '2027-01-16T00:00:00.000000Z')"
        )
    };
    world.by_hand(&budget("global", "", 99, "2027-01-15")).await;
    world.by_hand(&budget("project", "q", 100, "2027-01-14")).await;
    launch(store, "p").await.unwrap();
    let failure = refused(launch(store, "q").await);
    assert_eq!((failure.kind, failure.reason.as_str()), (FailureKind::Limit, "BUDGET_EXHAUSTED"));
    assert!(failure.message.contains("daily budget for project:q has 0 tokens left"), "{failure}");
    assert!(failure.message.ends_with("100 tokens of 100 tokens are used"), "{failure}");
    world.by_hand("DELETE FROM token_budgets WHERE scope = 'project'").await;
    launch(store, "q").await.unwrap();
    world.by_hand("UPDATE token_budgets SET used_tokens = 101").await;
    assert_eq!(refused(launch(store, "q").await).reason, "BUDGET_EXHAUSTED");
    // A period that is over, or has not begun, says nothing.
    world.by_hand("UPDATE token_budgets SET period_end = '2027-01-15T08:00:00.000000Z'").await;
    launch(store, "q").await.unwrap();
    world.by_hand(&budget("runner", "p-1", 100, "2027-01-15")).await;
    let ended = world.go(&first, RunnerStatus::Failed).await.unwrap();
    let failure = refused(again(store, &ended).await);
    assert_eq!(failure.reason, "BUDGET_EXHAUSTED");
    assert!(failure.hint.ends_with("its next period begins by itself"), "{}", failure.hint);
    world.by_hand("UPDATE token_budgets SET period_granularity = 'total'").await;
    let failure = refused(again(store, &ended).await);
    assert!(failure.hint.ends_with("budget reset begins it anew"), "{}", failure.hint);
    launch(store, "p").await.unwrap();
}

/// All clients of all daemons at once; returns how many were let in, and the stores' projects agree.
async fn race<F>(world: &World, stores: &[&Store], project: &str, admit: F) -> u64
where
    F: AsyncFn(&Store, &str) -> Result<Runner, StoreError>,
{
    world.project(project).await;
    world.set(project, QuotaName::Runners, Some(LIMIT)).await;
    let clients = stores.iter().flat_map(|store| (0..CLIENTS).map(move |_| *store));
    let outcomes = join_all(clients.map(|store| admit(store, project))).await;
    let wrong = |outcome: &&Result<Runner, StoreError>| match outcome {
        Ok(_) => false,
        Err(error) => {
            !matches!(error, StoreError::Refused(failure) if failure.reason == "QUOTA_EXCEEDED")
        }
    };
    assert!(!outcomes.iter().any(|outcome| wrong(&outcome)), "{outcomes:?}");
    let admitted = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
    assert_eq!(world.active(project).await, admitted, "what was told is what is there");
    admitted
}

/// Two further daemons on the same database.
async fn others(world: &World) -> Vec<Store> {
    let (a, b) = ("node-a", "node-b");
    let open = |node| world.database.open(world.dir.path(), node);
    vec![open(a).await.unwrap(), open(b).await.unwrap()]
}

/// On a file there is one daemon; its clients race all the same.
#[tokio::test(flavor = "multi_thread")]
async fn racing_clients_of_one_daemon_are_let_in_up_to_the_limit() {
    let world = embedded().await;
    for round in 0..rounds() {
        let stores = [&world.store, &world.store, &world.store];
        let admitted = race(&world, &stores, &format!("p{round}"), launch).await;
        assert_eq!(admitted, LIMIT, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_clients_of_three_daemons_are_let_in_up_to_the_limit() {
    let world = served().await;
    let others = others(&world).await;
    let stores = [&world.store, &others[0], &others[1]];
    for round in 0..rounds() {
        let project = format!("p{round}");
        let admitted = race(&world, &stores, &project, launch).await;
        assert_eq!(admitted, LIMIT, "round {round}");
        // Slots return, and are raced for again, by launches and by restarts.
        let live = world.store.runner_list(&project, "live", 0).await.unwrap();
        let ends = join_all(live.iter().zip(stores.iter().cycle()).map(|(runner, store)| {
            let event = event(EventType::RunnerFailed, "runner", &runner.id.to_string());
            store.runner_move(runner, RunnerStatus::Failed, RunnerChange::default(), event)
        }))
        .await;
        let ended: Vec<_> = ends.into_iter().collect::<Result<_, _>>().unwrap();
        assert_eq!(world.active(&project).await, 0);
        let restarts = join_all(
            ended.iter().zip(stores.iter().cycle()).map(|(runner, store)| again(store, runner)),
        );
        let launches =
            join_all(stores.iter().cycle().take(CLIENTS).map(|store| launch(store, &project)));
        let (restarts, launches) = tokio::join!(restarts, launches);
        let admitted = restarts.iter().chain(&launches).filter(|outcome| outcome.is_ok()).count();
        assert_eq!(admitted as u64, LIMIT, "round {round}");
    }
}

/// The mutant: it counts in the statement that waits for the lock, and so what there was before.
async fn launch_naively(store: &Store, project: &str) -> Result<Runner, StoreError> {
    const NAIVE: &str = "WITH locked AS (UPDATE projects SET last_runner = last_runner + 1, \
         updated_at = $2 WHERE name = $1 RETURNING name) \
         SELECT 'runners' AS what, q.project_name AS whose, (SELECT count(*) FROM runners \
         WHERE project_name = $1 AND status NOT IN ('terminated', 'failed')) AS used, \
         q.max_concurrent_runners AS most FROM resource_quotas AS q, locked \
         WHERE q.project_name = $1 AND q.max_concurrent_runners <= (SELECT count(*) FROM runners \
         WHERE project_name = $1 AND status NOT IN ('terminated', 'failed'))";
    let new = World::new_runner(project);
    let new = NewRunner { name: Some(format!("r-{}", new.id)), ..new };
    let event = event(EventType::RunnerStarting, "runner", &new.id.to_string());
    let naive = Query::new(NAIVE).bind(project).bind(at(1));
    let write = Write::causing(vec![event])
        .first_locking(project, naive, Expect::NoRow(quotas::refusal))
        .run(launches::insert(&new))
        .run(projects::recount(project, at(1)));
    store.write(write).await?;
    Ok(store.runner_get(new.id).await?.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn counting_while_waiting_for_the_lock_lets_too_many_in() {
    let world = served().await;
    let others = others(&world).await;
    let stores = [&world.store, &others[0], &others[1]];
    let mut most = 0;
    for round in 0..MOST_TRIES {
        if most > LIMIT {
            break;
        }
        most = race(&world, &stores, &format!("p{round}"), launch_naively).await;
    }
    assert!(most > LIMIT, "the race is not seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_stay_true_when_two_daemons_move_runners_of_one_project() {
    let world = served().await;
    let others = others(&world).await;
    let stores = [&world.store, &others[0]];
    let all = [&world.store, &others[0], &others[1]];
    for round in 0..rounds() {
        let project = format!("r{round}");
        world.project(&project).await;
        let mut runners = Vec::new();
        for _ in 0..3 {
            runners.push(launch(&world.store, &project).await.unwrap());
        }
        let moves = runners.iter().zip(all).map(|(runner, store)| {
            let event = event(EventType::RunnerFailed, "runner", &runner.id.to_string());
            store.runner_move(runner, RunnerStatus::Failed, RunnerChange::default(), event)
        });
        for moved in join_all(moves).await {
            moved.unwrap();
        }
        assert_eq!(world.active(&project).await, 0, "round {round}");
        // Two projects, taken in either order by each daemon: neither waits for the other for ever.
        let projects = [format!("p{round}"), format!("q{round}")];
        let mut runners = Vec::new();
        for project in &projects {
            world.project(project).await;
            for _ in 0..16 {
                runners.push(launch(&world.store, project).await.unwrap());
            }
        }
        let moves = runners.iter().enumerate().map(|(at, runner)| {
            let event = event(EventType::RunnerFailed, "runner", &runner.id.to_string());
            stores[at % 2].runner_move(runner, RunnerStatus::Failed, RunnerChange::default(), event)
        });
        let moves = join_all(moves.take(24));
        let moved = tokio::time::timeout(std::time::Duration::from_secs(5), moves).await.unwrap();
        for moved in moved {
            moved.unwrap();
        }
        assert_eq!(world.active(&projects[0]).await, 0, "round {round}");
        assert_eq!(world.active(&projects[1]).await, 8, "round {round}");
    }
}

/// The mutant: it counts in the statement that waits for the project's row. Each daemon moves one
/// runner: of several in one commit, the later ones would count again.
#[tokio::test(flavor = "multi_thread")]
async fn counting_while_waiting_leaves_a_stale_count() {
    let world = served().await;
    let others = others(&world).await;
    let stores = [&world.store, &others[0], &others[1]];
    let mut stale = false;
    for round in 0..MOST_TRIES {
        if stale {
            break;
        }
        let project = format!("p{round}");
        world.project(&project).await;
        let mut runners = Vec::new();
        for _ in 0..3 {
            runners.push(launch(&world.store, &project).await.unwrap());
        }
        let moves = runners.iter().zip(stores.iter().cycle()).map(|(runner, store)| {
            let end = Query::new("UPDATE runners SET status = 'failed' WHERE id = $1");
            let write = Write::default()
                .run(end.bind(runner.id.as_uuid()))
                .run(projects::recount(&project, at(1)));
            store.write(write)
        });
        for moved in join_all(moves).await {
            moved.unwrap();
        }
        stale = world.active(&project).await != 0;
    }
    assert!(stale, "the race is not seen");
}

on_both! {
    quotas_are_set_shown_and_cleared_each_with_its_event,
    limits_and_use_are_listed,
    a_full_project_takes_no_launch_and_no_restart_until_a_slot_returns,
    a_repeated_request_is_answered_also_when_the_project_is_full,
    tokens_of_the_day_and_budgets_stand_in_the_way,
}
