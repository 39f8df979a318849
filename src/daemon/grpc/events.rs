//! Calls about the event log.

use tonic::{Request, Response, Status};

use super::{
    Shared,
    streams::{Answers, answer_with},
};
use crate::proto::{
    event::POSITION,
    failure_to_status,
    v1::{
        Event, GetEventRequest, ListEventsRequest, ListEventsResponse, SubscribeEventsRequest,
        events_server::Events,
    },
};

#[tonic::async_trait]
impl Events for Shared {
    async fn list_events(
        &self,
        request: Request<ListEventsRequest>,
    ) -> Result<Response<ListEventsResponse>, Status> {
        let wire = request.into_inner();
        let filter = wire.filter.unwrap_or_default().into();
        let events = self.services.list_events(&filter, wire.limit).await;
        let events = events.map_err(|failure| failure_to_status(&failure))?;
        Ok(Response::new(ListEventsResponse { events: events.iter().map(Into::into).collect() }))
    }

    async fn get_event(
        &self,
        request: Request<GetEventRequest>,
    ) -> Result<Response<Event>, Status> {
        let event = self.services.get_event(&request.into_inner().event).await;
        let event = event.map_err(|failure| failure_to_status(&failure))?;
        Ok(Response::new((&event).into()))
    }

    type SubscribeEventsStream = Answers<Event>;

    async fn subscribe_events(
        &self,
        request: Request<SubscribeEventsRequest>,
    ) -> Result<Response<Self::SubscribeEventsStream>, Status> {
        let wire = request.into_inner();
        let filter = wire.filter.unwrap_or_default().into();
        let feed = self.services.follow_events(filter, wire.after_position).await;
        let mut feed = feed.map_err(|failure| failure_to_status(&failure))?;
        let position = feed.position();
        let answers = answer_with(&self.stop, |sender| async move {
            loop {
                let event = feed.next().await;
                let ended = event.is_err();
                let answer = event.map(|e| (&e).into()).map_err(|e| failure_to_status(&e));
                if sender.send(answer).await.is_err() || ended {
                    return;
                }
            }
        });
        let mut response = Response::new(answers);
        response.metadata_mut().insert(POSITION, position.into());
        Ok(response)
    }
}
