//! A queue of a real broker for the mutants: publish with confirmation, and read what is there.

use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ExchangeKind,
    options::{
        BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
        QueueBindOptions, QueueDeclareOptions,
    },
    types::{FieldTable, ShortString},
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{history::Delivery, observer::open};

const EXCHANGE: &str = "mutants";
const QUEUE: &str = "mutants";
/// After so long a queue is taken to be empty.
const QUIET: Duration = Duration::from_millis(250);

/// A connection with an exchange and a queue.
pub(super) struct Broker {
    channel: Channel,
    connection: Connection,
}

/// A message of a mutant.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: Uuid,
    pub(super) sequence: i64,
    pub(super) entity: String,
}

impl Broker {
    /// Connects; the queue is bound to nothing yet.
    pub(super) async fn connect(url: &str) -> Self {
        let (connection, channel) = open(url).await.expect("reach the broker");
        let (options, none) = (ExchangeDeclareOptions::default(), FieldTable::default());
        let kind = ExchangeKind::Topic;
        channel.exchange_declare(EXCHANGE.into(), kind, options, none).await.unwrap();
        let (options, none) = (QueueDeclareOptions::default(), FieldTable::default());
        channel.queue_declare(QUEUE.into(), options, none).await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Self { channel, connection }
    }

    /// Binds the queue to a key.
    pub(super) async fn bind(&self, key: &str) {
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        let bound =
            self.channel.queue_bind(QUEUE.into(), EXCHANGE.into(), key.into(), options, none);
        bound.await.unwrap();
    }

    /// Publishes a message under its entity's key and returns what the broker says of it.
    pub(super) async fn publish(&self, message: &Message, mandatory: bool) -> Confirmation {
        let headers = format!("{} {} {}", message.id, message.sequence, message.entity);
        let properties =
            BasicProperties::default().with_message_id(ShortString::from(message.id.to_string()));
        let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
        let key = message.entity.as_str().into();
        let published = self.channel.basic_publish(
            EXCHANGE.into(),
            key,
            options,
            headers.as_bytes(),
            properties,
        );
        published.await.expect("publish").await.expect("a confirmation")
    }

    /// Takes everything out of the queue.
    pub(super) async fn drain(&self) -> Vec<Delivery> {
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let none = FieldTable::default();
        let tag = Uuid::new_v4().to_string();
        let consumer = self.channel.basic_consume(QUEUE.into(), tag.as_str().into(), options, none);
        let mut consumer = consumer.await.unwrap();
        let mut all = Vec::new();
        while let Ok(Some(Ok(delivery))) = timeout(QUIET, consumer.next()).await {
            let text = String::from_utf8_lossy(&delivery.data).into_owned();
            let mut words = text.splitn(3, ' ');
            let id = words.next().and_then(|id| id.parse().ok()).expect("an id");
            let sequence = words.next().and_then(|n| n.parse().ok()).expect("a number");
            all.push(Delivery {
                queue: QUEUE,
                event: id,
                entity: words.next().expect("an entity").to_owned(),
                sequence,
                position: 0,
                redelivered: delivery.redelivered,
            });
        }
        let options = lapin::options::BasicCancelOptions::default();
        self.channel.basic_cancel(tag.as_str().into(), options).await.unwrap();
        all
    }

    /// Ends the connection.
    pub(super) async fn close(self) {
        self.connection.close(200, "done".into()).await.ok();
    }
}
