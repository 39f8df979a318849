-- Budgets in tokens or money, for all periods, and what comes of one that is used up.

-- Rebuilt: the old table knew no total, and one row for each beginning of a period.
CREATE TABLE budgets_new (
    id                  INTEGER PRIMARY KEY,
    scope               TEXT NOT NULL CHECK (scope IN ('global', 'project', 'runner')),
    -- A project's name, a runner's name or id; empty for global.
    scope_id            TEXT NOT NULL DEFAULT '',
    limit_tokens        INTEGER NOT NULL DEFAULT 0,
    used_tokens         INTEGER NOT NULL DEFAULT 0,
    -- In billionths of a US dollar; with a limit here the budget is one of money.
    limit_nanos         INTEGER,
    used_nanos          INTEGER NOT NULL DEFAULT 0,
    -- The part of what is used, tokens or money, that is only estimated.
    estimated           INTEGER NOT NULL DEFAULT 0,
    period_granularity  TEXT NOT NULL
                        CHECK (period_granularity IN ('hourly', 'daily', 'weekly', 'monthly', 'total')),
    period_start        TEXT NOT NULL,
    period_end          TEXT NOT NULL,
    -- The zone in which periods begin, as `Europe/Berlin`; empty for the daemon's.
    time_zone           TEXT NOT NULL DEFAULT '',
    -- How far it goes when the budget is used up: warn, hold, interrupt, pause or stop.
    action              TEXT NOT NULL DEFAULT 'interrupt'
                        CHECK (action IN ('warn', 'hold', 'interrupt', 'pause', 'stop')),
    count_cache_reads   INTEGER NOT NULL DEFAULT 0,
    enforce_estimates   INTEGER NOT NULL DEFAULT 0,
    -- The highest share, in percent, that was told.
    told                INTEGER NOT NULL DEFAULT 0,
    -- Whether the next period follows by itself.
    rolls               INTEGER NOT NULL DEFAULT 1,
    created_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    updated_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    UNIQUE (scope, scope_id, period_granularity, period_start)
) STRICT;

INSERT INTO budgets_new (id, scope, scope_id, limit_tokens, used_tokens, period_granularity,
                         period_start, period_end, created_at, updated_at)
SELECT id, scope, scope_id, limit_tokens, used_tokens, period_granularity, period_start, period_end,
       created_at, updated_at FROM token_budgets;

DROP TABLE token_budgets;
ALTER TABLE budgets_new RENAME TO token_budgets;

CREATE INDEX budgets_in_force ON token_budgets (period_end) WHERE rolls = 1;

-- What a runner may use at most: so much is set aside for it while it lives.
ALTER TABLE runners ADD COLUMN max_tokens INTEGER;
-- Why its agent is held, and how far; empty when it is not.
ALTER TABLE runners ADD COLUMN hold TEXT NOT NULL DEFAULT '';
ALTER TABLE runners ADD COLUMN hold_level TEXT NOT NULL DEFAULT '';
