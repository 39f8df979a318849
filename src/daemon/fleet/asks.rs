//! Hooks that are held open in supervisors, and what they are told.

use super::{Fleet, FleetError};
use crate::{
    domain::{hook::Decided, id::RunnerId},
    proto::link::v1::{Decide, request::Command},
};

impl Fleet {
    /// Tells the hook that is held under this name what was decided; `None` lets it go undecided.
    ///
    /// # Errors
    ///
    /// `NotAsked` when nobody holds it any more; or when there is no supervisor, or it does not answer or
    /// is older than this.
    pub async fn decide(
        &self,
        id: RunnerId,
        ask: &str,
        decided: Option<&Decided>,
    ) -> Result<(), FleetError> {
        let decide = Decide {
            ask: ask.to_owned(),
            decision: decided.map(|it| it.decision.as_str().to_owned()).unwrap_or_default(),
            reason: decided.map(|it| it.reason.clone()).unwrap_or_default(),
        };
        self.ask(id, Command::Decide(decide)).await.map(drop)
    }
}
