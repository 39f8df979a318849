//! The table of metrics. Names of the original are kept as they were; new ones follow Prometheus'
//! conventions: base units, `_total` for what only grows.
//!
//! "Of this node" can be added up over daemons that share a database; "of the database" is the same for
//! all of them, so that one takes the largest.

use super::Kind::{self, Counter, Gauge, Histogram, Untyped};

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence.
    pub help: &'static str,
}

/// Defines the metrics and the list of all.
macro_rules! families {
    ($($id:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $id: Family =
                Family { name: $name, kind: $kind, labels: &[$($label),*], help: $help };
        )*

        /// All of them.
        pub static ALL: &[&Family] = &[$(&$id),*];
    };
}

families! {
    BUILD_INFO: Gauge "stratavore_build_info" ["version"]
        "1; the label says which version runs.";
    UPTIME: Gauge "stratavore_daemon_uptime_seconds" []
        "Since the daemon's start.";
    COMPONENT_HEALTHY: Gauge "stratavore_component_healthy" ["component"]
        "1 when a part of the daemon is well, as `stratavore health` says.";
    DISK_FREE: Gauge "stratavore_disk_free_bytes" []
        "Free where the root directory is.";

    RUNNERS: Untyped "stratavore_runners_total" ["status"]
        "Runners of this node by status, ended ones included. It goes up and down in spite of its name.";
    RUNNERS_BY_PROJECT: Gauge "stratavore_runners_by_project" ["project"]
        "Live runners of this node by project.";
    RUNNERS_BY_ACTIVITY: Gauge "stratavore_runners_by_activity" ["activity"]
        "Live runners of this node by what their agent is at; blocked ones wait for a person.";
    SUPERVISORS: Gauge "stratavore_supervisors" []
        "Supervisors that the daemon is linked to, one for each live runner.";
    ATTACH_CLIENTS: Gauge "stratavore_attach_clients" []
        "Terminals that are attached to runners of this node.";
    PROJECTS: Gauge "stratavore_projects" []
        "Registered projects of the database.";
    SESSIONS: Untyped "stratavore_sessions_total" []
        "Conversations in the database. It goes down when a project is removed, in spite of its name.";
    HEARTBEAT_LATENCY: Histogram "stratavore_heartbeat_latency_seconds" []
        "How long it took to look at all runners' processes and write that down.";

    TOKENS_USED: Counter "stratavore_tokens_used_total" ["scope"]
        "Tokens used, as budgets count them: of the database (`global`), and by project (`project:NAME`).";
    USAGE_TOKENS: Counter "stratavore_model_tokens_total" ["model", "kind"]
        "Tokens used in runners of the database by model: `input`, `cache_read`, `cache_write` and `output`.";
    USAGE_COST: Counter "stratavore_model_cost_dollars_total" ["model"]
        "What that cost in US dollars by model, at list price where the agent does not say.";
    USAGE_REQUESTS: Counter "stratavore_model_requests_total" ["model"]
        "Requests to models from runners of the database.";
    BUDGETS: Gauge "stratavore_budgets" []
        "Budgets in force in the database; those nearest to their end are told of one by one.";
    BUDGET_USED: Gauge "stratavore_budget_used_ratio" ["scope", "period", "unit"]
        "Used share of a budget, 1 when it is used up.";
    BUDGET_REMAINING_TOKENS: Gauge "stratavore_budget_remaining_tokens" ["scope", "period"]
        "What is left of a budget of tokens.";
    BUDGET_REMAINING_DOLLARS: Gauge "stratavore_budget_remaining_dollars" ["scope", "period"]
        "What is left of a budget of money.";

    INBOX_OPEN: Gauge "stratavore_inbox_open" ["reason"]
        "Open items of the inbox of the database by why a person should look.";
    NOTIFICATIONS: Gauge "stratavore_notifications" ["channel", "state"]
        "Notifications of the database that wait, or are parked: given up after their last try.";
    NOTIFICATIONS_OLDEST: Gauge "stratavore_notification_oldest_age_seconds" ["channel"]
        "Age of the oldest notification that waits.";

    EVENTS: Counter "stratavore_events_total" []
        "Events in the log of the database, from its beginning.";
    OUTBOX_DEPTH: Gauge "stratavore_outbox_depth" []
        "Events of the database that wait for the broker, parked ones included.";
    OUTBOX_PARKED: Gauge "stratavore_outbox_parked" []
        "Events of the database that the broker has refused too often; they wait for a person.";
    OUTBOX_OLDEST: Gauge "stratavore_outbox_oldest_age_seconds" []
        "Age of the oldest event that waits for the broker, 0 when none does.";
    RELAY_LATENCY: Histogram "stratavore_relay_latency_seconds" []
        "From an event to the broker's confirmation of it.";
    BROKER_UP: Gauge "stratavore_broker_up" []
        "1 while the broker takes messages; absent when none is configured.";
    DATABASE_UP: Gauge "stratavore_database_up" ["kind"]
        "1 when the database has answered this scrape.";
    STORE_WRITE: Histogram "stratavore_store_write_seconds" []
        "How long writes took, from their caller to the commit.";

    PROCESS_CPU: Counter "process_cpu_seconds_total" []
        "CPU time of the daemon.";
    PROCESS_MEMORY: Gauge "process_resident_memory_bytes" []
        "Resident memory of the daemon.";
    PROCESS_FDS: Gauge "process_open_fds" []
        "Open file descriptors of the daemon.";
    PROCESS_MAX_FDS: Gauge "process_max_fds" []
        "File descriptors that the daemon may open.";
    PROCESS_THREADS: Gauge "process_threads" []
        "Threads of the daemon.";
    PROCESS_START: Gauge "process_start_time_seconds" []
        "When the daemon was started, in seconds since 1970.";
}
