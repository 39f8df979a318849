//! Calls about what people outside are told.

use tonic::{Request, Response, Status};

use super::Shared;
use crate::{
    domain::{failure::Failure, notification::Severity},
    proto::{
        failure_to_status,
        v1::{
            ChannelTest, DiscardNotificationsRequest, DiscardNotificationsResponse,
            ListNotificationsRequest, ListNotificationsResponse, NoteLookingRequest,
            NoteLookingResponse, RetryNotificationsRequest, RetryNotificationsResponse,
            SendNotificationRequest, SendNotificationResponse, TestChannelsRequest,
            TestChannelsResponse, notifications_server::Notifications,
        },
    },
};

/// Runners that one call can be about.
const MOST: usize = 256;

#[tonic::async_trait]
impl Notifications for Shared {
    async fn send_notification(
        &self,
        request: Request<SendNotificationRequest>,
    ) -> Result<Response<SendNotificationResponse>, Status> {
        let wire = request.into_inner();
        let severity = match wire.severity.as_str() {
            "" => Severity::Info,
            word => Severity::parse(word).ok_or_else(|| {
                let what = format!("`{}` is none of info, warning, critical", word.escape_debug());
                refuse(Failure::usage("BAD_SEVERITY", what))
            })?,
        };
        self.services.notify_say(&wire.text, severity, &wire.channel).await.map_err(refuse)?;
        Ok(Response::new(SendNotificationResponse {}))
    }

    async fn test_channels(
        &self,
        request: Request<TestChannelsRequest>,
    ) -> Result<Response<TestChannelsResponse>, Status> {
        let channel = request.into_inner().channel;
        let tests = self.services.notify_test(&channel).await.map_err(refuse)?;
        let test = |(channel, outcome): (String, Result<(), String>)| ChannelTest {
            channel,
            error: outcome.err().unwrap_or_default(),
        };
        Ok(Response::new(TestChannelsResponse { tests: tests.into_iter().map(test).collect() }))
    }

    async fn list_notifications(
        &self,
        request: Request<ListNotificationsRequest>,
    ) -> Result<Response<ListNotificationsResponse>, Status> {
        let wire = request.into_inner();
        let found = self.services.notify_list(&wire.state, wire.limit).await.map_err(refuse)?;
        let entries: Result<_, _> = found.iter().map(serde_json::to_string).collect();
        let entries = entries.map_err(|error| refuse(Failure::internal(error.to_string())))?;
        Ok(Response::new(ListNotificationsResponse { entries }))
    }

    async fn retry_notifications(
        &self,
        request: Request<RetryNotificationsRequest>,
    ) -> Result<Response<RetryNotificationsResponse>, Status> {
        let id = Some(request.into_inner().id).filter(|id| *id != 0);
        let retried = self.services.notify_retry(id).await.map_err(refuse)?;
        Ok(Response::new(RetryNotificationsResponse { retried }))
    }

    async fn discard_notifications(
        &self,
        request: Request<DiscardNotificationsRequest>,
    ) -> Result<Response<DiscardNotificationsResponse>, Status> {
        let id = Some(request.into_inner().id).filter(|id| *id != 0);
        let discarded = self.services.notify_discard(id).await.map_err(refuse)?;
        Ok(Response::new(DiscardNotificationsResponse { discarded }))
    }

    async fn note_looking(
        &self,
        request: Request<NoteLookingRequest>,
    ) -> Result<Response<NoteLookingResponse>, Status> {
        let words = request.into_inner().runners;
        let ids: Vec<_> = words.iter().take(MOST).filter_map(|word| word.parse().ok()).collect();
        self.services.note_looking(&ids);
        Ok(Response::new(NoteLookingResponse {}))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn refuse(failure: Failure) -> Status {
    failure_to_status(&failure)
}
