//! Alerts in the inbox: items about the daemon, which no runner resolves.
//!
//! Invariant: an item's cause names component and node, so that whoever alerted can say that it is over, also
//! after a restart.

use uuid::Uuid;

use super::{
    Store, StoreError,
    inbox::{self, OPEN, about, template},
    query::{Query, Write},
};
use crate::domain::{
    event::{EventType, NewEvent},
    inbox::{Class, Reason, clean},
};

const RESOLVE_ALERTS: &str = concat!(
    "UPDATE inbox SET state = 'resolved', resolution = $2, closed_at = $3, updated_at = $3 \
     WHERE class = 'alert' AND substr(cause, 1, length($1)) = $1 AND ",
    inbox::live!(),
    " RETURNING ",
    inbox::columns!()
);

const STANDING: &str = concat!(
    "SELECT 1 FROM inbox WHERE class = 'alert' AND substr(cause, 1, length($1)) = $1 AND ",
    inbox::live!(),
    " LIMIT 1"
);

impl Store {
    /// Returns whether an alert of a component of a node waits for an operator.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn alert_stands(&self, component: &str, node: &str) -> Result<bool, StoreError> {
        let query = Query::new(STANDING).bind(cause(component, node));
        Ok(!self.fetch(query).await?.is_empty())
    }
}

fn cause(component: &str, node: &str) -> String {
    format!("alert:{component}:{node}:")
}

impl Write {
    /// Adds an item for each alert among these events that needs an operator; one that says that its cause is
    /// gone, `ends`, resolves what a component of its node had open.
    #[must_use]
    pub(super) fn minding_alerts(mut self, events: &[NewEvent]) -> Self {
        for event in events.iter().filter(|event| event.event_type == EventType::SystemAlert) {
            let word = |key: &str| event.data.get(key).and_then(serde_json::Value::as_str);
            let message = clean(word("message").or_else(|| word("text")).unwrap_or("an alert"));
            let component = word("component").unwrap_or_default();
            let cause = cause(component, &event.entity_id);
            if event.data.get("ends").is_some_and(|ends| ends == true) {
                let query = Query::new(RESOLVE_ALERTS).bind(cause).bind(message).bind(event.at);
                self = self.run_causing(query, template(EventType::InboxClosed, event), about);
                continue;
            }
            let query = Query::new(OPEN)
                .bind(Uuid::new_v4())
                .bind(format!("{cause}{}", event.id))
                .bind(Class::Alert.as_str())
                .bind(Reason::Alert.as_str())
                .bind(Uuid::nil())
                .bind("")
                .bind("")
                .bind(if event.entity_type == "daemon" { event.entity_id.as_str() } else { "" })
                .bind("")
                .bind(0_i64)
                .bind(message)
                .bind(event.at)
                .bind(0_i64)
                .bind(event.at);
            self = self.run_causing(query, template(EventType::InboxOpened, event), about);
        }
        self
    }
}
