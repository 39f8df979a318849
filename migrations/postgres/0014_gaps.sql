-- What cannot be counted whole: requests of which no more is known than the least, and those whose price
-- nobody knows.
ALTER TABLE token_budgets ADD COLUMN floors BIGINT NOT NULL DEFAULT 0;
ALTER TABLE token_budgets ADD COLUMN unpriced BIGINT NOT NULL DEFAULT 0;
-- Whether it was told that there are such without a price.
ALTER TABLE token_budgets ADD COLUMN unpriced_told BOOLEAN NOT NULL DEFAULT FALSE;
-- Whether what was used before it was inserted is counted; a row that is inserted by hand says no.
ALTER TABLE token_budgets ADD COLUMN is_counted BOOLEAN NOT NULL DEFAULT FALSE;

UPDATE token_budgets SET
    is_counted = TRUE,
    floors = (SELECT count(*) FROM usage_requests AS u
         WHERE u.quality = 'floor' AND u.at >= token_budgets.period_start AND u.at < token_budgets.period_end AND NOT u.imported
         AND (scope = 'global' OR (scope = 'project' AND u.project_name = scope_id)
              OR (scope = 'runner' AND (u.runner_id = scope_id OR u.runner_id IN
                  (SELECT CAST(r.id AS TEXT) FROM runners AS r WHERE r.name = scope_id))))),
    unpriced = (SELECT count(*) FROM usage_requests AS u
         WHERE coalesce(u.cost_nanos, u.list_nanos) IS NULL AND u.counted + u.cache_read > 0
         AND u.at >= token_budgets.period_start AND u.at < token_budgets.period_end AND NOT u.imported
         AND (scope = 'global' OR (scope = 'project' AND u.project_name = scope_id)
              OR (scope = 'runner' AND (u.runner_id = scope_id OR u.runner_id IN
                  (SELECT CAST(r.id AS TEXT) FROM runners AS r WHERE r.name = scope_id)))));

ALTER TABLE runners ADD COLUMN unpriced BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN unpriced BIGINT NOT NULL DEFAULT 0;

UPDATE runners SET unpriced = (SELECT count(*) FROM usage_requests AS u WHERE u.runner_id = CAST(runners.id AS TEXT)
    AND coalesce(u.cost_nanos, u.list_nanos) IS NULL AND u.counted + u.cache_read > 0);
UPDATE sessions SET unpriced = (SELECT count(*) FROM usage_requests AS u WHERE u.session_id = sessions.id
    AND coalesce(u.cost_nanos, u.list_nanos) IS NULL AND u.counted + u.cache_read > 0);
