//! Tokens of the HTTP API: kept by hash, found by id, revoked once.

use super::*;
use crate::domain::api_token::{ApiToken, Scope};

async fn tokens_are_kept_found_and_revoked(world: World) {
    let store = &world.store;
    let told = |what| event(what, "token", "x");
    let token = ApiToken {
        id: Uuid::now_v7(),
        name: "ci".into(),
        scope: Scope::Operator,
        created_at: at(1),
        created_by: "cli".into(),
        expires_at: Some(at(100)),
        last_used_at: None,
        revoked_at: None,
    };
    store.token_create(&token, "hash", told(EventType::TokenCreated)).await.unwrap();
    let found = store.token_get(token.id).await.unwrap();
    assert_eq!(found, Some((token.clone(), "hash".to_owned())));
    assert_eq!(store.token_get(Uuid::nil()).await.unwrap(), None);
    let twin = ApiToken { id: Uuid::now_v7(), expires_at: None, ..token.clone() };
    let refused = store.token_create(&twin, "h", told(EventType::TokenCreated)).await;
    assert_eq!(reason(&refused.unwrap_err()), "TOKEN_EXISTS");

    for (used, known) in [(10, 10), (69, 10), (70, 70)] {
        let now = store.token_get(token.id).await.unwrap().unwrap().0;
        store.token_used(&now, at(used)).await.unwrap();
        let now = store.token_get(token.id).await.unwrap().unwrap().0;
        assert_eq!(now.last_used_at, Some(at(known)), "used at {used}");
    }
    store.token_revoke(&token, told(EventType::TokenRevoked)).await.unwrap();
    let again = store.token_revoke(&token, told(EventType::TokenRevoked)).await;
    assert_eq!(reason(&again.unwrap_err()), "TOKEN_REVOKED");
    store.token_create(&twin, "h", told(EventType::TokenCreated)).await.unwrap();
    let all = store.token_list().await.unwrap();
    assert_eq!(all.iter().filter(|token| token.revoked_at.is_some()).count(), 1);
    assert_eq!(all.len(), 2);
    let filter = EventFilter { event_type: "token.".into(), ..EventFilter::default() };
    assert_eq!(store.event_list(&filter, 9).await.unwrap().len(), 3, "refusals cause nothing");
}

on_both!(tokens_are_kept_found_and_revoked);
