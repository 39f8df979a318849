//! The event log: list it, follow it.

use std::{collections::VecDeque, time::Duration};

use tokio::{sync::watch, time::timeout};

use super::Services;
use crate::{
    daemon::store::Store,
    domain::{
        event::{Event, EventFilter},
        failure::Failure,
    },
};

/// Events read at once.
const BATCH: u32 = 500;

/// So many batches are looked through for a page.
const BATCHES: u32 = 40;

/// The doorbell is a hint; this is the truth.
const POLL: Duration = Duration::from_secs(30);

/// Events as they are committed.
#[derive(Debug)]
pub struct EventFeed {
    store: Store,
    doorbell: watch::Receiver<u64>,
    filter: EventFilter,
    position: u64,
    /// Read up to where the log goes, until the doorbell rings again.
    is_read: bool,
    ready: VecDeque<Event>,
}

impl Services {
    /// Returns the newest matching events, oldest first; limit 0 means 100.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn list_events(
        &self,
        filter: &EventFilter,
        limit: u32,
    ) -> Result<Vec<Event>, Failure> {
        let limit = if limit == 0 { 100 } else { limit.min(10_000) };
        Ok(self.store.event_list(filter, limit).await?)
    }

    /// Returns the event that a word names: its id or its place in the log.
    ///
    /// # Errors
    ///
    /// `EVENT_NOT_FOUND`.
    pub async fn get_event(&self, word: &str) -> Result<Event, Failure> {
        let event = self.store.event_get(word.trim()).await?;
        event.ok_or_else(|| {
            let what = format!("no event `{}`", word.escape_debug());
            Failure::not_found("EVENT_NOT_FOUND", what)
                .with_hint("stratavore events list; an event is named by its id or its position")
        })
    }

    /// Returns so many matching events after a position, in order; and up to where the log was read when
    /// it goes on there.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn events_after(
        &self,
        filter: &EventFilter,
        after: u64,
        limit: usize,
    ) -> Result<(Vec<Event>, Option<u64>), Failure> {
        let (mut found, mut position) = (Vec::new(), after);
        for _ in 0..BATCHES {
            let batch = self.store.event_after(position, BATCH).await?;
            let is_all = batch.len() < BATCH as usize;
            for event in batch {
                if found.len() == limit {
                    return Ok((found, Some(position)));
                }
                position = event.position;
                if filter.matches(&event) {
                    found.push(event);
                }
            }
            if is_all {
                return Ok((found, None));
            }
        }
        Ok((found, Some(position)))
    }

    /// Follows the log after a position, or from now on.
    ///
    /// # Errors
    ///
    /// `AHEAD_OF_LOG` for a position that the log has not reached, or when the database fails.
    pub async fn follow_events(
        &self,
        filter: EventFilter,
        after: Option<u64>,
    ) -> Result<EventFeed, Failure> {
        let doorbell = self.store.doorbell();
        let newest = self.store.event_newest().await?;
        if let Some(after) = after.filter(|after| *after > newest) {
            // Of another log, or of one that was restored since: nothing would ever be told.
            let what = format!("position {after} is not in the log, which ends at {newest}");
            return Err(Failure::usage("AHEAD_OF_LOG", what)
                .with_hint("begin at the log's end: leave the position out"));
        }
        let position = after.unwrap_or(newest);
        let store = self.store.clone();
        Ok(EventFeed { store, doorbell, filter, position, is_read: false, ready: VecDeque::new() })
    }
}

impl EventFeed {
    /// Up to here the log was read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Leaves out the events that were read already.
    pub(super) fn skip_ready(&mut self) {
        self.ready.clear();
    }

    /// Returns the next matching event, waiting for it.
    ///
    /// # Errors
    ///
    /// When the database fails or the daemon stops.
    pub async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            if self.is_read
                && let Ok(Err(_closed)) = timeout(POLL, self.doorbell.changed()).await
            {
                return Err(Failure::unavailable("SHUTTING_DOWN", "the daemon is stopping"));
            }
            // Who goes away while it is read finds it unread.
            self.is_read = false;
            self.doorbell.borrow_and_update();
            let batch = self.store.event_after(self.position, BATCH).await?;
            self.position = batch.last().map_or(self.position, |last| last.position);
            self.is_read = batch.len() < BATCH as usize;
            let filter = &self.filter;
            self.ready.extend(batch.into_iter().filter(|event| filter.matches(event)));
        }
    }
}
