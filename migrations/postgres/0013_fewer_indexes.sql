-- Delivered rows leave at once: the primary key finds those that wait as quickly.
DROP INDEX outbox_undelivered;
-- Nobody looks for a status alone.
DROP INDEX runners_by_status;
