//! The database and the broker.

use std::time::Duration;

use tokio::{net::TcpStream, time::timeout};

use super::{Findings, Machine};
use crate::{config::Config, daemon};

/// A broker that is there accepts sooner.
const LIMIT: Duration = Duration::from_secs(3);

pub(super) async fn examine(machine: &Machine, found: &mut Findings) {
    let (Ok(loaded), Ok(places)) = (&machine.loaded, &machine.places) else { return };
    let config = &loaded.config;
    let (report, failure) = daemon::database_status(config, places).await;
    match failure {
        Some(failure) => {
            let hint = match failure.reason.as_str() {
                "DATABASE_AWAY" => {
                    "start the server or correct database.url; with database.local: true the file is used \
                     meanwhile, after stratavore daemon restart"
                }
                _ if failure.hint.is_empty() => "stratavore database",
                _ => &failure.hint,
            };
            found.broken("database", failure.message.clone(), hint);
        }
        None if !report.is_reachable => found.ok("database", report.migration),
        None => {
            let text = format!(
                "{} {}, schema {}, {} events, {} MiB",
                report.kind,
                report.version,
                report.schema,
                report.events,
                report.size_bytes >> 20
            );
            if report.schema < report.schema_known {
                let what = format!("{text}; this program brings it to {}", report.schema_known);
                found.note("database", what, "stratavore backup, then stratavore daemon restart");
            } else {
                found.ok("database", text);
            }
            if report.outbox_parked > 0 {
                let what = format!("{} events were given up for the broker", report.outbox_parked);
                found.warn("broker", what, "stratavore outbox list --parked says why");
            }
        }
    }
    if config.database.local && config.database.names_postgresql() {
        found.note(
            "database",
            "a server is configured, and database.local keeps the file in use",
            "unset it, then stratavore database copy brings over what was recorded meanwhile",
        );
    }
    broker(config, found).await;
}

async fn broker(config: &Config, found: &mut Findings) {
    let rabbitmq = &config.docker.rabbitmq;
    if !rabbitmq.is_configured() {
        found.ok("broker", "none is configured");
        return;
    }
    let addresses = match daemon::broker_addresses(rabbitmq) {
        Ok(addresses) => addresses,
        Err(why) => {
            found.broken("broker", why, "stratavore config show --source");
            return;
        }
    };
    for (host, port) in addresses {
        let outcome = timeout(LIMIT, TcpStream::connect((host.as_str(), port))).await;
        let why = match outcome {
            Ok(Ok(_)) => {
                found.ok("broker", format!("{host}:{port} accepts connections"));
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => format!("no answer within {} s", LIMIT.as_secs()),
        };
        found.broken(
            "broker",
            format!("{host}:{port} cannot be reached: {why}; events wait in the outbox"),
            "start the broker, or correct docker.rabbitmq.host; nothing is lost meanwhile",
        );
    }
}
