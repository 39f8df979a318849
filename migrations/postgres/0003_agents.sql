-- What agents report: the tokens and the cost of each model request, and their conversations.

-- One row for each model request; `key` is the same in every report of it. Money is in billionths of
-- a US dollar: `cost_nanos` by the agent, `list_nanos` by the price table.
CREATE TABLE usage_requests (
    key             TEXT PRIMARY KEY,
    runner_id       TEXT NOT NULL DEFAULT '',
    project_name    TEXT NOT NULL DEFAULT '',
    session_id      TEXT NOT NULL DEFAULT '',
    node_id         TEXT NOT NULL DEFAULT '',
    agent           TEXT NOT NULL DEFAULT '',
    model           TEXT NOT NULL DEFAULT '',
    purpose         TEXT NOT NULL DEFAULT '',
    at              TIMESTAMPTZ NOT NULL,
    input_tokens    BIGINT NOT NULL DEFAULT 0,
    cache_read      BIGINT NOT NULL DEFAULT 0,
    cache_write_5m  BIGINT NOT NULL DEFAULT 0,
    cache_write_1h  BIGINT NOT NULL DEFAULT 0,
    output_tokens   BIGINT NOT NULL DEFAULT 0,
    reasoning       BIGINT NOT NULL DEFAULT 0,
    -- Uncached input, cache writes and output: what budgets count.
    counted         BIGINT NOT NULL DEFAULT 0,
    cost_nanos      BIGINT,
    list_nanos      BIGINT,
    source          TEXT NOT NULL DEFAULT '',
    quality         TEXT NOT NULL DEFAULT 'exact'
);

CREATE INDEX usage_by_time ON usage_requests (at);
CREATE INDEX usage_by_runner ON usage_requests (runner_id, at);
CREATE INDEX usage_by_session ON usage_requests (session_id, at);
CREATE INDEX usage_by_project ON usage_requests (project_name, at);

-- Up to where the spool of a runner was taken in.
CREATE TABLE spools (
    runner_id  TEXT PRIMARY KEY,
    position   BIGINT NOT NULL DEFAULT 0
);

ALTER TABLE runners ADD COLUMN cost_nanos BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runners ADD COLUMN usage_quality TEXT NOT NULL DEFAULT 'exact';
-- What each source said last of what the agent does: why its state is what it is.
ALTER TABLE runners ADD COLUMN evidence JSONB NOT NULL DEFAULT '{}';
ALTER TABLE projects ADD COLUMN cost_nanos BIGINT NOT NULL DEFAULT 0;

ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN node_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN cwd TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN first_prompt TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN transcript_path TEXT NOT NULL DEFAULT '';
-- started, resumed, cleared, forked or imported; `resumed_from` names what it came from.
ALTER TABLE sessions ADD COLUMN origin TEXT NOT NULL DEFAULT 'started';
ALTER TABLE sessions ADD COLUMN cost_nanos BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN usage_quality TEXT NOT NULL DEFAULT 'exact';
ALTER TABLE sessions ADD COLUMN updated_at TIMESTAMPTZ;

CREATE INDEX sessions_by_runner ON sessions (runner_id, started_at);

-- Every runner that held a session.
CREATE TABLE session_runners (
    session_id  TEXT NOT NULL,
    runner_id   TEXT NOT NULL,
    since       TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session_id, runner_id)
);
