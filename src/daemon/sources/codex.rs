//! Codex's app-server: JSON-RPC in a WebSocket over a unix socket.

use std::{path::Path, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::{net::UnixStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use super::{Ended, Line, Order, SourceError, now};
use crate::agents::codex::server::{Follower, hello};

/// How long a connection may take to be made, and a message to be taken.
const PATIENCE: Duration = Duration::from_secs(3);

/// The longest message that is read: a turn with its outputs.
const LONGEST: usize = 32 << 20;

type Socket = WebSocketStream<UnixStream>;

/// Follows a server until the connection ends.
pub(super) async fn follow(line: &mut Line, socket: &Path) -> Ended {
    let mut had_begun = false;
    let why = match listen(line, socket, &mut had_begun).await {
        Ok(()) => "the server closed the connection".to_owned(),
        Err(why) => why,
    };
    Ended { had_begun, why }
}

async fn listen(line: &mut Line, socket: &Path, had_begun: &mut bool) -> Result<(), String> {
    let stream = UnixStream::connect(socket).await.map_err(|error| error.to_string())?;
    let limits =
        WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
    let greeting = client_async_with_config("ws://localhost/", stream, Some(limits));
    let greeted = timeout(PATIENCE, greeting).await.map_err(|error| error.to_string())?;
    let (mut socket, _) = greeted.map_err(|error| error.to_string())?;
    for message in hello(env!("CARGO_PKG_VERSION")) {
        send(&mut socket, &message).await?;
    }
    let mut follower = Follower::default();
    loop {
        tokio::select! {
            message = socket.next() => {
                let Some(message) = message else { return Ok(()) };
                let Message::Text(text) = message.map_err(|error| error.to_string())? else { continue };
                let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
                let taken = follower.message(&message, now());
                *had_begun |= !taken.told.is_empty();
                line.set_asks(follower.asks());
                line.mouth.tell(taken.told).await;
                for message in taken.send {
                    send(&mut socket, &message).await?;
                }
            }
            Some(order) = line.orders.recv() => obey(line, &mut socket, &mut follower, order).await,
        }
    }
}

async fn send(socket: &mut Socket, message: &Value) -> Result<(), String> {
    let sending = socket.send(Message::text(message.to_string()));
    let sent = timeout(PATIENCE, sending).await.map_err(|error| error.to_string())?;
    sent.map_err(|error| error.to_string())
}

async fn obey(line: &Line, socket: &mut Socket, follower: &mut Follower, order: Order) {
    match order {
        Order::Answer { ask, answer, done } => {
            let outcome = async {
                let taken = line.take_ask(&ask).ok_or(SourceError::NotAsked)?;
                let sent = match follower.reply(&ask, &answer) {
                    Ok(message) => send(socket, &message).await.map_err(SourceError::Refused),
                    Err(why) => Err(SourceError::NotAnAnswer(why)),
                };
                if sent.is_err() {
                    line.put_back(taken);
                } else {
                    follower.answered(&ask);
                }
                sent
            };
            done.send(outcome.await).ok();
        }
        Order::Interrupt { done } => {
            let mut outcome = Err(SourceError::Absent);
            for message in follower.interrupt() {
                outcome = send(socket, &message).await.map_err(SourceError::Refused);
            }
            done.send(outcome).ok();
        }
    }
}
