//! The section `docker.telegram`: the bot that pushes what happens, and takes commands.
//!
//! As for the broker, the outer section's name is the original's.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, SeqAccess, Visitor},
};

use super::Secret;

/// Where the Bot API is.
const OFFICIAL: &str = "https://api.telegram.org";

/// A Telegram bot; none unless `token` and `chat_id` are set. `stratavore setup telegram` finds both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelegramConfig {
    /// The bot's token, as Telegram's `@BotFather` gives it.
    pub token: Secret,
    /// The chat that it writes to: a number, or `@name` of a channel.
    #[serde(deserialize_with = "text")]
    pub chat_id: String,
    /// The numbers of the users who may give it commands, each in their private chat with it. Empty:
    /// the one whose private chat `chat_id` is.
    #[serde(deserialize_with = "numbers")]
    pub users: Vec<u64>,
    /// Whether the bot takes commands at all.
    pub commands: bool,
    /// The Bot API; another one than Telegram's own for a server at home.
    #[serde(serialize_with = "super::secret::address")]
    pub api_url: String,
}

impl Default for TelegramConfig {
    fn default() -> Self {
        Self {
            token: Secret::default(),
            chat_id: String::new(),
            users: Vec::new(),
            commands: true,
            api_url: OFFICIAL.into(),
        }
    }
}

impl TelegramConfig {
    /// Whether there is a bot and somebody to write to.
    pub fn is_configured(&self) -> bool {
        !self.token.is_empty() && !self.chat_id.is_empty()
    }

    /// The users who may give commands.
    pub fn allowed(&self) -> Vec<u64> {
        if self.users.is_empty() {
            // The number of a private chat is its user's; that of a group is negative.
            self.chat_id.parse().into_iter().collect()
        } else {
            self.users.clone()
        }
    }

    /// Says what is wrong, with the key it is wrong at.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        check_url(&self.api_url).map_err(|why| ("docker.telegram.api_url", why))?;
        let is_chat = self.chat_id.parse::<i64>().is_ok() || self.chat_id.starts_with('@');
        if !self.chat_id.is_empty() && !is_chat {
            let why = "it is a number, or @ and the name of a channel".to_owned();
            return Err(("docker.telegram.chat_id", why));
        }
        Ok(())
    }
}

/// Refuses an address that secrets would reach in the clear: plain HTTP to another machine.
pub(super) fn check_url(url: &str) -> Result<(), String> {
    if url.starts_with("https://") {
        return Ok(());
    }
    let Some(rest) = url.strip_prefix("http://") else {
        return Err("it does not begin with https://".to_owned());
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let is_here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if is_here { Ok(()) } else { Err("without TLS only this machine may be named".to_owned()) }
}

/// Reads a text that may be written as a number.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Number(number) => number.to_string(),
        Either::Text(text) => text.trim().to_owned(),
    })
}

/// Reads a list of numbers that may be written as texts, as those of variables are.
fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    struct List;
    impl<'de> Visitor<'de> for List {
        type Value = Vec<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of numbers of users")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut numbers = Vec::new();
            while let Some(item) = items.next_element::<serde_json::Value>()? {
                let number = item.as_u64().or_else(|| item.as_str()?.trim().parse().ok());
                let number = number
                    .ok_or_else(|| A::Error::custom(format!("{item} is no user's number")))?;
                numbers.push(number);
            }
            Ok(numbers)
        }
    }
    deserializer.deserialize_seq(List)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_to_this_machine_or_through_tls() {
        for good in [
            "https://x",
            "http://127.0.0.1:8",
            "http://localhost/x",
            "http://[::1]:8/",
            "http://a:b@127.0.0.1/",
        ] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in
            ["http://x", "ftp://x", "", "http://127.0.0.1.evil.org", "http://localhost@evil.org"]
        {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_may_command_is_the_private_chats_user_unless_others_are_named() {
        let config = |chat_id: &str, users: &[u64]| TelegramConfig {
            chat_id: chat_id.into(),
            users: users.to_vec(),
            ..TelegramConfig::default()
        };
        assert_eq!(config("42", &[]).allowed(), [42]);
        assert_eq!(config("-42", &[]).allowed(), [] as [u64; 0]);
        assert_eq!(config("@mine", &[]).allowed(), [] as [u64; 0]);
        assert_eq!(config("-42", &[7, 8]).allowed(), [7, 8]);
    }
}
