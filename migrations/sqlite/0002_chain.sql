-- The event log as a chain, the queue to the broker, and what several daemons share.

-- The newest sequence of each entity: counted here, where two daemons meet on the row's lock.
CREATE TABLE aggregates (
    entity_type  TEXT NOT NULL,
    entity_id    TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    PRIMARY KEY (entity_type, entity_id)
) STRICT, WITHOUT ROWID;

INSERT INTO aggregates (entity_type, entity_id, sequence)
SELECT entity_type, entity_id, max(sequence) FROM events GROUP BY entity_type, entity_id;

-- Who wrote it.
ALTER TABLE events ADD COLUMN node_id TEXT NOT NULL DEFAULT '';
-- Where it goes when a broker is configured.
ALTER TABLE events ADD COLUMN routing_key TEXT;
-- The place in the log, without gaps, given when it is sealed; then by which key (`id:epoch`), and
-- the seal, which covers the seal before it.
ALTER TABLE events ADD COLUMN position INTEGER;
ALTER TABLE events ADD COLUMN sealed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN seal TEXT NOT NULL DEFAULT '';

CREATE UNIQUE INDEX events_by_position ON events (position);
CREATE INDEX events_unsealed ON events (id) WHERE position IS NULL;
CREATE INDEX events_by_project ON events (project_name, id);

-- Rows enter in the order of the log. Those of one aggregate leave in that order, one at a time.
ALTER TABLE outbox ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN partition INTEGER NOT NULL DEFAULT 0;
-- Given up after its last try; what follows it in its aggregate waits.
ALTER TABLE outbox ADD COLUMN parked_at TEXT;

CREATE INDEX outbox_lanes ON outbox (aggregate_type, aggregate_id, id) WHERE delivered = 0;
CREATE INDEX outbox_old ON outbox (delivered_at) WHERE delivered = 1;

-- Work that one daemon does for all; `epoch` grows with every change of the holder.
CREATE TABLE leases (
    name    TEXT PRIMARY KEY NOT NULL,
    holder  TEXT NOT NULL,
    epoch   INTEGER NOT NULL,
    until   TEXT NOT NULL
) STRICT;

-- Grows with every start of the node's daemon: an older one that still runs is told so.
ALTER TABLE daemon_state ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
-- Whether it publishes to a broker.
ALTER TABLE daemon_state ADD COLUMN relays INTEGER NOT NULL DEFAULT 0;
-- When it left in order.
ALTER TABLE daemon_state ADD COLUMN left_at TEXT;

-- Tokens of a project's days, in UTC.
CREATE TABLE usage_days (
    project_name  TEXT NOT NULL,
    day           TEXT NOT NULL,
    tokens        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (project_name, day)
) STRICT, WITHOUT ROWID;
