//! The publisher against a real broker: what every test here needs.

mod delivery;
mod outages;
mod refusals;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use chrono::Utc;
use futures_util::StreamExt as _;
use lapin::{
    Connection, ConnectionProperties, message::Delivery, options::BasicConsumeOptions,
    types::FieldTable,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    super::{BrokerStatus, Message, Outcome, Publisher, WINDOW, start},
    Topology, start_with,
};
use crate::{config::RabbitMqConfig, daemon::servers::RabbitMq};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// The queue that takes everything.
const EVENTS: &str = "stratavore.daemon.events";

fn config(url: &str) -> RabbitMqConfig {
    RabbitMqConfig { url: url.into(), ..RabbitMqConfig::default() }
}

/// Confirmations may take this long here, so that tests of silence do not take longer.
const SILENCE: Duration = Duration::from_secs(3);

/// Starts a publisher that nobody stops.
fn publisher(url: &str) -> Publisher {
    let topology = Topology::standard("stratavore.events");
    start_with(&config(url), topology, SILENCE, CancellationToken::new())
}

fn message(number: usize, key: &str) -> Message {
    Message {
        id: Uuid::now_v7(),
        routing_key: key.to_owned(),
        event_type: "runner.started".to_owned(),
        timestamp: Utc::now(),
        body: Bytes::from(format!("{{\"number\":{number}}}")),
    }
}

fn messages(count: usize) -> Vec<Message> {
    (0..count).map(|number| message(number, "runner.started.p")).collect()
}

/// Waits for a status.
async fn status(
    publisher: &mut Publisher,
    wanted: impl FnMut(&BrokerStatus) -> bool,
) -> BrokerStatus {
    let found = timeout(PATIENCE, publisher.status.wait_for(wanted)).await;
    found.expect("the status comes").expect("the publisher lives").clone()
}

fn is_ready(status: &BrokerStatus) -> bool {
    matches!(status, BrokerStatus::Ready { .. })
}

fn is_away(status: &BrokerStatus) -> bool {
    matches!(status, BrokerStatus::Away { .. })
}

async fn ready(publisher: &mut Publisher) -> BrokerStatus {
    status(publisher, is_ready).await
}

async fn away(publisher: &mut Publisher) -> String {
    match status(publisher, is_away).await {
        BrokerStatus::Away { why, .. } => why,
        _ => unreachable!(),
    }
}

/// Returns the next outcome.
async fn outcome(publisher: &mut Publisher) -> (Uuid, Outcome) {
    let next = timeout(PATIENCE, publisher.outcomes.recv()).await;
    next.expect("an outcome comes").expect("the publisher lives")
}

/// What [`deliver`] met on the way.
#[derive(Debug, Default)]
struct Tally {
    confirmed: usize,
    unknown: usize,
    refused: HashMap<Uuid, String>,
}

/// Sends everything as the relay does: in order, from the earliest again when one is unknown, after
/// all that was sent has come back. Checks that each message sent comes back exactly once. Calls
/// `midway` with the number of confirmations after each.
async fn deliver(
    publisher: &mut Publisher,
    messages: Vec<Message>,
    mut midway: impl FnMut(usize),
) -> Tally {
    let mut tally = Tally::default();
    let mut queue = VecDeque::from(messages);
    let mut sent: VecDeque<Message> = VecDeque::new();
    let mut out: HashSet<Uuid> = HashSet::new();
    let mut again: HashSet<Uuid> = HashSet::new();
    while !(queue.is_empty() && sent.is_empty()) {
        let sending = !queue.is_empty() && again.is_empty();
        let round = async {
            tokio::select! {
                biased;
                outcome = publisher.outcomes.recv() => Some(outcome.expect("the publisher lives")),
                right = publisher.messages.reserve(), if sending => {
                    let message = queue.pop_front().expect("there is one");
                    assert!(out.insert(message.id));
                    right.expect("the publisher lives").send(message.clone());
                    sent.push_back(message);
                    None
                }
            }
        };
        let happened = timeout(PATIENCE, round).await;
        let Some((id, outcome)) = happened.expect("something happens") else { continue };
        assert!(out.remove(&id), "{id} came back twice: {outcome:?}");
        match outcome {
            Outcome::Confirmed => {
                tally.confirmed += 1;
                sent.retain(|message| message.id != id);
                midway(tally.confirmed);
            }
            Outcome::Refused(why) => {
                sent.retain(|message| message.id != id);
                tally.refused.insert(id, why);
            }
            Outcome::Unknown => {
                tally.unknown += 1;
                again.insert(id);
            }
        }
        if out.is_empty() {
            again.clear();
            sent.append(&mut queue);
            std::mem::swap(&mut sent, &mut queue);
        }
    }
    tally
}

/// Consumes from a queue until so many different messages have come, and a little longer.
async fn consume(url: &str, queue: &str, count: usize) -> Vec<Delivery> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consumer =
        channel.basic_consume(queue.into(), "test".into(), options, FieldTable::default());
    let mut consumer = consumer.await.unwrap();
    let (mut all, mut different) = (Vec::new(), HashSet::new());
    loop {
        let enough = different.len() >= count;
        let limit = if enough { Duration::from_millis(200) } else { PATIENCE };
        match timeout(limit, consumer.next()).await {
            Ok(Some(delivery)) => {
                let delivery: Delivery = delivery.unwrap();
                different.insert(id_of(&delivery));
                all.push(delivery);
            }
            Ok(None) => panic!("the consumer was cancelled"),
            Err(_quiet) => {
                assert!(enough, "{} of {count} came", different.len());
                return all;
            }
        }
    }
}

fn id_of(delivery: &Delivery) -> Uuid {
    let id = delivery.properties.message_id().as_ref().expect("an id");
    Uuid::parse_str(id.as_str()).expect("a uuid")
}

/// Checks that all of these came, in this order when duplicates are dropped, and nothing else;
/// returns the number of duplicates.
fn assert_all_in_order(deliveries: &[Delivery], ids: &[Uuid]) -> usize {
    let mut seen = HashSet::new();
    let fresh = deliveries.iter().map(id_of).filter(|&id| seen.insert(id));
    let fresh: Vec<Uuid> = fresh.collect();
    assert_eq!(fresh.len(), ids.len(), "all and nothing else");
    assert!(fresh == ids, "the order is kept");
    deliveries.len() - fresh.len()
}

fn ids_of(messages: &[Message]) -> Vec<Uuid> {
    messages.iter().map(|message| message.id).collect()
}

/// Opens a channel of one's own, to do to the broker what others might.
async fn admin(url: &str) -> (Connection, lapin::Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}
