//! Messages that are of use now or never: sent without confirmation, or dropped.
//!
//! They have a channel of their own, so that nothing about them can end the one whose messages
//! count.

use std::pin::Pin;

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use lapin::{Channel, options::BasicPublishOptions};

use super::{
    super::{Message, TRANSIENT},
    encode::{Envelope, encode},
};

/// The channel, and what is on its way to the socket.
pub(super) struct Drip {
    pub(super) channel: Channel,
    under_way: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Drip {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, under_way: FuturesUnordered::new() }
    }

    /// Sends a message without waiting for anything, or drops it.
    pub(super) fn send(&self, exchange: &str, message: Message, max_body: usize) {
        if self.under_way.len() >= TRANSIENT {
            return;
        }
        let Ok(Envelope { routing_key, properties }) = encode(&message, max_body, false) else {
            return;
        };
        let (channel, exchange) = (self.channel.clone(), exchange.into());
        let sent = async move {
            let (options, body) = (BasicPublishOptions::default(), &message.body);
            channel.basic_publish(exchange, routing_key, options, body, properties).await.map(drop)
        };
        self.under_way.push(Box::pin(sent.map(|result| {
            if let Err(error) = result {
                tracing::debug!(%error, "a transient message was not sent");
            }
        })));
    }

    /// Drives what is under way; for ever when there is nothing.
    pub(super) async fn sent(&mut self) {
        if self.under_way.next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
