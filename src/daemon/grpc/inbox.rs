//! Calls about the attention inbox.

use std::time::Duration;

use tonic::{Request, Response, Status};

use super::{
    Shared,
    streams::{Answers, answer_with},
};
use crate::{
    daemon::services::ItemFilter,
    domain::{failure::Failure, inbox::Item},
    proto::{
        failure_to_status, from_timestamp,
        v1::{
            self, AnswerItemRequest, DismissItemsRequest, GetDigestRequest, ItemRequest, Items,
            ListItemsRequest, MarkSeenRequest, MarkSeenResponse, NotePresenceRequest,
            NotePresenceResponse, SnoozeItemRequest, inbox_server::Inbox,
        },
    },
};

#[tonic::async_trait]
impl Inbox for Shared {
    async fn list_items(
        &self,
        request: Request<ListItemsRequest>,
    ) -> Result<Response<Items>, Status> {
        let items = self.services.inbox(&filter(request.into_inner())).await.map_err(refuse)?;
        Ok(Response::new(told(items)))
    }

    async fn get_item(&self, request: Request<ItemRequest>) -> Result<Response<v1::Item>, Status> {
        let word = request.into_inner().item;
        let item = self.services.inbox_item(&word).await.map_err(refuse)?;
        Ok(Response::new(item.into()))
    }

    type WatchItemsStream = Answers<Items>;

    async fn watch_items(
        &self,
        request: Request<ListItemsRequest>,
    ) -> Result<Response<Self::WatchItemsStream>, Status> {
        let filter = filter(request.into_inner());
        let mut feed = self.services.follow_inbox(filter).await.map_err(refuse)?;
        Ok(Response::new(answer_with(&self.stop, |sender| async move {
            loop {
                let next = feed.next().await;
                let is_over = next.is_err();
                if sender.send(next.map(told).map_err(refuse)).await.is_err() || is_over {
                    return;
                }
            }
        })))
    }

    async fn answer_item(
        &self,
        request: Request<AnswerItemRequest>,
    ) -> Result<Response<v1::Item>, Status> {
        let wire = request.into_inner();
        let Some(answer) = wire.answer else {
            let what = "an answer says what it is: approve, choice or reply";
            return Err(refuse(Failure::usage("BAD_ANSWER", what)));
        };
        let shown = wire.asked_at.as_ref().and_then(from_timestamp);
        let answered = self.services.inbox_answer(&wire.item, answer.into(), shown, &wire.by);
        Ok(Response::new(answered.await.map_err(refuse)?.into()))
    }

    async fn snooze_item(
        &self,
        request: Request<SnoozeItemRequest>,
    ) -> Result<Response<v1::Item>, Status> {
        let wire = request.into_inner();
        let time = Duration::from_millis(wire.for_ms);
        let item = self.services.inbox_snooze(&wire.item, time, &wire.by).await;
        Ok(Response::new(item.map_err(refuse)?.into()))
    }

    async fn dismiss_items(
        &self,
        request: Request<DismissItemsRequest>,
    ) -> Result<Response<Items>, Status> {
        let wire = request.into_inner();
        let items = if wire.all {
            self.services.inbox_dismiss_all(&wire.project, &wire.by).await
        } else {
            self.services.inbox_dismiss(&wire.items, &wire.by).await
        };
        Ok(Response::new(told(items.map_err(refuse)?)))
    }

    async fn mark_seen(
        &self,
        request: Request<MarkSeenRequest>,
    ) -> Result<Response<MarkSeenResponse>, Status> {
        let seen = request.into_inner().seen.into_iter().filter_map(|seen| {
            Some((seen.runner_id.parse().ok()?, from_timestamp(seen.ended_at.as_ref()?)?))
        });
        self.services.inbox_seen(seen.collect()).await.map_err(refuse)?;
        Ok(Response::new(MarkSeenResponse {}))
    }

    async fn get_digest(
        &self,
        request: Request<GetDigestRequest>,
    ) -> Result<Response<v1::Digest>, Status> {
        let since = request.into_inner().since.as_ref().and_then(from_timestamp);
        let digest = self.services.digest(since).await.map_err(refuse)?;
        Ok(Response::new(digest.into()))
    }

    async fn note_presence(
        &self,
        request: Request<NotePresenceRequest>,
    ) -> Result<Response<NotePresenceResponse>, Status> {
        let surface = request.into_inner().surface;
        self.services.note_presence(&surface).await.map_err(refuse)?;
        Ok(Response::new(NotePresenceResponse {}))
    }
}

fn filter(wire: ListItemsRequest) -> ItemFilter {
    ItemFilter {
        project: wire.project,
        with_snoozed: wire.with_snoozed,
        with_closed: wire.with_closed,
        limit: wire.limit.min(10_000),
    }
}

fn told(items: Vec<Item>) -> Items {
    Items { items: items.into_iter().map(Into::into).collect() }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn refuse(failure: Failure) -> Status {
    failure_to_status(&failure)
}
