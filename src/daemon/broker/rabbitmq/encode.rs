//! A message in AMQP's terms, or why it has none. Pure. It has no headers: all that is known of an event stands
//! in its body, and a table of headers would cost every broker and consumer more than the rest of the envelope.
//!
//! Invariant: what is encoded here cannot make the client panic or the broker close the channel,
//! so that no message can hold up the others.

use lapin::{BasicProperties, types::ShortString};

use super::super::Message;

/// Bytes that a body may have: what RabbitMQ 4 takes unless configured otherwise; 3 takes more.
/// A broker that takes less says so, and the publisher remembers.
pub(super) const MAX_BODY: usize = 16 * 1024 * 1024;

/// Written to the disks of the broker.
const PERSISTENT: u8 = 2;
/// Kept in its memory.
const IN_MEMORY: u8 = 1;

/// The envelope.
pub(super) struct Envelope {
    pub(super) routing_key: ShortString,
    pub(super) properties: BasicProperties,
}

/// Encodes all but the body.
///
/// # Errors
///
/// A sentence when the broker could not take it.
pub(super) fn encode(
    message: &Message,
    max_body: usize,
    persistent: bool,
) -> Result<Envelope, String> {
    if message.body.len() > max_body {
        let size = message.body.len();
        return Err(format!("it has {size} bytes, the broker takes {max_body}"));
    }
    // Before 1970 there is no time for AMQP.
    let timestamp = u64::try_from(message.timestamp.timestamp()).unwrap_or(0);
    let properties = BasicProperties::default()
        .with_message_id(ShortString::from(message.id.to_string()))
        .with_type(short("the event's type", &message.event_type)?)
        .with_timestamp(timestamp)
        .with_content_type("application/json".into())
        .with_app_id("stratavore".into())
        .with_delivery_mode(if persistent { PERSISTENT } else { IN_MEMORY });
    Ok(Envelope { routing_key: short("the routing key", &message.routing_key)?, properties })
}

fn short(what: &str, text: &str) -> Result<ShortString, String> {
    ShortString::try_new(text)
        .map_err(|_long| format!("{what} has {} bytes, at most 255 are possible", text.len()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn message() -> Message {
        Message {
            id: Uuid::nil(),
            routing_key: "runner.started.p".into(),
            event_type: "runner.started".into(),
            timestamp: DateTime::from_timestamp(7, 0).unwrap(),
            body: Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn the_envelope_is_complete() {
        let Envelope { routing_key, properties } = encode(&message(), 2, true).unwrap();
        assert_eq!(routing_key.as_str(), "runner.started.p");
        let id = properties.message_id().as_ref().map(ShortString::as_str);
        assert_eq!(id, Some("00000000-0000-0000-0000-000000000000"));
        assert_eq!(properties.kind().as_ref().map(ShortString::as_str), Some("runner.started"));
        assert_eq!(*properties.timestamp(), Some(7));
        assert_eq!(*properties.delivery_mode(), Some(2));
        assert_eq!(properties.app_id().as_ref().map(ShortString::as_str), Some("stratavore"));
        let kind = properties.content_type().as_ref().map(ShortString::as_str);
        assert_eq!(kind, Some("application/json"));
    }

    #[test]
    fn what_the_broker_could_not_take_is_refused_in_a_sentence() {
        let long = "k".repeat(256);
        let cases = [
            (Message { body: Bytes::from_static(b"{} "), ..message() }, "3 bytes"),
            (Message { routing_key: long.clone(), ..message() }, "the routing key has 256"),
            (Message { event_type: long, ..message() }, "the event's type has 256"),
        ];
        for (message, expected) in cases {
            let why = encode(&message, 2, true).err().unwrap();
            assert!(why.contains(expected), "{why}");
        }
        let early = Message { timestamp: DateTime::from_timestamp(-7, 0).unwrap(), ..message() };
        assert_eq!(*encode(&early, 2, true).unwrap().properties.timestamp(), Some(0));
    }
}
