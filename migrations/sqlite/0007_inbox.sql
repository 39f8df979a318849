-- What a person should see to: one row for each reason, open until it is answered, dismissed or gone.

CREATE TABLE inbox (
    id             TEXT PRIMARY KEY NOT NULL,
    -- What it is about, so that the same is never asked twice.
    cause          TEXT NOT NULL UNIQUE,
    -- ask, turn, end, budget or alert: what is resolved together.
    class          TEXT NOT NULL,
    reason         TEXT NOT NULL,
    state          TEXT NOT NULL DEFAULT 'open'
                   CHECK (state IN ('open', 'snoozed', 'answered', 'dismissed', 'resolved')),
    -- All zeros for what is about no runner.
    runner_id      TEXT NOT NULL,
    runner_name    TEXT NOT NULL DEFAULT '',
    project_name   TEXT NOT NULL DEFAULT '',
    node_id        TEXT NOT NULL DEFAULT '',
    agent          TEXT NOT NULL DEFAULT '',
    run            INTEGER NOT NULL DEFAULT 0,
    message        TEXT NOT NULL DEFAULT '',
    -- The last lines of the screen, without secrets.
    lines          TEXT NOT NULL DEFAULT '[]',
    -- Under which id the agent's own channel waits for an answer; empty without one.
    channel        TEXT NOT NULL DEFAULT '',
    asked_at       TEXT NOT NULL,
    -- What the runner had cost when it was opened, in billionths of a US dollar.
    cost_nanos     INTEGER NOT NULL DEFAULT 0,
    opened_at      TEXT NOT NULL,
    updated_at     TEXT NOT NULL,
    snoozed_until  TEXT,
    closed_at      TEXT,
    closed_by      TEXT NOT NULL DEFAULT '',
    answer         TEXT NOT NULL DEFAULT '',
    resolution     TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX inbox_open ON inbox (runner_id, class) WHERE state IN ('open', 'snoozed');
CREATE INDEX inbox_by_time ON inbox (opened_at);

-- When somebody last looked, by what with.
CREATE TABLE presence (
    surface    TEXT PRIMARY KEY NOT NULL,
    active_at  TEXT NOT NULL
) STRICT;
