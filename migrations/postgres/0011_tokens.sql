-- Tokens of the HTTP API. Of a secret only its SHA-256 is here.

CREATE TABLE api_tokens (
    id            UUID PRIMARY KEY,
    name          TEXT NOT NULL,
    secret_hash   TEXT NOT NULL,
    -- viewer, operator or admin.
    scope         TEXT NOT NULL CHECK (scope IN ('viewer', 'operator', 'admin')),
    created_at    TIMESTAMPTZ NOT NULL,
    created_by    TEXT NOT NULL DEFAULT '',
    -- NULL: it does not end by itself.
    expires_at    TIMESTAMPTZ,
    last_used_at  TIMESTAMPTZ,
    revoked_at    TIMESTAMPTZ
);
