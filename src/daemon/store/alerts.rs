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
    budget::{BudgetScope, Period},
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
    format!("{}{node}:", of_all_nodes(component))
}

fn of_all_nodes(component: &str) -> String {
    format!("alert:{component}:")
}

impl Write {
    /// Resolves the alerts that budgets of a scope, of one period or of all, cannot count, whichever node
    /// told of it: with this event they are others, or gone.
    #[must_use]
    pub(super) fn ending_budget_alerts(
        self,
        scope: &BudgetScope,
        period: Option<Period>,
        event: &NewEvent,
    ) -> Self {
        let cause = of_all_nodes(&scope.component(period));
        // Of no period, it is what the components of all begin with: none of them ends there.
        let begins = if period.is_some() { cause.as_str() } else { cause.trim_end_matches(':') };
        let query = Query::new(RESOLVE_ALERTS)
            .bind(begins.to_owned())
            .bind("the budget was changed or removed")
            .bind(event.at);
        self.run_causing(query, template(EventType::InboxClosed, event), about)
    }

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
