//! What people send to the bot: asked for with patience, and taken apart.
//!
//! Only messages and buttons are asked for. A message that was edited, forwarded, sent in the name of
//! a chat or through another bot, or anywhere but in a private chat, is nobody's command.

use std::time::Duration;

use chrono::{DateTime, Utc};
use teloxide::{
    ApiError, RequestError,
    payloads::GetUpdatesSetters as _,
    requests::{Request as _, Requester as _},
    types::{AllowedUpdate, CallbackQuery, Message, Update as Wire, UpdateKind},
};
use tokio::time::timeout;

use super::{SENDING, Telegram};
use crate::daemon::notify::Fault;

/// So long the server may keep us waiting for something new.
pub(super) const WAITING: Duration = Duration::from_secs(25);

/// Updates taken at once.
const MOST: u8 = 50;

/// Another program that asks for the same bot's updates goes on asking.
const TAKEN: Duration = Duration::from_secs(30);

/// Something that was sent to the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Grows with each; the same is the same.
    pub id: u64,
    /// What it is.
    pub what: Incoming,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message in a private chat.
    Message {
        /// Who wrote it.
        user: u64,
        /// What.
        text: String,
        /// When.
        sent_at: DateTime<Utc>,
        /// The message of the bot that it replies to.
        replies_to: Option<i32>,
    },
    /// A button of a message in a private chat.
    Press {
        /// Who pressed it.
        user: u64,
        /// By which it is answered.
        id: String,
        /// Under which message.
        message: i32,
        /// What the button sends.
        data: String,
    },
    /// Nothing that could be a command.
    Other {
        /// Why not.
        why: &'static str,
        /// Who sent it, if anybody.
        user: Option<u64>,
    },
}

impl Telegram {
    /// Returns what was sent since an update, waiting for it.
    ///
    /// # Errors
    ///
    /// When nobody answers, or another program asks for the same.
    pub async fn updates(&self, after: u64) -> Result<Vec<Update>, Fault> {
        self.updates_within(after, WAITING).await
    }

    /// The same with so much patience.
    ///
    /// # Errors
    ///
    /// As [`Self::updates`].
    pub async fn updates_within(&self, after: u64, wait: Duration) -> Result<Vec<Update>, Fault> {
        let offset = i32::try_from(after.saturating_add(1)).unwrap_or(i32::MAX);
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(0);
        let request = self
            .waiting
            .get_updates()
            .offset(offset)
            .limit(MOST)
            .timeout(seconds)
            .allowed_updates([AllowedUpdate::Message, AllowedUpdate::CallbackQuery]);
        let answer = match timeout(wait + SENDING, request.send()).await {
            Ok(answer) => answer,
            Err(_elapsed) => return Err(Fault::later("no answer in time")),
        };
        let updates = answer.map_err(|error| match &error {
            RequestError::Api(ApiError::TerminatedByOtherGetUpdates | ApiError::CantGetUpdates) => {
                let why = "another program asks for this bot's updates, or a webhook is set; \
                           if none of yours does, the token is stolen: revoke it with @BotFather, \
                           then stratavore setup telegram";
                Fault::Shut { why: why.to_owned(), after: TAKEN }
            }
            _ => self.fault(&error),
        })?;
        Ok(updates.into_iter().map(understand).collect())
    }
}

fn understand(update: Wire) -> Update {
    let id = u64::from(update.id.0);
    let what = match update.kind {
        UpdateKind::Message(message) => of_message(&message),
        UpdateKind::CallbackQuery(press) => of_press(press),
        _ => Incoming::Other { why: "it is neither a message nor a button", user: None },
    };
    Update { id, what }
}

fn of_message(message: &Message) -> Incoming {
    let user = message.from.as_ref().map(|user| user.id.0);
    let other = |why| Incoming::Other { why, user };
    let Some(number) = user else { return other("nobody sent it") };
    if !message.chat.is_private() {
        return other("it was not sent in a private chat");
    }
    if i64::try_from(number) != Ok(message.chat.id.0) {
        return other("it is not its sender's chat");
    }
    let is_bot = message.from.as_ref().is_some_and(|user| user.is_bot);
    if message.sender_chat.is_some() || message.via_bot.is_some() || is_bot {
        return other("it was not sent by a person");
    }
    if message.forward_origin().is_some() {
        return other("it was forwarded");
    }
    if message.edit_date().is_some() {
        return other("it was edited");
    }
    let Some(text) = message.text() else { return other("it has no text") };
    let replies_to = message.reply_to_message().map(|other| other.id.0);
    Incoming::Message { user: number, text: text.to_owned(), sent_at: message.date, replies_to }
}

fn of_press(press: CallbackQuery) -> Incoming {
    let user = press.from.id.0;
    let other = |why| Incoming::Other { why, user: Some(user) };
    let (Some(message), Some(data)) = (&press.message, press.data) else {
        return other("it is no button of ours");
    };
    if !message.chat().is_private() || i64::try_from(user) != Ok(message.chat().id.0) {
        return other("it was not pressed in its sender's private chat");
    }
    Incoming::Press { user, id: press.id.0, message: message.id().0, data }
}
