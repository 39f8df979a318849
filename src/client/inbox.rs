//! The attention inbox, from the client's side.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tonic::{Request, Streaming};

use super::{Client, failed};
use crate::{
    domain::{answer::Answer, digest::Digest, failure::Failure, id::RunnerId, inbox::Item},
    proto::{
        to_timestamp,
        v1::{
            self, AnswerItemRequest, DismissItemsRequest, GetDigestRequest, ItemRequest,
            ListItemsRequest, MarkSeenRequest, NotePresenceRequest, SnoozeItemRequest,
            mark_seen_request::Seen,
        },
    },
};

/// Which items are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemQuery {
    /// A project's name; empty for all.
    pub project: String,
    /// Those too that are put off.
    pub with_snoozed: bool,
    /// Those too that are over, the newest first.
    pub with_closed: bool,
    /// So many at most; 0 means as many as the daemon gives out.
    pub limit: u32,
}

impl From<ItemQuery> for ListItemsRequest {
    fn from(query: ItemQuery) -> Self {
        let ItemQuery { project, with_snoozed, with_closed, limit } = query;
        Self { project, with_snoozed, with_closed, limit }
    }
}

/// The open items as they change.
#[derive(Debug)]
pub struct ItemStream(Streaming<v1::Items>);

impl ItemStream {
    /// Returns all open items, whenever they have changed; `None` when the daemon leaves.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    pub async fn next(&mut self) -> Result<Option<Vec<Item>>, Failure> {
        let Some(wire) = self.0.message().await.map_err(failed)? else { return Ok(None) };
        wire.items.into_iter().map(TryInto::try_into).collect::<Result<_, _>>().map(Some)
    }
}

impl Client {
    /// Returns items.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn list_items(&self, query: ItemQuery) -> Result<Vec<Item>, Failure> {
        let request = self.request(ListItemsRequest::from(query));
        let items = self.inbox().list_items(request).await.map_err(failed)?.into_inner().items;
        items.into_iter().map(TryInto::try_into).collect()
    }

    /// Returns the item that a word names.
    ///
    /// # Errors
    ///
    /// `ITEM_NOT_FOUND` or `ITEM_AMBIGUOUS`.
    pub async fn get_item(&self, item: &str) -> Result<Item, Failure> {
        let request = self.request(ItemRequest { item: item.to_owned() });
        self.inbox().get_item(request).await.map_err(failed)?.into_inner().try_into()
    }

    /// Follows the open items.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn watch_items(&self, query: ItemQuery) -> Result<ItemStream, Failure> {
        let request = Request::new(ListItemsRequest::from(query));
        Ok(ItemStream(self.inbox().watch_items(request).await.map_err(failed)?.into_inner()))
    }

    /// Answers an item whose question was asked at this time.
    ///
    /// # Errors
    ///
    /// `ITEM_CLOSED`, `NOT_ASKED` or `NOT_AN_ANSWER`.
    pub async fn answer_item(
        &self,
        item: &str,
        asked: Option<DateTime<Utc>>,
        answer: Answer,
        by: &str,
    ) -> Result<Item, Failure> {
        let request = AnswerItemRequest {
            item: item.to_owned(),
            asked_at: asked.map(to_timestamp),
            answer: Some(answer.into()),
            by: by.to_owned(),
        };
        let answered = self.inbox().answer_item(self.request(request)).await;
        answered.map_err(failed)?.into_inner().try_into()
    }

    /// Puts an item off.
    ///
    /// # Errors
    ///
    /// `ITEM_CLOSED` or `BAD_SNOOZE`.
    pub async fn snooze_item(&self, item: &str, time: Duration, by: &str) -> Result<Item, Failure> {
        let for_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let request = SnoozeItemRequest { item: item.to_owned(), for_ms, by: by.to_owned() };
        let snoozed = self.inbox().snooze_item(self.request(request)).await;
        snoozed.map_err(failed)?.into_inner().try_into()
    }

    /// Puts items away; returns those that were open.
    ///
    /// # Errors
    ///
    /// `ITEM_NOT_FOUND`.
    pub async fn dismiss_items(&self, items: &[String], by: &str) -> Result<Vec<Item>, Failure> {
        let items = items.to_vec();
        self.dismiss(DismissItemsRequest { items, by: by.to_owned(), ..Default::default() }).await
    }

    /// Puts away every open item, of one project unless it is empty.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn dismiss_all(&self, project: &str, by: &str) -> Result<Vec<Item>, Failure> {
        let (project, by) = (project.to_owned(), by.to_owned());
        self.dismiss(DismissItemsRequest { all: true, project, by, items: Vec::new() }).await
    }

    async fn dismiss(&self, request: DismissItemsRequest) -> Result<Vec<Item>, Failure> {
        let dismissed = self.inbox().dismiss_items(self.request(request)).await;
        let items = dismissed.map_err(failed)?.into_inner().items;
        items.into_iter().map(TryInto::try_into).collect()
    }

    /// Tells that somebody has looked at turns that ended at these times.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn mark_seen(
        &self,
        seen: impl IntoIterator<Item = (RunnerId, DateTime<Utc>)>,
    ) -> Result<(), Failure> {
        let one = |(id, ended): (RunnerId, DateTime<Utc>)| Seen {
            runner_id: id.to_string(),
            ended_at: Some(to_timestamp(ended)),
        };
        let request = MarkSeenRequest { seen: seen.into_iter().map(one).collect() };
        self.inbox().mark_seen(self.request(request)).await.map_err(failed).map(drop)
    }

    /// Returns what happened since a time or, without one, since a dashboard was used last.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn digest(&self, since: Option<DateTime<Utc>>) -> Result<Digest, Failure> {
        let request = self.request(GetDigestRequest { since: since.map(to_timestamp) });
        Ok(self.inbox().get_digest(request).await.map_err(failed)?.into_inner().into())
    }

    /// Tells that somebody looks, by what with.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn note_presence(&self, surface: &str) -> Result<(), Failure> {
        let request = self.request(NotePresenceRequest { surface: surface.to_owned() });
        self.inbox().note_presence(request).await.map_err(failed).map(drop)
    }
}
