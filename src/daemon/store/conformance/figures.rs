//! What the metrics count is what there is.

use super::*;
use crate::daemon::store::RunnerCount;

async fn counts_are_of_what_there_is(world: World) {
    let store = &world.store;
    for project in ["p", "q"] {
        world.project(project).await;
    }
    assert!(store.runner_counts("node").await.unwrap().is_empty());
    let (first, _) = world.runner(&World::new_runner("p")).await;
    world.runner(&World::new_runner("p")).await;
    world.go(&first, RunnerStatus::Running).await.unwrap();
    let elsewhere = NewRunner { node_id: "other".into(), ..World::new_runner("q") };
    world.runner(&elsewhere).await;
    let mut counts = store.runner_counts("node").await.unwrap();
    counts.sort_by(|a, b| a.status.cmp(&b.status));
    let of = |status: &str| RunnerCount {
        project: "p".into(),
        status: status.into(),
        activity: status.into(),
        count: 1,
    };
    assert_eq!(counts, [of("running"), of("starting")], "another node's are its own to tell");

    world.database.execute("UPDATE projects SET total_tokens = 70 WHERE name = 'q'").await;
    let tokens = store.project_tokens().await.unwrap();
    assert_eq!(tokens, [("q".to_owned(), 70), ("p".to_owned(), 0)]);

    assert_eq!(store.session_count().await.unwrap(), 0);
    let sessions = "INSERT INTO sessions (id, project_name, started_at, created_at) VALUES \
                    ('s', 'p', '2027-01-15T08:00:00.000000Z', '2027-01-15T08:00:00.000000Z')";
    world.database.execute(sessions).await;
    assert_eq!(store.session_count().await.unwrap(), 1);

    assert!(store.inbox_counts(at(0)).await.unwrap().is_empty());
    assert!(store.notification_figures().await.unwrap().is_empty());
    let told = "INSERT INTO notifications (channel, event_id, dedup_key, payload, state, created_at, due_at) \
                SELECT 'ntfy', id, name, '{}', CASE WHEN node_id = 'other' THEN 'parked' ELSE 'waiting' END, \
                created_at, created_at FROM runners";
    world.database.execute(told).await;
    let mut figures = store.notification_figures().await.unwrap();
    figures.sort_by(|a, b| a.state.cmp(&b.state));
    let shown: Vec<_> =
        figures.iter().map(|one| (&*one.channel, &*one.state, one.count, one.oldest)).collect();
    assert_eq!(shown, [("ntfy", "parked", 1, Some(at(1))), ("ntfy", "waiting", 2, Some(at(1)))]);
}

async fn open_items_are_counted_by_reason(world: World) {
    world.project("p").await;
    world.runner(&World::new_runner("p")).await;
    let items = "INSERT INTO inbox (id, cause, class, reason, state, runner_id, asked_at, opened_at, updated_at) \
                 SELECT id, 'a', 'ask', 'permission', 'open', id, created_at, created_at, created_at FROM runners";
    world.database.execute(items).await;
    let counts = world.store.inbox_counts(at(0)).await.unwrap();
    assert_eq!(counts, [("permission".to_owned(), 1)]);
    world.database.execute("UPDATE inbox SET state = 'snoozed', snoozed_until = asked_at").await;
    assert!(world.store.inbox_counts(at(0)).await.unwrap().is_empty(), "it is put off");
    assert_eq!(world.store.inbox_counts(at(1)).await.unwrap().len(), 1, "until then");
    world.database.execute("UPDATE inbox SET state = 'resolved'").await;
    assert!(world.store.inbox_counts(at(1)).await.unwrap().is_empty());
}

on_both!(counts_are_of_what_there_is, open_items_are_counted_by_reason);
