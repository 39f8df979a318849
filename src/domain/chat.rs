//! What is said to the bot in a chat: commands, and buttons that answer one question each.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::id::RunnerId;

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatCommand {
    /// To know what there is to say.
    Help,
    /// How everything is.
    Status,
    /// What runs.
    Runners,
    /// Who waits for a person.
    Inbox,
    /// What was used of budgets.
    Budget,
    /// What a runner's screen shows.
    Look(String),
    /// Yes to the question of a runner.
    Approve(String),
    /// No to it.
    Deny(String),
    /// To type a line into a runner.
    Send {
        /// Which.
        runner: String,
        /// What.
        text: String,
    },
    /// To end a runner.
    Stop(String),
    /// A command that needs a runner, without one.
    Lacks(&'static str),
    /// Something that is no command.
    Words(String),
}

/// The commands, with what they do.
pub const COMMANDS: [(&str, &str); 10] = [
    ("/status", "how everything is"),
    ("/runners", "what runs"),
    ("/inbox", "what waits for you, with buttons to answer"),
    ("/look RUNNER", "a picture of its screen"),
    ("/approve RUNNER", "yes to the question that you were shown"),
    ("/deny RUNNER", "no to it"),
    ("/send RUNNER TEXT", "type a line and submit it, now or when its agent is at rest"),
    ("/stop RUNNER", "end it, after you have confirmed that"),
    ("/budget", "what is used of budgets"),
    ("/help", "this"),
];

/// Understands a message.
pub fn understand(text: &str) -> ChatCommand {
    let text = text.trim();
    if !text.starts_with('/') {
        return ChatCommand::Words(text.to_owned());
    }
    let (head, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    // In the menu of a chat commands have the bot's name behind them.
    let command = head.split('@').next().unwrap_or(head).to_ascii_lowercase();
    let one = |make: fn(String) -> ChatCommand, usage: &'static str| {
        let mut words = rest.split_whitespace();
        match (words.next(), words.next()) {
            (Some(word), None) => make(word.to_owned()),
            _ => ChatCommand::Lacks(usage),
        }
    };
    match command.as_str() {
        "/start" | "/help" => ChatCommand::Help,
        "/status" => ChatCommand::Status,
        "/runners" => ChatCommand::Runners,
        "/inbox" => ChatCommand::Inbox,
        "/budget" | "/budgets" => ChatCommand::Budget,
        "/look" => one(ChatCommand::Look, "/look RUNNER"),
        "/approve" => one(ChatCommand::Approve, "/approve RUNNER"),
        "/deny" => one(ChatCommand::Deny, "/deny RUNNER"),
        "/stop" => one(ChatCommand::Stop, "/stop RUNNER"),
        "/send" => match rest.split_once(char::is_whitespace) {
            Some((runner, text)) if !text.trim().is_empty() => {
                ChatCommand::Send { runner: runner.to_owned(), text: text.trim().to_owned() }
            }
            _ => ChatCommand::Lacks("/send RUNNER TEXT"),
        },
        _ => ChatCommand::Words(text.to_owned()),
    }
}

/// A button that was pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Press {
    /// Yes to the question asked at this time.
    Approve {
        /// Whose question.
        runner: RunnerId,
        /// When it was asked.
        asked: DateTime<Utc>,
    },
    /// No to it.
    Deny {
        /// Whose question.
        runner: RunnerId,
        /// When it was asked.
        asked: DateTime<Utc>,
    },
    /// The choice of this number, from 1 to 9, to the question asked at this time.
    Choose {
        /// Whose question.
        runner: RunnerId,
        /// When it was asked.
        asked: DateTime<Utc>,
        /// Which.
        number: u8,
    },
    /// To see its screen.
    Look {
        /// Whose.
        runner: RunnerId,
    },
    /// To put an item of the inbox away.
    Dismiss(Uuid),
    /// What was asked back about is to be done.
    Confirm(Uuid),
    /// It is not.
    Cancel(Uuid),
}

impl Press {
    /// What the button sends: 64 bytes at most.
    pub fn data(&self) -> String {
        let asks = |letter: char, runner: &RunnerId, asked: &DateTime<Utc>| {
            let id = runner.as_uuid();
            format!("{letter}:{}:{}", id.simple(), asked.timestamp_micros())
        };
        match self {
            Self::Approve { runner, asked } => asks('y', runner, asked),
            Self::Deny { runner, asked } => asks('n', runner, asked),
            Self::Choose { runner, asked, number } => {
                asks(char::from(b'0' + number.clamp(&1, &9)), runner, asked)
            }
            Self::Look { runner } => {
                let id = runner.as_uuid();
                format!("l:{}", id.simple())
            }
            Self::Dismiss(item) => format!("d:{}", item.simple()),
            Self::Confirm(nonce) => format!("c:{}", nonce.simple()),
            Self::Cancel(nonce) => format!("x:{}", nonce.simple()),
        }
    }

    /// Understands what a button sent.
    pub fn parse(data: &str) -> Option<Self> {
        let (letter, rest) = data.split_once(':')?;
        let (id, asked) = rest.split_once(':').unwrap_or((rest, ""));
        let id: Uuid = id.parse().ok()?;
        let runner = || Some(RunnerId::from(id));
        let asked = || DateTime::from_timestamp_micros(asked.parse().ok()?);
        Some(match letter {
            "y" => Self::Approve { runner: runner()?, asked: asked()? },
            "n" => Self::Deny { runner: runner()?, asked: asked()? },
            "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" => {
                Self::Choose { runner: runner()?, asked: asked()?, number: letter.parse().ok()? }
            }
            "l" => Self::Look { runner: runner()? },
            "d" => Self::Dismiss(id),
            "c" => Self::Confirm(id),
            "x" => Self::Cancel(id),
            _ => return None,
        })
    }

    /// What it is about: the runner, the item or the question back.
    pub fn about(&self) -> Uuid {
        match self {
            Self::Approve { runner, .. }
            | Self::Deny { runner, .. }
            | Self::Choose { runner, .. }
            | Self::Look { runner } => runner.as_uuid(),
            Self::Dismiss(id) | Self::Confirm(id) | Self::Cancel(id) => *id,
        }
    }

    /// When the question was asked that it answers, if it answers one of an agent.
    pub fn asked(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Approve { asked, .. } | Self::Deny { asked, .. } | Self::Choose { asked, .. } => {
                Some(*asked)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_understood_and_everything_else_is_words() {
        assert_eq!(understand("/status@my_bot"), ChatCommand::Status);
        assert_eq!(understand(" /APPROVE api-3 "), ChatCommand::Approve("api-3".into()));
        assert_eq!(understand("/stop"), ChatCommand::Lacks("/stop RUNNER"));
        assert_eq!(understand("/stop a b"), ChatCommand::Lacks("/stop RUNNER"));
        let send = understand("/send api-3  $(rm -rf ~); `x`\nnext");
        let text = "$(rm -rf ~); `x`\nnext".to_owned();
        assert_eq!(send, ChatCommand::Send { runner: "api-3".into(), text });
        assert_eq!(understand("/send api-3"), ChatCommand::Lacks("/send RUNNER TEXT"));
        assert_eq!(understand("go on"), ChatCommand::Words("go on".into()));
        assert_eq!(understand("/frobnicate"), ChatCommand::Words("/frobnicate".into()));
    }

    #[test]
    fn buttons_say_to_which_question_they_answer_in_64_bytes() {
        let runner = RunnerId::random();
        let asked = DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap();
        for press in [
            Press::Approve { runner, asked },
            Press::Deny { runner, asked },
            Press::Choose { runner, asked, number: 1 },
            Press::Choose { runner, asked, number: 9 },
            Press::Look { runner },
            Press::Dismiss(Uuid::new_v4()),
            Press::Confirm(Uuid::new_v4()),
            Press::Cancel(Uuid::new_v4()),
        ] {
            let data = press.data();
            assert!(data.len() <= 64, "{data}");
            assert_eq!(Press::parse(&data), Some(press));
        }
        for bad in [
            "",
            "y",
            "y:1:2",
            "0:00000000000000000000000000000000:1",
            "z:00000000000000000000000000000000",
            "y:x:y",
        ] {
            assert_eq!(Press::parse(bad), None, "{bad}");
        }
    }
}
