//! L2: how `ui` and `cli` reach the daemon: domain types in, domain types out.
//!
//! It hides the wire, starts the daemon where none runs, and gives every call a deadline. No other
//! module of theirs speaks to the daemon.

mod answer;
mod attach;
mod autostart;
mod budgets;
mod connect;
mod correction;
mod events;
mod inbox;
mod notifications;
mod operations;
mod plain_text;
mod presence;
mod projects;
mod prompts;
mod quotas;
mod relay;
mod runners;
mod system;
mod tokens;
mod transcripts;
mod tty;
mod usage;
mod worktrees;

use std::time::Duration;

use tonic::{Request, Status, transport::Channel};

pub use self::{
    attach::{AttachEnd, AttachOptions, Path, attach},
    autostart::DAEMON_FLAG,
    events::EventStream,
    inbox::{ItemQuery, ItemStream},
    notifications::ChannelTestView,
    operations::OutboxView,
    plain_text::PlainText,
    runners::{
        FrameStream, FrameUpdate, HistoryView, LogStream, LogUpdate, RunnerStream, RunnerUpdate,
        ScreenView,
    },
    system::{ComponentView, StatusView},
    tty::size_of_terminal,
};
use crate::{
    config::Places,
    domain::failure::Failure,
    proto::{
        status_to_failure,
        v1::{
            budgets_client::BudgetsClient, events_client::EventsClient, inbox_client::InboxClient,
            notifications_client::NotificationsClient, operations_client::OperationsClient,
            projects_client::ProjectsClient, prompts_client::PromptsClient,
            quotas_client::QuotasClient, runners_client::RunnersClient,
            sessions_client::SessionsClient, system_client::SystemClient,
            tokens_client::TokensClient, usage_client::UsageClient,
            worktrees_client::WorktreesClient,
        },
    },
};

/// How long an ordinary call may take.
pub const CALL_LIMIT: Duration = Duration::from_secs(10);

/// A connection to the daemon; cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    places: Places,
    limit: Duration,
}

impl Client {
    /// Connects to the daemon of this root, starting one if none runs.
    ///
    /// # Errors
    ///
    /// When none runs and none can be started, with what the daemon said.
    pub async fn connect_or_start(places: &Places) -> Result<Self, Failure> {
        Self::connect_or_start_with(places, &[]).await
    }

    /// The same for a caller who has so much time for each call: one that runs and hangs is waited for no
    /// longer, and the calls are neither.
    ///
    /// # Errors
    ///
    /// When none runs and none can be started, with what the daemon said.
    pub async fn connect_or_start_within(
        places: &Places,
        limit: Duration,
    ) -> Result<Self, Failure> {
        let client = Self::open_or_start(places, limit, &[]).await?;
        Ok(client.with_limit(limit))
    }

    /// The same; one that is started gets these settings besides, by their names in the environment.
    ///
    /// # Errors
    ///
    /// When none runs and none can be started, with what the daemon said.
    pub async fn connect_or_start_with(
        places: &Places,
        settings: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        Self::open_or_start(places, connect::LIMIT, settings).await
    }

    async fn open_or_start(
        places: &Places,
        limit: Duration,
        settings: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        match connect::connect_within(places, limit).await {
            Ok(channel) => Ok(Self::new(channel, places)),
            Err(error) if connect::is_absent(&error) => {
                let channel = autostart::start_and_connect(places, settings).await?;
                Ok(Self::new(channel, places))
            }
            Err(error) => Err(connect::failure(places, &error)),
        }
    }

    /// Connects to the daemon of this root; `None` when none runs.
    ///
    /// # Errors
    ///
    /// When one runs but cannot be used.
    pub async fn connect_if_running(places: &Places) -> Result<Option<Self>, Failure> {
        Self::open(places, connect::LIMIT).await
    }

    /// The same for a caller who has so much time for each call.
    ///
    /// # Errors
    ///
    /// When one runs but cannot be used.
    pub async fn connect_if_running_within(
        places: &Places,
        limit: Duration,
    ) -> Result<Option<Self>, Failure> {
        let client = Self::open(places, limit).await?;
        Ok(client.map(|client| client.with_limit(limit)))
    }

    async fn open(places: &Places, limit: Duration) -> Result<Option<Self>, Failure> {
        match connect::connect_within(places, limit).await {
            Ok(channel) => Ok(Some(Self::new(channel, places))),
            Err(error) if connect::is_absent(&error) => Ok(None),
            Err(error) => Err(connect::failure(places, &error)),
        }
    }

    /// Connects again after a lost connection: `None` when the daemon has left in order, which
    /// somebody may have wanted; one that died is replaced.
    ///
    /// # Errors
    ///
    /// When none can be reached or started.
    pub async fn reconnect(places: &Places) -> Result<Option<Self>, Failure> {
        match connect::connect(places).await {
            Ok(channel) => Ok(Some(Self::new(channel, places))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) if connect::is_absent(&error) => {
                Self::connect_or_start(places).await.map(Some)
            }
            Err(error) => Err(connect::failure(places, &error)),
        }
    }

    fn new(channel: Channel, places: &Places) -> Self {
        Self { channel, places: places.clone(), limit: CALL_LIMIT }
    }

    /// Returns the same connection with another deadline for ordinary calls.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Where the daemon lives.
    pub fn places(&self) -> &Places {
        &self.places
    }

    fn projects(&self) -> ProjectsClient<Channel> {
        ProjectsClient::new(self.channel.clone())
    }

    fn runners(&self) -> RunnersClient<Channel> {
        RunnersClient::new(self.channel.clone())
            .max_decoding_message_size(crate::proto::framing::MAX_LINK_MESSAGE)
    }

    fn quotas(&self) -> QuotasClient<Channel> {
        QuotasClient::new(self.channel.clone())
    }

    fn prompts(&self) -> PromptsClient<Channel> {
        PromptsClient::new(self.channel.clone())
    }

    fn sessions(&self) -> SessionsClient<Channel> {
        SessionsClient::new(self.channel.clone())
    }

    fn tokens(&self) -> TokensClient<Channel> {
        TokensClient::new(self.channel.clone())
    }

    fn budgets(&self) -> BudgetsClient<Channel> {
        BudgetsClient::new(self.channel.clone())
    }

    fn usage_calls(&self) -> UsageClient<Channel> {
        UsageClient::new(self.channel.clone())
    }

    fn inbox(&self) -> InboxClient<Channel> {
        InboxClient::new(self.channel.clone())
            .max_decoding_message_size(crate::proto::framing::MAX_LINK_MESSAGE)
    }

    fn events(&self) -> EventsClient<Channel> {
        EventsClient::new(self.channel.clone())
    }

    fn notifications(&self) -> NotificationsClient<Channel> {
        NotificationsClient::new(self.channel.clone())
    }

    fn operations(&self) -> OperationsClient<Channel> {
        OperationsClient::new(self.channel.clone())
    }

    fn worktrees(&self) -> WorktreesClient<Channel> {
        WorktreesClient::new(self.channel.clone())
            .max_decoding_message_size(crate::proto::framing::MAX_LINK_MESSAGE)
    }

    fn system(&self) -> SystemClient<Channel> {
        SystemClient::new(self.channel.clone())
    }

    /// Returns a request with the deadline of an ordinary call.
    fn request<T>(&self, message: T) -> Request<T> {
        request_within(message, self.limit)
    }
}

/// Returns a request with its own deadline.
fn request_within<T>(message: T, limit: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

/// Turns what the wire says into what the caller is told.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn failed(status: Status) -> Failure {
    let failure = status_to_failure(&status);
    match failure.reason.as_str() {
        // The transport's own words are about streams and frames.
        "Unavailable" | "Unknown" => {
            Failure::unavailable("DAEMON_LOST", "reach the daemon: the connection was lost")
                .with_hint("stratavore daemon status")
        }
        "DeadlineExceeded" | "Cancelled" => {
            Failure::unavailable("DAEMON_SILENT", "hear from the daemon in time")
                .with_hint("stratavore health")
        }
        _ => failure,
    }
}
