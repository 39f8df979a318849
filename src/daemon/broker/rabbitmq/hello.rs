//! How a broker introduces itself: the first frame that it sends, `connection.start`.
//!
//! Not a parser of AMQP: it looks for two well-known fields in a table that anybody may have sent,
//! and a field that is not there, or longer than a name is, is left out.

use std::io;

use futures_util::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::fault::plain;

/// AMQP 0-9-1.
const HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";
/// A frame that carries a method.
const METHOD: u8 = 1;
/// The method `connection.start`.
const START: [u8; 4] = [0, 10, 0, 10];
/// Bytes of the first frame that are read; brokers send about 500.
const LONGEST: usize = 16 * 1024;
/// Bytes of a product's or a version's name.
const NAME: usize = 60;

/// Reads the broker's name and version: `RabbitMQ 3.10.8`.
///
/// # Errors
///
/// When the peer does not speak AMQP 0-9-1.
pub(super) async fn read(mut wire: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    wire.write_all(HEADER).await?;
    wire.flush().await?;
    let foreign = || io::Error::other("what listens there does not speak AMQP 0-9-1");
    let mut head = [0; 7];
    wire.read_exact(&mut head).await.map_err(|_short| foreign())?;
    let [kind, _, _, size @ ..] = head;
    let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if kind != METHOD || size > LONGEST {
        return Err(foreign());
    }
    let mut frame = vec![0; size];
    wire.read_exact(&mut frame).await.map_err(|_short| foreign())?;
    if !frame.starts_with(&START) {
        return Err(foreign());
    }
    let product = field(&frame, "product").unwrap_or_else(|| "an AMQP broker".to_owned());
    Ok(match field(&frame, "version") {
        Some(version) => format!("{product} {version}"),
        None => product,
    })
}

/// Finds a field by its name in a table: the name's length, the name, `S`, the value's length, it.
fn field(frame: &[u8], name: &str) -> Option<String> {
    let mut key = vec![u8::try_from(name.len()).ok()?];
    key.extend_from_slice(name.as_bytes());
    key.push(b'S');
    let at = frame.windows(key.len()).position(|window| window == key)? + key.len();
    let (size, rest) = frame.get(at..)?.split_first_chunk::<4>()?;
    let size = usize::try_from(u32::from_be_bytes(*size)).ok().filter(|&size| size <= NAME)?;
    Some(plain(std::str::from_utf8(rest.get(..size)?).ok()?))
}

#[cfg(test)]
mod tests {
    use futures_util::io::Cursor;

    use super::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut frame = HEADER.to_vec();
        frame.extend([METHOD, 0, 0]);
        frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend(payload);
        frame
    }

    /// Reads from what a peer has written, after the place that the header is written to.
    async fn said(bytes: Vec<u8>) -> Result<String, String> {
        read(Cursor::new(bytes)).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn name_and_version_are_found_and_others_are_not_believed() {
        let table = b"\0\x0a\0\x0a\0\x09\0\0\0\x30\x07productS\0\0\0\x08RabbitMQ\x07versionS\0\0\0\x063.10.8";
        assert_eq!(said(frame(table)).await, Ok("RabbitMQ 3.10.8".into()));
        assert_eq!(said(frame(b"\0\x0a\0\x0a")).await, Ok("an AMQP broker".into()));
        let endless = b"\0\x0a\0\x0a\x07productS\xff\xff\xff\xff";
        assert_eq!(said(frame(endless)).await, Ok("an AMQP broker".into()));
        for foreign in
            [frame(b"\0\x0a\0\x0b"), b"AMQP\0\0\x09\x01HTTP/1.1 400".to_vec(), Vec::new()]
        {
            assert!(said(foreign).await.unwrap_err().contains("does not speak AMQP"));
        }
    }
}
