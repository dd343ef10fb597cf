-- Version 8. The state has another form: it is replayed from the log. And what the seed of a key was made of, from its
-- birth on until the log has it.

DELETE FROM snapshots;

CREATE TABLE receipts (
    name TEXT PRIMARY KEY,
    document BYTEA NOT NULL
);
