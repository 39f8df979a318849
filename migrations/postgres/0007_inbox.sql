-- What a person should see to: one row for each reason, open until it is answered, dismissed or gone.

CREATE TABLE inbox (
    id             UUID PRIMARY KEY NOT NULL,
    -- What it is about, so that the same is never asked twice.
    cause          TEXT NOT NULL UNIQUE,
    -- ask, turn, end, budget or alert: what is resolved together.
    class          TEXT NOT NULL,
    reason         TEXT NOT NULL,
    state          TEXT NOT NULL DEFAULT 'open'
                   CHECK (state IN ('open', 'snoozed', 'answered', 'dismissed', 'resolved')),
    -- All zeros for what is about no runner.
    runner_id      UUID NOT NULL,
    runner_name    TEXT NOT NULL DEFAULT '',
    project_name   TEXT NOT NULL DEFAULT '',
    node_id        TEXT NOT NULL DEFAULT '',
    agent          TEXT NOT NULL DEFAULT '',
    run            BIGINT NOT NULL DEFAULT 0,
    message        TEXT NOT NULL DEFAULT '',
    -- The last lines of the screen, without secrets.
    lines          JSONB NOT NULL DEFAULT '[]',
    -- Under which id the agent's own channel waits for an answer; empty without one.
    channel        TEXT NOT NULL DEFAULT '',
    asked_at       TIMESTAMPTZ NOT NULL,
    -- What the runner had cost when it was opened, in billionths of a US dollar.
    cost_nanos     BIGINT NOT NULL DEFAULT 0,
    opened_at      TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL,
    snoozed_until  TIMESTAMPTZ,
    closed_at      TIMESTAMPTZ,
    closed_by      TEXT NOT NULL DEFAULT '',
    answer         TEXT NOT NULL DEFAULT '',
    resolution     TEXT NOT NULL DEFAULT ''
);

CREATE INDEX inbox_open ON inbox (runner_id, class) WHERE state IN ('open', 'snoozed');
CREATE INDEX inbox_by_time ON inbox (opened_at);

-- When somebody last looked, by what with.
CREATE TABLE presence (
    surface    TEXT PRIMARY KEY NOT NULL,
    active_at  TIMESTAMPTZ NOT NULL
);
