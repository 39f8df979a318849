//! What the daemon's other surfaces tell: how they are.
//!
//! A surface is what listens beside the socket, or a server that is written to; one that cannot is told of in
//! `health`, and everything else goes on.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Component, Services};

/// How surfaces are.
#[derive(Debug, Clone, Default)]
pub(super) struct Surfaces {
    states: Arc<Mutex<BTreeMap<&'static str, Component>>>,
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
}
