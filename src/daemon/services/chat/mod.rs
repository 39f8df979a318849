//! The conversation with the bot: what people write and press, done and answered.
//!
//! Only users who are named in the configuration are heard, in their private chats; what others send
//! is logged and answered by nobody. Invariant: a command is done once, after its number is written
//! down, whatever is sent again; yes and no are answers to the question that was shown, and to no
//! other; what ends something is asked back about, and the answer is good for a minute, once.

mod answers;
mod keyboards;
mod lists;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

pub(super) use self::keyboards::Keyboards;
use super::{Services, notifications::Way};
use crate::{
    daemon::{
        actor::{self, Actor},
        notify::{Button, Fault, Incoming, Telegram, Update},
    },
    domain::{
        answer::Answer,
        chat::{self, COMMANDS, ChatCommand, Press},
        failure::Failure,
        id::RunnerId,
        notification::Ending,
    },
};

/// Doing what one message wants may take so long.
const DOING: Duration = Duration::from_secs(30);

/// A question back is good for so long.
const CONFIRMING: Duration = Duration::from_mins(1);

/// Questions back that are open, and strangers that are remembered.
const MOST: usize = 100;

/// Something to be ended, if the one who asked for it says so again.
struct Pending {
    user: u64,
    runner: RunnerId,
    run: u32,
    until: Instant,
}

/// What is remembered of a conversation.
#[derive(Default)]
pub struct Conversation {
    /// Up to this update everything was done; `None` until that is known.
    after: Option<u64>,
    pending: HashMap<Uuid, Pending>,
    strangers: HashSet<u64>,
}

/// An answer.
#[derive(Default)]
struct Saying {
    words: String,
    buttons: Vec<Vec<Button>>,
    picture: Option<Bytes>,
    /// The buttons under the message that was pressed are of no use any more.
    is_settled: bool,
}

impl Saying {
    fn words(words: impl Into<String>) -> Self {
        Self { words: words.into(), ..Self::default() }
    }

    fn settled(words: impl Into<String>) -> Self {
        Self { is_settled: true, ..Self::words(words) }
    }
}

impl From<Failure> for Saying {
    fn from(failure: Failure) -> Self {
        Self::words(if failure.hint.is_empty() {
            failure.message
        } else {
            format!("{}\n({})", failure.message, failure.hint)
        })
    }
}

impl Services {
    /// Whether anybody may give commands.
    pub fn chats(&self) -> bool {
        self.outside.channels.telegram().is_some_and(|bot| !bot.allowed().is_empty())
    }

    /// Waits for what people send, and does it; returns how long to leave the server alone.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn chat(&self, conversation: &mut Conversation) -> Result<Duration, Failure> {
        let channels = std::sync::Arc::clone(&self.outside.channels);
        let Some(bot) = channels.telegram() else { return Ok(DOING) };
        let cursor = format!("telegram/{}", bot.number());
        let now = self.context.clock.now();
        let after = match conversation.after {
            Some(after) => after,
            None => self.store.cursor_begin(&cursor, 0, now).await?,
        };
        conversation.after = Some(after);
        let heard = bot.updates(after).await;
        self.outside.rests.note("telegram", Way::Hearing, &heard);
        let updates = match heard {
            Ok(updates) => updates,
            Err(fault) => {
                tracing::warn!(why = fault.why(), "failed to ask for what was sent to the bot");
                return Ok(match fault {
                    Fault::Later { after: Some(after), .. } | Fault::Shut { after, .. } => after,
                    _ => Duration::from_secs(5),
                });
            }
        };
        for update in updates {
            let after = conversation.after.unwrap_or(after);
            if update.id <= after {
                continue;
            }
            // Written down first: a command that is lost is given again, one that is repeated is not
            // taken back.
            let now = self.context.clock.now();
            if let Err(error) = self.store.cursor_move(&cursor, (after, update.id), now).await {
                conversation.after = None;
                return Err(error.into());
            }
            conversation.after = Some(update.id);
            if timeout(DOING, self.heed(bot, conversation, update)).await.is_err() {
                tracing::warn!("a command to the bot took too long");
            }
        }
        Ok(Duration::ZERO)
    }

    async fn heed(&self, bot: &Telegram, conversation: &mut Conversation, update: Update) {
        let user = match &update.what {
            Incoming::Message { user, .. } | Incoming::Press { user, .. } => *user,
            Incoming::Other { why, user } => {
                tracing::info!(?user, why, "something that was sent to the bot is no command");
                return;
            }
        };
        if !bot.allowed().contains(&user) {
            let is_new = conversation.strangers.len() < MOST && conversation.strangers.insert(user);
            if is_new {
                tracing::warn!(
                    user,
                    "a stranger wrote to the bot; docker.telegram.users names who may"
                );
            }
            return;
        }
        let behalf = Actor::of(format!("telegram:{user}"));
        // The number of a private chat is its user's.
        let chat = i64::try_from(user).unwrap_or_default();
        let said = match &update.what {
            Incoming::Message { text, replies_to, sent_at, .. } => {
                let age = self.context.clock.now() - *sent_at;
                if age > chrono::TimeDelta::minutes(10) {
                    let words = format!(
                        "I was away when you sent “{}”. If you still want it, send it again.",
                        text.chars().take(60).collect::<String>()
                    );
                    Saying::words(words)
                } else {
                    let obeyed = self.obey(conversation, user, text, *replies_to);
                    actor::within(behalf, obeyed).await
                }
            }
            Incoming::Press { id, message, data, .. } => {
                let pressed = self.pressed(conversation, user, data);
                let said = actor::within(behalf, pressed).await;
                // However it ends, the button must not go on turning.
                self.log(bot.heard(id, &said.words).await);
                if said.is_settled {
                    let left = self.outside.keyboards.without((chat, *message), data);
                    self.log(bot.settle(chat, *message, &left).await);
                }
                said
            }
            Incoming::Other { .. } => return,
        };
        let sent = match said.picture {
            Some(picture) => bot.show(chat, picture, &said.words, &said.buttons).await,
            None if said.words.is_empty() => Ok(()),
            None => match bot.say(chat, &said.words, &said.buttons).await {
                Ok(Some(message)) => {
                    self.outside.keyboards.keep((chat, message), said.buttons);
                    Ok(())
                }
                sent => sent.map(drop),
            },
        };
        self.log(sent);
    }

    fn log(&self, outcome: Result<(), Fault>) {
        if let Err(fault) = outcome {
            let node = &self.context.origin.node_id;
            tracing::warn!(why = fault.why(), node, "failed to answer in the chat");
        }
    }

    /// Takes the buttons of a question that has ended away from the lists in a chat that it stands in;
    /// returns whether it stood in any.
    pub(super) async fn chat_ended(&self, bot: &Telegram, ending: &Ending) -> bool {
        let changed = self.outside.keyboards.without_ended(ending);
        for ((chat, message), left) in &changed {
            let settled = timeout(DOING, bot.settle(*chat, *message, left)).await;
            self.log(settled.unwrap_or(Ok(())));
        }
        !changed.is_empty()
    }

    async fn obey(
        &self,
        conversation: &mut Conversation,
        user: u64,
        text: &str,
        replies_to: Option<i32>,
    ) -> Saying {
        let outcome = match chat::understand(text) {
            ChatCommand::Help => {
                let lines: Vec<_> =
                    COMMANDS.iter().map(|(name, what)| format!("{name} · {what}")).collect();
                let reply = "Reply to a question to answer it in your own words.";
                Ok(Saying::words(format!("{}\n\n{reply}", lines.join("\n"))))
            }
            ChatCommand::Status => self.tell_status().await,
            ChatCommand::Runners => self.tell_runners().await,
            ChatCommand::Inbox => self.tell_inbox().await,
            ChatCommand::Budget => self.tell_budgets().await,
            ChatCommand::Look(word) => self.show(&word).await,
            ChatCommand::Approve(word) => self.answer_by_name(&word, true).await,
            ChatCommand::Deny(word) => self.answer_by_name(&word, false).await,
            ChatCommand::Send { runner, text } => self.type_line(&runner, text).await,
            ChatCommand::Stop(word) => self.ask_back(conversation, user, &word).await,
            ChatCommand::Lacks(usage) => Ok(Saying::words(format!("It goes like this: {usage}"))),
            ChatCommand::Words(text) => match replies_to {
                Some(message) => self.reply_to(message, text).await,
                None => Ok(Saying::words("I know only these: /help")),
            },
        };
        outcome.unwrap_or_else(Saying::from)
    }

    async fn pressed(&self, conversation: &mut Conversation, user: u64, data: &str) -> Saying {
        let Some(press) = Press::parse(data) else {
            return Saying::settled("That button is of no use any more.");
        };
        let outcome = match press {
            Press::Approve { runner, asked } => {
                self.answer_shown(runner, asked, Answer::Approve).await
            }
            Press::Deny { runner, asked } => self.answer_shown(runner, asked, Answer::Deny).await,
            Press::Choose { runner, asked, number } => {
                self.answer_shown(runner, asked, Answer::Choose(number)).await
            }
            Press::Look { runner } => self.show(&runner.to_string()).await,
            Press::Dismiss(item) => self.put_away(item).await,
            Press::Confirm(nonce) => self.confirmed(conversation, user, nonce).await,
            Press::Cancel(nonce) => {
                conversation.pending.remove(&nonce);
                Ok(Saying::settled("It stays as it is."))
            }
        };
        outcome.unwrap_or_else(|failure| Saying { is_settled: true, ..failure.into() })
    }
}
