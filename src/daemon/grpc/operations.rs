//! Calls about what an operator looks after: outbox and nodes.

use serde::Serialize;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::Shared;
use crate::{
    domain::failure::Failure,
    proto::{
        failure_to_status, to_timestamp,
        v1::{
            DiscardOutboxRequest, DiscardOutboxResponse, ForgetNodeRequest, ForgetNodeResponse,
            GetOutboxRequest, GetOutboxResponse, ListNodesRequest, ListNodesResponse,
            ListOutboxRequest, ListOutboxResponse, RetryOutboxRequest, RetryOutboxResponse,
            operations_server::Operations,
        },
    },
};

#[tonic::async_trait]
impl Operations for Shared {
    async fn get_outbox(
        &self,
        _request: Request<GetOutboxRequest>,
    ) -> Result<Response<GetOutboxResponse>, Status> {
        let counts = self.services.outbox_counts().await.map_err(|e| failure_to_status(&e))?;
        Ok(Response::new(GetOutboxResponse {
            waiting: counts.waiting,
            parked: counts.parked,
            oldest: counts.oldest.map(to_timestamp),
            broker: self.services.broker().map(|broker| broker.detail).unwrap_or_default(),
        }))
    }

    async fn list_outbox(
        &self,
        request: Request<ListOutboxRequest>,
    ) -> Result<Response<ListOutboxResponse>, Status> {
        let wire = request.into_inner();
        let entries = self.services.outbox_list(wire.only_parked, wire.limit).await;
        let entries = entries.map_err(|e| failure_to_status(&e))?;
        Ok(Response::new(ListOutboxResponse { entries: texts(&entries)? }))
    }

    async fn retry_outbox(
        &self,
        request: Request<RetryOutboxRequest>,
    ) -> Result<Response<RetryOutboxResponse>, Status> {
        let word = request.into_inner().event_id;
        let event = if word.is_empty() { None } else { Some(event_id(&word)?) };
        let retried = self.services.outbox_retry(event).await;
        let retried = retried.map_err(|e| failure_to_status(&e))?;
        Ok(Response::new(RetryOutboxResponse { retried }))
    }

    async fn discard_outbox(
        &self,
        request: Request<DiscardOutboxRequest>,
    ) -> Result<Response<DiscardOutboxResponse>, Status> {
        let word = request.into_inner().event_id;
        let discarded = if word.is_empty() {
            self.services.outbox_discard_all().await
        } else {
            self.services.outbox_discard(event_id(&word)?).await.map(|()| 1)
        };
        let discarded = discarded.map_err(|e| failure_to_status(&e))?;
        Ok(Response::new(DiscardOutboxResponse { discarded }))
    }

    async fn list_nodes(
        &self,
        _request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        Ok(Response::new(ListNodesResponse { nodes: texts(&self.services.nodes().await)? }))
    }

    async fn forget_node(
        &self,
        request: Request<ForgetNodeRequest>,
    ) -> Result<Response<ForgetNodeResponse>, Status> {
        let runners = self.services.forget_node(&request.into_inner().node).await;
        let runners = runners.map_err(|e| failure_to_status(&e))?;
        Ok(Response::new(ForgetNodeResponse { runners }))
    }
}

fn event_id(word: &str) -> Result<Uuid, Status> {
    Uuid::parse_str(word).map_err(|error| {
        let what = format!("`{}` is no event's id: {error}", word.escape_debug());
        failure_to_status(&Failure::usage("BAD_EVENT_ID", what))
    })
}

fn texts<T: Serialize>(values: &[T]) -> Result<Vec<String>, Status> {
    let texts: Result<_, _> = values.iter().map(serde_json::to_string).collect();
    texts.map_err(|error| failure_to_status(&Failure::internal(error.to_string())))
}
