//! The event log, the queue to the broker, nodes and leases, the schema.

use super::*;

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
fn waiting(entries: &[QueuedEvent]) -> Vec<&str> {
    entries.iter().map(|entry| entry.event_type.as_str()).collect()
}

async fn what_happened_is_queued_in_its_order_and_leaves_when_confirmed(world: World) {
    const ALL: u64 = (1 << PARTITIONS) - 1;
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    world.go(&runner, RunnerStatus::Running).await.unwrap();
    let store = &world.store;
    let all = store.outbox_next(0, ALL, 99, 10).await.unwrap();
    assert_eq!(waiting(&all), ["project.created", "runner.starting", "runner.started"]);
    assert_eq!(all[1].routing_key, "runner.starting.p");
    let body: serde_json::Value = serde_json::from_slice(&all[1].payload).unwrap();
    assert_eq!(body["runner"], "p-1");
    assert_eq!(*all[2].aggregate, ("runner".to_owned(), runner.id.to_string()));
    let mine = partition_of("runner", &runner.id.to_string());
    let lane = store.outbox_lane(&all[2].aggregate, 0, 99, 10).await.unwrap();
    assert_eq!(waiting(&lane), ["runner.starting", "runner.started"]);
    assert_eq!(store.outbox_next(0, ALL, 2, 10).await.unwrap().len(), 2);
    let rest = store.outbox_next(0, ALL & !(1 << mine), 99, 10).await.unwrap();
    assert!(!waiting(&rest).contains(&"runner.started"));

    store.outbox_deliver(&[all[0].id, all[1].id]).await.unwrap();
    store.outbox_refused(all[2].id, "unroutable", Some(at(20)), at(10)).await.unwrap();
    let left = store.outbox_next(0, ALL, 99, 10).await.unwrap();
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
    // What somebody marks by hand does not wait any more, and goes in its time.
    world
        .database
        .execute(
            "UPDATE outbox SET delivered = TRUE, delivered_at = '2027-01-15T08:00:09.000000Z' \
             WHERE event_type = 'daemon.started'",
        )
        .await;
    assert_eq!(store.outbox_counts().await.unwrap().waiting, 0);
    assert!(!store.outbox_has_delivered(at(9)).await.unwrap());
    assert_eq!(store.outbox_prune(at(9), 10).await.unwrap(), 0);
    assert!(store.outbox_has_delivered(at(10)).await.unwrap());
    assert_eq!(store.outbox_prune(at(10), 10).await.unwrap(), 2);
}

async fn without_a_broker_nothing_is_queued_and_everything_is_written(world: World) {
    if world.store.is_shared() {
        world.store.lease_release(&["sealer".into()], "node").await.unwrap();
    }
    world.store.close().await;
    let store = world.database.open(world.dir.path(), "quiet").await.unwrap();
    lead(&store, "quiet").await;
    let before = store.event_newest().await.unwrap();
    for _ in 0..3 {
        let news = (0..2).map(|_| event(EventType::DaemonStarted, "daemon", "quiet"));
        store.event_append(news.collect()).await.unwrap();
    }
    assert_eq!(store.event_newest().await.unwrap(), before + 6);
    assert_eq!(store.outbox_counts().await.unwrap().waiting, 0);
    store.close().await;
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

/// Events of a daemon that may not seal wait for the one that may, however many they are.
async fn what_others_commit_is_sealed_in_the_order_of_each_entity(world: World) {
    if !world.store.is_shared() {
        return;
    }
    let other = world.database.open(world.dir.path(), "other").await.unwrap();
    world.store.seal_with(None);
    for _ in 0..9 {
        let news = (0..500).map(|n| event(EventType::DaemonStarted, "daemon", &format!("{n}")));
        other.event_append(news.collect()).await.unwrap();
    }
    assert_eq!(other.event_newest().await.unwrap(), 0);
    lead(&world.store, "node").await;
    let mut seen = std::collections::BTreeMap::new();
    let mut position = 0;
    let mut doorbell = world.store.doorbell();
    while position < 4500 {
        let batch = world.store.event_after(position, 1000).await.unwrap();
        if batch.is_empty() {
            let rung = doorbell.wait_for(|newest| *newest > position);
            tokio::time::timeout(std::time::Duration::from_secs(20), rung).await.unwrap().unwrap();
        }
        for event in batch {
            position += 1;
            assert_eq!(event.position, position);
            let sequence = seen.entry(event.entity_id).or_insert(0);
            *sequence += 1;
            assert_eq!(event.sequence, *sequence);
        }
        if position < 4500 {
            // What this daemon writes meanwhile waits behind what it follows.
            let news = vec![event(EventType::DaemonStarted, "daemon", "499")];
            world.store.event_append(news).await.unwrap();
        }
    }
    other.close().await;
}

async fn runners_that_other_nodes_wrote_about_are_found(world: World) {
    let ids: Vec<_> = (0..3).map(|_| RunnerId::random()).collect();
    let news = ids.iter().map(|id| event(EventType::RunnerStarted, "runner", &id.to_string()));
    world.store.event_append(news.collect()).await.unwrap();
    let project = event(EventType::ProjectCreated, "project", "p");
    world.store.event_append(vec![project]).await.unwrap();
    let found = async |range, own, most| {
        let found = world.store.event_runners_of_others(range, own, most).await.unwrap();
        found.map(|found| ids.iter().map(|id| found.contains(id)).collect::<Vec<_>>())
    };
    assert_eq!(found((0, 4), "node", 9).await, Some(vec![false; 3]));
    assert_eq!(found((0, 4), "another", 9).await, Some(vec![true; 3]));
    assert_eq!(found((1, 2), "another", 9).await, Some(vec![false, true, false]));
    assert_eq!(found((0, 4), "another", 2).await, None);
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
    assert!(node.is_reachable(), "{node:?}");
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
    database.execute("UPDATE _sqlx_migrations SET version = 9997 + version").await;
    let error = database.open(dir.path(), "node").await.unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found, known, .. } if found == 9997 + known),
        "{error}"
    );
}

on_both! {
    events_are_filtered_and_followed,
    what_happened_is_queued_in_its_order_and_leaves_when_confirmed,
    without_a_broker_nothing_is_queued_and_everything_is_written,
    the_log_is_a_chain_and_keys_change,
    what_others_commit_is_sealed_in_the_order_of_each_entity,
    runners_that_other_nodes_wrote_about_are_found,
    leases_have_one_holder_and_an_epoch,
    a_node_that_starts_again_supersedes_itself,
    what_one_database_cannot_keep_neither_keeps,
    what_was_answered_is_there_after_reopening,
    newer_schemas_are_refused,
}
