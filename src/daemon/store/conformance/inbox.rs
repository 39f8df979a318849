//! The attention inbox: opened, refined, resolved with the change that causes it, and told each time.

use super::*;
use crate::{
    daemon::store::{ItemAct, ItemFilter},
    domain::{
        evidence::Evidence,
        inbox::{Class, Item, ItemState, Reason, after_activity},
    },
};

fn asks(message: &str, second: i64) -> Activity {
    Activity {
        state: ActivityState::Blocked,
        kind: Some("permission".into()),
        message: Some(message.into()),
        source: ActivitySource::Osc7501,
        since: Some(at(second)),
    }
}

impl World {
    /// A runner that runs.
    async fn running(&self) -> Runner {
        let (one, _) = self.runner(&World::new_runner("p")).await;
        self.go(&one, RunnerStatus::Running).await.unwrap()
    }

    async fn does(&self, runner: &Runner, activity: Activity) -> Runner {
        let items = after_activity(runner, &activity, false);
        let told = event(EventType::RunnerActivity, "runner", &runner.id.to_string());
        let told = Some(NewEvent { runner: runner.name.clone(), ..told });
        let (evidence, now) = (Evidence::default(), at(50));
        let set =
            self.store.runner_set_activity(runner, (&activity, ""), &evidence, (told, &items), now);
        set.await.unwrap()
    }

    async fn open(&self) -> Vec<Item> {
        self.store.inbox_list(&ItemFilter::default(), at(60)).await.unwrap()
    }

    /// What was told of items, the newest last: type, state and message of each.
    async fn told(&self) -> Vec<(String, String, String)> {
        let filter = EventFilter { event_type: "inbox.".into(), ..EventFilter::default() };
        let events = self.store.event_list(&filter, 100).await.unwrap();
        let word = |event: &crate::domain::event::Event, key: &str| {
            event.data[key].as_str().unwrap_or_default().to_owned()
        };
        events
            .iter()
            .map(|event| {
                assert_eq!((event.project.as_str(), event.runner.as_str()), ("p", "p-1"));
                assert_eq!(event.entity_type, "runner");
                (event.event_type.clone(), word(event, "state"), word(event, "message"))
            })
            .collect()
    }
}

fn told(event: &str, state: &str, message: &str) -> (String, String, String) {
    (event.to_owned(), state.to_owned(), message.to_owned())
}

async fn a_question_is_an_item_until_the_agent_goes_on(world: World) {
    world.project("p").await;
    let one = world.running().await;
    let one = world.does(&one, asks("Bash(a)", 1)).await;
    let [item] = world.open().await.try_into().unwrap();
    assert_eq!((item.class, item.reason, item.asked_at), (Class::Ask, Reason::Permission, at(1)));
    assert_eq!((item.runner.as_str(), item.message.as_str()), ("p-1", "Bash(a)"));
    // Another question is another item, and what is told twice is told once.
    let one = world.does(&one, asks("Bash(b)", 2)).await;
    let one = world.does(&one, asks("Bash(b)", 2)).await;
    let [other] = world.open().await.try_into().unwrap();
    assert_ne!(other.id, item.id);
    let idle = Activity { state: ActivityState::Idle, ..asks("", 3) };
    world.does(&one, idle).await;
    assert_eq!(world.open().await, []);
    let expected = [
        told("inbox.opened", "open", "Bash(a)"),
        told("inbox.closed", "resolved", "Bash(a)"),
        told("inbox.opened", "open", "Bash(b)"),
        told("inbox.closed", "resolved", "Bash(b)"),
    ];
    assert_eq!(world.told().await, expected);
}

async fn an_answer_is_written_down_whoever_resolves_it_first(world: World) {
    world.project("p").await;
    let one = world.running().await;
    let one = world.does(&one, asks("a", 1)).await;
    let [item] = world.open().await.try_into().unwrap();
    world.store.inbox_claim(item.id, "yes", "me").await.unwrap();
    // The agent goes on before whoever answers comes to write it down.
    let working = Activity { state: ActivityState::Working, ..asks("", 2) };
    let one = world.does(&one, working).await;
    let after = event(EventType::InboxClosed, "daemon", "node");
    let act = ItemAct::Answered("yes".into());
    let acted = world.store.inbox_act(&[item.id], &act, "me", &after).await.unwrap();
    assert_eq!((acted[0].state, acted[0].closed_by.as_str()), (ItemState::Answered, "me"));
    assert_eq!(world.told().await.len(), 2, "opened and closed, each once");
    // One that is taken back is answered by nobody.
    world.does(&one, asks("b", 3)).await;
    let [item] = world.open().await.try_into().unwrap();
    world.store.inbox_claim(item.id, "yes", "me").await.unwrap();
    world.store.inbox_claim(item.id, "", "").await.unwrap();
    let one = world.store.runner_get(one.id).await.unwrap().unwrap();
    world.go(&one, RunnerStatus::Terminated).await.unwrap();
    let item = world.store.inbox_get(item.id).await.unwrap().unwrap();
    assert_eq!((item.state, item.closed_by.as_str()), (ItemState::Resolved, ""));
    assert_eq!(item.resolution, "the runner ended");
}

async fn an_answer_that_was_not_taken_opens_the_item_again(world: World) {
    world.project("p").await;
    let one = world.running().await;
    let one = world.does(&one, asks("a", 1)).await;
    let [item] = world.open().await.try_into().unwrap();
    let after = event(EventType::InboxClosed, "daemon", "node");
    let reopen =
        async || world.store.inbox_act(&[item.id], &ItemAct::Reopened, "", &after).await.unwrap();
    assert_eq!(reopen().await.len(), 1, "it is open, and stays so");
    let act = ItemAct::Answered("yes".into());
    world.store.inbox_act(&[item.id], &act, "me", &after).await.unwrap();
    assert_eq!(world.open().await, []);
    reopen().await;
    let [again] = world.open().await.try_into().unwrap();
    assert_eq!((again.id, again.answer.as_str(), again.closed_at), (item.id, "", None));
    let working = Activity { state: ActivityState::Working, ..asks("", 2) };
    world.does(&one, working).await;
    assert_eq!(reopen().await, [], "its cause is gone");
}

async fn a_failure_stays_until_it_is_started_again_and_a_turn_until_it_is_seen(world: World) {
    world.project("p").await;
    let one = world.running().await;
    let done = Activity { state: ActivityState::Done, kind: None, ..asks("", 4) };
    let one = world.does(&one, done).await;
    let after = event(EventType::InboxClosed, "daemon", "node");
    // A look at an earlier turn is none at this one.
    world.store.inbox_seen(&[(one.id, at(3))], &after).await.unwrap();
    assert_eq!(world.open().await.len(), 1);
    world.store.inbox_seen(&[(one.id, at(4))], &after).await.unwrap();
    assert_eq!(world.open().await, []);
    let change = RunnerChange { reason: Some("exit code 3".into()), ..RunnerChange::default() };
    let told = event(EventType::RunnerFailed, "runner", &one.id.to_string());
    let ended = world.store.runner_move(&one, RunnerStatus::Failed, change, told).await.unwrap();
    let [item] = world.open().await.try_into().unwrap();
    assert_eq!((item.reason, item.message.as_str()), (Reason::Failed, "exit code 3"));
    let again = RunnerChange { next_run: Some(0), ..RunnerChange::default() };
    let told = event(EventType::RunnerStarting, "runner", &one.id.to_string());
    world.store.runner_move(&ended, RunnerStatus::Starting, again, told).await.unwrap();
    assert_eq!(world.open().await, []);
}

async fn what_is_put_off_comes_back(world: World) {
    world.project("p").await;
    let one = world.running().await;
    world.does(&one, asks("a", 1)).await;
    let [item] = world.open().await.try_into().unwrap();
    let after =
        |second| NewEvent { at: at(second), ..event(EventType::InboxClosed, "daemon", "node") };
    let until = at(100);
    let act = ItemAct::SnoozedUntil(until);
    world.store.inbox_act(&[item.id], &act, "me", &after(60)).await.unwrap();
    assert_eq!(world.open().await, []);
    assert_eq!(world.store.inbox_wake(&after(99)).await.unwrap(), Some(until));
    assert_eq!(world.store.inbox_wake(&after(100)).await.unwrap(), None);
    let [again] = world.open().await.try_into().unwrap();
    assert_eq!((again.id, again.state), (item.id, ItemState::Open));
    world.store.inbox_act(&[item.id], &ItemAct::Dismissed, "me", &after(101)).await.unwrap();
    assert_eq!(world.open().await, []);
    world.store.inbox_prune(at(102)).await.unwrap();
    assert_eq!(world.store.inbox_get(item.id).await.unwrap(), None);
}

async fn items_are_found_by_runner_and_by_the_beginning_of_their_id(world: World) {
    world.project("p").await;
    let one = world.running().await;
    world.does(&one, asks("a", 1)).await;
    let [item] = world.open().await.try_into().unwrap();
    for word in ["p-1", &item.short(), &item.id.to_string()] {
        let found = world.store.inbox_find(word).await.unwrap();
        assert_eq!(found.first().map(|item| item.id), Some(item.id), "{word}");
    }
    for word in ["", "-", "%", "p-2", "zzz"] {
        assert_eq!(world.store.inbox_find(word).await.unwrap(), [], "{word}");
    }
    let lines = ["one".to_owned(), "two".to_owned()];
    world.store.inbox_lines(item.id, &lines).await.unwrap();
    assert_eq!(world.open().await[0].lines, lines);
}

async fn an_alert_is_told_once_while_it_is_open(world: World) {
    let alert = || NewEvent {
        data: serde_json::json!({ "severity": "critical", "message": "the disk is full" }),
        project: String::new(),
        ..event(EventType::SystemAlert, "daemon", "node")
    };
    world.store.event_append(vec![alert()]).await.unwrap();
    world.store.event_append(vec![alert()]).await.unwrap();
    let [item] = world.open().await.try_into().unwrap();
    assert_eq!((item.reason, item.message.as_str()), (Reason::Alert, "the disk is full"));
    assert_eq!(item.node_id, "node");

    // That it is over is told by its component, on its node.
    let over = |component: &str, node: &str| NewEvent {
        data: serde_json::json!({ "component": component, "message": "it is well", "ends": true }),
        ..NewEvent { project: String::new(), ..event(EventType::SystemAlert, "daemon", node) }
    };
    let data = serde_json::json!({ "component": "storage", "message": "it is away" });
    world.store.event_append(vec![NewEvent { data, ..alert() }]).await.unwrap();
    world.store.event_append(vec![over("storage", "other"), over("stor", "node")]).await.unwrap();
    assert_eq!(world.open().await.len(), 2);
    for (component, node, stands) in
        [("storage", "node", true), ("storage", "other", false), ("stor", "node", false)]
    {
        assert_eq!(world.store.alert_stands(component, node).await.unwrap(), stands);
    }
    world.store.event_append(vec![over("storage", "node")]).await.unwrap();
    assert_eq!(world.open().await, [item]);
    assert!(!world.store.alert_stands("storage", "node").await.unwrap());
}

async fn who_looks_is_known_by_what_with(world: World) {
    assert_eq!(world.store.presence_of("dashboard").await.unwrap(), None);
    for second in [5, 9, 7] {
        world.store.presence_note("dashboard", at(second)).await.unwrap();
    }
    assert_eq!(world.store.presence_of("dashboard").await.unwrap(), Some(at(9)));
}

on_both! {
    a_question_is_an_item_until_the_agent_goes_on,
    an_answer_is_written_down_whoever_resolves_it_first,
    an_answer_that_was_not_taken_opens_the_item_again,
    a_failure_stays_until_it_is_started_again_and_a_turn_until_it_is_seen,
    what_is_put_off_comes_back,
    items_are_found_by_runner_and_by_the_beginning_of_their_id,
    an_alert_is_told_once_while_it_is_open,
    who_looks_is_known_by_what_with,
}
