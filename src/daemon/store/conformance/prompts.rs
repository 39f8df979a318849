//! The queue of prompts, on each database.

use super::*;
use crate::domain::prompt::{PromptState, QueuedPrompt};

fn prompt(runner: &Runner, number: u32) -> QueuedPrompt {
    QueuedPrompt {
        id: Uuid::now_v7(),
        runner_id: runner.id.as_uuid(),
        runner: runner.name.clone(),
        run: 1,
        session: String::new(),
        text: format!("prompt {number}"),
        state: PromptState::Queued,
        note: String::new(),
        created_at: at(i64::from(number)),
        settled_at: None,
    }
}

async fn a_prompt_is_taken_by_one_and_settled_once(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    let told = |event_type| event(event_type, "runner", &runner.id.to_string());
    let store = &world.store;
    let all = [prompt(&runner, 1), prompt(&runner, 2), prompt(&runner, 3)];
    for one in &all {
        store.prompt_add(one, told(EventType::PromptQueued)).await.unwrap();
    }
    let texts = async |only_waiting| {
        let found = store.prompt_list(Some(runner.id), only_waiting).await.unwrap();
        found.into_iter().map(|it| (it.text, it.state)).collect::<Vec<_>>()
    };
    assert_eq!(texts(true).await.len(), 3);
    assert!(store.prompt_claim(all[0].id).await.unwrap());
    assert!(!store.prompt_claim(all[0].id).await.unwrap());
    let delivered = (PromptState::Delivering, PromptState::Delivered);
    let done = told(EventType::PromptDelivered);
    store.prompt_settle(all[0].id, delivered, "typed", done.clone()).await.unwrap();
    let again = store.prompt_settle(all[0].id, delivered, "typed", done).await.unwrap_err();
    assert_eq!(reason(&again), "NOT_QUEUED");
    let cancelled = (PromptState::Queued, PromptState::Cancelled);
    store.prompt_settle(all[1].id, cancelled, "", told(EventType::PromptCancelled)).await.unwrap();
    assert!(!store.prompt_claim(all[1].id).await.unwrap());
    assert!(store.prompt_claim(all[2].id).await.unwrap());
    store.prompt_unclaim(all[2].id).await.unwrap();
    assert_eq!(texts(true).await, [("prompt 3".to_owned(), PromptState::Queued)]);
    let states: Vec<_> = texts(false).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [PromptState::Delivered, PromptState::Cancelled, PromptState::Queued]);
    let listed = store.prompt_list(None, false).await.unwrap();
    assert_eq!((listed[0].note.as_str(), &listed[0].runner), ("typed", &runner.name));
    assert_eq!(listed[0].settled_at, Some(at(0)));
}

async fn a_queue_has_an_end(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    let told = || event(EventType::PromptQueued, "runner", &runner.id.to_string());
    for number in 0..100 {
        world.store.prompt_add(&prompt(&runner, number), told()).await.unwrap();
    }
    let full = world.store.prompt_add(&prompt(&runner, 100), told()).await.unwrap_err();
    assert_eq!(reason(&full), "QUEUE_FULL");
}

on_both!(a_prompt_is_taken_by_one_and_settled_once, a_queue_has_an_end);
