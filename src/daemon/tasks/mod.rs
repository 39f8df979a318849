//! d2: what goes on by itself. Each task takes no input but a tick or a doorbell, and repeats what
//! it does until the daemon stops; a failure is logged and tried again.

mod budgets;
mod checkpoints;
mod heartbeats;
mod key_shown;
mod notify;
mod relay;
mod retention;

use std::{path::PathBuf, time::Duration};

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{checkpoints::write_last, notify::tell_last};
use crate::daemon::{
    broker::Publisher,
    fleet::Notice,
    services::{Change, Services},
    sources::Heard,
    store::{DatabaseStatus, Store},
};

/// Between two signs of life to other daemons; leases last three times as long.
const BEAT: Duration = Duration::from_millis(2500);

/// How often launches are looked for that nobody is at any more: their slots return within 15 s
/// (reliability.md R14), the time for settling one included.
const LAUNCHES: Duration = Duration::from_secs(5);

/// Events come in groups.
const TOGETHER: Duration = Duration::from_millis(50);

/// What the tasks are fed with.
#[derive(Debug)]
pub struct Inputs {
    /// What supervisors say.
    pub notices: mpsc::Receiver<Notice>,
    /// What agents say over interfaces of their own.
    pub heard: mpsc::Receiver<Heard>,
    /// Where checkpoints of the event log go.
    pub checkpoint_file: PathBuf,
    /// Where it is left that the first key was shown.
    pub key_shown_file: PathBuf,
    /// The way to the broker, when one is configured.
    pub publisher: Option<Publisher>,
}

/// Starts every task.
pub fn start(
    services: &Services,
    store: &Store,
    inputs: Inputs,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) {
    let run = |future: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        let stop = stop.clone();
        tracker.spawn(async move { stop.run_until_cancelled(future).await });
    };
    let Inputs { notices, heard, checkpoint_file, key_shown_file, publisher } = inputs;
    run(Box::pin(follow_supervisors(services.clone(), notices)));
    run(Box::pin(follow_sources(services.clone(), heard)));
    run(Box::pin(take_part(services.clone(), stop.clone())));
    run(Box::pin(heal(services.clone())));
    if store.is_shared() {
        run(Box::pin(follow_others(services.clone(), store.clone())));
    }
    run(Box::pin(checkpoints::run(services.clone(), store.checkpoints(), checkpoint_file)));
    let transient = publisher.as_ref().map(|publisher| publisher.transient.clone());
    if let Some(publisher) = publisher {
        run(Box::pin(relay::run(services.clone(), store.clone(), publisher)));
    }
    run(Box::pin(notify::run(services.clone(), store.clone())));
    run(Box::pin(budgets::run(services.clone())));
    let prompts = services.clone();
    run(Box::pin(async move { prompts.deliver_prompts().await }));
    let intake = services.clone();
    run(Box::pin(async move { intake.take_in_reports().await }));
    run(Box::pin(wake_inbox(services.clone())));
    let transcripts = services.clone();
    run(Box::pin(async move { transcripts.follow_transcripts().await }));
    let keeping = services.clone();
    run(Box::pin(async move { keeping.keep_transcripts().await }));
    run(Box::pin(heartbeats::run(services.clone(), transient)));
    run(Box::pin(reconcile(services.clone())));
    run(Box::pin(look_after(services.clone(), key_shown_file)));
    run(Box::pin(restart_failed(services.clone())));
    run(Box::pin(retention::run(services.clone())));
}

/// Writes down what agents say over interfaces of their own, in the order in which they say it.
async fn follow_sources(services: Services, mut heard: mpsc::Receiver<Heard>) {
    while let Some(heard) = heard.recv().await {
        let id = heard.id;
        if let Err(error) = services.hear(heard).await {
            tracing::warn!(runner.id = %id, %error, "failed to record what an agent said");
        }
    }
}

/// Writes down what supervisors say, in the order in which they say it.
async fn follow_supervisors(services: Services, mut notices: mpsc::Receiver<Notice>) {
    while let Some(notice) = notices.recv().await {
        services.notice(notice).await;
    }
}

/// Gives signs of life to the other daemons, and leaves when another one runs as this node.
async fn take_part(services: Services, stop: CancellationToken) {
    loop {
        match services.take_part().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) if error.reason == "NODE_SUPERSEDED" => {
                tracing::error!(%error, "leaving");
                stop.cancel();
                return;
            }
            Err(error) => tracing::debug!(%error, "failed to give a sign of life"),
        }
        sleep(BEAT).await;
    }
}

/// Tells watchers of this daemon what happens on other nodes.
async fn follow_others(services: Services, store: Store) {
    let mut doorbell = store.doorbell();
    let mut place = None;
    loop {
        match services.announce_others(&mut place).await {
            Ok(()) if doorbell.changed().await.is_err() => return,
            Ok(()) => sleep(TOGETHER).await,
            Err(error) => {
                tracing::debug!(%error, "failed to look what other nodes have done");
                sleep(BEAT).await;
            }
        }
    }
}

/// Brings the rows up to date when the database is back.
async fn heal(services: Services) {
    let mut database = services.database();
    let is_up = |status: &DatabaseStatus| *status == DatabaseStatus::Up;
    loop {
        let lost = database.wait_for(|status| !is_up(status)).await.is_ok();
        if !lost || database.wait_for(is_up).await.is_err() {
            return;
        }
        if let Err(error) = services.reconcile().await {
            tracing::warn!(%error, "failed to reconcile after the database came back");
        }
    }
}

/// Compares the rows with what really runs, first of all at the start.
async fn reconcile(services: Services) {
    let seconds = services.context().config.daemon.reconcile_interval_seconds;
    let mut ticks = ticks(seconds);
    let mut are_orphans_gone = false;
    loop {
        ticks.tick().await;
        let reconciled = services.reconcile().await;
        // Only what is left of before this start; after it each goes with its row.
        if reconciled.is_ok() && !are_orphans_gone {
            are_orphans_gone = services.clear_orphans().await.is_ok();
        }
        match reconciled {
            Ok(result) if result.adopted.is_empty() && result.failed.is_empty() => {}
            Ok(result) => {
                tracing::info!(adopted = ?result.adopted, ended = ?result.failed, "reconciled");
            }
            Err(error) => tracing::warn!(%error, "failed to reconcile"),
        }
    }
}

/// Ends launches that nobody is at any more, so that their slots return, and looks what was left for the daemon.
async fn look_after(services: Services, key_shown_file: PathBuf) {
    let mut ticks = ticks(LAUNCHES.as_secs());
    loop {
        ticks.tick().await;
        key_shown::note(&services, &key_shown_file).await;
        match services.settle_launches().await {
            Ok(names) if names.is_empty() => {}
            Ok(names) => tracing::info!(ended = ?names, "settled interrupted launches"),
            Err(error) => tracing::debug!(%error, "failed to look for interrupted launches"),
        }
    }
}

/// Opens items of the inbox again that were put off.
async fn wake_inbox(services: Services) {
    loop {
        if let Err(error) = services.keep_inbox().await {
            tracing::debug!(%error, "failed to look after the inbox");
            sleep(LAUNCHES).await;
        }
    }
}

/// Starts failed runners again that are to be.
async fn restart_failed(services: Services) {
    let mut changes = services.watch_runners();
    loop {
        let pause = match services.restart_failed().await {
            Ok(next) => next.map_or(Duration::from_hours(1), |due| {
                let left = due - services.context().clock.now();
                left.to_std().unwrap_or_default().max(Duration::from_millis(50))
            }),
            Err(error) => {
                tracing::warn!(%error, "failed to look for runners to restart");
                Duration::from_secs(30)
            }
        };
        let interesting = async {
            loop {
                match changes.recv().await {
                    Ok(Change::Runner(runner)) if runner.restart == "never" => {}
                    Ok(Change::Runner(_)) | Err(_) => return,
                    Ok(_) => {}
                }
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = interesting => {}
        }
    }
}

fn ticks(seconds: u64) -> tokio::time::Interval {
    let mut ticks = interval(Duration::from_secs(seconds.max(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
