//! The event log, from the client's side.

use tonic::Streaming;

use super::{Client, failed};
use crate::{
    domain::{
        event::{Event, EventFilter},
        failure::Failure,
    },
    proto::{
        event::POSITION,
        v1::{self, ListEventsRequest, SubscribeEventsRequest},
    },
};

/// Events as they are committed. After a lost connection it is opened again after the last position
/// that was seen, so that nothing is missed.
#[derive(Debug)]
pub struct EventStream {
    stream: Streaming<v1::Event>,
    position: Option<u64>,
}

impl EventStream {
    /// Returns the next event, `None` when the daemon leaves.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        let event: Option<Event> = self.stream.message().await.map_err(failed)?.map(Into::into);
        self.position = event.as_ref().map(|event| event.position).or(self.position);
        Ok(event)
    }

    /// The position after which to go on: that of the last event or, before the first, the one from
    /// which the daemon began.
    pub fn position(&self) -> Option<u64> {
        self.position
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

    /// Returns the event that a word names: its id or its position.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn get_event(&self, word: &str) -> Result<Event, Failure> {
        let request = v1::GetEventRequest { event: word.to_owned() };
        let answer = self.events().get_event(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().into())
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
        let answer = self.events().subscribe_events(request).await.map_err(failed)?;
        let began =
            answer.metadata().get(POSITION).and_then(|text| text.to_str().ok()?.parse().ok());
        Ok(EventStream { stream: answer.into_inner(), position: after_position.or(began) })
    }
}
