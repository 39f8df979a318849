//! Ends of agents that were told while nothing could be written down: kept until the database takes
//! them, so that an agent that ended in order is not called lost.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::domain::{id::RunnerId, runner::Exit};

/// Kept at most; with more, those that come on top are settled by what is on disk.
const MOST: usize = 4096;

/// The ends by runner, each with its run.
#[derive(Debug, Clone, Default)]
pub(super) struct Unrecorded(Arc<Mutex<HashMap<RunnerId, (u32, Exit)>>>);

impl Unrecorded {
    /// Keeps an end.
    pub(super) fn keep(&self, id: RunnerId, run: u32, exit: Exit) {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ends.len() < MOST {
            ends.insert(id, (run, exit));
        }
    }

    /// Returns the end of this run, if it is kept.
    pub(super) fn get(&self, id: RunnerId, run: u32) -> Option<Exit> {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get(&id).filter(|(kept, _)| *kept == run).map(|(_, exit)| exit.clone())
    }

    /// Forgets the end, which is written down.
    pub(super) fn forget(&self, id: RunnerId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}
