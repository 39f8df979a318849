-- What people outside are told, one row for each channel: kept until the channel has taken it.

CREATE TABLE notifications (
    id           INTEGER PRIMARY KEY,
    -- telegram, ntfy, webhook or desktop.
    channel      TEXT NOT NULL,
    -- The event that it tells of: told once on each channel.
    event_id     TEXT NOT NULL,
    -- Two with the same key say the same.
    dedup_key    TEXT NOT NULL,
    payload      TEXT NOT NULL,
    state        TEXT NOT NULL DEFAULT 'waiting'
                 CHECK (state IN ('waiting', 'sent', 'parked', 'suppressed')),
    attempts     INTEGER NOT NULL DEFAULT 0,
    created_at   TEXT NOT NULL,
    due_at       TEXT NOT NULL,
    settled_at   TEXT,
    error        TEXT,
    -- How the channel names the message that it became.
    reference    TEXT,
    UNIQUE (channel, event_id)
) STRICT;

CREATE INDEX notifications_due ON notifications (channel, due_at, id) WHERE state = 'waiting';
CREATE INDEX notifications_same ON notifications (channel, dedup_key, created_at);
CREATE INDEX notifications_old ON notifications (settled_at) WHERE state IN ('sent', 'suppressed');

-- How far something was read: the event log by the notifier, a bot's updates by its poller.
CREATE TABLE notify_cursors (
    name         TEXT PRIMARY KEY,
    position     INTEGER NOT NULL,
    updated_at   TEXT NOT NULL
) STRICT;
