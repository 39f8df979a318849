//! A terminal attached to a runner, over a WebSocket.
//!
//! Binary messages are bytes: what the agent shows, and the other way what is typed. Text messages are
//! JSON: `{"type": "snapshot", "offset": 7}` stands before a screen that is drawn anew, `{"type":
//! "exit", "code": 0, "signal": ""}` at the end; `{"type": "resize", "cols": 80, "rows": 24}` is what
//! a client may send. A client that does not read loses the past and is shown the present.

use std::time::Duration;

use axum::{
    Extension,
    extract::{
        FromRequestParts as _, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    http::StatusCode,
    response::Response,
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::interval};
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::{
    Http, Routes,
    extract::{Params, Path},
    guard::Actor,
    peer::Peer,
    problem::Problem,
};
use crate::{
    daemon::fleet::{AttachOutput, Attached},
    domain::{api_token::Scope, failure::Failure, size::TerminalSize},
};

/// Bytes that a client may send at once.
const LONGEST: usize = 1 << 20;

/// A client that has gone without a word is noticed by this.
const PING: Duration = Duration::from_secs(30);

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes.viewer.routes(routes!(attach_runner));
    routes
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct How {
    /// Only to look: nothing is typed, and the size stays. A viewer may no more.
    read_only: bool,
    /// Columns of the client's terminal.
    #[param(maximum = 65_535)]
    cols: Option<u16>,
    /// Rows of the client's terminal.
    #[param(maximum = 65_535)]
    rows: Option<u16>,
    /// Goes on after this offset, if that is still there.
    offset: Option<u64>,
}

/// What is told beside the bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
enum Told {
    /// The next bytes draw the screen anew; later ones go on at this offset.
    Snapshot { offset: u64 },
    /// The agent has ended.
    Exit { code: Option<i32>, signal: String },
    /// So many typed bytes were not taken.
    InputRefused { bytes: u64 },
}

/// What a client asks for beside typing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", deny_unknown_fields)]
enum Asked {
    Resize { cols: u16, rows: u16 },
}

/// Attaches a terminal, as a WebSocket: binary messages are what is shown and what is typed, text
/// messages are JSON (`snapshot`, `exit`, `input_refused` from here, `resize` from there). It is closed (1008) when
/// its token has ended or was revoked.
#[utoipa::path(get, path = "/runners/{runner}/attach", tag = "terminal", params(("runner" = String, Path, description = "Its name, its id or a beginning of it"), How),
    responses((status = 101, description = "The WebSocket is open")))]
async fn attach_runner(
    State(http): State<Http>,
    actor: Actor,
    Extension(peer): Extension<Peer>,
    Path(runner): Path<String>,
    Params(how): Params<How>,
    request: axum::extract::Request,
) -> Result<Response, Problem> {
    let (mut parts, _body) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &http).await;
    let upgrade = upgrade.map_err(|wrong| {
        Problem::new(StatusCode::UPGRADE_REQUIRED, "NO_WEBSOCKET", wrong.body_text())
    })?;
    if !how.read_only && actor.scope < Scope::Operator {
        let failure = Failure::denied("SCOPE_TOO_NARROW", "a viewer attaches with read_only");
        return Err(failure.with_hint("stratavore tokens create NAME --scope operator").into());
    }
    let usual = TerminalSize::default();
    let size =
        TerminalSize::new(how.cols.unwrap_or(usual.cols()), how.rows.unwrap_or(usual.rows()));
    let attached = http.services.attach(&runner, how.read_only, size, how.offset).await?;
    let upgrade = upgrade.max_message_size(LONGEST).max_frame_size(LONGEST);
    let place = peer.hold();
    Ok(upgrade.on_upgrade(async move |socket| {
        carry(socket, attached, actor.over(&http.services), http.stop).await;
        drop(place);
    }))
}

/// Carries bytes both ways until one side ends.
async fn carry(
    socket: WebSocket,
    attached: Attached,
    over: impl Future<Output = ()>,
    stop: CancellationToken,
) {
    let Attached { mut output, mut input } = attached;
    let (sender, mut incoming) = socket.split();
    let sender = Mutex::new(sender);
    let send = async |message: Message| sender.lock().await.send(message).await;
    let typed = async {
        while let Some(Ok(message)) = incoming.next().await {
            let sent = match message {
                Message::Binary(bytes) => input.type_bytes(bytes).await,
                Message::Text(text) => match serde_json::from_str(&text) {
                    Ok(Asked::Resize { cols, rows }) => {
                        input.resize(TerminalSize::new(cols, rows)).await
                    }
                    Err(_) => return,
                },
                Message::Close(_) => return,
                Message::Ping(_) | Message::Pong(_) => Ok(()),
            };
            if sent.is_err() {
                return;
            }
        }
    };
    let shown = async {
        while let Ok(Some(output)) = output.next().await {
            let is_over = matches!(output, AttachOutput::Exit(_));
            let sent = match output {
                AttachOutput::Snapshot(offset, bytes) => {
                    match send(told(&Told::Snapshot { offset })).await {
                        Ok(()) => send(Message::Binary(bytes)).await,
                        failed => failed,
                    }
                }
                AttachOutput::Data(_, bytes) => send(Message::Binary(bytes)).await,
                AttachOutput::Exit(exit) => {
                    send(told(&Told::Exit { code: exit.code, signal: exit.signal })).await
                }
                AttachOutput::InputRefused(bytes) => {
                    send(told(&Told::InputRefused { bytes })).await
                }
            };
            if sent.is_err() || is_over {
                return;
            }
        }
    };
    let asked = async {
        let mut ticks = interval(PING);
        loop {
            ticks.tick().await;
            if send(Message::Ping(Vec::new().into())).await.is_err() {
                return;
            }
        }
    };
    let why = tokio::select! {
        () = typed => None,
        () = shown => None,
        () = asked => None,
        () = over => {
            let reason = "the token has ended or was revoked".into();
            Some(CloseFrame { code: close_code::POLICY, reason })
        }
        () = stop.cancelled() => None,
    };
    // It may be gone already.
    send(Message::Close(why)).await.ok();
}

fn told(told: &Told) -> Message {
    Message::Text(serde_json::to_string(told).unwrap_or_default().into())
}
