-- Tokens of the HTTP API. Of a secret only its SHA-256 is here.

CREATE TABLE api_tokens (
    id            TEXT PRIMARY KEY NOT NULL,
    name          TEXT NOT NULL,
    secret_hash   TEXT NOT NULL,
    -- viewer, operator or admin.
    scope         TEXT NOT NULL CHECK (scope IN ('viewer', 'operator', 'admin')),
    created_at    TEXT NOT NULL,
    created_by    TEXT NOT NULL DEFAULT '',
    -- NULL: it does not end by itself.
    expires_at    TEXT,
    last_used_at  TEXT,
    revoked_at    TEXT
) STRICT;
