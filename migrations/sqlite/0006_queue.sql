-- Queries say `delivered = FALSE`, as both databases understand it; an index that says `delivered = 0`
-- is of no use to them.

DROP INDEX outbox_undelivered;
DROP INDEX outbox_lanes;
CREATE INDEX outbox_undelivered ON outbox (id) WHERE delivered = FALSE;
CREATE INDEX outbox_lanes ON outbox (aggregate_type, aggregate_id, id) WHERE delivered = FALSE;
CREATE INDEX outbox_parked ON outbox (id) WHERE delivered = FALSE AND parked_at IS NOT NULL;

-- What was delivered leaves in the order in which it came: an index of its own would cost every
-- delivery more than it saves the one look an hour.
DROP INDEX outbox_old;
