//! Mutant 19: a server that asks for a token on the methods that somebody thought of.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{Method, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::any,
};

use super::{Form, prove};
use crate::{
    checker::Invariant,
    history::{Forbidden, History},
};

/// Methods that a stranger tries.
const METHODS: [Method; 6] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

type Things = Arc<Mutex<Vec<String>>>;

/// Does what is asked, whoever asks.
async fn thing(
    State(things): State<Things>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let mut things = things.lock().unwrap_or_else(PoisonError::into_inner);
    match *request.method() {
        Method::POST | Method::PUT | Method::PATCH => things.push(name),
        Method::DELETE => things.retain(|thing| *thing != name),
        _ => {}
    }
    things.join(" ").into_response()
}

/// Lets in who shows a token.
async fn guard(State(form): State<Form>, request: Request, next: Next) -> Response {
    let is_asked = match form {
        Form::Naive => [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::OPTIONS]
            .contains(request.method()),
        Form::Right => true,
    };
    if is_asked && !request.headers().contains_key("authorization") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    next.run(request).await
}

/// A stranger without a token tries every method.
async fn attack(form: Form) -> History {
    let things: Things = Arc::new(Mutex::new(vec!["runner".to_owned()]));
    let router = Router::new()
        .route("/things/{name}", any(thing))
        .layer(from_fn_with_state(form, guard))
        .with_state(Arc::clone(&things));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/things/runner", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut history = History::default();
    for method in METHODS {
        let before = things.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = client.request(method.clone(), &url).send().await.unwrap();
        let after = things.lock().unwrap_or_else(PoisonError::into_inner).clone();
        history.forbidden.push(Forbidden {
            what: format!("{method} without a token"),
            is_refused: answer.status().is_client_error(),
            is_unchanged: before == after,
        });
    }
    server.abort();
    history
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_19_a_method_that_nobody_thought_of() {
    prove(Invariant::C20, 1, async |form| attack(form).await).await;
}
