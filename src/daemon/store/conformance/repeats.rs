//! Calls of the HTTP API that are made once: begun by one, answered for all, forgotten in time.

use super::*;
use crate::domain::repeat::{KeptAnswer, Repeat};

async fn a_call_is_begun_once_and_its_answer_kept(world: World) {
    let (store, key) = (&world.store, Uuid::new_v4());
    let begin = async |asked: &str| store.repeat_begin(key, asked, at(1)).await.unwrap();
    let (one, other) = tokio::join!(begin("a"), begin("a"));
    let new = [&one, &other].into_iter().filter(|it| **it == Repeat::New).count();
    assert_eq!(new, 1, "{one:?} {other:?}");
    assert_eq!(begin("a").await, Repeat::Unfinished);
    assert_eq!(begin("b").await, Repeat::Other);
    let answer = KeptAnswer {
        status: 201,
        content_type: "application/json".into(),
        body: Some("{\"a\":\"ü\"}".into()),
    };
    store.repeat_finish(key, Some(answer.clone())).await.unwrap();
    assert_eq!(begin("a").await, Repeat::Done(answer.clone()));
    assert_eq!(begin("b").await, Repeat::Other);
    let bare = KeptAnswer { content_type: String::new(), body: None, ..answer };
    store.repeat_finish(key, Some(bare.clone())).await.unwrap();
    assert_eq!(begin("a").await, Repeat::Done(bare));
    store.repeat_finish(key, None).await.unwrap();
    assert_eq!(begin("b").await, Repeat::New, "it is made again");
}

async fn old_calls_and_the_oldest_of_many_are_forgotten(world: World) {
    let store = &world.store;
    let keys: Vec<_> = (0..5).map(|_| Uuid::new_v4()).collect();
    for (second, key) in (0..).zip(&keys) {
        store.repeat_begin(*key, "a", at(second)).await.unwrap();
    }
    store.repeat_prune(at(1), 3).await.unwrap();
    let mut known = Vec::new();
    for key in &keys {
        known.push(store.repeat_begin(*key, "a", at(9)).await.unwrap() == Repeat::Unfinished);
    }
    assert_eq!(known, [false, false, true, true, true]);
}

on_both!(a_call_is_begun_once_and_its_answer_kept, old_calls_and_the_oldest_of_many_are_forgotten);
