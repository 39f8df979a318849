//! The event log, from the client's side.

use tonic::Streaming;

use super::{Client, failed};
use crate::{
    domain::{
        event::{Event, EventFilter},
        failure::Failure,
    },
    proto::v1::{self, ListEventsRequest, SubscribeEventsRequest},
};

/// Events as they are committed. After a lost connection it is opened again after the last position
/// that was seen, so that nothing is missed.
#[derive(Debug)]
pub struct EventStream(Streaming<v1::Event>);

impl EventStream {
    /// Returns the next event, `None` when the daemon leaves.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        Ok(self.0.message().await.map_err(failed)?.map(Into::into))
    }
}

impl Client {
    /// Returns the newest matching events, oldest first.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn list_events(
        &self,
        filter: &EventFilter,
        limit: u32,
    ) -> Result<Vec<Event>, Failure> {
        let request = ListEventsRequest { filter: Some(filter.into()), limit };
        let answer = self.events().list_events(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().events.into_iter().map(Into::into).collect())
    }

    /// Follows the log after a position, or from now on.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn subscribe_events(
        &self,
        filter: &EventFilter,
        after_position: Option<u64>,
    ) -> Result<EventStream, Failure> {
        let request = SubscribeEventsRequest { filter: Some(filter.into()), after_position };
        let answer = self.events().subscribe_events(request).await;
        Ok(EventStream(answer.map_err(failed)?.into_inner()))
    }
}
