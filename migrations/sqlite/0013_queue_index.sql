-- Delivered rows leave at once: the primary key finds those that wait as quickly, and one index less is
-- kept with each event.
DROP INDEX outbox_undelivered;
