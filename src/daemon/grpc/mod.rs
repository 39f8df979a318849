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

use std::io;

use futures_util::{Stream, StreamExt as _};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use self::peer::Peer;
use crate::{
    daemon::services::Services,
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

/// Accepts connections of our own user only.
fn ours(listener: UnixListener) -> impl Stream<Item = io::Result<Peer>> {
    UnixListenerStream::new(listener).filter_map(|socket| async {
        match socket {
            Ok(socket) => Peer::of(socket).map(Ok),
            // Out of descriptors, for example: the next one may succeed.
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                None
            }
        }
    })
}
