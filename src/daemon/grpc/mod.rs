//! d2: the public socket: decode, call a service, encode. No decisions here.

mod budgets;
mod events;
mod guard;
mod inbox;
mod notifications;
mod operations;
mod peer;
mod projects;
mod prompts;
mod quotas;
mod runners;
mod sessions;
mod streams;
mod system;
mod tokens;
mod usage;
mod worktrees;

use std::{io, time::Duration};

use futures_util::{Stream, StreamExt as _, stream};
use rustix::process::{Resource, getrlimit};
use tokio::{net::UnixListener, time::sleep};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use self::peer::Peer;
use crate::{
    daemon::{
        crowd::{Bounds, Crowd},
        services::Services,
    },
    proto::{
        MAX_MESSAGE,
        v1::{
            budgets_server::BudgetsServer, events_server::EventsServer, inbox_server::InboxServer,
            notifications_server::NotificationsServer, operations_server::OperationsServer,
            projects_server::ProjectsServer, prompts_server::PromptsServer,
            quotas_server::QuotasServer, runners_server::RunnersServer,
            sessions_server::SessionsServer, system_server::SystemServer,
            tokens_server::TokensServer, usage_server::UsageServer,
            worktrees_server::WorktreesServer,
        },
    },
};

/// Streams that one connection may have open.
const MAX_STREAMS: u32 = 256;

/// Connections at a time, where there are descriptors enough; of what is inside one runner, which has
/// nothing but signs of life to tell; and of one process of the user's.
const MAX_CONNECTIONS: usize = 4096;
const MAX_OF_A_RUNNER: usize = 32;
const MAX_OF_A_PROCESS: usize = 256;

/// New connections that are looked at, at a time; further ones wait in the system's queue.
const LOOKING: usize = 32;

/// After a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop` is cancelled and the calls under way have ended.
///
/// # Errors
///
/// When the server fails.
pub(super) async fn serve(
    services: Services,
    listener: UnixListener,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let shared = Shared { services: services.clone(), stop: stop.clone() };
    let limit = MAX_MESSAGE;
    Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .layer(guard::GuardLayer::new(services))
        .add_service(ProjectsServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(QuotasServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(RunnersServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(PromptsServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(SessionsServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(UsageServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(TokensServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(BudgetsServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(InboxServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(EventsServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(OperationsServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(NotificationsServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(WorktreesServer::new(shared.clone()).max_decoding_message_size(limit))
        .add_service(SystemServer::new(shared).max_decoding_message_size(limit))
        .serve_with_incoming_shutdown(ours(listener), stop.cancelled_owned())
        .await
}

/// What every handler needs.
#[derive(Debug, Clone)]
struct Shared {
    services: Services,
    stop: CancellationToken,
}

/// Accepts connections of our own user only, as many as there are places for.
fn ours(listener: UnixListener) -> impl Stream<Item = io::Result<Peer>> {
    let crowd = Crowd::new(bounds(getrlimit(Resource::Nofile).current));
    let accepted = stream::unfold(listener, |listener| async {
        loop {
            match listener.accept().await {
                Ok((socket, _)) => return Some((socket, listener)),
                // Out of descriptors, for example: the next one may succeed.
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    sleep(PAUSE).await;
                }
            }
        }
    });
    accepted
        .map(move |socket| Peer::of(socket, crowd.clone()))
        .buffer_unordered(LOOKING)
        .filter_map(async |peer| peer.map(Ok))
}

/// Returns how many connections there may be, for so many descriptors: the most of those are for runners,
/// files and the database.
fn bounds(files: Option<u64>) -> Bounds {
    let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    let total = (files / 4).clamp(16, MAX_CONNECTIONS);
    Bounds {
        total,
        inside: total / 2,
        each_runner: MAX_OF_A_RUNNER.min(total / 4),
        each_process: MAX_OF_A_PROCESS.min(total / 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connections_are_few_beside_the_descriptors() {
        for files in [64, 1024, 4096, 20_000, 1 << 20] {
            let bounds = bounds(Some(files));
            assert!(bounds.total as u64 <= files / 4, "{files}");
            assert!(bounds.total <= MAX_CONNECTIONS);
            assert!(bounds.inside <= bounds.total / 2, "the user's own have half at least");
            assert!(bounds.each_process < bounds.total - bounds.inside, "and another one a place");
        }
        assert_eq!(bounds(None).each_runner, MAX_OF_A_RUNNER);
    }
}
