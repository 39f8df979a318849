//! d0: where events are published: a message broker, supervised, with every message accounted for.
//!
//! One task owns the connection. What the outbox hands over comes back as exactly one [`Outcome`]:
//! confirmed by the broker, refused by it, or unknown, in which case it is sent again and the
//! consumer drops the duplicate by its id. This module neither reads nor marks the outbox, and it
//! knows nothing of events but their envelope.
//!
//! **Order.** Messages go to the broker in the order in which they are handed over. When a
//! connection is lost, all that was under way becomes [`Outcome::Unknown`]; what was handed over in
//! ignorance of that comes back as unknown, too, until the first of the lost messages is sent again.
//! So none is overtaken if whoever sends, having received an unknown, sends nothing until all that
//! it has sent came back, and then begins with the earliest that is unknown.
//!
//! **Bounds.** [`WINDOW`] messages at most wait, as many are under way, and twice as many outcomes
//! lie unread; with more, sending waits. So sending and receiving are done side by side, in one
//! `select!`, or the sender may wait for the receiver that it is.

mod rabbitmq;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::RabbitMqConfig;

/// Returns the hosts and ports of the configured brokers, in the order in which they are tried.
///
/// # Errors
///
/// A sentence, without the secret, when there is none or an address cannot be understood.
pub fn broker_addresses(config: &RabbitMqConfig) -> Result<Vec<(String, u16)>, String> {
    rabbitmq::places(config)
}

/// Messages under way at most. The rate of confirms does not grow beyond 100 on one node
/// (`dependencies.md` §5d); the rest is for brokers that are further away.
pub const WINDOW: usize = 256;

/// Transient messages that wait at most; what comes on top is dropped. A tick of the heartbeats of a
/// thousand runners finds room.
const TRANSIENT: usize = 1024;

/// One message for the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The event's id; consumers recognise duplicates by it.
    pub id: Uuid,
    /// The routing key, `runner.started.<project>`; at most 255 bytes.
    pub routing_key: String,
    /// The event's type; at most 255 bytes.
    pub event_type: String,
    /// When it happened; AMQP keeps whole seconds.
    pub timestamp: DateTime<Utc>,
    /// JSON.
    pub body: Bytes,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The broker has it, durably, in every queue it belongs to.
    Confirmed,
    /// This message was not taken, for this reason: no queue wants it, a queue is full, it is too
    /// large or cannot be encoded. Counts as a try.
    Refused(String),
    /// Nobody knows: the connection was lost or silent. To be sent again; not the message's fault.
    Unknown,
}

/// How things stand with the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerStatus {
    /// The first connection is being made.
    Connecting,
    /// Messages are taken.
    Ready {
        /// What it calls itself, `RabbitMQ 3.10.8`.
        server: String,
        /// What is not as it should be, in a sentence: a queue that exists with other arguments.
        warning: Option<String>,
    },
    /// It has asked us to wait, out of memory or disk; nothing is sent meanwhile.
    Blocked {
        /// What it said.
        reason: String,
    },
    /// There is no connection; another one is tried on and on.
    Away {
        /// Why, in a sentence, without any secret.
        why: String,
        /// Since when.
        since: DateTime<Utc>,
    },
}

/// The ends of a running publisher. Dropping `messages`, or `outcomes`, ends it.
#[derive(Debug)]
pub struct Publisher {
    /// Takes messages; worth using while the status is ready. What is sent without a connection
    /// comes back as unknown, once in a while.
    pub messages: mpsc::Sender<Message>,
    /// What became of each, exactly once; ends when the publisher has ended.
    pub outcomes: mpsc::Receiver<(Uuid, Outcome)>,
    /// How things stand.
    pub status: watch::Receiver<BrokerStatus>,
    /// For what is not worth keeping.
    pub transient: Transient,
}

/// Publishes what is of use now or never, heartbeats: without confirmation, without a disk.
#[derive(Debug, Clone)]
pub struct Transient(mpsc::Sender<Message>);

impl Transient {
    /// Offers a message to the broker and returns whether it was taken; it is dropped, also later
    /// and silently, when the broker is not ready or slow.
    pub fn try_publish(&self, message: Message) -> bool {
        self.0.try_send(message).is_ok()
    }
}

/// Starts publishing to the configured broker until `stop`, which gives what is under way a second.
///
/// Never fails: what is wrong with the broker or its configuration is the status.
pub fn start(config: &RabbitMqConfig, stop: CancellationToken) -> Publisher {
    rabbitmq::start(config, stop)
}
