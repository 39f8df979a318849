//! Follows the daemon: runners, events, health, and one runner's screen.
//!
//! A lost connection is opened again with growing pauses, and a daemon that is gone is started
//! again; the event log is followed on after the last position seen, so that nothing is missed.
//! Until then the state keeps what was known.

use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    event::{DaemonView, Frame, UiEvent},
    state::Watched,
};
use crate::{
    client::{Client, ItemQuery, ItemStream, PlainText},
    config::Places,
    domain::{event::EventFilter, failure::Failure, id::RunnerId, inbox::Item},
};

/// Pauses between attempts grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// So much of a log is read before what comes.
const LOG_TAIL: u64 = 256 * 1024;
/// How often the daemon is asked how it is.
const CHECK: Duration = Duration::from_secs(30);
/// And so often while something is not well: that it is well again must not be told late.
const RECHECK: Duration = Duration::from_secs(3);
/// Events fetched at the start.
const BACKLOG: u32 = 100;
/// Between two looks at what a runner has changed.
const COMPARE: Duration = Duration::from_secs(3);
/// Bytes of the difference that are read.
const PATCH: u32 = 512 * 1024;
/// Frames a second at most of the screen that is typed into, and of those that are looked at.
const FPS: (u32, u32) = (60, 20);

/// Where the feed puts what it learns.
#[derive(Debug, Clone)]
pub(super) struct Outlet {
    /// To the loop.
    pub(super) events: mpsc::Sender<UiEvent>,
    /// The connection, for actions; `None` while there is none.
    pub(super) client: watch::Sender<Option<Client>>,
}

/// The loop is gone: there is nobody to tell.
#[derive(Debug)]
struct Gone;

impl From<mpsc::error::SendError<UiEvent>> for Gone {
    fn from(_nobody_listens: mpsc::error::SendError<UiEvent>) -> Self {
        Self
    }
}

/// Follows the daemon until the loop ends; returns early only when the first attempt fails, which
/// is best told where everybody can read it.
pub(super) async fn follow(places: Places, outlet: Outlet) -> Result<(), Failure> {
    let mut position = None;
    let mut pause = PAUSES.0;
    let mut is_first = true;
    loop {
        // Only the first attempt starts a daemon that is not there: later, somebody may have stopped
        // it on purpose. One that died is replaced.
        let connected = if is_first {
            Client::connect_or_start(&places).await.map(Some)
        } else {
            Client::reconnect(&places).await
        };
        let why = match connected {
            Ok(None) => {
                let what = "the daemon was stopped; stratavore daemon start";
                Failure::unavailable("DAEMON_STOPPED", what)
            }
            Ok(Some(client)) => {
                outlet.client.send_replace(Some(client.clone()));
                let begun = tokio::time::Instant::now();
                let why = serve(&client, &outlet, &mut position).await;
                outlet.client.send_replace(None);
                // One that accepts and fails at once must not be asked without pause.
                if begun.elapsed() > PAUSES.1 {
                    pause = PAUSES.0;
                }
                why
            }
            Err(failure) if is_first => return Err(failure),
            Err(failure) => failure,
        };
        is_first = false;
        if outlet.events.send(UiEvent::Disconnected(why.message)).await.is_err() {
            return Ok(());
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Follows one connection until it is lost and returns why.
async fn serve(client: &Client, outlet: &Outlet, position: &mut Option<u64>) -> Failure {
    let lost = || Failure::unavailable("DAEMON_GONE", "the daemon left");
    match Box::pin(stream(client, outlet, position)).await {
        Err(failure) => failure,
        Ok(()) => lost(),
    }
}

async fn stream(
    client: &Client,
    outlet: &Outlet,
    position: &mut Option<u64>,
) -> Result<(), Failure> {
    let all = EventFilter::default();
    let send = async |event| outlet.events.send(event).await.map_err(Gone::from);
    let mut runners = client.watch_runners().await?;
    let projects = client.list_projects("").await?;
    let daemon = ask(client).await?;
    let pause = |daemon: &DaemonView| if daemon.unwell.is_empty() { CHECK } else { RECHECK };
    let first = pause(&daemon);
    // Without a database they are not to be had, and everything else is shown all the same.
    let quotas = client.list_quotas("").await.unwrap_or_default();
    if send(UiEvent::Connected(daemon)).await.is_err()
        || send(UiEvent::Projects(projects)).await.is_err()
        || send(UiEvent::Quotas(quotas)).await.is_err()
    {
        return Ok(());
    }
    if position.is_none() {
        let newest = client.list_events(&all, BACKLOG).await?;
        // A daemon that cannot tell has more to say of itself elsewhere.
        if let Ok(digest) = client.digest(None).await
            && send(UiEvent::Away(Box::new(digest))).await.is_err()
        {
            return Ok(());
        }
        *position = Some(newest.last().map_or(0, |event| event.position));
        if send(UiEvent::Happened(newest)).await.is_err() {
            return Ok(());
        }
    }
    let events = client.subscribe_events(&all, *position).await;
    let mut events = events.inspect_err(|failure| {
        // It is another log, an older one that was put back: it is read anew.
        if failure.reason == "AHEAD_OF_LOG" {
            *position = None;
        }
    })?;
    // Without a database they are not to be had either; they are asked for again.
    let mut items = client.watch_items(ItemQuery::default()).await.ok();
    let mut checks = interval(CHECK);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    checks.reset_after(first);
    loop {
        let event = tokio::select! {
            update = runners.next() => match update? {
                Some(update) => UiEvent::Runners(update),
                None => return Ok(()),
            },
            event = events.next() => match event? {
                Some(event) => {
                    *position = Some(event.position);
                    UiEvent::Happened(vec![event])
                }
                None => return Ok(()),
            },
            list = next_items(&mut items) => {
                let Some(list) = list else {
                    items = None;
                    continue;
                };
                UiEvent::Inbox(list)
            }
            _ = checks.tick() => {
                // One that was written into the table by hand causes no event.
                if let Ok(quotas) = client.list_quotas("").await
                    && send(UiEvent::Quotas(quotas)).await.is_err()
                {
                    return Ok(());
                }
                if items.is_none() {
                    items = client.watch_items(ItemQuery::default()).await.ok();
                }
                let daemon = ask(client).await?;
                checks.reset_after(pause(&daemon));
                UiEvent::Connected(daemon)
            }
        };
        if send(event).await.is_err() {
            return Ok(());
        }
    }
}

/// Returns the open items when they have changed; nothing once they cannot be followed any more.
async fn next_items(items: &mut Option<ItemStream>) -> Option<Vec<Item>> {
    match items {
        Some(items) => items.next().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

/// Asks the daemon what and how it is.
async fn ask(client: &Client) -> Result<DaemonView, Failure> {
    let status = client.status().await?;
    let health = client.health().await?;
    let unwell = health.iter().filter(|component| component.state != "ok");
    let unwell =
        unwell.map(|component| format!("{}: {}", component.name, component.detail)).collect();
    Ok(DaemonView {
        hostname: status.hostname,
        version: status.version,
        database: status.database,
        pid: status.pid,
        started_at: Some(status.started_at),
        memory_kb: status.memory_kb,
        root: status.root,
        parts: health,
        unwell,
    })
}

/// Reads a runner's record, the newest part first known, and follows it until it is aborted.
pub(super) async fn follow_log(client: Client, id: RunnerId, events: mpsc::Sender<UiEvent>) {
    let why = match read_log(&client, id, &events).await {
        Ok(true) => "(that is all)".to_owned(),
        Ok(false) => return,
        Err(failure) => format!("({})", failure.message),
    };
    events.send(UiEvent::LogEnded(id, why)).await.ok();
}

/// Returns whether somebody still listens.
async fn read_log(
    client: &Client,
    id: RunnerId,
    events: &mpsc::Sender<UiEvent>,
) -> Result<bool, Failure> {
    let mut log = client.read_log(&id.to_string(), Some(LOG_TAIL), true).await?;
    let mut plain = PlainText::default();
    while let Some(piece) = log.next().await? {
        let mut text = Vec::new();
        if piece.missing > 0 {
            text.extend(format!("\n[{} bytes were not recorded]\n", piece.missing).into_bytes());
        }
        plain.take(&piece.bytes, &mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        if events.send(UiEvent::Log(id, text)).await.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Looks at what a runner has changed, again and again, until it is aborted.
pub(super) async fn follow_changes(
    client: watch::Receiver<Option<Client>>,
    id: RunnerId,
    events: mpsc::Sender<UiEvent>,
) {
    let mut last = None;
    loop {
        let now = client.borrow().clone();
        if let Some(now) = now {
            let read = now.changes(&id.to_string(), PATCH).await;
            let read = read.map_err(|failure| failure.in_a_line());
            if last.as_ref() != Some(&read) {
                last = Some(read.clone());
                if events.send(UiEvent::Changes(id, read.map(Box::new))).await.is_err() {
                    return;
                }
            }
        }
        sleep(COMPARE).await;
    }
}

/// Follows a runner's screen until it is aborted.
pub(super) async fn follow_screen(
    client: Client,
    Watched { id, is_typed_into }: Watched,
    events: mpsc::Sender<UiEvent>,
) {
    let fps = if is_typed_into { FPS.0 } else { FPS.1 };
    let mut pause = PAUSES.0;
    loop {
        if let Ok(mut frames) = client.watch_frames(&id.to_string(), fps).await {
            while let Ok(Some(frame)) = frames.next().await {
                pause = PAUSES.0;
                let frame = Frame { size: frame.size, full: frame.full, bytes: frame.bytes };
                if events.send(UiEvent::Frame(id, Box::new(frame))).await.is_err() {
                    return;
                }
            }
        }
        if events.send(UiEvent::FrameLost(id)).await.is_err() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}
