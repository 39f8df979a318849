-- Budgets in tokens or money, for all periods, and what comes of one that is used up.

ALTER TABLE token_budgets ALTER COLUMN limit_tokens SET DEFAULT 0;
-- In billionths of a US dollar; with a limit here the budget is one of money.
ALTER TABLE token_budgets ADD COLUMN limit_nanos BIGINT;
ALTER TABLE token_budgets ADD COLUMN used_nanos BIGINT NOT NULL DEFAULT 0;
-- The part of what is used, tokens or money, that is only estimated.
ALTER TABLE token_budgets ADD COLUMN estimated BIGINT NOT NULL DEFAULT 0;
-- The zone in which periods begin, as `Europe/Berlin`; empty for the daemon's.
ALTER TABLE token_budgets ADD COLUMN time_zone TEXT NOT NULL DEFAULT '';
-- How far it goes when the budget is used up: warn, hold, interrupt, pause or stop.
ALTER TABLE token_budgets ADD COLUMN action TEXT NOT NULL DEFAULT 'interrupt'
    CHECK (action IN ('warn', 'hold', 'interrupt', 'pause', 'stop'));
ALTER TABLE token_budgets ADD COLUMN count_cache_reads BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE token_budgets ADD COLUMN enforce_estimates BOOLEAN NOT NULL DEFAULT FALSE;
-- The highest share, in percent, that was told.
ALTER TABLE token_budgets ADD COLUMN told BIGINT NOT NULL DEFAULT 0;
-- Whether the next period follows by itself.
ALTER TABLE token_budgets ADD COLUMN rolls BOOLEAN NOT NULL DEFAULT TRUE;

ALTER TABLE token_budgets DROP CONSTRAINT token_budgets_period_granularity_check;
ALTER TABLE token_budgets ADD CONSTRAINT token_budgets_period_granularity_check
    CHECK (period_granularity IN ('hourly', 'daily', 'weekly', 'monthly', 'total'));
ALTER TABLE token_budgets DROP CONSTRAINT token_budgets_scope_scope_id_period_start_key;
ALTER TABLE token_budgets ADD CONSTRAINT token_budgets_one_a_period
    UNIQUE (scope, scope_id, period_granularity, period_start);

CREATE INDEX budgets_in_force ON token_budgets (period_end) WHERE rolls;

-- What a runner may use at most: so much is set aside for it while it lives.
ALTER TABLE runners ADD COLUMN max_tokens BIGINT;
-- Why its agent is held, and how far; empty when it is not.
ALTER TABLE runners ADD COLUMN hold TEXT NOT NULL DEFAULT '';
ALTER TABLE runners ADD COLUMN hold_level TEXT NOT NULL DEFAULT '';
