-- Names and columns are those that users of the original system know; every column that a
-- user's own INSERT may leave out has a default. Numbers are BIGINT throughout: one type to read.
-- Names sort by their bytes, as they do in the embedded database.

CREATE TABLE projects (
    name              TEXT COLLATE "C" PRIMARY KEY,
    path              TEXT NOT NULL,
    status            TEXT NOT NULL DEFAULT 'idle' CHECK (status IN ('active', 'idle', 'archived')),
    description       TEXT NOT NULL DEFAULT '',
    tags              TEXT[] NOT NULL DEFAULT '{}',
    total_runners     BIGINT NOT NULL DEFAULT 0,
    active_runners    BIGINT NOT NULL DEFAULT 0,
    total_sessions    BIGINT NOT NULL DEFAULT 0,
    total_tokens      BIGINT NOT NULL DEFAULT 0,
    -- The number of the newest runner: never goes back, so that a name is never used twice.
    last_runner       BIGINT NOT NULL DEFAULT 0,
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    last_accessed_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    archived_at       TIMESTAMPTZ,
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- The numbers of removed projects: a project that comes back under its name goes on counting.
CREATE TABLE project_numbers (
    project_name  TEXT PRIMARY KEY,
    last_runner   BIGINT NOT NULL
);

CREATE TABLE runners (
    id                     UUID PRIMARY KEY,
    name                   TEXT COLLATE "C" NOT NULL UNIQUE,
    runtime_type           TEXT NOT NULL DEFAULT 'process' CHECK (runtime_type IN ('process', 'container', 'remote')),
    runtime_id             TEXT NOT NULL DEFAULT '',
    node_id                TEXT NOT NULL DEFAULT '',
    project_name           TEXT NOT NULL REFERENCES projects (name),
    project_path           TEXT NOT NULL DEFAULT '',
    agent                  TEXT NOT NULL DEFAULT '',
    command                JSONB NOT NULL DEFAULT '[]',
    cwd                    TEXT NOT NULL DEFAULT '',
    status                 TEXT NOT NULL DEFAULT 'starting'
                           CHECK (status IN ('starting', 'running', 'paused', 'stopping', 'terminated', 'failed')),
    reason                 TEXT,
    activity               TEXT NOT NULL DEFAULT 'starting',
    activity_kind          TEXT,
    activity_message       TEXT,
    activity_source        TEXT NOT NULL DEFAULT 'process',
    activity_at            TIMESTAMPTZ,
    title                  TEXT NOT NULL DEFAULT '',
    flags                  TEXT[] NOT NULL DEFAULT '{}',
    capabilities           TEXT[] NOT NULL DEFAULT '{}',
    environment            JSONB NOT NULL DEFAULT '{}',
    session_id             TEXT,
    conversation_mode      TEXT NOT NULL DEFAULT 'new' CHECK (conversation_mode IN ('new', 'continue', 'resume')),
    tokens_used            BIGINT NOT NULL DEFAULT 0,
    cpu_percent            DOUBLE PRECISION NOT NULL DEFAULT 0,
    memory_mb              BIGINT NOT NULL DEFAULT 0,
    processes              BIGINT NOT NULL DEFAULT 0,
    run                    BIGINT NOT NULL DEFAULT 1,
    pid                    BIGINT,
    supervisor_pid         BIGINT,
    restart                TEXT NOT NULL DEFAULT 'never',
    restart_attempts       BIGINT NOT NULL DEFAULT 0,
    max_restart_attempts   BIGINT NOT NULL DEFAULT 5,
    adopted                BOOLEAN NOT NULL DEFAULT FALSE,
    survivors              JSONB NOT NULL DEFAULT '[]',
    request_id             UUID UNIQUE,
    request_digest         TEXT NOT NULL DEFAULT '',
    started_at             TIMESTAMPTZ NOT NULL DEFAULT now(),
    last_heartbeat         TIMESTAMPTZ,
    heartbeat_ttl_seconds  BIGINT NOT NULL DEFAULT 30,
    terminated_at          TIMESTAMPTZ,
    exit_code              BIGINT,
    exit_signal            TEXT,
    created_at             TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at             TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX runners_by_project ON runners (project_name, status);
CREATE INDEX runners_by_status ON runners (status);

CREATE TABLE project_capabilities (
    project_name     TEXT NOT NULL REFERENCES projects (name) ON DELETE CASCADE,
    capability_name  TEXT NOT NULL,
    enabled          BOOLEAN NOT NULL DEFAULT TRUE,
    version          TEXT NOT NULL DEFAULT '',
    config           JSONB NOT NULL DEFAULT '{}',
    installed_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (project_name, capability_name)
);

CREATE TABLE sessions (
    id                     TEXT PRIMARY KEY,
    runner_id              TEXT NOT NULL DEFAULT '',
    project_name           TEXT NOT NULL,
    started_at             TIMESTAMPTZ NOT NULL DEFAULT now(),
    ended_at               TIMESTAMPTZ,
    last_message_at        TIMESTAMPTZ,
    message_count          BIGINT NOT NULL DEFAULT 0,
    tokens_used            BIGINT NOT NULL DEFAULT 0,
    resumable              BOOLEAN NOT NULL DEFAULT FALSE,
    resumed_from           TEXT,
    summary                TEXT NOT NULL DEFAULT '',
    context_vector         BYTEA,
    transcript_s3_key      TEXT,
    transcript_size_bytes  BIGINT NOT NULL DEFAULT 0,
    created_at             TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX sessions_by_project ON sessions (project_name, started_at);

CREATE TABLE session_blobs (
    id           BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    session_id   TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    blob_type    TEXT NOT NULL,
    storage_key  TEXT NOT NULL,
    size_bytes   BIGINT NOT NULL DEFAULT 0,
    checksum     TEXT NOT NULL DEFAULT '',
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE events (
    -- The order of insertion, which is not that of the commits.
    id            BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    event_id      UUID NOT NULL UNIQUE,
    timestamp     TIMESTAMPTZ NOT NULL DEFAULT now(),
    event_type    TEXT NOT NULL,
    entity_type   TEXT NOT NULL,
    entity_id     TEXT NOT NULL,
    sequence      BIGINT NOT NULL,
    project_name  TEXT NOT NULL DEFAULT '',
    runner_name   TEXT NOT NULL DEFAULT '',
    data          JSONB NOT NULL DEFAULT '{}',
    metadata      JSONB NOT NULL DEFAULT '{}',
    user_id       TEXT NOT NULL DEFAULT '',
    hostname      TEXT NOT NULL DEFAULT '',
    trace_id      TEXT NOT NULL DEFAULT '',
    signature     TEXT NOT NULL DEFAULT '',
    UNIQUE (entity_type, entity_id, sequence)
);

CREATE INDEX events_by_time ON events (timestamp);

CREATE TABLE outbox (
    id               BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    delivered        BOOLEAN NOT NULL DEFAULT FALSE,
    delivered_at     TIMESTAMPTZ,
    event_id         UUID NOT NULL UNIQUE,
    service_name     TEXT NOT NULL DEFAULT 'stratavore',
    aggregate_type   TEXT NOT NULL,
    aggregate_id     TEXT NOT NULL,
    event_type       TEXT NOT NULL,
    payload          JSONB NOT NULL,
    metadata         JSONB NOT NULL DEFAULT '{}',
    routing_key      TEXT NOT NULL,
    attempts         BIGINT NOT NULL DEFAULT 0,
    max_attempts     BIGINT NOT NULL DEFAULT 8,
    last_attempt_at  TIMESTAMPTZ,
    next_retry_at    TIMESTAMPTZ,
    error            TEXT,
    trace_id         TEXT NOT NULL DEFAULT '',
    span_id          TEXT NOT NULL DEFAULT ''
);

CREATE INDEX outbox_undelivered ON outbox (id) WHERE NOT delivered;

CREATE TABLE token_budgets (
    id                  BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    scope               TEXT NOT NULL CHECK (scope IN ('global', 'project', 'runner')),
    scope_id            TEXT NOT NULL DEFAULT '',
    limit_tokens        BIGINT NOT NULL,
    used_tokens         BIGINT NOT NULL DEFAULT 0,
    period_granularity  TEXT NOT NULL CHECK (period_granularity IN ('hourly', 'daily', 'weekly', 'monthly')),
    period_start        TIMESTAMPTZ NOT NULL,
    period_end          TIMESTAMPTZ NOT NULL,
    created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (scope, scope_id, period_start)
);

CREATE TABLE resource_quotas (
    project_name            TEXT PRIMARY KEY REFERENCES projects (name) ON DELETE CASCADE,
    max_concurrent_runners  BIGINT NOT NULL DEFAULT 5,
    max_memory_mb           BIGINT NOT NULL DEFAULT 0,
    max_cpu_percent         BIGINT NOT NULL DEFAULT 0,
    max_tokens_per_day      BIGINT NOT NULL DEFAULT 0,
    created_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at              TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE daemon_state (
    daemon_id       TEXT PRIMARY KEY,
    hostname        TEXT NOT NULL DEFAULT '',
    version         TEXT NOT NULL DEFAULT '',
    started_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    last_heartbeat  TIMESTAMPTZ NOT NULL DEFAULT now(),
    config          JSONB NOT NULL DEFAULT '{}'
);

CREATE TABLE agent_tokens (
    token          TEXT PRIMARY KEY,
    runner_id      UUID NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at     TIMESTAMPTZ NOT NULL,
    used_at        TIMESTAMPTZ,
    revoked_at     TIMESTAMPTZ,
    issued_by      TEXT NOT NULL DEFAULT '',
    agent_version  TEXT NOT NULL DEFAULT ''
);
