//! Searches all conversations and reads single ones from the daemon.

use tokio::sync::mpsc;

use super::{event::UiEvent, state::SearchAsk};
use crate::{
    client::Client,
    domain::{failure::Failure, session::Utterance},
};

/// What is handed on at once: so many messages,
const TOGETHER: usize = 64;
/// or so many bytes.
const BYTES: usize = 256 << 10;

/// Why nothing can be asked.
pub(super) fn gone() -> Failure {
    Failure::unavailable("NOT_CONNECTED", "the connection to the daemon is lost")
}

/// Searches, and tells what was found.
pub(super) async fn search(
    client: Option<Client>,
    ask: Box<SearchAsk>,
    events: mpsc::Sender<UiEvent>,
) {
    let found = match client {
        Some(client) => client.search_sessions(&ask.filter()).await,
        None => Err(gone()),
    };
    events.send(UiEvent::Found(ask, found)).await.ok();
}

/// Reads a conversation to its end, until it is aborted.
pub(super) async fn read(
    client: Option<Client>,
    id: String,
    reading: u64,
    events: mpsc::Sender<UiEvent>,
) {
    let went = match client {
        Some(client) => read_on(&client, (&id, reading), &events).await,
        None => Err(gone()),
    };
    events.send(UiEvent::SaidAll(reading, went)).await.ok();
}

async fn read_on(
    client: &Client,
    (id, reading): (&str, u64),
    events: &mpsc::Sender<UiEvent>,
) -> Result<(), Failure> {
    let mut transcript = client.read_transcript(id).await?;
    let (mut piece, mut size) = (Vec::<Utterance>::new(), 0);
    loop {
        // What was said before it cannot be read on is shown.
        let next = transcript.next().await;
        if let Ok(Some(said)) = &next {
            size += said.text.len();
            piece.push(said.clone());
        }
        let is_last = !matches!(next, Ok(Some(_)));
        if is_last || piece.len() >= TOGETHER || size >= BYTES {
            size = 0;
            let said = UiEvent::Said(reading, std::mem::take(&mut piece));
            if events.send(said).await.is_err() {
                return Ok(());
            }
        }
        if is_last {
            return next.map(drop);
        }
    }
}
