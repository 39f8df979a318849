//! Types into agents.

use std::time::Duration;

use super::{Fleet, FleetError, LIMIT};
use crate::{
    domain::id::RunnerId,
    proto::link::v1::{Type, request::Command},
};

/// How long a supervisor may take to submit a text: it waits until a busy agent has read and drawn it.
const SUBMITTING: Duration = Duration::from_secs(12);

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Typed {
    /// Bytes that were typed.
    pub bytes: u64,
    /// Enter was pressed after them.
    pub submitted: bool,
}

impl Fleet {
    /// Types into the agent; returns how many bytes were taken.
    ///
    /// # Errors
    ///
    /// When there is no supervisor, it does not answer, or the agent does not read its input.
    pub async fn type_text(&self, id: RunnerId, input: Type) -> Result<u64, FleetError> {
        let (link, frames) = self.frame_hub(id)?;
        frames.typed();
        link.ask(Command::Type(input), LIMIT).await.map(|reply| reply.accepted_bytes)
    }

    /// Types a text, and Enter after it if that is asked; returns when both is done, or could not be.
    ///
    /// # Errors
    ///
    /// When there is no supervisor, it does not answer, or the agent does not read its input.
    pub async fn submit(&self, id: RunnerId, input: Type) -> Result<Typed, FleetError> {
        let (link, frames) = self.frame_hub(id)?;
        frames.typed();
        let wants_enter = input.submit;
        let reply = link.ask(Command::Type(input), SUBMITTING).await?;
        // An old supervisor answers before it presses Enter, which it always does.
        let submitted = wants_enter && reply.submitted.unwrap_or(true);
        Ok(Typed { bytes: reply.accepted_bytes, submitted })
    }
}
