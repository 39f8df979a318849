//! How messages are separated on a link: four bytes of length, little endian, then the message.
//!
//! Invariant: whatever the other side sends, at most one message of [`MAX_LINK_MESSAGE`] bytes is
//! held; a longer one is an error, after which the connection is of no use.

use prost::Message;
use thiserror::Error;

/// Largest message on a link, in bytes: an environment or a long scrollback fits.
pub const MAX_LINK_MESSAGE: usize = 8 << 20;

/// Why bytes from a link could not be understood.
#[derive(Debug, Error)]
pub enum FramingError {
    /// The announced length is beyond all reason.
    #[error("a message of {0} bytes; at most {MAX_LINK_MESSAGE} are accepted")]
    TooLong(usize),
    /// Not a message of the protocol.
    #[error("garbled message: {0}")]
    Garbled(#[from] prost::DecodeError),
}

/// Appends a message with its length.
pub fn encode<M: Message>(message: &M, out: &mut Vec<u8>) {
    let length = message.encoded_len();
    out.reserve(length + 4);
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    // A vector grows as needed: encoding into it cannot fail.
    message.encode_raw(out);
}

/// Collects bytes and gives back messages.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    consumed: usize,
}

impl Decoder {
    /// Adds bytes as they arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.consumed > 0 {
            self.buffer.drain(..self.consumed);
            self.consumed = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next whole message, `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// When the other side does not speak the protocol.
    pub fn next_message<M: Message + Default>(&mut self) -> Result<Option<M>, FramingError> {
        let Some((head, rest)) =
            self.buffer.get(self.consumed..).and_then(|bytes| bytes.split_first_chunk::<4>())
        else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*head) as usize;
        if length > MAX_LINK_MESSAGE {
            return Err(FramingError::TooLong(length));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message = M::decode(body)?;
        self.consumed += length + 4;
        if self.consumed == self.buffer.len() {
            self.consumed = 0;
            self.buffer.clear();
            // A rare large message must not pin its memory in an idle connection.
            self.buffer.shrink_to(4096);
        }
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::link::v1::Input;

    #[test]
    fn messages_survive_any_split() {
        let mut wire = Vec::new();
        for text in ["", "a", "hello"] {
            encode(&Input { bytes: text.into() }, &mut wire);
        }
        for step in 1..wire.len() {
            let mut decoder = Decoder::default();
            let mut got = Vec::new();
            for chunk in wire.chunks(step) {
                decoder.push(chunk);
                while let Some(message) = decoder.next_message::<Input>().unwrap() {
                    got.push(String::from_utf8(message.bytes.to_vec()).unwrap());
                }
            }
            assert_eq!(got, ["", "a", "hello"]);
        }
    }

    #[test]
    fn giants_are_refused_before_they_are_collected() {
        let mut decoder = Decoder::default();
        decoder.push(&u32::MAX.to_le_bytes());
        assert!(matches!(decoder.next_message::<Input>(), Err(FramingError::TooLong(_))));
    }
}
