//! The attention inbox: look at it, follow it, answer, put off, put away. Every surface (dashboard,
//! command line, messengers, HTTP) comes through here, so that what is answered in one is gone in all.
//!
//! Items come and go with the changes that cause them (`store/inbox`); which change causes what is said
//! in `domain::inbox`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use uuid::Uuid;

use super::{EventFeed, Services};
use crate::{
    daemon::{
        fleet::LookFor,
        store::{ItemAct, ItemFilter},
    },
    domain::{
        answer::Answer,
        digest::{Digest, digest},
        event::{EventFilter, EventType, NewEvent},
        evidence::Shown,
        failure::Failure,
        id::RunnerId,
        inbox::{Class, Consequence, Item, ItemState, last_lines},
        question,
        runner::Runner,
    },
    proto::link::v1::Type,
};

/// Changes that come together are told together.
const TOGETHER: Duration = Duration::from_millis(40);

/// A screen is looked at when it has come to rest.
const REST: Duration = Duration::from_millis(300);

/// A screen that cannot be had in so long tells no choices.
const LOOKING: Duration = Duration::from_secs(2);

/// The longest time for which an item can be put off.
const LONGEST_SNOOZE: TimeDelta = TimeDelta::days(365);

/// Without anything put off this is looked at so seldom.
const SELDOM: Duration = Duration::from_mins(10);

/// Items that are over are kept for so long.
const KEPT: TimeDelta = TimeDelta::days(30);

/// What the presence of dashboards is noted under.
const DASHBOARD: &str = "dashboard";

/// Where nobody has looked yet, a digest goes back so far; and over so many events at most.
const LONG_AGO: TimeDelta = TimeDelta::days(1);
const MOST_EVENTS: u32 = 20_000;

/// The longest name of who answers.
const LONGEST_NAME: usize = 64;

/// What this daemon knows of changes that have no event.
#[derive(Debug, Clone)]
pub(super) struct Bell(watch::Sender<u64>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Bell {
    fn ring(&self) {
        self.0.send_modify(|count| *count += 1);
    }
}

/// The open items, as they change.
#[derive(Debug)]
pub struct InboxFeed {
    services: Services,
    filter: ItemFilter,
    events: EventFeed,
    bell: watch::Receiver<u64>,
    is_first: bool,
}

impl InboxFeed {
    /// Returns the open items, at once and then whenever they have changed.
    ///
    /// # Errors
    ///
    /// When the database fails or the daemon stops.
    pub async fn next(&mut self) -> Result<Vec<Item>, Failure> {
        if !std::mem::take(&mut self.is_first) {
            tokio::select! {
                event = self.events.next() => drop(event?),
                _ = self.bell.changed() => {}
            }
            sleep(TOGETHER).await;
            self.bell.borrow_and_update();
            self.events.skip_ready();
        }
        self.services.inbox(&self.filter).await
    }
}

impl Services {
    /// Returns items: the open ones by urgency or, with those that are over, the newest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox(&self, filter: &ItemFilter) -> Result<Vec<Item>, Failure> {
        Ok(self.store.inbox_list(filter, self.context.clock.now()).await?)
    }

    /// Follows the open items.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn follow_inbox(&self, filter: ItemFilter) -> Result<InboxFeed, Failure> {
        let inbox = EventFilter { event_type: "inbox.".to_owned(), ..EventFilter::default() };
        let events = self.follow_events(inbox, None).await?;
        let bell = self.bell.0.subscribe();
        Ok(InboxFeed { services: self.clone(), filter, events, bell, is_first: true })
    }

    /// Returns the item that a word names: its id or a unique beginning of it, or the runner that has
    /// one open.
    ///
    /// # Errors
    ///
    /// `ITEM_NOT_FOUND` or `ITEM_AMBIGUOUS`.
    pub async fn inbox_item(&self, word: &str) -> Result<Item, Failure> {
        let mut found = self.store.inbox_find(word).await?;
        let shown = word.escape_debug();
        if found.iter().any(|item| item.runner == word) {
            // By its runner's name: what it asks goes before how it did.
            found.truncate(1);
        }
        if found.len() > 1 {
            let what = format!("`{shown}` could be several items");
            return Err(
                Failure::not_found("ITEM_AMBIGUOUS", what).with_hint("use more of the item's id")
            );
        }
        found.pop().ok_or_else(|| {
            Failure::not_found("ITEM_NOT_FOUND", format!("no item `{shown}` in the inbox"))
                .with_hint("stratavore inbox lists them")
        })
    }

    /// Answers an item; `shown` is when the question was asked that the answer is meant for, where the
    /// caller knows it, and `by` says who answers.
    ///
    /// # Errors
    ///
    /// `ITEM_CLOSED` when it is over, `NOT_ASKED` when the agent asks something else by now,
    /// `NOT_AN_ANSWER` when that is none to it, `OTHER_NODE`.
    pub async fn inbox_answer(
        &self,
        word: &str,
        answer: Answer,
        shown: Option<DateTime<Utc>>,
        by: &str,
    ) -> Result<Item, Failure> {
        let item = self.inbox_item(word).await?;
        if !item.state.is_live() {
            return Err(closed(&item));
        }
        let runner = item.runner_id.to_string();
        match (item.class, &answer) {
            (Class::Ask, _) => {
                if shown.is_some_and(|shown| shown != item.asked_at) {
                    let what =
                        format!("{} asks something else by now; nothing was sent", item.runner);
                    return Err(Failure::conflict("NOT_ASKED", what)
                        .with_hint(format!("stratavore inbox show {}", item.short())));
                }
                self.answer(&runner, item.asked_at, answer, by).await?;
            }
            (Class::Turn, Answer::Reply(text)) => {
                let input = Type { text: text.clone(), submit: true, ..Type::default() };
                self.send_input(&runner, input).await?;
                let act = ItemAct::Answered(text.clone());
                self.act(&[item.id], act, by).await?;
            }
            (Class::Turn, _) => {
                let what = format!("{} asks nothing; only a reply goes on with it", item.runner);
                return Err(Failure::conflict("NOT_AN_ANSWER", what));
            }
            (class, _) => {
                let hint = match class {
                    Class::End => format!("stratavore restart {}", item.runner),
                    Class::Budget => "stratavore budget set raises it".to_owned(),
                    _ => format!("stratavore inbox dismiss {}", item.short()),
                };
                let what = format!("item {} asks nothing", item.short());
                return Err(Failure::conflict("NOT_AN_ANSWER", what).with_hint(hint));
            }
        }
        Ok(self.store.inbox_get(item.id).await?.unwrap_or(item))
    }

    /// Puts an item off.
    ///
    /// # Errors
    ///
    /// `ITEM_CLOSED` when it is over, `BAD_SNOOZE` for a time that is none.
    pub async fn inbox_snooze(
        &self,
        word: &str,
        time: Duration,
        by: &str,
    ) -> Result<Item, Failure> {
        let item = self.inbox_item(word).await?;
        let time = TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX);
        if time < TimeDelta::seconds(1) || time > LONGEST_SNOOZE {
            let what = "an item is put off for a second at least and a year at most";
            return Err(Failure::usage("BAD_SNOOZE", what));
        }
        let until = self.context.clock.now() + time;
        let acted = self.act(&[item.id], ItemAct::SnoozedUntil(until), by).await?;
        self.bell.ring();
        acted.into_iter().next().ok_or_else(|| closed(&item))
    }

    /// Puts items away; what their agents wait with stays as it is.
    ///
    /// # Errors
    ///
    /// `ITEM_NOT_FOUND` for the first that there is not; of those that are over nothing is said.
    pub async fn inbox_dismiss(&self, words: &[String], by: &str) -> Result<Vec<Item>, Failure> {
        let mut ids = Vec::new();
        for word in words {
            ids.push(self.inbox_item(word).await?.id);
        }
        self.act(&ids, ItemAct::Dismissed, by).await
    }

    /// Puts away every open item, of one project or of all.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_dismiss_all(&self, project: &str, by: &str) -> Result<Vec<Item>, Failure> {
        let filter = ItemFilter { project: project.to_owned(), ..ItemFilter::default() };
        let ids: Vec<_> = self.inbox(&filter).await?.iter().map(|item| item.id).collect();
        self.act(&ids, ItemAct::Dismissed, by).await
    }

    /// Takes note that somebody has looked at turns that had ended by then.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox_seen(&self, looked: Vec<(RunnerId, DateTime<Utc>)>) -> Result<(), Failure> {
        let services = self.clone();
        self.detached(async move {
            let event = services.inbox_event();
            services.store.inbox_seen(&looked, &event).await?;
            for (id, at) in looked {
                services.note_looked(id, at).await?;
            }
            Ok(())
        })
        .await
    }

    /// Takes note that somebody has a runner's terminal before them.
    pub(super) fn looked_at(&self, id: RunnerId) {
        let (services, looked) = (self.clone(), (id, self.context.clock.now()));
        // Nobody waits for it who wants to see a terminal.
        tokio::spawn(async move {
            if let Err(error) = services.inbox_seen(vec![looked]).await {
                tracing::debug!(%error, "failed to note that a runner was looked at");
            }
        });
    }

    /// Forgets what has been over for long.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub(crate) async fn prune_inbox(&self) -> Result<(), Failure> {
        Ok(self.store.inbox_prune(self.context.clock.now() - KEPT).await?)
    }

    /// Opens again what was put off until now, and waits for what is next.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub(crate) async fn keep_inbox(&self) -> Result<(), Failure> {
        let mut bell = self.bell.0.subscribe();
        let next = self.store.inbox_wake(&self.inbox_event()).await?;
        let left = next.map_or(SELDOM, |due| {
            let left = (due - self.context.clock.now()).to_std().unwrap_or_default();
            left.clamp(TOGETHER, SELDOM)
        });
        timeout(left, bell.changed()).await.ok();
        Ok(())
    }

    /// Takes note of who looks by what with.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn note_presence(&self, surface: &str) -> Result<(), Failure> {
        Ok(self.store.presence_note(surface, self.context.clock.now()).await?)
    }

    /// Returns what happened since a time or, without one, since a dashboard was used last.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn digest(&self, since: Option<DateTime<Utc>>) -> Result<Digest, Failure> {
        let now = self.context.clock.now();
        let looked = match since {
            Some(since) => Some(since),
            None => self.store.presence_of(DASHBOARD).await?,
        };
        let (since, is_first) = (looked.unwrap_or(now - LONG_AGO), looked.is_none());
        let filter = EventFilter { since: Some(since), ..EventFilter::default() };
        let events = self.store.event_list(&filter, MOST_EVENTS).await?;
        let is_cut = events.len() >= MOST_EVENTS as usize;
        Ok(Digest { is_cut, is_first, ..digest(since, now, &events) })
    }

    /// Writes down what somebody did.
    async fn act(&self, ids: &[Uuid], act: ItemAct, by: &str) -> Result<Vec<Item>, Failure> {
        let (services, ids, by) = (self.clone(), ids.to_vec(), self.named(by));
        self.detached(async move {
            let event = services.inbox_event();
            Ok(services.store.inbox_act(&ids, &act, &by, &event).await?)
        })
        .await
    }

    /// Returns how who answers is written down.
    pub(super) fn named(&self, by: &str) -> String {
        let name: String = by.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        if name.is_empty() { self.context.origin.user.clone() } else { name }
    }

    /// Returns what the events of items are made after.
    pub(super) fn inbox_event(&self) -> NewEvent {
        self.context.system_event(EventType::InboxClosed, json!({}))
    }

    /// Keeps what stands on the screen with the items that have just been opened.
    pub(super) fn keep_lines(&self, runner: &Runner, consequences: &[Consequence]) {
        let opened = consequences.iter().find_map(|one| match one {
            Consequence::Open(opening) if opening.class != Class::End => Some(opening.class),
            _ => None,
        });
        if let Some(class) = opened {
            self.keep_lines_of(runner.id, class, true);
        }
    }

    /// Returns the numbered choices of the question that a runner's agent has asked at this time, as far as
    /// they are on its screen; without secrets.
    pub(super) async fn inbox_choices(
        &self,
        id: RunnerId,
        asked: DateTime<Utc>,
    ) -> Vec<(u8, String)> {
        let item = self.store.inbox_of(id, Class::Ask).await.ok().flatten();
        let Some(item) = item.filter(|item| item.asked_at == asked) else { return Vec::new() };
        if !item.lines.is_empty() {
            return question::choices(&item.lines);
        }
        // It was asked just now, and what stands there is not kept yet.
        let looked = timeout(LOOKING, self.fleet.look(id, LookFor::Screen)).await;
        let reply = looked.ok().and_then(Result::ok);
        let screen = reply.and_then(|reply| reply.screen).unwrap_or_default().lines;
        question::choices(&last_lines(&screen))
    }

    /// Keeps what stands on the screen with the open item of a class; answers to a question that was asked
    /// just now are for the dialog that stands there.
    pub(super) fn keep_lines_of(&self, id: RunnerId, class: Class, is_new: bool) {
        let services = self.clone();
        tokio::spawn(async move {
            sleep(REST).await;
            let Ok(reply) = services.fleet.look(id, LookFor::Screen).await else { return };
            let screen = reply.screen.unwrap_or_default().lines;
            let kept = async {
                let Some(item) = services.store.inbox_of(id, class).await? else { return Ok(()) };
                let dialog = question::mark(&screen).filter(|_| is_new && class == Class::Ask);
                if let Some(dialog) = dialog {
                    services.note_shown(id, Shown { item: item.id, dialog }).await?;
                }
                services.store.inbox_lines(item.id, &last_lines(&screen)).await?;
                Ok::<_, Failure>(())
            };
            match kept.await {
                Ok(()) => services.bell.ring(),
                Err(error) => tracing::debug!(runner.id = %id, %error, "failed to keep a screen"),
            }
        });
    }

    /// Keeps the last lines of a runner that has ended with the item of its end, if there is one.
    pub(super) async fn keep_last_lines(&self, runner: &Runner) {
        let kept = async {
            let Some(item) = self.store.inbox_of(runner.id, Class::End).await? else {
                return Ok(());
            };
            let record = self.fleet.dir(runner.id).read_exit(runner.run);
            let screen = record.map(|record| record.screen).unwrap_or_default();
            if item.lines.is_empty() && !screen.is_empty() {
                self.store.inbox_lines(item.id, &last_lines(&screen)).await?;
                self.bell.ring();
            }
            Ok::<_, Failure>(())
        };
        if let Err(error) = kept.await {
            tracing::debug!(runner.id = %runner.id, %error, "failed to keep a screen");
        }
    }
}

fn closed(item: &Item) -> Failure {
    let by = if item.closed_by.is_empty() { "" } else { " by " };
    let how = match item.state {
        ItemState::Answered => format!("was answered{by}{}", item.closed_by),
        ItemState::Dismissed => format!("was put away{by}{}", item.closed_by),
        _ if item.resolution.is_empty() => "is over".to_owned(),
        _ => format!("is over: {}", item.resolution),
    };
    let what = format!("item {} {how}; nothing was sent", item.short());
    Failure::conflict("ITEM_CLOSED", what).with_hint("stratavore inbox lists what is open")
}
