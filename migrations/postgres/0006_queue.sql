-- See the other database's: here the indexes themselves are as they should be.

CREATE INDEX outbox_parked ON outbox (id) WHERE NOT delivered AND parked_at IS NOT NULL;

-- What was delivered leaves in the order in which it came: an index of its own would cost every
-- delivery more than it saves the one look an hour.
DROP INDEX outbox_old;
