//! Tells people outside: takes in what the event log says, sends what is due on each channel, records
//! summaries, and hears what is said to the bot. All of it only while this daemon holds the lease.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use crate::daemon::{
    services::{Conversation, NotifyPlace, Services, Step},
    store::Store,
};

/// The doorbell is a hint; looking again after so long is the truth.
const POLL: Duration = Duration::from_secs(20);

/// Whether the lease is ours is looked at so often while it is not.
const LEASE: Duration = Duration::from_secs(2);

/// After a failure of the database.
const PAUSE: Duration = Duration::from_secs(1);

/// Between two messages on one channel: Telegram takes one a second in a chat.
const SPACING: Duration = Duration::from_millis(1050);

/// Events come in groups.
const TOGETHER: Duration = Duration::from_millis(50);

/// Tells people until it is cancelled; returns at once where nobody is to be told.
pub(super) async fn run(services: Services, store: Store) {
    let channels = services.notify_channels();
    if channels.is_empty() {
        return;
    }
    tracing::info!(?channels, "people outside are told");
    let senders = join_all(channels.into_iter().map(|channel| send(services.clone(), channel)));
    tokio::join!(
        follow(services.clone(), store),
        senders,
        summarize(services.clone()),
        finish(services.clone()),
        converse(services)
    );
}

/// Tells what the daemon's own end says, as far as that can be done at once.
pub async fn tell_last(services: &Services) {
    let channels = services.notify_channels();
    if channels.is_empty() || !services.is_notifier() {
        return;
    }
    if let Err(error) = services.notify_take_in(&mut NotifyPlace::default()).await {
        tracing::debug!(%error, "failed to take in the last events");
        return;
    }
    let last = channels.into_iter().map(|channel| services.notify_deliver(channel));
    join_all(last).await;
}

/// Waits until the lease is ours.
async fn lease(services: &Services) {
    while !services.is_notifier() {
        sleep(LEASE).await;
    }
}

async fn follow(services: Services, store: Store) {
    let mut doorbell = store.doorbell();
    let mut place = NotifyPlace::default();
    let mut has_begun = false;
    loop {
        if !services.is_notifier() {
            (place, has_begun) = (NotifyPlace::default(), false);
            lease(&services).await;
        }
        if !has_begun {
            if let Err(error) = services.notify_decide_anew().await {
                tracing::debug!(%error, "failed to decide anew about what waits");
                sleep(PAUSE).await;
                continue;
            }
            has_begun = true;
        }
        doorbell.borrow_and_update();
        match services.notify_take_in(&mut place).await {
            Ok(true) => {}
            Ok(false) => {
                if let Ok(Err(_closed)) = timeout(POLL, doorbell.changed()).await {
                    return;
                }
                sleep(TOGETHER).await;
            }
            Err(error) => {
                tracing::debug!(%error, "failed to take in what is to be told");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn send(services: Services, channel: &'static str) {
    loop {
        lease(&services).await;
        let (rings, retries) = (services.notify_rings(), services.notify_retries());
        let pause = match services.notify_deliver(channel).await {
            Ok(Step::Went) => SPACING,
            Ok(Step::Rest(pause)) => {
                services.notify_rest(pause, retries).await;
                continue;
            }
            Ok(Step::Nothing(next)) => {
                let now = services.context().clock.now();
                let due = next.map(|next| (next - now).to_std().unwrap_or_default());
                let wait = due.unwrap_or(POLL).clamp(Duration::from_millis(20), POLL);
                timeout(wait, services.notify_rung(rings)).await.ok();
                continue;
            }
            Err(error) => {
                tracing::debug!(%error, channel, "failed to look for what is to be sent");
                PAUSE
            }
        };
        sleep(pause).await;
    }
}

async fn summarize(services: Services) {
    while let Some(due) = services.summary_due() {
        // By the clock of the wall, which may be set: so it is looked at now and then.
        loop {
            let left = (due - services.context().clock.now()).to_std().unwrap_or_default();
            if left.is_zero() {
                break;
            }
            sleep(left.min(Duration::from_mins(1))).await;
        }
        if services.is_notifier()
            && let Err(error) = services.summarize().await
        {
            tracing::warn!(%error, "failed to record a summary");
        }
    }
}

/// Says of questions that were pushed how they ended.
async fn finish(services: Services) {
    if !services.chats() {
        return;
    }
    loop {
        lease(&services).await;
        if services.notify_finish().await {
            sleep(SPACING).await;
        }
    }
}

async fn converse(services: Services) {
    if !services.chats() {
        return;
    }
    let mut conversation = Conversation::default();
    loop {
        lease(&services).await;
        let retries = services.notify_retries();
        match services.chat(&mut conversation).await {
            Ok(pause) => services.notify_rest(pause, retries).await,
            Err(error) => {
                tracing::debug!(%error, "failed to hear what was sent to the bot");
                sleep(PAUSE).await;
            }
        }
    }
}
