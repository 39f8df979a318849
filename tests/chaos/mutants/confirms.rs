//! Mutants 7 and 8: confirmations that say less than they seem to.

use lapin::Confirmation;
use uuid::Uuid;

use super::{
    Form,
    broker::{Broker, Message},
    event, prove,
};
use crate::{checker::Invariant, history::History, servers::RabbitMq};

const MESSAGES: i64 = 20;
/// An entity whose key is bound from the beginning, and one whose key is bound only later.
const ENTITIES: [&str; 2] = ["bound", "late"];

/// How a publisher decides that the broker has a message.
#[derive(Debug, Clone, Copy)]
enum Belief {
    /// Whatever is confirmed; what goes to no queue is, too.
    NotMandatory,
    /// Whatever is acknowledged; what was returned is, too.
    AnyAck,
    /// What is acknowledged and was not returned.
    Right,
}

impl Belief {
    async fn publish(self, broker: &Broker, message: &Message) -> bool {
        let mandatory = !matches!(self, Self::NotMandatory);
        let confirmation = broker.publish(message, mandatory).await;
        match self {
            Self::NotMandatory | Self::AnyAck => confirmation.is_ack(),
            Self::Right => matches!(confirmation, Confirmation::Ack(None)),
        }
    }
}

/// Publishes in order, keeping what the broker does not have for the next try; in between, somebody
/// binds the missing key.
async fn publish(url: &str, belief: Belief) -> History {
    let broker = Broker::connect(url).await;
    broker.bind(ENTITIES[0]).await;
    let mut waiting = Vec::new();
    for sequence in 1..=MESSAGES {
        for entity in ENTITIES {
            waiting.push(Message { id: Uuid::new_v4(), sequence, entity: entity.to_owned() });
        }
    }
    let events = waiting.iter().map(|m| event(m.id, &m.entity, m.sequence)).collect();
    for attempt in 0..2 {
        let mut kept: Vec<Message> = Vec::new();
        for message in waiting.drain(..) {
            // What follows a message that waits, waits.
            let follows = kept.iter().any(|earlier| earlier.entity == message.entity);
            if follows || !belief.publish(&broker, &message).await {
                kept.push(message);
            }
        }
        waiting = kept;
        if attempt == 0 {
            broker.bind(ENTITIES[1]).await;
        }
    }
    let deliveries = broker.drain().await;
    broker.close().await;
    History { deliveries, events, ..History::default() }
}

async fn prove_belief(naive: Belief) {
    let broker = RabbitMq::shared();
    let belief = |form| if form == Form::Naive { naive } else { Belief::Right };
    // Another virtual host each time: bindings stay.
    let load = async |form| publish(&broker.vhost().url(), belief(form)).await;
    prove(Invariant::C08, 1, load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_07_messages_that_need_no_queue() {
    prove_belief(Belief::NotMandatory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_08_a_return_taken_for_a_success() {
    prove_belief(Belief::AnyAck).await;
}
