//! A terminal attached through the daemon, for those who cannot reach the supervisor themselves.
//!
//! Bytes are passed on as they come. The supervisor keeps the bound: a viewer that does not read
//! is shown the present instead of the past.

use bytes::Bytes;

use super::{
    Fleet, FleetError,
    link::{self, Reader, Writer},
};
use crate::{
    domain::{id::RunnerId, size::TerminalSize},
    proto::link::v1::{Exit, Input, Role, from_supervisor::Message, to_supervisor::Message as Out},
};

/// An attached terminal's connection: what comes, and where keys go.
pub struct Attached {
    /// What the agent shows.
    pub output: AttachFeed,
    /// Where keys go.
    pub input: AttachInput,
}

/// The output of an attached runner.
pub struct AttachFeed(Reader);

/// The input of an attached runner.
pub struct AttachInput(Writer);

/// What an attached runner shows.
#[derive(Debug)]
pub enum AttachOutput {
    /// The whole screen; later bytes continue at its offset.
    Snapshot(u64, Bytes),
    /// Bytes from an offset.
    Data(u64, Bytes),
    /// The agent ended.
    Exit(Exit),
    /// So many typed bytes were refused.
    InputRefused(u64),
}

impl Fleet {
    /// Attaches a terminal of this size, going on after an offset if it is still held.
    ///
    /// # Errors
    ///
    /// When there is no supervisor or it does not answer.
    pub async fn attach(
        &self,
        id: RunnerId,
        read_only: bool,
        size: TerminalSize,
        resume_offset: Option<u64>,
    ) -> Result<Attached, FleetError> {
        let token = self.grant(id, read_only).await?;
        let role = if read_only { Role::Viewer } else { Role::Driver };
        let mut hello = link::hello(role);
        hello.token = token.into();
        hello.size = Some(size.into());
        hello.resume_offset = resume_offset;
        let (reader, writer, _) = link::connect(&self.dir(id).link(), hello).await?;
        Ok(Attached { output: AttachFeed(reader), input: AttachInput(writer) })
    }
}

impl AttachFeed {
    /// Returns what comes next, `None` when the supervisor is gone.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub async fn next(&mut self) -> Result<Option<AttachOutput>, FleetError> {
        loop {
            let output = match self.0.next().await? {
                Some(Message::Snapshot(part)) => AttachOutput::Snapshot(part.offset, part.bytes),
                Some(Message::Data(part)) => AttachOutput::Data(part.offset, part.bytes),
                Some(Message::Exit(exit)) => AttachOutput::Exit(exit),
                Some(Message::InputRefused(count)) => AttachOutput::InputRefused(count),
                Some(_) => continue,
                None => return Ok(None),
            };
            return Ok(Some(output));
        }
    }
}

impl AttachInput {
    /// Types bytes.
    ///
    /// # Errors
    ///
    /// When the supervisor is gone or does not read.
    pub async fn type_bytes(&mut self, bytes: Bytes) -> Result<(), FleetError> {
        self.0.send(Out::Input(Input { bytes })).await
    }

    /// Changes the terminal's size.
    ///
    /// # Errors
    ///
    /// When the supervisor is gone or does not read.
    pub async fn resize(&mut self, size: TerminalSize) -> Result<(), FleetError> {
        self.0.send(Out::Resize(size.into())).await
    }
}
