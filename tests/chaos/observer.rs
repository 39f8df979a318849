//! Consumers of everything that is published: of a queue of our own and of the product's, from the
//! beginning, with acknowledgements by hand, in the order of delivery, duplicates kept.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt as _;
use lapin::{
    Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions,
        QueueBindOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable, LongString},
};
use serde_json::Value;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use uuid::Uuid;

use crate::history::Delivery;

/// The exchange of the product.
pub(crate) const EXCHANGE: &str = "stratavore.events";
/// The queue of the product that takes everything.
pub(crate) const EVENTS: &str = "stratavore.daemon.events";
/// Ours.
pub(crate) const OBSERVER: &str = "chaos.observer";

/// Each answer of the broker.
const ANSWER: Duration = Duration::from_secs(5);
/// A connection that is silent for so long is made anew: it may be half dead.
const SILENCE: Duration = Duration::from_secs(3);
/// Messages under way to a consumer.
const PREFETCH: u16 = 200;

/// Running consumers.
pub(crate) struct Observer {
    got: Arc<Mutex<Vec<Delivery>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Observer {
    /// Makes our queue and begins to consume.
    pub(crate) async fn start(url: &str) -> Self {
        let (connection, channel) = open(url).await.expect("reach the broker");
        declare(&channel).await.expect("make our queue");
        connection.close(200, "done".into()).await.ok();
        let got = Arc::<Mutex<Vec<Delivery>>>::default();
        let tasks = [OBSERVER, EVENTS].map(|queue| {
            let (url, got) = (url.to_owned(), Arc::clone(&got));
            tokio::spawn(async move {
                loop {
                    // A queue that is gone, a broker that is away: both come back.
                    consume(&url, queue, &got).await.ok();
                    sleep(Duration::from_millis(100)).await;
                }
            })
        });
        Self { got, tasks: tasks.into() }
    }

    /// What came so far.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Opens a connection and a channel of one's own.
pub(crate) async fn open(url: &str) -> lapin::Result<(Connection, Channel)> {
    let opening = async {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok((connection, channel))
    };
    let late = || Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
    timeout(ANSWER, opening).await.unwrap_or_else(|_late| late())
}

/// Makes the exchange as the product does, and our queue, bound to all of it.
async fn declare(channel: &Channel) -> lapin::Result<()> {
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let (kind, none) = (ExchangeKind::Topic, FieldTable::default());
    channel.exchange_declare(EXCHANGE.into(), kind, durable, none).await?;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
    channel.queue_declare(OBSERVER.into(), durable, arguments).await?;
    bind(channel).await
}

/// Binds our queue to everything.
pub(crate) async fn bind(channel: &Channel) -> lapin::Result<()> {
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(OBSERVER.into(), EXCHANGE.into(), "#".into(), options, none).await
}

/// Consumes until something is wrong.
async fn consume(
    url: &str,
    queue: &'static str,
    got: &Mutex<Vec<Delivery>>,
) -> Result<(), lapin::Error> {
    let (connection, channel) = open(url).await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let consuming = channel.basic_consume(queue.into(), "chaos".into(), options, none);
    let Ok(consumer) = timeout(ANSWER, consuming).await else { return Ok(()) };
    let mut consumer = consumer?;
    while let Ok(Some(delivery)) = timeout(SILENCE, consumer.next()).await {
        let delivery = delivery?;
        if let Some(seen) = read(queue, &delivery) {
            got.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        }
        delivery.ack(BasicAckOptions::default()).await?;
    }
    timeout(ANSWER, connection.close(200, "again".into())).await.ok();
    Ok(())
}

/// Reads an event; `None` for a heartbeat, which is no event.
fn read(queue: &'static str, delivery: &lapin::message::Delivery) -> Option<Delivery> {
    let body: Value = serde_json::from_slice(&delivery.data).ok()?;
    let id = delivery.properties.message_id().as_ref()?;
    Some(Delivery {
        queue,
        event: Uuid::parse_str(id.as_str()).ok()?,
        entity: body.get("entity_id")?.as_str()?.to_owned(),
        sequence: body.get("sequence")?.as_i64()?,
        position: body.get("position")?.as_i64()?,
        redelivered: delivery.redelivered,
    })
}
