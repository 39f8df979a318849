//! A Telegram bot: what it says, and what is said to it.
//!
//! Invariant: the token is in no error and no log line; of what people send only plain messages and
//! buttons of private chats are told to the caller, who checks whose they are.

mod text;
mod updates;

use std::{fmt, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::Url;
use teloxide::{
    ApiError, Bot, RequestError,
    payloads::{
        AnswerCallbackQuerySetters as _, EditMessageCaptionSetters as _,
        EditMessageReplyMarkupSetters as _, EditMessageTextSetters as _, SendMessageSetters as _,
        SendPhotoSetters as _,
    },
    requests::{Request as _, Requester as _},
    types::{
        CallbackQueryId, ChatId, InlineKeyboardButton, InlineKeyboardMarkup, InputFile,
        LinkPreviewOptions, Message, MessageId, ParseMode, Recipient, ReplyMarkup,
    },
};
use tokio::time::timeout;

use self::text::{CAPTION, escape, marked_up};
pub use self::{
    text::split,
    updates::{Incoming, Update},
};
use super::{Fault, Outgoing, client};
use crate::{
    config::{Secret, TelegramConfig},
    domain::{
        chat::Press,
        id::RunnerId,
        notification::{Notification, Severity},
    },
};

/// The library itself waits for ten seconds when the server is at fault.
const SENDING: Duration = Duration::from_secs(20);

/// A token that is not taken is asked about again after so long.
const LOCKED_OUT: Duration = Duration::from_mins(10);

/// Messages that one notification may become.
const PARTS: usize = 5;

/// Characters on a button.
const LABEL: usize = 48;

/// A button under a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// What stands on it.
    pub text: String,
    /// What it sends, 64 bytes at most.
    pub data: String,
}

/// A bot and the chat that it writes to.
pub struct Telegram {
    bot: Bot,
    /// The same with more time for an answer, for what waits for updates.
    waiting: Bot,
    chat: Recipient,
    allowed: Vec<u64>,
    token: Secret,
}

impl fmt::Debug for Telegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telegram").field("chat", &self.chat).finish_non_exhaustive()
    }
}

impl Telegram {
    /// Returns the bot of a configuration.
    ///
    /// # Errors
    ///
    /// When an address is none.
    pub fn new(config: &TelegramConfig) -> Result<Self, String> {
        let url = Url::parse(&config.api_url).map_err(|error| error.to_string())?;
        let bot = |answering| -> Result<Bot, String> {
            let client = client(answering)?;
            Ok(Bot::with_client(config.token.reveal(), client).set_api_url(url.clone()))
        };
        let chat = match config.chat_id.parse() {
            Ok(number) => Recipient::Id(ChatId(number)),
            Err(_) => Recipient::ChannelUsername(config.chat_id.clone()),
        };
        Ok(Self {
            bot: bot(SENDING)?,
            waiting: bot(updates::WAITING + SENDING)?,
            chat,
            allowed: if config.commands { config.allowed() } else { Vec::new() },
            token: config.token.clone(),
        })
    }

    /// The users who may give it commands.
    pub fn allowed(&self) -> &[u64] {
        &self.allowed
    }

    /// The bot's number, which is no secret.
    pub fn number(&self) -> &str {
        self.token.reveal().split(':').next().unwrap_or_default()
    }

    /// Shows a picture in a chat, with words below it.
    ///
    /// # Errors
    ///
    /// When it was not taken.
    pub async fn show(
        &self,
        chat: i64,
        picture: Bytes,
        words: &str,
        buttons: &[Vec<Button>],
    ) -> Result<(), Fault> {
        let caption = split(words, CAPTION, escape);
        let chat = Recipient::Id(ChatId(chat));
        self.photo(chat, picture, caption.first(), false, buttons).await.map(drop)
    }

    /// Tells something to the chat; returns the number of the message.
    ///
    /// # Errors
    ///
    /// When it was not taken, or nobody knows.
    pub(super) async fn send(&self, it: &Outgoing<'_>) -> Result<String, Fault> {
        let told = it.told;
        let silent = told.severity == Severity::Info;
        let buttons = buttons_of(told, &it.choices, &self.allowed);
        let repeated = if it.is_repeat { "\n(again: nobody heard whether it arrived)" } else { "" };
        let body = format!("{}{repeated}", told.body);
        if let Some(picture) = &it.picture {
            let caption = marked_up(told, &body, CAPTION);
            let sent = self
                .photo(self.chat.clone(), picture.clone(), caption.first(), silent, &buttons)
                .await;
            match sent {
                Ok(message) => {
                    for part in caption.iter().skip(1) {
                        self.text(self.chat.clone(), part, true, &[]).await?;
                    }
                    return Ok(message.id.0.to_string());
                }
                // A picture that is not taken does not keep the words back.
                Err(fault @ (Fault::Later { .. } | Fault::Shut { .. })) => return Err(fault),
                Err(Fault::Never(why)) => {
                    tracing::warn!(why, "a picture was not taken; its words go alone");
                }
            }
        }
        let mut parts = marked_up(told, &body, text::MESSAGE);
        if parts.len() > PARTS {
            parts.truncate(PARTS);
            parts.push(escape("… (the rest is left out)"));
        }
        let mut number = None;
        let last = parts.len().saturating_sub(1);
        for (index, part) in parts.iter().enumerate() {
            let buttons = if index == last { buttons.as_slice() } else { &[] };
            let message = self.text(self.chat.clone(), part, silent, buttons).await?;
            number.get_or_insert(message.id.0);
        }
        Ok(number.unwrap_or_default().to_string())
    }

    /// Says something in a chat, in as many messages as it needs; buttons stand under the last one, whose
    /// number is returned.
    ///
    /// # Errors
    ///
    /// When it was not taken.
    pub async fn say(
        &self,
        chat: i64,
        words: &str,
        buttons: &[Vec<Button>],
    ) -> Result<Option<i32>, Fault> {
        let mut parts = split(words, text::MESSAGE, escape);
        parts.truncate(PARTS);
        let last = parts.len().saturating_sub(1);
        let mut number = None;
        for (index, part) in parts.iter().enumerate() {
            let buttons = if index == last { buttons } else { &[] };
            let message = self.text(Recipient::Id(ChatId(chat)), part, false, buttons).await?;
            number = Some(message.id.0);
        }
        Ok(number)
    }

    /// Says that a button was heard, in a few words over the chat.
    ///
    /// # Errors
    ///
    /// When it was not taken.
    pub async fn heard(&self, press: &str, words: &str) -> Result<(), Fault> {
        let id = CallbackQueryId(press.to_owned());
        let words: String = words.chars().take(200).collect();
        let request = self.bot.answer_callback_query(id).text(words).show_alert(false);
        self.within(request.send()).await.map(drop)
    }

    /// Takes the buttons away from under a message, but for those that are left.
    ///
    /// # Errors
    ///
    /// When it was not taken.
    pub async fn settle(&self, chat: i64, message: i32, left: &[Vec<Button>]) -> Result<(), Fault> {
        let chat = Recipient::Id(ChatId(chat));
        if left.is_empty() {
            return self.clear(chat, message).await;
        }
        let request = self.bot.edit_message_reply_markup(chat, MessageId(message));
        let request = request.reply_markup(inline(left));
        taken(self.within(request.send()).await.map(drop))
    }

    /// Says below a question that was told how it ended, and takes its buttons away.
    ///
    /// # Errors
    ///
    /// When it was not taken.
    pub async fn finish(
        &self,
        message: i32,
        told: &Notification,
        ending: &str,
    ) -> Result<(), Fault> {
        // Which of both it became is not written down; the wrong one is refused. An edited message
        // keeps no button that is not sent with it.
        let id = MessageId(message);
        if let Some(words) = text::ended(told, ending, CAPTION) {
            let request = self.bot.edit_message_caption(self.chat.clone(), id).caption(words);
            let sent = self.within(request.parse_mode(ParseMode::MarkdownV2).send()).await;
            if !matches!(sent, Err(Fault::Never(ref why)) if !is_so_already(why)) {
                return taken(sent.map(drop));
            }
        }
        if let Some(words) = text::ended(told, ending, text::MESSAGE) {
            let request = self.bot.edit_message_text(self.chat.clone(), id, words);
            let request = request.parse_mode(ParseMode::MarkdownV2);
            let sent = self.within(request.link_preview_options(no_preview()).send()).await;
            if !matches!(sent, Err(Fault::Never(ref why)) if !is_so_already(why)) {
                return taken(sent.map(drop));
            }
        }
        // Without words rather than with buttons that are of no use.
        self.clear(self.chat.clone(), message).await
    }

    async fn clear(&self, chat: Recipient, message: i32) -> Result<(), Fault> {
        let request = self.bot.edit_message_reply_markup(chat, MessageId(message));
        taken(self.within(request.send()).await.map(drop))
    }

    /// Returns the bot's own name.
    ///
    /// # Errors
    ///
    /// When the token is not taken or nobody answers.
    pub async fn name(&self) -> Result<String, Fault> {
        let me = self.within(self.bot.get_me().send()).await?;
        Ok(me.username().to_owned())
    }

    async fn text(
        &self,
        chat: Recipient,
        part: &str,
        silent: bool,
        buttons: &[Vec<Button>],
    ) -> Result<Message, Fault> {
        let message = |words: String| {
            let mut request = self
                .bot
                .send_message(chat.clone(), words)
                .disable_notification(silent)
                .link_preview_options(no_preview());
            if !buttons.is_empty() {
                request = request.reply_markup(keyboard(buttons));
            }
            request
        };
        let marked = message(part.to_owned()).parse_mode(ParseMode::MarkdownV2);
        match self.within(marked.send()).await {
            Err(Fault::Never(why)) if why.contains("can't parse entities") => {
                tracing::warn!(why, "words for Telegram are sent without their form");
                self.within(message(text::unescape(part)).send()).await
            }
            sent => sent,
        }
    }

    async fn photo(
        &self,
        chat: Recipient,
        picture: Bytes,
        caption: Option<&String>,
        silent: bool,
        buttons: &[Vec<Button>],
    ) -> Result<Message, Fault> {
        let file = InputFile::memory(picture).file_name("screen.png");
        let mut request = self.bot.send_photo(chat, file).disable_notification(silent);
        if let Some(caption) = caption {
            request = request.caption(caption.clone()).parse_mode(ParseMode::MarkdownV2);
        }
        if !buttons.is_empty() {
            request = request.reply_markup(keyboard(buttons));
        }
        self.within(request.send()).await
    }

    async fn within<T>(
        &self,
        request: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, Fault> {
        match timeout(SENDING, request).await {
            Ok(outcome) => outcome.map_err(|error| self.fault(&error)),
            Err(_elapsed) => Err(Fault::later(format!("no answer within {} s", SENDING.as_secs()))),
        }
    }

    /// Returns what an error means, without the token.
    fn fault(&self, error: &RequestError) -> Fault {
        let why = match error {
            RequestError::Api(ApiError::Unknown(why)) => why.clone(),
            RequestError::Api(error) => error.to_string(),
            RequestError::Network(error) => {
                let mut why = error.to_string();
                let mut source = std::error::Error::source(error.as_ref());
                while let Some(error) = source {
                    why = format!("{why}: {error}");
                    source = error.source();
                }
                why
            }
            RequestError::InvalidJson { .. } => {
                "the server's answer is not that of the Bot API".to_owned()
            }
            other => other.to_string(),
        };
        let why = why.replace(self.token.reveal(), "<token>");
        let is_refused = ["Bad Request", "Forbidden", "Request Entity Too Large"]
            .iter()
            .any(|begin| why.starts_with(begin));
        match error {
            RequestError::RetryAfter(seconds) => {
                let after = Some(seconds.duration());
                Fault::Later {
                    why: format!("Telegram asks to wait for {} s", seconds.seconds()),
                    after,
                }
            }
            RequestError::Api(ApiError::InvalidToken) => {
                let why =
                    "Telegram does not take the token; stratavore setup telegram sets another";
                Fault::Shut { why: why.to_owned(), after: LOCKED_OUT }
            }
            RequestError::Api(_) if is_refused => Fault::Never(why),
            _ => Fault::later(why),
        }
    }
}

/// Whether a refusal says that there is nothing to change.
fn is_so_already(why: &str) -> bool {
    why.contains("message is not modified")
}

/// A message that is as it was to become has been taken.
fn taken(outcome: Result<(), Fault>) -> Result<(), Fault> {
    match outcome {
        Err(Fault::Never(why)) if is_so_already(&why) => Ok(()),
        outcome => outcome,
    }
}

/// Returns a button for each choice of a question, below each other.
pub fn chosen(
    runner: RunnerId,
    asked: DateTime<Utc>,
    choices: &[(u8, String)],
) -> Vec<Vec<Button>> {
    let button = |(number, words): &(u8, String)| {
        let text: String = format!("{number} · {words}").chars().take(LABEL).collect();
        let data = Press::Choose { runner, asked, number: *number }.data();
        vec![Button { text, data }]
    };
    choices.iter().map(button).collect()
}

/// The answers that a question may be given by a button.
fn buttons_of(told: &Notification, choices: &[(u8, String)], allowed: &[u64]) -> Vec<Vec<Button>> {
    let runner = told.runner_id.parse().ok();
    let (Some(asks), Some(runner)) = (&told.asks, runner) else { return Vec::new() };
    if allowed.is_empty() {
        return Vec::new();
    }
    let button = |text: &str, press: &Press| Button { text: text.to_owned(), data: press.data() };
    let look = button("👀 Look", &Press::Look { runner });
    let at = asks.at;
    if !asks.is_yes_or_no() {
        let mut rows = chosen(runner, at, choices);
        rows.push(vec![look]);
        return rows;
    }
    vec![
        vec![
            button("✅ Approve", &Press::Approve { runner, asked: at }),
            button("⛔ Deny", &Press::Deny { runner, asked: at }),
        ],
        vec![look],
    ]
}

fn keyboard(rows: &[Vec<Button>]) -> ReplyMarkup {
    ReplyMarkup::InlineKeyboard(inline(rows))
}

fn inline(rows: &[Vec<Button>]) -> InlineKeyboardMarkup {
    let button = |button: &Button| InlineKeyboardButton::callback(&button.text, &button.data);
    let rows = rows.iter().map(|row| row.iter().map(button).collect::<Vec<_>>());
    InlineKeyboardMarkup::new(rows)
}

fn no_preview() -> LinkPreviewOptions {
    LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    }
}
