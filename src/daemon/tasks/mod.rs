//! d2: what goes on by itself. Each task takes no input but a tick or a doorbell, and repeats what
//! it does until the daemon stops; a failure is logged and tried again.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::daemon::{
    fleet::Notice,
    services::{Change, Services},
};

/// Starts every task.
pub fn start(
    services: &Services,
    notices: mpsc::Receiver<Notice>,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) {
    let run = |future: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        let stop = stop.clone();
        tracker.spawn(async move { stop.run_until_cancelled(future).await });
    };
    run(Box::pin(follow_supervisors(services.clone(), notices)));
    run(Box::pin(sample(services.clone())));
    run(Box::pin(reconcile(services.clone())));
    run(Box::pin(restart_failed(services.clone())));
}

/// Writes down what supervisors say, in the order in which they say it.
async fn follow_supervisors(services: Services, mut notices: mpsc::Receiver<Notice>) {
    while let Some(notice) = notices.recv().await {
        services.notice(notice).await;
    }
}

/// Samples the process trees.
async fn sample(services: Services) {
    let seconds = services.context().config.daemon.heartbeat_interval_seconds;
    let mut ticks = ticks(seconds);
    loop {
        ticks.tick().await;
        if let Err(error) = services.heartbeat().await {
            tracing::warn!(%error, "failed to record heartbeats");
        }
    }
}

/// Compares the rows with what really runs, first of all at the start.
async fn reconcile(services: Services) {
    let seconds = services.context().config.daemon.reconcile_interval_seconds;
    let mut ticks = ticks(seconds);
    loop {
        ticks.tick().await;
        match services.reconcile().await {
            Ok(result) if result.adopted.is_empty() && result.failed.is_empty() => {}
            Ok(result) => {
                tracing::info!(adopted = ?result.adopted, ended = ?result.failed, "reconciled");
            }
            Err(error) => tracing::warn!(%error, "failed to reconcile"),
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
