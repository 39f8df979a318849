-- Delivered rows leave at once: the primary key finds those that wait as quickly.
DROP INDEX outbox_undelivered;
-- Nobody looks for a status alone.
DROP INDEX runners_by_status;
-- Events come in the order of their time: to find those of a while, what each part of the table spans is
-- enough.
DROP INDEX events_by_time;
CREATE INDEX events_by_time ON events USING brin (timestamp) WITH (autosummarize = on);
