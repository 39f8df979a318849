-- What agents write down: up to where it was read, what was said in it, and what was used by whom.

-- Files that are read, or sessions of an agent's database (`opencode.db#ses_…`).
CREATE TABLE transcript_files (
    node_id       TEXT NOT NULL,
    path          TEXT NOT NULL,
    agent         TEXT NOT NULL DEFAULT '',
    -- The conversation that it belongs to; a subagent's is its parent's.
    session_id    TEXT NOT NULL DEFAULT '',
    -- The file as it was, so that another one in its place is read from its beginning.
    identity      TEXT NOT NULL DEFAULT '',
    position      INTEGER NOT NULL DEFAULT 0,
    -- What a reader needs of what it has read.
    reader        TEXT NOT NULL DEFAULT '{}',
    updated_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    PRIMARY KEY (node_id, path)
) STRICT;

CREATE INDEX transcripts_by_session ON transcript_files (session_id);

-- What was said, without secrets, for the search.
CREATE TABLE session_messages (
    id           INTEGER PRIMARY KEY,
    session_id   TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- The agent's id of it, or the place at which it stands.
    message_key  TEXT NOT NULL,
    -- user, assistant, or subagent.
    role         TEXT NOT NULL DEFAULT '',
    at           TEXT NOT NULL,
    body         TEXT NOT NULL DEFAULT '',
    UNIQUE (session_id, message_key)
) STRICT;

CREATE VIRTUAL TABLE message_words USING fts5 (
    body, content = 'session_messages', content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER message_words_in AFTER INSERT ON session_messages BEGIN
    INSERT INTO message_words (rowid, body) VALUES (new.id, new.body);
END;

CREATE TRIGGER message_words_out AFTER DELETE ON session_messages BEGIN
    INSERT INTO message_words (message_words, rowid, body) VALUES ('delete', old.id, old.body);
END;

CREATE TRIGGER message_words_anew AFTER UPDATE OF body ON session_messages BEGIN
    INSERT INTO message_words (message_words, rowid, body) VALUES ('delete', old.id, old.body);
    INSERT INTO message_words (rowid, body) VALUES (new.id, new.body);
END;

-- The key of the same request in another report, where agents name it in one report only.
ALTER TABLE usage_requests ADD COLUMN twin TEXT NOT NULL DEFAULT '';
-- Used by nobody's runner here: part of a conversation's past, charged to nothing.
ALTER TABLE usage_requests ADD COLUMN imported INTEGER NOT NULL DEFAULT 0;

CREATE INDEX usage_by_twin ON usage_requests (twin) WHERE twin <> '';

-- Packed copies of transcripts: whose file each is, up to where it was copied, and which version of it,
-- by its checksum, the server has.
ALTER TABLE session_blobs ADD COLUMN node_id TEXT NOT NULL DEFAULT '';
ALTER TABLE session_blobs ADD COLUMN path TEXT NOT NULL DEFAULT '';
ALTER TABLE session_blobs ADD COLUMN source_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session_blobs ADD COLUMN sent TEXT NOT NULL DEFAULT '';

CREATE UNIQUE INDEX session_blobs_once ON session_blobs (session_id, storage_key);
