//! What is done by a command: answers to questions, lines, ends.

use std::sync::PoisonError;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use super::{CONFIRMING, Conversation, MOST, Pending, Saying};
use crate::{
    daemon::{
        notify::{Button, chosen},
        services::Services,
    },
    domain::{
        activity::ActivityState,
        answer::Answer,
        chat::Press,
        failure::Failure,
        id::RunnerId,
        prompt::{PromptWish, When},
        redact::redact_words,
        runner::Runner,
    },
};

/// How what is done from here is written down.
pub(super) const BY: &str = "Telegram";

impl Services {
    /// Answers the question that a button stands for.
    pub(super) async fn answer_shown(
        &self,
        id: RunnerId,
        asked: DateTime<Utc>,
        answer: Answer,
    ) -> Result<Saying, Failure> {
        let runner = self.resolve(&id.to_string()).await?;
        let word = match &answer {
            Answer::Approve => "approved".to_owned(),
            Answer::Deny => "denied".to_owned(),
            Answer::Choose(number) => format!("{number} is chosen"),
            Answer::Reply(_) => "sent".to_owned(),
        };
        self.answer(&id.to_string(), asked, answer, BY).await?;
        tracing::info!(runner.id = %id, answer = %word, "a question was answered from Telegram");
        Ok(Saying::settled(format!("{}: {word}.", runner.name)))
    }

    /// Answers the question of a runner, if that is the one that was shown.
    pub(super) async fn answer_by_name(&self, word: &str, yes: bool) -> Result<Saying, Failure> {
        let runner = self.resolve(word).await?;
        let Some(asked) = asked(&runner) else {
            return Ok(Saying::words(format!("{} asks nothing.", runner.name)));
        };
        let was_shown = {
            let shown = self.outside.shown.lock().unwrap_or_else(PoisonError::into_inner);
            shown.get(&runner.id) == Some(&asked)
        };
        if was_shown {
            let answer = if yes { Answer::Approve } else { Answer::Deny };
            return self.answer_shown(runner.id, asked, answer).await;
        }
        let question = self.question(&runner).await;
        Ok(Saying {
            words: format!("You have not seen this question yet:\n\n{}", question.words),
            ..question
        })
    }

    /// Returns the question of a runner with what answers it; it counts as shown.
    pub(super) async fn question(&self, runner: &Runner) -> Saying {
        let activity = &runner.activity;
        let kind = activity.kind.as_deref().unwrap_or("");
        let message = activity.message.as_deref().unwrap_or("(it did not say what)");
        let age = activity.since.map(|since| super::lists::age(since, self.context.clock.now()));
        let words = format!(
            "🙋 {} · {} · {}\n{message}",
            runner.name,
            if kind.is_empty() { "waits" } else { kind },
            age.unwrap_or_default(),
        );
        let mut rows = Vec::new();
        if let Some(asked) = asked(runner) {
            {
                let mut shown = self.outside.shown.lock().unwrap_or_else(PoisonError::into_inner);
                shown.insert(runner.id, asked);
            }
            if kind == "question" {
                let choices = self.inbox_choices(runner.id, asked).await;
                rows.extend(chosen(runner.id, asked, &choices));
            }
            if matches!(kind, "" | "permission") {
                rows.push(vec![
                    button("✅ Approve", &Press::Approve { runner: runner.id, asked }),
                    button("⛔ Deny", &Press::Deny { runner: runner.id, asked }),
                ]);
            }
        }
        rows.push(vec![button("👀 Look", &Press::Look { runner: runner.id })]);
        Saying { buttons: rows, ..Saying::words(words) }
    }

    /// Answers the question that a message of the bot was about in one's own words.
    pub(super) async fn reply_to(&self, message: i32, text: String) -> Result<Saying, Failure> {
        let reference = message.to_string();
        let told = self.store.notification_of("telegram", &reference).await?;
        let told = told.map(|delivery| delivery.notification);
        let Some((told, asks)) = told.and_then(|told| told.asks.clone().map(|asks| (told, asks)))
        else {
            let words = "That message asks nothing. /send RUNNER TEXT types into a runner.";
            return Ok(Saying::words(words));
        };
        self.answer(&told.runner_id, asks.at, Answer::Reply(text), BY).await?;
        Ok(Saying::words(format!("{}: sent.", told.runner)))
    }

    /// Types a line into a runner that is at rest; else it waits in the queue until the runner is. What
    /// is known of it is told, and nothing else.
    pub(super) async fn type_line(&self, word: &str, text: String) -> Result<Saying, Failure> {
        let runner = self.resolve(word).await?;
        if asked(&runner).is_some() {
            // Its letters could be keys of the dialog.
            let question = self.question(&runner).await;
            let words = format!("It waits for an answer; answer that first.\n\n{}", question.words);
            return Ok(Saying { words, ..question });
        }
        let wish = PromptWish {
            text,
            submit: true,
            run: Some(runner.run),
            session: String::new(),
            when: When::Queued,
        };
        let delivery = self.send_prompt(&runner.id.to_string(), wish).await?;
        let mut words = format!("{}.", delivery.sentence());
        if !delivery.is_settled() {
            words.push_str(" It is not sent again; look what became of it.");
        }
        let look = button("👀 Look", &Press::Look { runner: runner.id });
        Ok(Saying { buttons: vec![vec![look]], ..Saying::words(words) })
    }

    /// Asks back before a runner is ended.
    pub(super) async fn ask_back(
        &self,
        conversation: &mut Conversation,
        user: u64,
        word: &str,
    ) -> Result<Saying, Failure> {
        let runner = self.resolve(word).await?;
        if !runner.status.is_live() {
            return Ok(Saying::words(format!("{} has ended already.", runner.name)));
        }
        let now = Instant::now();
        conversation.pending.retain(|_, pending| pending.until > now);
        if conversation.pending.len() >= MOST {
            return Ok(Saying::words("Too many questions are open; wait a minute."));
        }
        let nonce = Uuid::new_v4();
        let pending = Pending { user, runner: runner.id, run: runner.run, until: now + CONFIRMING };
        conversation.pending.insert(nonce, pending);
        let what = redact_words(&runner.command).join(" ").chars().take(80).collect::<String>();
        let words = format!(
            "End {} ({what})?\nIts agent is asked to leave, and what it started ends with it. This \
             question is good for a minute.",
            runner.name
        );
        let buttons = vec![vec![
            button("🛑 End it", &Press::Confirm(nonce)),
            button("Keep it", &Press::Cancel(nonce)),
        ]];
        Ok(Saying { buttons, ..Saying::words(words) })
    }

    /// Ends what was asked back about.
    pub(super) async fn confirmed(
        &self,
        conversation: &mut Conversation,
        user: u64,
        nonce: Uuid,
    ) -> Result<Saying, Failure> {
        let over = || Saying::settled("That question is over; nothing was ended. Ask again.");
        let Some(pending) = conversation.pending.remove(&nonce) else { return Ok(over()) };
        if pending.until < Instant::now() || pending.user != user {
            return Ok(over());
        }
        let runner = self.resolve(&pending.runner.to_string()).await?;
        if runner.run != pending.run {
            return Ok(Saying::settled(format!(
                "{} was started again meanwhile; nothing was ended.",
                runner.name
            )));
        }
        let (runner, _) = self.stop_runner(&pending.runner.to_string(), None, false).await?;
        tracing::info!(runner.id = %runner.id, user, "a runner was ended from Telegram");
        Ok(Saying::settled(format!("{} is {}.", runner.name, runner.status.as_str())))
    }
}

pub(super) fn button(text: &str, press: &Press) -> Button {
    Button { text: text.to_owned(), data: press.data() }
}

/// When a runner has asked what it waits with.
pub(super) fn asked(runner: &Runner) -> Option<DateTime<Utc>> {
    let waits = runner.activity.state == ActivityState::Blocked && runner.status.is_live();
    runner.activity.since.filter(|_| waits)
}
