-- Names and columns are those that users of the original system know; times are ISO 8601 in UTC
-- with microseconds, so that text order is time order. Every column that a user's own INSERT may
-- leave out has a default.

CREATE TABLE projects (
    name              TEXT PRIMARY KEY NOT NULL,
    path              TEXT NOT NULL,
    status            TEXT NOT NULL DEFAULT 'idle' CHECK (status IN ('active', 'idle', 'archived')),
    description       TEXT NOT NULL DEFAULT '',
    tags              TEXT NOT NULL DEFAULT '[]',
    total_runners     INTEGER NOT NULL DEFAULT 0,
    active_runners    INTEGER NOT NULL DEFAULT 0,
    total_sessions    INTEGER NOT NULL DEFAULT 0,
    total_tokens      INTEGER NOT NULL DEFAULT 0,
    -- The number of the newest runner: never goes back, so that a name is never used twice.
    last_runner       INTEGER NOT NULL DEFAULT 0,
    created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    last_accessed_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    archived_at       TEXT,
    updated_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) STRICT;

-- The numbers of removed projects: a project that comes back under its name goes on counting.
CREATE TABLE project_numbers (
    project_name  TEXT PRIMARY KEY NOT NULL,
    last_runner   INTEGER NOT NULL
) STRICT;

CREATE TABLE runners (
    id                     TEXT PRIMARY KEY NOT NULL,
    name                   TEXT NOT NULL UNIQUE,
    runtime_type           TEXT NOT NULL DEFAULT 'process' CHECK (runtime_type IN ('process', 'container', 'remote')),
    runtime_id             TEXT NOT NULL DEFAULT '',
    node_id                TEXT NOT NULL DEFAULT '',
    project_name           TEXT NOT NULL REFERENCES projects (name),
    project_path           TEXT NOT NULL DEFAULT '',
    agent                  TEXT NOT NULL DEFAULT '',
    command                TEXT NOT NULL DEFAULT '[]',
    cwd                    TEXT NOT NULL DEFAULT '',
    status                 TEXT NOT NULL DEFAULT 'starting'
                           CHECK (status IN ('starting', 'running', 'paused', 'stopping', 'terminated', 'failed')),
    reason                 TEXT,
    activity               TEXT NOT NULL DEFAULT 'starting',
    activity_kind          TEXT,
    activity_message       TEXT,
    activity_source        TEXT NOT NULL DEFAULT 'process',
    activity_at            TEXT,
    title                  TEXT NOT NULL DEFAULT '',
    flags                  TEXT NOT NULL DEFAULT '[]',
    capabilities           TEXT NOT NULL DEFAULT '[]',
    environment            TEXT NOT NULL DEFAULT '{}',
    session_id             TEXT,
    conversation_mode      TEXT NOT NULL DEFAULT 'new' CHECK (conversation_mode IN ('new', 'continue', 'resume')),
    tokens_used            INTEGER NOT NULL DEFAULT 0,
    cpu_percent            REAL NOT NULL DEFAULT 0,
    memory_mb              INTEGER NOT NULL DEFAULT 0,
    processes              INTEGER NOT NULL DEFAULT 0,
    run                    INTEGER NOT NULL DEFAULT 1,
    pid                    INTEGER,
    supervisor_pid         INTEGER,
    restart                TEXT NOT NULL DEFAULT 'never',
    restart_attempts       INTEGER NOT NULL DEFAULT 0,
    max_restart_attempts   INTEGER NOT NULL DEFAULT 5,
    adopted                INTEGER NOT NULL DEFAULT 0,
    survivors              TEXT NOT NULL DEFAULT '[]',
    request_id             TEXT UNIQUE,
    request_digest         TEXT NOT NULL DEFAULT '',
    started_at             TEXT NOT NULL,
    last_heartbeat         TEXT,
    heartbeat_ttl_seconds  INTEGER NOT NULL DEFAULT 30,
    terminated_at          TEXT,
    exit_code              INTEGER,
    exit_signal            TEXT,
    created_at             TEXT NOT NULL,
    updated_at             TEXT NOT NULL
) STRICT;

CREATE INDEX runners_by_project ON runners (project_name, status);
CREATE INDEX runners_by_status ON runners (status);

CREATE TABLE project_capabilities (
    project_name     TEXT NOT NULL REFERENCES projects (name) ON DELETE CASCADE,
    capability_name  TEXT NOT NULL,
    enabled          INTEGER NOT NULL DEFAULT 1,
    version          TEXT NOT NULL DEFAULT '',
    config           TEXT NOT NULL DEFAULT '{}',
    installed_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    updated_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    PRIMARY KEY (project_name, capability_name)
) STRICT;

CREATE TABLE sessions (
    id                     TEXT PRIMARY KEY NOT NULL,
    runner_id              TEXT NOT NULL DEFAULT '',
    project_name           TEXT NOT NULL,
    started_at             TEXT NOT NULL,
    ended_at               TEXT,
    last_message_at        TEXT,
    message_count          INTEGER NOT NULL DEFAULT 0,
    tokens_used            INTEGER NOT NULL DEFAULT 0,
    resumable              INTEGER NOT NULL DEFAULT 0,
    resumed_from           TEXT,
    summary                TEXT NOT NULL DEFAULT '',
    context_vector         BLOB,
    transcript_s3_key      TEXT,
    transcript_size_bytes  INTEGER NOT NULL DEFAULT 0,
    created_at             TEXT NOT NULL
) STRICT;

CREATE INDEX sessions_by_project ON sessions (project_name, started_at);

CREATE TABLE session_blobs (
    id           INTEGER PRIMARY KEY,
    session_id   TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    blob_type    TEXT NOT NULL,
    storage_key  TEXT NOT NULL,
    size_bytes   INTEGER NOT NULL DEFAULT 0,
    checksum     TEXT NOT NULL DEFAULT '',
    created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) STRICT;

CREATE TABLE events (
    -- The position in the log. The writer is alone: positions are given in commit order.
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id      TEXT NOT NULL UNIQUE,
    timestamp     TEXT NOT NULL,
    event_type    TEXT NOT NULL,
    entity_type   TEXT NOT NULL,
    entity_id     TEXT NOT NULL,
    sequence      INTEGER NOT NULL,
    project_name  TEXT NOT NULL DEFAULT '',
    runner_name   TEXT NOT NULL DEFAULT '',
    data          TEXT NOT NULL DEFAULT '{}',
    metadata      TEXT NOT NULL DEFAULT '{}',
    user_id       TEXT NOT NULL DEFAULT '',
    hostname      TEXT NOT NULL DEFAULT '',
    trace_id      TEXT NOT NULL DEFAULT '',
    signature     TEXT NOT NULL DEFAULT '',
    UNIQUE (entity_type, entity_id, sequence)
) STRICT;

CREATE INDEX events_by_time ON events (timestamp);

CREATE TABLE outbox (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    delivered        INTEGER NOT NULL DEFAULT 0,
    delivered_at     TEXT,
    event_id         TEXT NOT NULL UNIQUE,
    service_name     TEXT NOT NULL DEFAULT 'stratavore',
    aggregate_type   TEXT NOT NULL,
    aggregate_id     TEXT NOT NULL,
    event_type       TEXT NOT NULL,
    payload          TEXT NOT NULL,
    metadata         TEXT NOT NULL DEFAULT '{}',
    routing_key      TEXT NOT NULL,
    attempts         INTEGER NOT NULL DEFAULT 0,
    max_attempts     INTEGER NOT NULL DEFAULT 8,
    last_attempt_at  TEXT,
    next_retry_at    TEXT,
    error            TEXT,
    trace_id         TEXT NOT NULL DEFAULT '',
    span_id          TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX outbox_undelivered ON outbox (id) WHERE delivered = 0;

CREATE TABLE token_budgets (
    id                  INTEGER PRIMARY KEY,
    scope               TEXT NOT NULL CHECK (scope IN ('global', 'project', 'runner')),
    scope_id            TEXT NOT NULL DEFAULT '',
    limit_tokens        INTEGER NOT NULL,
    used_tokens         INTEGER NOT NULL DEFAULT 0,
    period_granularity  TEXT NOT NULL CHECK (period_granularity IN ('hourly', 'daily', 'weekly', 'monthly')),
    period_start        TEXT NOT NULL,
    period_end          TEXT NOT NULL,
    created_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    updated_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    UNIQUE (scope, scope_id, period_start)
) STRICT;

CREATE TABLE resource_quotas (
    project_name            TEXT PRIMARY KEY NOT NULL REFERENCES projects (name) ON DELETE CASCADE,
    max_concurrent_runners  INTEGER NOT NULL DEFAULT 5,
    max_memory_mb           INTEGER NOT NULL DEFAULT 0,
    max_cpu_percent         INTEGER NOT NULL DEFAULT 0,
    max_tokens_per_day      INTEGER NOT NULL DEFAULT 0,
    created_at              TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    updated_at              TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) STRICT;

CREATE TABLE daemon_state (
    daemon_id       TEXT PRIMARY KEY NOT NULL,
    hostname        TEXT NOT NULL DEFAULT '',
    version         TEXT NOT NULL DEFAULT '',
    started_at      TEXT NOT NULL,
    last_heartbeat  TEXT NOT NULL,
    config          TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE TABLE agent_tokens (
    token          TEXT PRIMARY KEY NOT NULL,
    runner_id      TEXT NOT NULL,
    created_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    expires_at     TEXT NOT NULL,
    used_at        TEXT,
    revoked_at     TEXT,
    issued_by      TEXT NOT NULL DEFAULT '',
    agent_version  TEXT NOT NULL DEFAULT ''
) STRICT;
