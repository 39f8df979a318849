//! Names that a person gives to narrow a listing: one that nobody has narrows it to nothing, in silence,
//! and is refused with the nearest that somebody has.

use crate::{
    client::Client,
    config::nearest,
    domain::{
        event::{EventFilter, EventType},
        failure::Failure,
    },
};

/// Refuses a project that is not there; empty for all.
pub(super) async fn project(client: &Client, name: &str) -> Result<(), Failure> {
    if name.is_empty() {
        return Ok(());
    }
    // A database that is away knows no names; what is asked for says so itself.
    let Ok(projects) = client.list_projects("").await else { return Ok(()) };
    let names: Vec<String> = projects.into_iter().map(|project| project.name).collect();
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    let failure =
        Failure::not_found("PROJECT_NOT_FOUND", format!("no project `{}`", name.escape_debug()));
    Err(failure.with_hint(match nearest(name, &names) {
        Some(near) => format!("did you mean: {near}"),
        None => "stratavore projects lists them".to_owned(),
    }))
}

/// Refuses a project that neither is there nor has left events; empty for all.
pub(super) async fn project_or_past(client: &Client, name: &str) -> Result<(), Failure> {
    let Err(failure) = project(client, name).await else { return Ok(()) };
    let filter = EventFilter { project: name.to_owned(), ..EventFilter::default() };
    match client.list_events(&filter, 1).await {
        Ok(events) if events.is_empty() => Err(failure),
        _ => Ok(()),
    }
}

/// Refuses a type that no event has; empty for all.
pub(super) fn event_type(word: &str) -> Result<(), Failure> {
    if word.is_empty() || EventType::is_there(word) {
        return Ok(());
    }
    let what = format!("no event is of the type `{}`", word.escape_debug());
    Err(Failure::usage("UNKNOWN_EVENT_TYPE", what).with_hint(
        match nearest(word, &EventType::names()) {
            Some(near) => format!("did you mean: --type {near}"),
            None => {
                "assets/docs/events.md lists them; `runner.` names all that begin so".to_owned()
            }
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_no_event_has_is_refused_with_the_nearest() {
        for word in ["", "inbox.", "runner.started"] {
            assert_eq!(event_type(word), Ok(()));
        }
        assert_eq!(event_type("inbox").unwrap_err().hint, "did you mean: --type inbox.");
        let near = event_type("runer.started").unwrap_err().hint;
        assert_eq!(near, "did you mean: --type runner.started");
        assert!(event_type("xyzzyxyzzyxyzzy").unwrap_err().hint.contains("events.md"));
    }
}
