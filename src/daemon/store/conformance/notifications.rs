//! What people outside are told: taken in once, kept until it is taken, in order.

use super::*;
use crate::{
    daemon::store::{NewDelivery, Settled},
    domain::notification::{Delivery, DeliveryState, Notification, Severity},
};

fn told(key: &str) -> Notification {
    Notification {
        event_id: Uuid::now_v7(),
        position: 1,
        event_type: "runner.failed".into(),
        at: at(0),
        severity: Severity::Warning,
        emoji: "❌".into(),
        title: "t".into(),
        body: "with\0nothing".into(),
        project: "p".into(),
        runner: "p-1".into(),
        runner_id: String::new(),
        while_since: None,
        asks: None,
        key: key.into(),
        channels: vec!["a".into()],
        not_by: String::new(),
        trace_id: String::new(),
    }
}

fn new(channel: &str, key: &str, due: Result<i64, &str>) -> NewDelivery {
    let due = due.map(at).map_err(str::to_owned);
    NewDelivery { channel: channel.into(), due, notification: told(key) }
}

fn settled(state: DeliveryState) -> Settled {
    Settled { state, was_tried: true, due_at: None, error: None, reference: None }
}

fn ids(all: &[Delivery]) -> Vec<&str> {
    all.iter().map(|delivery| delivery.notification.key.as_str()).collect()
}

async fn a_part_of_the_log_is_taken_in_once(world: World) {
    let store = &world.store;
    assert_eq!(store.cursor_begin("n", 7, at(0)).await.unwrap(), 7);
    assert_eq!(store.cursor_begin("n", 9, at(0)).await.unwrap(), 7);
    let news = || vec![new("a", "one", Ok(5)), new("a", "two", Ok(3)), new("b", "one", Err("why"))];
    store.notification_take_in("n", (7, 20), news(), at(1)).await.unwrap();
    // Another daemon that believes to be the one has read the same part.
    let second = store.notification_take_in("n", (7, 20), news(), at(1)).await.unwrap_err();
    assert_eq!(reason(&second), "CURSOR_MOVED");
    assert_eq!(store.notification_list(None, 50).await.unwrap().len(), 3);
    store.cursor_move("n", (20, 21), at(2)).await.unwrap();
    assert_eq!(reason(&store.cursor_move("n", (20, 21), at(2)).await.unwrap_err()), "CURSOR_MOVED");
    assert_eq!(store.cursor_begin("n", 0, at(0)).await.unwrap(), 21);
    // One event is told once on each channel.
    let one = told("same");
    let twice = vec![
        NewDelivery { channel: "c".into(), due: Ok(at(0)), notification: one.clone() },
        NewDelivery { channel: "c".into(), due: Ok(at(0)), notification: one },
    ];
    store.notification_take_in("n", (21, 22), twice, at(3)).await.unwrap();
    assert_eq!(store.notification_counts("c").await.unwrap().waiting, 1);
    assert_eq!(store.event_before(at(-1000)).await.unwrap(), 0);
}

async fn what_is_due_is_sent_and_settled(world: World) {
    let store = &world.store;
    store.cursor_begin("n", 0, at(0)).await.unwrap();
    let news = vec![
        new("a", "late", Ok(100)),
        new("a", "first", Ok(1)),
        new("a", "second", Ok(1)),
        new("a", "never", Err("quiet")),
        new("b", "other", Ok(0)),
    ];
    store.notification_take_in("n", (0, 5), news, at(0)).await.unwrap();
    let due = store.notification_due("a", at(1), 10).await.unwrap();
    assert_eq!(ids(&due), ["first", "second"]);
    assert_eq!(store.notification_next("a").await.unwrap(), Some(at(1)));
    assert_eq!(store.notification_last("a", "first", at(0)).await.unwrap(), Some(at(0)));
    assert_eq!(store.notification_last("a", "first", at(-1)).await.unwrap(), None);
    assert_eq!(store.notification_last("a", "never", at(0)).await.unwrap(), None);
    let sent = Settled { reference: Some("77".into()), ..settled(DeliveryState::Sent) };
    store.notification_settle(&[due[0].id], &sent, at(2), None).await.unwrap();
    let found = store.notification_of("a", "77").await.unwrap().unwrap();
    assert_eq!((found.attempts, found.settled_at), (1, Some(at(2))));
    let later = Settled {
        due_at: Some(at(50)),
        error: Some("away".into()),
        ..settled(DeliveryState::Waiting)
    };
    store.notification_settle(&[due[1].id], &later, at(2), None).await.unwrap();
    assert_eq!(store.notification_next("a").await.unwrap(), Some(at(50)));
    // By a clock that was an hour ahead, and is right again at 40.
    assert!(store.notification_due("a", at(40), 10).await.unwrap().is_empty());
    let ahead = Settled { due_at: Some(at(3608)), ..later.clone() };
    store.notification_settle(&[due[1].id], &ahead, at(3600), None).await.unwrap();
    assert_eq!(ids(&store.notification_due("a", at(40), 10).await.unwrap()), ["second"]);
    let alert = event(EventType::SystemAlert, "daemon", "node");
    let parked = settled(DeliveryState::Parked);
    store.notification_settle(&[due[1].id], &parked, at(3), Some(alert)).await.unwrap();
    let counts = store.notification_counts("a").await.unwrap();
    assert_eq!((counts.waiting, counts.parked, counts.oldest), (1, 1, Some(at(0))));
    // What is settled is not settled again by a sender that was slow.
    store.notification_settle(&[due[0].id], &later, at(9), None).await.unwrap();
    assert_eq!(store.notification_list(Some(DeliveryState::Sent), 9).await.unwrap().len(), 1);
    let caused = || event(EventType::NotificationRetried, "daemon", "node");
    assert_eq!(store.notification_retry(None, at(4), caused()).await.unwrap(), 1);
    let none = store.notification_retry(Some(due[0].id), at(4), caused()).await.unwrap_err();
    assert_eq!(reason(&none), "NOTIFICATION_NOT_FOUND");
    assert_eq!(ids(&store.notification_due("a", at(4), 10).await.unwrap()), ["second"]);
    // What a channel at rest has not taken is due too; what was never tried waits for its time.
    store.notification_settle(&[due[1].id], &later, at(4), None).await.unwrap();
    assert!(store.notification_due("a", at(4), 10).await.unwrap().is_empty());
    assert_eq!(store.notification_retry(None, at(4), caused()).await.unwrap(), 1);
    assert_eq!(ids(&store.notification_due("a", at(4), 10).await.unwrap()), ["second"]);
    // One that waits is due when it is decided anew, or at once when somebody says so.
    let waiting = store.notification_list(Some(DeliveryState::Waiting), 9).await.unwrap();
    let late = waiting.iter().find(|it| it.notification.key == "late").unwrap().id;
    store.notification_put_off(&[(late, at(90)), (due[0].id, at(90))]).await.unwrap();
    assert_eq!(ids(&store.notification_due("a", at(90), 10).await.unwrap()), ["second", "late"]);
    assert_eq!(store.notification_retry(Some(late), at(4), caused()).await.unwrap(), 1);
    assert_eq!(ids(&store.notification_due("a", at(4), 10).await.unwrap()), ["late", "second"]);
    assert_eq!(store.notification_discard(Some(due[1].id), at(5), caused()).await.unwrap(), 1);
    assert_eq!(store.notification_discard(None, at(5), caused()).await.unwrap(), 2);
    assert_eq!(store.notification_prune(at(4), 100).await.unwrap(), 2);
    assert_eq!(store.notification_list(None, 50).await.unwrap().len(), 3);
}

async fn what_was_pushed_of_a_runner_is_found_until_it_is_over(world: World) {
    let store = &world.store;
    store.cursor_begin("n", 0, at(0)).await.unwrap();
    let (one, other) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let key = |id: &str| format!("runner.activity/{id}/blocked");
    let news = vec![
        new("a", &key(&one), Ok(1)),
        new("a", &key(&other), Ok(1)),
        new("b", &key(&one), Ok(1)),
        new("a", "runner.failed", Ok(1)),
    ];
    store.notification_take_in("n", (0, 4), news, at(0)).await.unwrap();
    let id: RunnerId = one.parse().unwrap();
    assert!(store.notification_pushed("a", id, at(-1), 9).await.unwrap().is_empty());
    let due = store.notification_due("a", at(1), 9).await.unwrap();
    let sent = Settled { reference: Some("7".into()), ..settled(DeliveryState::Sent) };
    let all: Vec<_> = due.iter().map(|delivery| delivery.id).collect();
    store.notification_settle(&all, &sent, at(2), None).await.unwrap();
    let pushed = store.notification_pushed("a", id, at(-1), 9).await.unwrap();
    assert_eq!(ids(&pushed), [key(&one)]);
    assert!(store.notification_pushed("a", id, at(1), 9).await.unwrap().is_empty());
    store.notification_end(pushed[0].id, "answered by me: yes").await.unwrap();
    assert!(store.notification_pushed("a", id, at(-1), 9).await.unwrap().is_empty());
    let listed = store.notification_list(Some(DeliveryState::Sent), 9).await.unwrap();
    let ended: Vec<_> = listed.iter().filter_map(|delivery| delivery.error.as_deref()).collect();
    assert_eq!(ended, ["answered by me: yes"]);
}

on_both!(
    a_part_of_the_log_is_taken_in_once,
    what_is_due_is_sent_and_settled,
    what_was_pushed_of_a_runner_is_found_until_it_is_over
);
