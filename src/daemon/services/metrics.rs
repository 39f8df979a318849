//! The daemon's metrics, gathered when somebody asks and not before.
//!
//! Invariant: whoever asks within [`FRESH`] of another gets the same page, and those who ask together wait
//! for one gathering: a storm of scrapes costs as much as one. What the database does not tell within
//! [`LIMIT`] is left out; the rest is there.

use std::{
    sync::{Arc, Mutex as SyncMutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use procfs::{WithCurrentSystemInfo as _, process::Process};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

use super::{Component, Services};
use crate::{
    daemon::{
        broker::BrokerStatus,
        store::{DatabaseStatus, NotificationCount, RunnerCount},
    },
    domain::{
        budget::{Budget, Limit},
        failure::Failure,
        inbox::Reason,
        metric::{Histogram, MOST, Page, bounded, families as f, real},
        outbox::OutboxCounts,
        runner::RunnerStatus,
        usage::{Tokens, UsageBy, UsageFilter, UsageTotal},
    },
};

/// A page serves all who ask within this.
const FRESH: Duration = Duration::from_secs(1);

/// The database may take so long, all questions together.
const LIMIT: Duration = Duration::from_millis(1500);

/// The sums over all requests are worth a walk through the table only so often.
const SELDOM: Duration = Duration::from_secs(15);

/// And no more often than this many times as long as it takes.
const RARELY: u32 = 20;

/// What is counted where it happens, and the last page.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures(Arc<State>);

#[derive(Debug, Default)]
struct State {
    page: Mutex<Option<(Instant, Arc<Page>)>>,
    /// The sums by model, and until when they do.
    models: Mutex<Option<(Instant, Vec<UsageTotal>)>>,
    /// Where the page is served: the address, or why it is not. Empty when that is not wanted.
    served: SyncMutex<Option<Result<String, String>>>,
    heartbeat: Histogram,
    relay: Histogram,
}

impl Figures {
    /// A round of heartbeats took so long.
    pub(super) fn beat(&self, took: Duration) {
        self.0.heartbeat.observe(took);
    }
}

/// What the database told; `None` for what it did not.
struct Told {
    runners: Option<Vec<RunnerCount>>,
    projects: Option<Vec<(String, u64)>>,
    sessions: Option<u64>,
    events: Option<u64>,
    outbox: Option<OutboxCounts>,
    inbox: Option<Vec<(String, u64)>>,
    notifications: Option<Vec<NotificationCount>>,
    budgets: Option<Vec<Budget>>,
    models: Option<Vec<UsageTotal>>,
    health: Option<Vec<Component>>,
}

impl Services {
    /// An event of this time was confirmed by the broker just now.
    pub fn note_relayed(&self, at: DateTime<Utc>) {
        let took = (self.context.clock.now() - at).to_std().unwrap_or_default();
        self.figures.0.relay.observe(took);
    }

    /// Takes note of where metrics are served, or why they are not.
    pub fn note_metrics_served(&self, served: Result<String, String>) {
        let mut known = self.figures.0.served.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(served);
    }

    /// Returns how it stands with the metrics, `None` when they are not to be served.
    pub(super) fn metrics_component(&self) -> Option<Component> {
        let known = self.figures.0.served.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match known.as_ref()? {
            Ok(address) => Ok(format!("http://{address}/metrics")),
            Err(why) => Err(format!("{why}; docker.prometheus.port names another port")),
        };
        Some(Component::extra("metrics", outcome))
    }

    /// Returns all metrics.
    pub async fn metrics(&self) -> Arc<Page> {
        let mut last = self.figures.0.page.lock().await;
        if let Some((at, page)) = &*last
            && at.elapsed() < FRESH
        {
            return Arc::clone(page);
        }
        let page = Arc::new(self.gather().await);
        *last = Some((Instant::now(), Arc::clone(&page)));
        page
    }

    async fn gather(&self) -> Page {
        let told = self.ask_all().await;
        let mut page = Page::default();
        page.add(&f::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
        let now = self.context.clock.now();
        page.add(&f::UPTIME, &[], seconds_between(self.context.started_at, now));
        for component in told.health.iter().flatten() {
            let is_healthy = if component.healthy { 1.0 } else { 0.0 };
            page.add(&f::COMPONENT_HEALTHY, &[&component.name], is_healthy);
        }
        if let Ok(fs) = rustix::fs::statvfs(self.context.places.root()) {
            page.count(&f::DISK_FREE, &[], fs.f_bavail.saturating_mul(fs.f_frsize));
        }
        let linked = self.fleet.linked();
        page.count(&f::SUPERVISORS, &[], linked.len() as u64);
        let viewers = linked.iter().filter_map(|known| self.fleet.last_status(known.id));
        let viewers = viewers.map(|status| u64::from(status.viewers)).sum();
        page.count(&f::ATTACH_CLIENTS, &[], viewers);
        page.histogram(&f::HEARTBEAT_LATENCY, &self.figures.0.heartbeat);
        page.histogram(&f::STORE_WRITE, self.store.write_latency());
        let is_up = *self.store.status().borrow() == DatabaseStatus::Up && told.runners.is_some();
        page.add(&f::DATABASE_UP, &[self.store.kind()], if is_up { 1.0 } else { 0.0 });
        if let Some(broker) = &self.broker {
            let is_up = matches!(*broker.borrow(), BrokerStatus::Ready { .. });
            page.add(&f::BROKER_UP, &[], if is_up { 1.0 } else { 0.0 });
            page.histogram(&f::RELAY_LATENCY, &self.figures.0.relay);
        }
        told.add_to(&mut page, now);
        add_process(&mut page);
        page
    }

    /// Asks the database everything at once.
    async fn ask_all(&self) -> Told {
        let until = Instant::now() + LIMIT;
        let (store, now) = (&self.store, self.context.clock.now());
        let (runners, projects, sessions, events, outbox) = tokio::join!(
            answer(until, store.runner_counts(&self.context.origin.node_id)),
            answer(until, store.project_tokens()),
            answer(until, store.session_count()),
            answer(until, store.event_newest()),
            answer(until, store.outbox_counts()),
        );
        let (inbox, notifications, budgets, models, health) = tokio::join!(
            answer(until, store.inbox_counts(now)),
            answer(until, store.notification_figures()),
            answer(until, store.budget_list(now)),
            answer(until, self.usage_by_model()),
            async { timeout_at(until, self.health()).await.ok() },
        );
        Told {
            runners,
            projects,
            sessions,
            events,
            outbox,
            inbox,
            notifications,
            budgets,
            models,
            health,
        }
    }

    /// Returns what each model was used for, not always the newest sums. They are read to their end also
    /// when this scrape does not wait for that, and never twice at a time.
    async fn usage_by_model(&self) -> Result<Vec<UsageTotal>, Failure> {
        let services = self.clone();
        let reading = tokio::spawn(async move {
            let Ok(mut known) = services.figures.0.models.try_lock() else {
                return Err(Failure::unavailable("USAGE_SLOW", "an earlier scrape still sums up"));
            };
            let began = Instant::now();
            if let Some((until, totals)) = &*known
                && began < *until
            {
                return Ok(totals.clone());
            }
            let everything = UsageFilter::default();
            let totals = services.store.usage_totals(UsageBy::Model, &everything).await?;
            let pause = SELDOM.max(began.elapsed() * RARELY);
            *known = Some((Instant::now() + pause, totals.clone()));
            Ok(totals)
        });
        reading.await.map_err(|error| Failure::internal(format!("sum up the usage: {error}")))?
    }
}

impl Told {
    fn add_to(self, page: &mut Page, now: DateTime<Utc>) {
        add_runners(page, self.runners);
        if let Some(projects) = self.projects {
            page.count(&f::PROJECTS, &[], projects.len() as u64);
            let all = projects.iter().map(|(_, tokens)| tokens).sum();
            page.count(&f::TOKENS_USED, &["global"], all);
            let used = projects.into_iter().filter(|(_, tokens)| *tokens > 0);
            for (project, tokens) in bounded(used, |sum, more| *sum += more) {
                page.count(&f::TOKENS_USED, &[&format!("project:{project}")], tokens);
            }
        }
        if let Some(sessions) = self.sessions {
            page.count(&f::SESSIONS, &[], sessions);
        }
        if let Some(events) = self.events {
            page.count(&f::EVENTS, &[], events);
        }
        if let Some(outbox) = self.outbox {
            page.count(&f::OUTBOX_DEPTH, &[], outbox.waiting);
            page.count(&f::OUTBOX_PARKED, &[], outbox.parked);
            let age = outbox.oldest.map_or(0.0, |oldest| seconds_between(oldest, now));
            page.add(&f::OUTBOX_OLDEST, &[], age);
        }
        if let Some(inbox) = self.inbox {
            for reason in Reason::ALL {
                let open = inbox.iter().find(|(word, _)| word == reason.as_str());
                page.count(&f::INBOX_OPEN, &[reason.as_str()], open.map_or(0, |(_, many)| *many));
            }
        }
        for NotificationCount { channel, state, count, oldest } in
            self.notifications.into_iter().flatten()
        {
            page.count(&f::NOTIFICATIONS, &[&channel, &state], count);
            if let Some(oldest) = oldest.filter(|_| state == "waiting") {
                page.add(&f::NOTIFICATIONS_OLDEST, &[&channel], seconds_between(oldest, now));
            }
        }
        add_budgets(page, self.budgets);
        add_models(page, self.models);
    }
}

fn add_runners(page: &mut Page, runners: Option<Vec<RunnerCount>>) {
    let Some(runners) = runners else { return };
    let live = |status: &str| RunnerStatus::parse(status).is_some_and(RunnerStatus::is_live);
    for status in RunnerStatus::ALL {
        let of = runners.iter().filter(|runner| runner.status == status.as_str());
        page.count(&f::RUNNERS, &[status.as_str()], of.map(|runner| runner.count).sum());
    }
    let (mut projects, mut activities) = (Vec::new(), Vec::new());
    for runner in runners.into_iter().filter(|runner| live(&runner.status)) {
        projects.push((runner.project, runner.count));
        activities.push((runner.activity, runner.count));
    }
    projects.sort_by(|(a, many_a), (b, many_b)| many_b.cmp(many_a).then_with(|| a.cmp(b)));
    for (project, count) in bounded(projects, |sum, more| *sum += more) {
        page.count(&f::RUNNERS_BY_PROJECT, &[&project], count);
    }
    for (activity, count) in bounded(activities, |sum, more| *sum += more) {
        page.count(&f::RUNNERS_BY_ACTIVITY, &[&activity], count);
    }
}

fn add_budgets(page: &mut Page, budgets: Option<Vec<Budget>>) {
    let Some(mut budgets) = budgets else { return };
    page.count(&f::BUDGETS, &[], budgets.len() as u64);
    budgets.sort_by_key(|budget| std::cmp::Reverse(budget.percent()));
    for budget in budgets.iter().take(MOST) {
        let (scope, period) = (budget.scope.to_string(), budget.period.as_str());
        let left = real(budget.remaining());
        let unit = match budget.limit {
            Limit::Tokens(_) => {
                page.add(&f::BUDGET_REMAINING_TOKENS, &[&scope, period], left);
                "tokens"
            }
            Limit::Money(_) => {
                page.add(&f::BUDGET_REMAINING_DOLLARS, &[&scope, period], left / 1e9);
                "dollars"
            }
        };
        let used = real(budget.used) / real(budget.limit.amount().max(1));
        page.add(&f::BUDGET_USED, &[&scope, period, unit], used);
    }
}

fn add_models(page: &mut Page, models: Option<Vec<UsageTotal>>) {
    let models = models.into_iter().flatten().map(|total| (total.key.clone(), total));
    let sums = bounded(models, |sum, more| {
        sum.requests += more.requests;
        sum.tokens += more.tokens;
        sum.cost += more.cost;
    });
    for (model, UsageTotal { requests, tokens, cost, .. }) in sums {
        let Tokens { input, cache_read, cache_write_5m, cache_write_1h, output, .. } = tokens;
        let kinds = [
            ("input", input),
            ("cache_read", cache_read),
            ("cache_write", cache_write_5m.saturating_add(cache_write_1h)),
            ("output", output),
        ];
        for (kind, count) in kinds {
            page.count(&f::USAGE_TOKENS, &[&model, kind], count);
        }
        page.add(&f::USAGE_COST, &[&model], cost.dollars());
        page.count(&f::USAGE_REQUESTS, &[&model], requests);
    }
}

/// Adds what the kernel says of this process, under the names that every program uses.
fn add_process(page: &mut Page) {
    let Ok(own) = Process::myself() else { return };
    if let Ok(stat) = own.stat() {
        let ticks = real(procfs::ticks_per_second());
        page.add(&f::PROCESS_CPU, &[], real(stat.utime + stat.stime) / ticks);
        page.count(&f::PROCESS_MEMORY, &[], stat.rss_bytes().get());
        page.count(&f::PROCESS_THREADS, &[], u64::try_from(stat.num_threads).unwrap_or(0));
        if let Ok(booted) = procfs::boot_time_secs() {
            page.add(&f::PROCESS_START, &[], real(booted) + real(stat.starttime) / ticks);
        }
    }
    if let Ok(count) = own.fd_count() {
        page.count(&f::PROCESS_FDS, &[], count as u64);
    }
    let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if let Some(most) = limits.current {
        page.count(&f::PROCESS_MAX_FDS, &[], most);
    }
}

/// Returns what a question was answered in time.
async fn answer<T, E: std::fmt::Display>(
    until: Instant,
    question: impl Future<Output = Result<T, E>>,
) -> Option<T> {
    match timeout_at(until, question).await {
        Ok(Ok(told)) => Some(told),
        Ok(Err(error)) => {
            tracing::debug!(%error, "metrics are gathered without a part");
            None
        }
        Err(_elapsed) => {
            tracing::debug!("metrics are gathered without what the database did not tell in time");
            None
        }
    }
}

fn seconds_between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).to_std().unwrap_or_default().as_secs_f64()
}
