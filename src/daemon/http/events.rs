//! The event log: read, and followed.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName},
    response::sse::{Event as Told, KeepAlive, Sse},
};
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params, Path},
    guard::Actor,
    lists::{Page, Paging},
    problem::Problem,
};
use crate::domain::{
    event::{Event, EventFilter},
    failure::Failure,
};

/// Something is said so often, so that both sides notice when the other one has gone.
const STILL_THERE: Duration = Duration::from_secs(15);

/// Where a browser says that it had been.
const LAST_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes
        .viewer
        .routes(routes!(list_events))
        .routes(routes!(get_event))
        .routes(routes!(follow_events));
    routes
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Wanted {
    /// Only of this project.
    project: String,
    /// Only of this type, or, ending with a dot, of those that begin so: `runner.`.
    r#type: String,
    /// Only of this runner.
    runner: String,
    /// Not before.
    since: Option<DateTime<Utc>>,
    /// Before.
    until: Option<DateTime<Utc>>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct After {
    /// Begins after this position; `Last-Event-ID` comes first. From now on, if nothing is said.
    after: Option<u64>,
}

impl From<Wanted> for EventFilter {
    fn from(wanted: Wanted) -> Self {
        let Wanted { project, r#type: event_type, runner, since, until } = wanted;
        Self { project, event_type, runner, since, until }
    }
}

/// Lists events in the order in which they happened, from the oldest that is kept.
#[utoipa::path(get, path = "/events", tag = "events", params(Wanted, Paging),
    responses((status = 200, description = "A page of events", body = Page<Event>)))]
async fn list_events(
    State(http): State<Http>,
    Params(wanted): Params<Wanted>,
    Params(paging): Params<Paging>,
) -> Answer<Page<Event>> {
    let after = paging.after()?.map_or(Ok(0), |position| position.parse::<u64>());
    let after = after.map_err(|_no_position| {
        Failure::not_found("NO_PAGE", "the cursor is none that a page ended with")
    })?;
    let limit = paging.limit()? as usize;
    let (events, position) = http.services.events_after(&wanted.into(), after, limit).await?;
    Ok(Json(Page::new(events, position.map(|position| position.to_string()))))
}

/// Shows an event.
#[utoipa::path(get, path = "/events/{event}", tag = "events",
    params(("event" = String, Path, description = "Its id or its position")),
    responses((status = 200, description = "The event", body = Event)))]
async fn get_event(State(http): State<Http>, Path(event): Path<String>) -> Answer<Event> {
    Ok(Json(http.services.get_event(&event).await?))
}

/// Follows the events, as server-sent events: `id` is the position, `event` the type, `data` the event.
/// Whoever comes back with the last id misses nothing. The stream ends when its token does; a position that
/// the log has not reached is refused.
#[utoipa::path(get, path = "/events/stream", tag = "events",
    params(Wanted, After, ("Last-Event-ID" = Option<u64>, Header,
        description = "The position up to which events were seen")),
    responses((status = 200, description = "The events, as they happen",
        content_type = "text/event-stream", body = String)))]
async fn follow_events(
    State(http): State<Http>,
    actor: Actor,
    headers: HeaderMap,
    Params(wanted): Params<Wanted>,
    Params(after): Params<After>,
) -> Result<Sse<impl Stream<Item = Result<Told, Infallible>>>, Problem> {
    let wrong = |what: &str| Failure::usage("BAD_LAST_EVENT_ID", what);
    if headers.get_all(LAST_ID).iter().count() > 1 {
        return Err(wrong("Last-Event-ID is there more than once").into());
    }
    let last = match headers.get(LAST_ID).filter(|id| !id.is_empty()) {
        None => after.after,
        Some(id) => {
            let position = id.to_str().ok().and_then(|id| id.parse().ok());
            Some(position.ok_or_else(|| wrong("Last-Event-ID is no position"))?)
        }
    };
    let feed = http.services.follow_events(wanted.into(), last).await?;
    // Known before the first event, for whoever is cut off until then.
    let begin = Told::default().id(feed.position().to_string());
    let events = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await.ok()?;
        let told = Told::default().id(event.position.to_string()).event(&event.event_type);
        let told = told.json_data(&event).ok()?;
        Some((told, feed))
    });
    let (stop, services) = (http.stop.cancelled_owned(), http.services);
    let over = Box::pin(async move {
        tokio::select! {
            () = stop => {}
            () = actor.over(&services) => {}
        }
    });
    let all = stream::once(async { begin }).chain(events).take_until(over).map(Ok);
    Ok(Sse::new(all).keep_alive(KeepAlive::new().interval(STILL_THERE)))
}
