//! On whose behalf something is done: it stands in the events that the work causes.
//!
//! It follows the task, as the trace does; a task that a call starts for its work has to be given it.
//! Where nobody is named, it is the user whom the daemon runs as.

tokio::task_local! {
    static ACTOR: Actor;
}

/// Who causes what is done: `http:` and the name of a token, `telegram:` and a user's number,
/// `runner:` and an id; empty for the daemon's own user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Actor(String);

impl Actor {
    /// Returns whoever has this name.
    pub(super) fn of(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

/// Returns the name of whoever the present task works for; empty for the daemon's own user.
pub(super) fn current() -> String {
    here().0
}

/// Returns whom the present task works for, to be given to another one.
pub(super) fn here() -> Actor {
    ACTOR.try_with(Clone::clone).unwrap_or_default()
}

/// Runs a future on somebody's behalf.
pub(super) fn within<F: Future>(
    actor: Actor,
    future: F,
) -> tokio::task::futures::TaskLocalFuture<Actor, F> {
    ACTOR.scope(actor, future)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_follows_the_task_and_is_handed_to_another() {
        assert_eq!(current(), "");
        let told = within(Actor::of("http:ci"), async {
            let handed = here();
            let alone = tokio::spawn(async { current() }).await.unwrap();
            let given = tokio::spawn(within(handed, async { current() })).await.unwrap();
            (current(), alone, given)
        });
        assert_eq!(told.await, ("http:ci".into(), String::new(), "http:ci".into()));
        assert_eq!(current(), "");
    }
}
