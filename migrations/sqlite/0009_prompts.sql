-- Prompts that wait until their agents are at rest.
CREATE TABLE queued_prompts (
    -- Ordered by time.
    id          TEXT PRIMARY KEY,
    runner_id   TEXT NOT NULL,
    -- The run it is meant for; 0 where the conversation alone says it.
    run         INTEGER NOT NULL DEFAULT 0,
    session_id  TEXT NOT NULL DEFAULT '',
    prompt      TEXT NOT NULL,
    state       TEXT NOT NULL DEFAULT 'queued'
                CHECK (state IN ('queued', 'delivering', 'delivered', 'cancelled', 'failed')),
    note        TEXT NOT NULL DEFAULT '',
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    settled_at  TEXT
) STRICT;

CREATE INDEX prompts_by_runner ON queued_prompts (runner_id, id);
