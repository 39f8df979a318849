//! How long events are kept: what goes, what never does, and where the chain begins afterwards.

use super::*;
use crate::{
    daemon::store::{KEPT, Keep, query::Query},
    domain::chain::{Key, KeyRef, canonical, from_hex, to_hex},
};

fn pruned() -> NewEvent {
    event(EventType::EventsPruned, "daemon", "node")
}

impl World {
    /// Appends so many events, which happened at this second.
    async fn fill(&self, count: usize, second: i64) {
        let one = |_| NewEvent { at: at(second), ..event(EventType::DaemonStarted, "daemon", "n") };
        self.store.event_append((0..count).map(one).collect()).await.unwrap();
    }

    /// Says that everything queued is delivered, up to an entry.
    async fn deliver(&self, up_to: u64) {
        loop {
            let queued = self.store.outbox_list(false, 1000).await.unwrap();
            let ids: Vec<_> = queued.iter().map(|entry| entry.id).collect();
            let ids: Vec<_> =
                ids.into_iter().filter(|id| u64::try_from(*id).unwrap() <= up_to).collect();
            if ids.is_empty() {
                return;
            }
            self.store.outbox_deliver(&ids).await.unwrap();
        }
    }

    /// The positions of the oldest and the newest event, and how many there are.
    async fn extent(&self) -> (u64, u64, u64) {
        let query = Query::new(
            "SELECT min(position) AS first, max(position) AS last, count(*) AS n FROM events",
        );
        let rows = self.store.fetch(query).await.unwrap();
        let of = |column| rows[0].count(column).unwrap();
        (of("first"), of("last"), of("n"))
    }

    async fn seal_of(&self, position: i64) -> (String, String, String) {
        let query = Query::new("SELECT seal, sealed_by, signature FROM events WHERE position = $1");
        let rows = self.store.fetch(query.bind(position)).await.unwrap();
        let of = |column| rows[0].text(column).unwrap();
        (of("seal"), of("sealed_by"), of("signature"))
    }
}

async fn what_is_too_much_goes_and_the_chain_begins_with_a_seal(world: World) {
    world.fill(2500, 0).await;
    world.deliver(u64::MAX).await;
    let keep = Keep { since: None, rows: 1200 };
    let (seal, ..) = world.seal_of(1000).await;
    assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 1000);
    let told = world.store.event_get("2501").await.unwrap().unwrap();
    assert_eq!(told.event_type, "events.pruned");
    assert_eq!(told.data, serde_json::json!({ "up_to": 1000, "seal": seal, "events": 1000 }));
    world.deliver(u64::MAX).await;
    assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 301);
    assert_eq!(world.extent().await, (1302, 2502, 1201));
    // One is too many again, which is no reason to begin anew.
    world.deliver(u64::MAX).await;
    assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 0);

    // What is left can be checked from the seal that was told.
    let told = world.store.event_get("2502").await.unwrap().unwrap();
    let before = from_hex(told.data["seal"].as_str().unwrap()).unwrap();
    assert_eq!(told.data["up_to"], 1301);
    let next = world.store.event_get("1302").await.unwrap().unwrap();
    let (seal, by, signature) = world.seal_of(1302).await;
    let first = world.dir.path().join("node").join("audit.verify");
    let first = Key::parse(&std::fs::read_to_string(first).unwrap()).unwrap();
    let epoch = KeyRef::parse(&by).unwrap().epoch;
    let key = (0..epoch).fold(first, |key, _| key.next());
    assert_eq!(to_hex(&key.seal(&before, 1302, &signature, &canonical(&next))), seal);
}

async fn the_old_goes_and_the_newest_never(world: World) {
    world.fill(300, 0).await;
    world.fill(900, 100).await;
    world.deliver(u64::MAX).await;
    let nothing = Keep { since: Some(at(0)), rows: 0 };
    assert_eq!(world.store.event_prune(nothing, pruned()).await.unwrap(), 0);
    let keep = Keep { since: Some(at(50)), rows: 0 };
    // 1200 events, of which the newest 1000 stay.
    assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 200);
    assert_eq!(world.extent().await, (201, 1201, KEPT + 1));
    let all = Keep { since: Some(at(9999)), rows: 1 };
    world.deliver(u64::MAX).await;
    assert_eq!(world.store.event_prune(all, pruned()).await.unwrap(), 1);
    assert_eq!(world.extent().await, (202, 1202, KEPT + 1));
    world.fill(1000, 100).await;
    world.deliver(u64::MAX).await;
    assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 99);
    assert_eq!(world.extent().await.0, 301, "those from after that time are kept");
}

async fn what_is_not_published_stays_and_all_that_follows(world: World) {
    world.fill(3000, 0).await;
    let keep = Keep { since: Some(at(9999)), rows: 1000 };
    assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 0);
    world.deliver(500).await;
    let parked = world.store.outbox_list(false, 1).await.unwrap().remove(0);
    world.store.outbox_refused(parked.id, "unroutable", None, at(1)).await.unwrap();
    let rest = world.store.outbox_list(false, 1000).await.unwrap();
    let rest: Vec<_> = rest.iter().map(|entry| entry.id).filter(|id| *id != parked.id).collect();
    world.store.outbox_deliver(&rest).await.unwrap();
    assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 500);
    assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 0);
    assert_eq!(world.extent().await.0, 501);
    let caused = event(EventType::OutboxDiscarded, "daemon", "node");
    world.store.outbox_discard(parked.event_id, caused).await.unwrap();
    assert!(world.store.event_prune(keep, pruned()).await.unwrap() > 900);
}

async fn what_nobody_will_publish_is_given_up_and_holds_nothing_back(world: World) {
    world.fill(1500, 0).await;
    world.deliver(10).await;
    let keep = Keep { since: Some(at(9999)), rows: 0 };
    assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 10);
    let caused = event(EventType::OutboxDiscarded, "daemon", "node");
    let waiting = world.store.outbox_counts().await.unwrap().waiting;
    let first = world.store.outbox_discard_some(Some(caused), 1000).await.unwrap();
    assert_eq!(first, 1000);
    // With the event that tells of it, and that of the first removal.
    let rest = world.store.outbox_discard_some(None, 10_000).await.unwrap();
    assert_eq!(
        (first + rest, world.store.outbox_counts().await.unwrap().waiting),
        (waiting + 1, 0)
    );
    assert_eq!(world.store.outbox_discard_some(None, 1000).await.unwrap(), 0);
    assert!(world.store.event_prune(keep, pruned()).await.unwrap() > 400);
}

async fn a_gap_of_somebody_else_stays_to_be_seen(world: World) {
    world.fill(1500, 0).await;
    world.deliver(u64::MAX).await;
    let gap = Query::new("DELETE FROM events WHERE position = 11");
    world.store.write(super::super::Write::default().run(gap)).await.unwrap();
    let keep = Keep { since: Some(at(9999)), rows: 0 };
    assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 9);
    world.deliver(u64::MAX).await;
    assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 0);
    assert_eq!(world.extent().await.0, 10);
}

async fn only_who_keeps_the_log_removes(world: World) {
    world.fill(1500, 0).await;
    world.deliver(u64::MAX).await;
    let keep = Keep { since: Some(at(9999)), rows: 0 };
    if world.store.is_shared() {
        let other = world.database.open(world.dir.path(), "other").await.unwrap();
        assert!(!other.keeps_log());
        assert_eq!(other.event_prune(keep, pruned()).await.unwrap(), 0);
        // The lease has gone to the other one, and the first does not know it yet.
        world.store.lease_release(&["sealer".into()], "node").await.unwrap();
        lead(&other, "other").await;
        assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 0);
        assert_eq!(other.event_prune(keep, pruned()).await.unwrap(), 500);
        other.close().await;
    } else {
        assert!(world.store.keeps_log());
        assert_eq!(world.store.event_prune(keep, pruned()).await.unwrap(), 500);
    }
    assert_eq!(world.extent().await, (501, 1501, 1001));
}

on_both! {
    what_is_too_much_goes_and_the_chain_begins_with_a_seal,
    the_old_goes_and_the_newest_never,
    what_is_not_published_stays_and_all_that_follows,
    what_nobody_will_publish_is_given_up_and_holds_nothing_back,
    a_gap_of_somebody_else_stays_to_be_seen,
    only_who_keeps_the_log_removes,
}
