//! A topic of ntfy: published as JSON at the server's root, which takes any text, unlike headers.

use reqwest::{Client, Url};
use serde_json::json;

use super::{ANSWERING, Fault, Outgoing, client, judge, unheard};
use crate::{
    config::{NtfyConfig, Secret},
    domain::notification::Severity,
};

/// Bytes of a message, beyond which ntfy makes a file of it.
const MOST: usize = 4000;

/// A topic.
#[derive(Debug)]
pub(super) struct Ntfy {
    client: Client,
    server: Url,
    topic: String,
    token: Secret,
}

impl Ntfy {
    /// Returns the topic of a configuration.
    pub(super) fn new(config: &NtfyConfig) -> Result<Self, String> {
        let mut server = Url::parse(&config.url).map_err(|error| error.to_string())?;
        let path = server.path().trim_end_matches('/').to_owned();
        let (above, topic) = path.rsplit_once('/').ok_or("it names no topic")?;
        let topic = topic.to_owned();
        server.set_path(if above.is_empty() { "/" } else { above });
        Ok(Self { client: client(ANSWERING)?, server, topic, token: config.token.clone() })
    }

    pub(super) async fn send(&self, it: &Outgoing<'_>) -> Result<(), Fault> {
        let told = it.told;
        let (priority, tag) = match told.severity {
            Severity::Info => (2, ""),
            Severity::Warning => (4, "warning"),
            Severity::Critical => (5, "rotating_light"),
        };
        let tags: Vec<_> = [tag, &told.event_type].into_iter().filter(|t| !t.is_empty()).collect();
        let mut end = told.body.len().min(MOST);
        while !told.body.is_char_boundary(end) {
            end -= 1;
        }
        let body = told.body.get(..end).unwrap_or_default();
        let mut message = json!({
            "topic": self.topic, "title": format!("{} {}", told.emoji, told.title),
            // Without one ntfy writes "triggered".
            "message": if body.is_empty() { &told.title } else { body },
            "priority": priority, "tags": tags,
        });
        if told.asks.is_some() {
            // What answers it stands ready to be copied: the topic itself must not be able to answer.
            let command = format!("stratavore attach {}", told.runner);
            message["actions"] =
                json!([{ "action": "copy", "label": "Copy attach command", "value": command }]);
        }
        let mut request = self.client.post(self.server.clone());
        if !self.token.is_empty() {
            request = request.bearer_auth(self.token.reveal());
        }
        let response = request.json(&message).send().await.map_err(unheard)?;
        judge(&response)
    }
}
