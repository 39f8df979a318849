//! What must exist at the broker before anything is published, declared with every connection.
//!
//! A part that exists with other properties is somebody's decision: it is left as it is, bound, and
//! told of in a sentence.

use std::time::Duration;

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, LongString},
};

use super::{
    fault::Fault,
    link::{Link, within},
};

/// For each answer while declaring.
const DECLARE: Duration = Duration::from_secs(5);

/// Everything that goes to any queue.
const ALL: &str = "#";

/// Exchanges and queues; all durable.
#[derive(Debug, Clone)]
pub(super) struct Topology {
    pub(super) exchange: String,
    /// Where queues send what they cannot keep; its one queue takes it all.
    pub(super) dead_exchange: String,
    pub(super) dead_queue: String,
    /// Each queue, with the bindings to the exchange that it has.
    pub(super) queues: Vec<(String, Vec<&'static str>)>,
}

impl Topology {
    /// What consumers of the original know; the exchange's name can be configured.
    pub(super) fn standard(exchange: &str) -> Self {
        let queue = |name: &str, bindings: &[&'static str]| (name.to_owned(), bindings.to_vec());
        Self {
            exchange: exchange.to_owned(),
            dead_exchange: format!("{exchange}.dead"),
            dead_queue: "stratavore.dead".to_owned(),
            queues: vec![
                queue("stratavore.daemon.events", &[ALL]),
                queue("stratavore.metrics", &["metrics.#", "runner.heartbeat.#"]),
                queue("stratavore.alerts", &["system.alert.#", "runner.failed.#"]),
            ],
        }
    }

    /// Declares everything and returns what is not as it should be.
    ///
    /// # Errors
    ///
    /// When the broker does not answer or the connection is lost.
    pub(super) async fn declare(&self, link: &Link) -> Result<Option<String>, Fault> {
        let mut declaration = Declaration { link, channel: None, wrong: Vec::new() };
        for exchange in [&self.dead_exchange, &self.exchange] {
            let channel = declaration.channel().await?;
            let declared = declare_exchange(&channel, exchange).await;
            declaration.note(&channel, declared)?;
        }
        let dead = (self.dead_queue.clone(), vec![ALL]);
        for (queue, bindings) in self.queues.iter().chain([&dead]) {
            let is_dead = *queue == self.dead_queue;
            let dead_letters = (!is_dead).then_some(self.dead_exchange.as_str());
            let channel = declaration.channel().await?;
            let declared = declare_queue(&channel, queue, dead_letters).await;
            declaration.note(&channel, declared)?;

            let exchange = if is_dead { &self.dead_exchange } else { &self.exchange };
            let channel = declaration.channel().await?;
            let bound = bind(&channel, queue, exchange, bindings).await;
            declaration.note(&channel, bound)?;
        }
        let Declaration { channel, wrong, .. } = declaration;
        if let Some(channel) = channel {
            within(DECLARE, channel.close(200, "done".into())).await?;
        }
        Ok((!wrong.is_empty()).then(|| wrong.join("; ")))
    }
}

/// One declaration of everything; another channel after each refusal.
struct Declaration<'a> {
    link: &'a Link,
    channel: Option<Channel>,
    wrong: Vec<String>,
}

impl Declaration<'_> {
    async fn channel(&mut self) -> Result<Channel, Fault> {
        if let Some(channel) = &self.channel {
            return Ok(channel.clone());
        }
        let channel = self.link.channel().await?;
        self.channel = Some(channel.clone());
        Ok(channel)
    }

    /// Notes a refusal, which has closed the channel; anything else is a lost connection.
    fn note(&mut self, channel: &Channel, done: Result<(), Fault>) -> Result<(), Fault> {
        let Err(fault) = done else { return Ok(()) };
        if !self.link.connection.status().connected() || channel.status().connected() {
            return Err(fault);
        }
        self.wrong.push(format!("left as it is: {}", fault.why));
        self.channel = None;
        Ok(())
    }
}

async fn declare_exchange(channel: &Channel, name: &str) -> Result<(), Fault> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let kind = ExchangeKind::Topic;
    let declared = channel.exchange_declare(name.into(), kind, options, FieldTable::default());
    within(DECLARE, declared).await
}

async fn declare_queue(
    channel: &Channel,
    name: &str,
    dead_letters: Option<&str>,
) -> Result<(), Fault> {
    let mut arguments = FieldTable::default();
    let text = |value: &str| AMQPValue::LongString(LongString::from(value));
    arguments.insert("x-queue-type".into(), text("quorum"));
    if let Some(exchange) = dead_letters {
        arguments.insert("x-dead-letter-exchange".into(), text(exchange));
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    within(DECLARE, channel.queue_declare(name.into(), options, arguments)).await.map(drop)
}

async fn bind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    keys: &[&'static str],
) -> Result<(), Fault> {
    for key in keys {
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        let bound =
            channel.queue_bind(queue.into(), exchange.into(), (*key).into(), options, arguments);
        within(DECLARE, bound).await?;
    }
    Ok(())
}
