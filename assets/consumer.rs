//! A consumer of Stratavore's events that handles each event once.
//!
//! ```text
//! cargo run --example consumer -- amqp://user:password@localhost:5672/%2f [stratavore.daemon.events]
//! ```
//!
//! Stratavore delivers every event at least once: after a lost connection it sends again whatever
//! the broker had not confirmed, and the broker delivers again whatever a consumer had not
//! acknowledged. Both repeat the same `message_id`, the event's id. So an event is handled when its
//! id is new, and acknowledged after that. Here the ids are remembered in memory; a consumer that
//! changes a database writes the id there, in the same transaction as the change, with a unique
//! index.

use std::{
    collections::{HashSet, VecDeque},
    error::Error,
    io::Write as _,
};

use futures_util::StreamExt as _;
use lapin::{
    Connection, ConnectionProperties,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions},
    types::{FieldTable, ShortString},
};

/// Events that the broker sends ahead of our acknowledgements.
const AHEAD: u16 = 500;

/// Ids that are remembered: repetitions follow soon after a lost connection, or never.
const REMEMBERED: usize = 100_000;

/// The ids of the events that were handled last.
#[derive(Default)]
struct Handled {
    /// To be asked.
    known: HashSet<String>,
    /// The same, the oldest first.
    order: VecDeque<String>,
}

impl Handled {
    /// Whether an event was handled already.
    fn contains(&self, id: &str) -> bool {
        self.known.contains(id)
    }

    /// Remembers an event that was handled, forgetting the oldest.
    fn insert(&mut self, id: &str) {
        if self.known.insert(id.to_owned()) {
            self.order.push_back(id.to_owned());
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "amqp://localhost:5672/%2f".to_owned());
    let queue = arguments.next().unwrap_or_else(|| "stratavore.daemon.events".to_owned());

    // When the connection ends, so does this program: whoever starts it starts it again, and the
    // broker delivers again what was not acknowledged.
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(AHEAD, BasicQosOptions::default()).await?;
    let (tag, options) = (ShortString::default(), BasicConsumeOptions::default());
    let queue = ShortString::try_new(queue)?;
    let mut consumer = channel.basic_consume(queue, tag, options, FieldTable::default()).await?;

    let mut handled = Handled::default();
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let Some(id) = delivery.properties.message_id().as_ref().map(ToString::to_string) else {
            // Not one of Stratavore's events: to the dead-letter queue, for a person to look at.
            delivery.reject(BasicRejectOptions { requeue: false }).await?;
            continue;
        };
        if !handled.contains(&id) {
            handle(&id, &delivery)?;
            handled.insert(&id);
        }
        delivery.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

/// Handles an event: prints its id, its routing key and its data.
fn handle(id: &str, delivery: &Delivery) -> std::io::Result<()> {
    let (key, body) = (&delivery.routing_key, String::from_utf8_lossy(&delivery.data));
    // Whoever may publish may also try to move your terminal's cursor.
    writeln!(std::io::stdout(), "{id}\t{key}\t{}", body.replace(char::is_control, " "))
}
