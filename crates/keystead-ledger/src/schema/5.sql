-- Version 5. How far a node has compared each chain with the log, so that it goes on from there after a crash.

CREATE TABLE reconciled (
    chain BIGINT PRIMARY KEY,
    document BYTEA NOT NULL
);
