-- Calls of the HTTP API that are made once, whatever is sent again: what was asked, and what was answered.

CREATE TABLE http_repeats (
    -- Of the token and its Idempotency-Key.
    key           TEXT PRIMARY KEY NOT NULL,
    -- The SHA-256 of the request.
    asked         TEXT NOT NULL,
    begun_at      TEXT NOT NULL,
    -- NULL: it is under way, or its daemon died with it.
    status        INTEGER,
    content_type  TEXT,
    -- NULL: the answer was not kept, for it holds a secret or is too long.
    body          TEXT
) STRICT;

CREATE INDEX http_repeats_old ON http_repeats (begun_at);
