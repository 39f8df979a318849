//! What an operator looks after, from the client's side: outbox and nodes.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{Client, failed, request_within};
use crate::{
    domain::{
        failure::Failure,
        node::Node,
        outbox::{OutboxCounts, OutboxEntry},
    },
    proto::{
        from_timestamp,
        v1::{
            DiscardOutboxRequest, ForgetNodeRequest, GetOutboxRequest, ListNodesRequest,
            ListOutboxRequest, RetryOutboxRequest,
        },
    },
};

/// A queue of a million takes a while to be given up.
const DISCARDING: Duration = Duration::from_mins(2);

/// The queue to the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutboxView {
    /// How it stands with the broker, in a sentence; empty when none is configured.
    pub broker: String,
    /// How much waits.
    #[serde(flatten)]
    pub counts: OutboxCounts,
}

impl Client {
    /// Returns how much waits for the broker, and how it stands with that.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn outbox(&self) -> Result<OutboxView, Failure> {
        let answer = self.operations().get_outbox(self.request(GetOutboxRequest {})).await;
        let wire = answer.map_err(failed)?.into_inner();
        let oldest = wire.oldest.as_ref().and_then(from_timestamp);
        let counts = OutboxCounts { waiting: wire.waiting, parked: wire.parked, oldest };
        Ok(OutboxView { broker: wire.broker, counts })
    }

    /// Returns what waits for the broker, or only what is parked, oldest first.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn list_outbox(
        &self,
        only_parked: bool,
        limit: u32,
    ) -> Result<Vec<OutboxEntry>, Failure> {
        let request = ListOutboxRequest { only_parked, limit };
        let answer = self.operations().list_outbox(self.request(request)).await;
        parse_all(&answer.map_err(failed)?.into_inner().entries)
    }

    /// Gives one parked event, or all, their tries back; returns how many.
    ///
    /// # Errors
    ///
    /// When none is parked so.
    pub async fn retry_outbox(&self, event: Option<Uuid>) -> Result<u64, Failure> {
        let event_id = event.map(|event| event.to_string()).unwrap_or_default();
        let request = RetryOutboxRequest { event_id };
        let answer = self.operations().retry_outbox(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().retried)
    }

    /// Takes a parked event out of the queue, or all that waits where nobody publishes; returns how many.
    ///
    /// # Errors
    ///
    /// When it is not parked; for all, while a daemon publishes.
    pub async fn discard_outbox(&self, event: Option<Uuid>) -> Result<u64, Failure> {
        let event_id = event.map(|event| event.to_string()).unwrap_or_default();
        let request = request_within(DiscardOutboxRequest { event_id }, DISCARDING);
        let answer = self.operations().discard_outbox(request).await;
        Ok(answer.map_err(failed)?.into_inner().discarded)
    }

    /// Returns every node that ever took part.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn list_nodes(&self) -> Result<Vec<Node>, Failure> {
        let answer = self.operations().list_nodes(self.request(ListNodesRequest {})).await;
        parse_all(&answer.map_err(failed)?.into_inner().nodes)
    }

    /// Ends the rows of a node that is gone for good; returns the names of its live runners.
    ///
    /// # Errors
    ///
    /// When there is none, or it gives signs of life.
    pub async fn forget_node(&self, node: &str) -> Result<Vec<String>, Failure> {
        let request = ForgetNodeRequest { node: node.to_owned() };
        let request = request_within(request, super::runners::STOP_LIMIT);
        let answer = self.operations().forget_node(request).await;
        Ok(answer.map_err(failed)?.into_inner().runners)
    }
}

fn parse_all<T: DeserializeOwned>(texts: &[String]) -> Result<Vec<T>, Failure> {
    let parsed: Result<_, _> = texts.iter().map(|text| serde_json::from_str(text)).collect();
    parsed.map_err(|error| Failure::internal(format!("understand the daemon's answer: {error}")))
}
