//! `stratavore nodes`: who shares the database.

use chrono::Utc;

use crate::{
    cli::{context::Context, human, printer::Printer},
    domain::failure::Failure,
};

/// Lists the nodes.
pub(super) async fn run(context: &Context, printer: Printer) -> Result<(), Failure> {
    let now = Utc::now();
    let nodes = context.client().await?.list_nodes().await?;
    printer.list(&nodes, &["node", "state", "seen", "version", "publishes", "id"], |node| {
        #[expect(clippy::cast_possible_truncation, reason = "seconds since a sign of life")]
        let age = chrono::TimeDelta::seconds(node.age_seconds as i64);
        vec![
            node.hostname.clone(),
            node.state().to_owned(),
            human::age(now - age, now),
            node.version.clone(),
            if node.relays { "yes" } else { "no" }.to_owned(),
            node.id.clone(),
        ]
    })
}
