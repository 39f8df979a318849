//! What the daemon's other surfaces tell: how they are, and what was refused there.
//!
//! A surface is what listens beside the socket; one that cannot is told of in `health`, and everything
//! else goes on.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::json;
use tokio::time::Instant;

use super::{Component, Services};
use crate::{daemon::fleet::Caller, domain::event::EventType};

/// The same refusal is written down once in so long.
const QUIET: Duration = Duration::from_mins(1);

/// Refusals that are remembered.
const REMEMBERED: usize = 1000;

/// How surfaces are, and what was refused lately.
#[derive(Debug, Clone, Default)]
pub(super) struct Surfaces {
    states: Arc<Mutex<BTreeMap<&'static str, Component>>>,
    refused: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Services {
    /// Takes note of how a surface is.
    pub fn note_surface(&self, name: &'static str, outcome: Result<String, String>) {
        let component = Component::extra(name, outcome);
        let mut states = self.surfaces.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.insert(name, component);
    }

    /// Returns how the surfaces are.
    pub(super) fn surfaces(&self) -> Vec<Component> {
        let states = self.surfaces.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.values().cloned().collect()
    }

    /// Logs that something inside a runner was refused a call, and writes it down as an event.
    pub fn note_refusal(&self, caller: Caller, call: &str) {
        let key = format!("{caller:?} {call}");
        let now = Instant::now();
        {
            let mut refused = self.surfaces.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.retain(|_, at| now - *at < QUIET);
            if refused.len() >= REMEMBERED || refused.contains_key(&key) {
                return;
            }
            refused.insert(key, now);
        }
        tracing::warn!(?caller, call, "a process inside a runner was refused a call");
        let (services, call) = (self.clone(), call.to_owned());
        tokio::spawn(async move {
            let data = json!({ "call": call });
            let runner = match caller {
                Caller::Runner(id) => services.store.runner_get(id).await.ok().flatten(),
                Caller::User | Caller::Unknown => None,
            };
            let event = match runner {
                Some(runner) => services.context.runner_event(EventType::CallDenied, &runner, data),
                None => services.context.system_event(EventType::CallDenied, data),
            };
            if let Err(error) = services.store.event_append(vec![event]).await {
                tracing::warn!(%error, "failed to record a refused call");
            }
        });
    }
}
