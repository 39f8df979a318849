//! The broker's part: what is delivered, how soon, and how an outage's backlog is drained.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions,
        BasicQosOptions, ConfirmSelectOptions, QueuePurgeOptions,
    },
    types::FieldTable,
};
use tokio::{sync::Semaphore, task::JoinHandle, time::timeout};

use crate::{
    cost::Cost,
    node::{Kind, Node, event},
    rates::{Figures, quantile},
    servers::RabbitMq,
};

/// The queue that takes every event.
const QUEUE: &str = "stratavore.daemon.events";

/// Callers at once, each waiting for its own commit.
const CALLERS: u64 = 1024;

/// Entities that the load is about: as many runners.
const ENTITIES: u64 = 500;

/// A consumer that is not served for so long has what it gets.
const SILENCE: Duration = Duration::from_secs(20);

/// Events a second from commit to consumer, beside what the broker confirms without us: in turns, for the machine
/// is not as fast in every second.
pub(crate) async fn delivery(figures: &mut Figures) {
    const ROUNDS: u64 = 4;
    const EVENTS: u64 = 20_480;
    for kind in Kind::BOTH {
        let server = RabbitMq::start();
        let node = Node::start(kind, Some(&server.url())).await;
        let channel = connect(&server).await;
        let (mut raw, mut committed, mut delivered) = <(Rate, Rate, Rate)>::default();
        let mut cost = Cost::default();
        for _ in 0..ROUNDS {
            raw.add(EVENTS, raw_burst(&channel, EVENTS).await);
            let consumer = consume(&channel, EVENTS).await;
            let (began, before) = (Instant::now(), Cost::now());
            append(&node, EVENTS).await;
            committed.add(EVENTS, began.elapsed());
            let received = consumer.await.expect("the consumer").len() as u64;
            delivered.add(received, began.elapsed());
            cost.add(&Cost::now().since(&before));
            let options = BasicCancelOptions::default();
            channel.basic_cancel("load".into(), options).await.expect("cancel");
        }
        let per_second = delivered.per_second();
        figures.add(
            format!("{}: events committed and delivered", kind.name()),
            format!("{per_second:.0}/s (committed {:.0}/s)", committed.per_second()),
            "≥ 10,000/s",
        );
        let (raw, turns) = (raw.per_second(), format!("in {ROUNDS} turns each"));
        figures.add(
            format!("{}: delivered ÷ raw confirms of lapin, same queue, {turns}", kind.name()),
            format!("{:.2} (raw {raw:.0}/s)", per_second / raw),
            "≥ 0.5",
        );
        let cost = cost.per_event(delivered.events);
        figures.add(format!("{}: processor time of an event", kind.name()), cost, "");
        node.stop().await;
    }
}

/// So many events in so long.
#[derive(Debug, Default)]
struct Rate {
    events: u64,
    time: Duration,
}

impl Rate {
    fn add(&mut self, events: u64, time: Duration) {
        self.events += events;
        self.time += time;
    }

    fn per_second(&self) -> f64 {
        self.events as f64 / self.time.as_secs_f64()
    }
}

/// Commits events from many callers, each waiting for its own.
async fn append(node: &Node, events: u64) {
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let store = node.store.clone();
            tokio::spawn(async move {
                for n in 0..events / CALLERS {
                    let entity = (caller + n * CALLERS) % ENTITIES;
                    store.event_append(vec![event(entity, 0)]).await.expect("commit");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("a caller");
    }
}

/// From the commit to the consumer, at 1,000 events a second.
pub(crate) async fn latency(figures: &mut Figures) {
    const EVENTS: u64 = 10_000;
    for kind in Kind::BOTH {
        let server = RabbitMq::start();
        let node = Node::start(kind, Some(&server.url())).await;
        let channel = connect(&server).await;
        let consumer = consume(&channel, EVENTS).await;
        let epoch = clock();
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        let mut sent = 0;
        while sent < EVENTS {
            ticks.tick().await;
            for _ in 0..5 {
                let store = node.store.clone();
                let new = event(sent % ENTITIES, clock() - epoch);
                tokio::spawn(async move { store.event_append(vec![new]).await });
                sent += 1;
            }
        }
        let received = consumer.await.expect("the consumer");
        let mut ages: Vec<_> = received
            .into_iter()
            .map(|(nanos, at)| Duration::from_nanos((at - epoch).saturating_sub(nanos)))
            .collect();
        let (p50, p99) = (quantile(&mut ages, 0.5), quantile(&mut ages, 0.99));
        figures.add(
            format!("{}: before the commit → consumer at 1,000/s, p50 / p99", kind.name()),
            format!("{:.1} / {:.1} ms", p50.as_secs_f64() * 1e3, p99.as_secs_f64() * 1e3),
            "p99 ≤ 50 ms",
        );
        node.stop().await;
    }
}

/// A backlog of an outage, drained; and what the process takes meanwhile.
pub(crate) async fn backlog(figures: &mut Figures) {
    const EVENTS: u64 = 100_000;
    for kind in Kind::BOTH {
        let server = RabbitMq::start();
        let node = Node::start(kind, Some(&server.url())).await;
        let channel = connect(&server).await;
        drop(channel);
        server.stop();
        for batch in 0..EVENTS / 500 {
            let news = (0..500).map(|n| event((batch * 500 + n) % ENTITIES, 0));
            node.store.event_append(news.collect()).await.expect("commit");
        }
        let waiting = node.services.outbox_counts().await.expect("count").waiting;
        let memory = memory_mb();
        let began = Instant::now();
        server.restart();
        let back = began.elapsed();
        while node.services.outbox_counts().await.expect("count").waiting > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        figures.add(
            format!("{}: backlog of {waiting} events drained after an outage", kind.name()),
            format!(
                "{:.1} s ({:.1} s of it the broker's start); process {memory} MiB before",
                began.elapsed().as_secs_f64(),
                back.as_secs_f64()
            ),
            "",
        );
        node.stop().await;
    }
}

async fn connect(server: &RabbitMq) -> Channel {
    let connection = Connection::connect(&server.url(), ConnectionProperties::default()).await;
    let channel = connection.expect("connect").create_channel().await.expect("a channel");
    // The daemon declares the queue; a passive look fails until it has, and closes the channel.
    tokio::time::sleep(Duration::from_secs(2)).await;
    channel
}

/// How long the broker takes to confirm messages with as many under way, of the same size, on the same queue.
async fn raw_burst(channel: &Channel, messages: u64) -> Duration {
    if !channel.status().confirm() {
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    }
    let window = Arc::new(Semaphore::new(stratavore::daemon::broker::WINDOW));
    let body = Arc::new(vec![b'x'; 640]);
    let began = Instant::now();
    for _ in 0..messages {
        let permit = Arc::clone(&window).acquire_owned().await.expect("a place");
        let properties = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let confirm =
            channel.basic_publish("".into(), QUEUE.into(), options, &body, properties).await;
        let confirm = confirm.expect("publish");
        tokio::spawn(async move {
            assert_eq!(confirm.await.expect("a confirm"), Confirmation::Ack(None));
            drop(permit);
        });
    }
    let places = u32::try_from(stratavore::daemon::broker::WINDOW).unwrap_or(1);
    drop(window.acquire_many(places).await.expect("all of them"));
    let took = began.elapsed();
    channel.queue_purge(QUEUE.into(), QueuePurgeOptions::default()).await.expect("purge");
    took
}

/// As much of an event as a consumer needs to tell which it is: what it costs to take all of it apart is not
/// what is measured.
#[derive(serde::Deserialize)]
struct Received {
    data: Made,
}

/// When it was made.
#[derive(serde::Deserialize)]
struct Made {
    nanos: u64,
}

/// Consumes so many events of the load; returns when each was made, as it says, and when it came.
async fn consume(channel: &Channel, count: u64) -> JoinHandle<Vec<(u64, u64)>> {
    channel.basic_qos(1000, BasicQosOptions::default()).await.expect("prefetch");
    let mut consumer = channel
        .basic_consume(
            QUEUE.into(),
            "load".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .expect("consume");
    tokio::spawn(async move {
        let mut received = Vec::new();
        while (received.len() as u64) < count {
            let Ok(Some(Ok(delivery))) = timeout(SILENCE, consumer.next()).await else { break };
            let at = clock();
            if let Ok(Received { data: Made { nanos } }) = serde_json::from_slice(&delivery.data) {
                received.push((nanos, at));
            }
            if received.len() % 100 == 0 || received.len() as u64 == count {
                let all = BasicAckOptions { multiple: true };
                delivery.ack(all).await.expect("ack");
            }
        }
        received
    })
}

/// Nanoseconds on a clock that only goes forward.
fn clock() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What this process holds in memory.
fn memory_mb() -> u64 {
    let status = procfs::process::Process::myself().and_then(|process| process.status());
    status.ok().and_then(|status| status.vmrss).unwrap_or(0) / 1024
}
