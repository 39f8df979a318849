//! What people outside are told, from the client's side.

use std::time::Duration;

use serde::Serialize;

use super::{Client, failed, request_within};
use crate::{
    domain::{failure::Failure, id::RunnerId, notification::Delivery},
    proto::v1::{
        DiscardNotificationsRequest, ListNotificationsRequest, NoteLookingRequest,
        RetryNotificationsRequest, SendNotificationRequest, TestChannelsRequest,
    },
};

/// Every channel may take its time.
const TESTING: Duration = Duration::from_secs(110);

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelTestView {
    /// The channel.
    pub channel: String,
    /// Why it did not take it; `None` when it did.
    pub error: Option<String>,
}

impl Client {
    /// Has words of one's own told, on one channel or all.
    ///
    /// # Errors
    ///
    /// When no channel is configured so.
    pub async fn notify(&self, text: &str, severity: &str, channel: &str) -> Result<(), Failure> {
        let request = SendNotificationRequest {
            text: text.to_owned(),
            severity: severity.to_owned(),
            channel: channel.to_owned(),
        };
        let answer = self.notifications().send_notification(self.request(request)).await;
        answer.map_err(failed).map(drop)
    }

    /// Sends a test at once, on one channel or all.
    ///
    /// # Errors
    ///
    /// When no channel is configured so.
    pub async fn test_channels(&self, channel: &str) -> Result<Vec<ChannelTestView>, Failure> {
        let request = TestChannelsRequest { channel: channel.to_owned() };
        let answer = self.notifications().test_channels(request_within(request, TESTING)).await;
        let tests = answer.map_err(failed)?.into_inner().tests.into_iter();
        let view = tests.map(|test| ChannelTestView {
            channel: test.channel,
            error: Some(test.error).filter(|error| !error.is_empty()),
        });
        Ok(view.collect())
    }

    /// Returns the newest deliveries, of one state or all, oldest first.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn list_notifications(
        &self,
        state: &str,
        limit: u32,
    ) -> Result<Vec<Delivery>, Failure> {
        let request = ListNotificationsRequest { state: state.to_owned(), limit };
        let answer = self.notifications().list_notifications(self.request(request)).await;
        let entries = answer.map_err(failed)?.into_inner().entries;
        let parsed: Result<_, _> =
            entries.iter().map(|entry| serde_json::from_str(entry)).collect();
        parsed
            .map_err(|error| Failure::internal(format!("understand the daemon's answer: {error}")))
    }

    /// Gives one delivery that is parked or waits, or all that were not taken, their tries back; returns how
    /// many.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn retry_notifications(&self, id: Option<i64>) -> Result<u64, Failure> {
        let request = RetryNotificationsRequest { id: id.unwrap_or(0) };
        let answer = self.notifications().retry_notifications(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().retried)
    }

    /// Gives up one delivery, or all that wait or are parked; returns how many.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn discard_notifications(&self, id: Option<i64>) -> Result<u64, Failure> {
        let request = DiscardNotificationsRequest { id: id.unwrap_or(0) };
        let answer = self.notifications().discard_notifications(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().discarded)
    }

    /// Tells that a person is before these runners' screens.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn note_looking(&self, runners: &[RunnerId]) -> Result<(), Failure> {
        let runners = runners.iter().map(ToString::to_string).collect();
        let request = self.request(NoteLookingRequest { runners });
        self.notifications().note_looking(request).await.map_err(failed).map(drop)
    }
}
