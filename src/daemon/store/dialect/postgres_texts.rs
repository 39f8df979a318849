//! The statements that only PostgreSQL understands.

use crate::daemon::store::{accounts, migrations::Step, query::Texts};

/// Every migration. Both databases have the same versions and names.
pub(in crate::daemon::store) const MIGRATIONS: &[Step] = &[
    (1, "initial", include_str!("../../../../migrations/postgres/0001_initial.sql")),
    (2, "chain", include_str!("../../../../migrations/postgres/0002_chain.sql")),
    (3, "agents", include_str!("../../../../migrations/postgres/0003_agents.sql")),
    (4, "worktrees", include_str!("../../../../migrations/postgres/0004_worktrees.sql")),
    (5, "budgets", include_str!("../../../../migrations/postgres/0005_budgets.sql")),
    (6, "queue", include_str!("../../../../migrations/postgres/0006_queue.sql")),
    (7, "inbox", include_str!("../../../../migrations/postgres/0007_inbox.sql")),
    (8, "transcripts", include_str!("../../../../migrations/postgres/0008_transcripts.sql")),
    (9, "prompts", include_str!("../../../../migrations/postgres/0009_prompts.sql")),
    (10, "notifications", include_str!("../../../../migrations/postgres/0010_notifications.sql")),
    (11, "tokens", include_str!("../../../../migrations/postgres/0011_tokens.sql")),
    (12, "repeats", include_str!("../../../../migrations/postgres/0012_repeats.sql")),
    (13, "fewer indexes", include_str!("../../../../migrations/postgres/0013_fewer_indexes.sql")),
    (14, "gaps", include_str!("../../../../migrations/postgres/0014_gaps.sql")),
];

/// The texts that only this database understands.
pub(super) const TEXTS: Texts = Texts {
    heartbeats: "UPDATE runners SET cpu_percent = beat.cpu, memory_mb = beat.memory, \
         processes = beat.processes, last_heartbeat = $2 \
         FROM jsonb_to_recordset($1) AS beat \
         (id uuid, cpu double precision, memory bigint, processes bigint) \
         WHERE runners.id = beat.id",
    seal_events: "UPDATE events SET position = s.position, sealed_by = s.sealed_by, seal = s.seal \
         FROM jsonb_to_recordset(CAST($1 AS JSONB)) AS s (id bigint, position bigint, sealed_by text, seal text) \
         WHERE events.id = s.id",
    fence: "SELECT (SELECT count(*) FROM events WHERE position IS NULL) AS waiting \
         FROM leases WHERE name = 'sealer' AND holder = $1 AND epoch = $2 FOR UPDATE",
    fence_at_once: Some(
        "SELECT 1 FROM leases WHERE name = 'sealer' AND holder = $1 AND epoch = $2 \
         AND NOT EXISTS (SELECT 1 FROM events WHERE position IS NULL) FOR UPDATE",
    ),
    register: "INSERT INTO daemon_state (daemon_id, hostname, version, started_at, \
         last_heartbeat, relays, epoch) \
         VALUES ($1, $2, $3, clock_timestamp(), clock_timestamp(), $4, 1) \
         ON CONFLICT (daemon_id) DO UPDATE SET hostname = excluded.hostname, \
         version = excluded.version, started_at = excluded.started_at, \
         last_heartbeat = excluded.last_heartbeat, relays = excluded.relays, left_at = NULL, \
         epoch = daemon_state.epoch + 1 RETURNING epoch",
    beat: "UPDATE daemon_state SET last_heartbeat = clock_timestamp() \
         WHERE daemon_id = $1 AND epoch = $2",
    acquire: "INSERT INTO leases (name, holder, epoch, until) \
         SELECT value, $2, 1, clock_timestamp() + make_interval(secs => $3) \
         FROM jsonb_array_elements_text($1) AS wanted (value) ORDER BY value \
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until, \
         epoch = leases.epoch + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END \
         WHERE leases.holder = excluded.holder OR leases.until < clock_timestamp() \
         RETURNING name, epoch",
    release: "UPDATE leases SET until = to_timestamp(0) \
         WHERE holder = $2 AND name IN (SELECT jsonb_array_elements_text($1))",
    nodes: "SELECT daemon_id, hostname, version, started_at, last_heartbeat, epoch, relays, left_at, \
         CAST(extract(epoch FROM clock_timestamp() - last_heartbeat) AS double precision) AS age \
         FROM daemon_state ORDER BY hostname COLLATE \"C\", daemon_id",
    share_budgets: "SELECT pg_advisory_xact_lock_shared(7163846, 2)",
    lock_budgets: "SELECT pg_advisory_xact_lock(7163846, 2)",
    known_requests: concat!(
        "SELECT ",
        accounts::columns!(),
        " FROM usage_requests WHERE key IN (SELECT jsonb_array_elements_text($1)) \
         OR (twin <> '' AND twin IN (SELECT jsonb_array_elements_text($1)))"
    ),
    put_messages: "INSERT INTO session_messages (session_id, message_key, role, at, body) \
         SELECT $1, m.key, m.role, m.at, m.body \
         FROM jsonb_to_recordset($2) AS m (key text, role text, at timestamptz, body text) \
         ON CONFLICT (session_id, message_key) DO UPDATE \
         SET body = excluded.body WHERE session_messages.body <> excluded.body",
    // Only of what is left are the texts read: all that are found may be many.
    search_messages: "SELECT found.session_id, found.project_name, found.agent, found.summary, \
         found.first_prompt, found.role, found.at, ts_headline('simple', found.body, \
         websearch_to_tsquery('simple', $1), 'StartSel=' || chr(2) || ', StopSel=' || chr(3) || \
         ', MaxWords=26, MinWords=8, MaxFragments=1') AS snippet, \
         left(found.body, 200) AS head, right(found.body, 200) AS tail \
         FROM (SELECT m.id, m.session_id, s.project_name, s.agent, s.summary, s.first_prompt, \
         m.role, m.at, m.body \
         FROM session_messages AS m JOIN sessions AS s ON s.id = m.session_id \
         WHERE m.words @@ websearch_to_tsquery('simple', $1) \
         AND ($2 = '' OR s.project_name = $2) AND ($3 = '' OR s.agent = $3) AND m.at >= $4 \
         ORDER BY m.at DESC, m.id DESC LIMIT $5) AS found \
         ORDER BY found.at DESC, found.id DESC",
    day_of_usage: "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    hour_of_usage: "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24')",
    deliver: "DELETE FROM outbox WHERE id = ANY($1)",
    about: "SELECT current_setting('server_version') AS version, \
         pg_database_size(current_database()) AS size, \
         coalesce((SELECT version || ' ' || cipher FROM pg_stat_ssl \
         WHERE pid = pg_backend_pid() AND ssl), 'off') AS tls, \
         coalesce((SELECT coalesce('installed ' || installed_version, \
         'available ' || default_version) FROM pg_available_extensions WHERE name = 'vector'), \
         'not available') AS pgvector, to_regclass('_sqlx_migrations') IS NOT NULL AS is_ours",
};
