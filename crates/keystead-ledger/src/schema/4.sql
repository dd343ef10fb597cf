-- Version 4. What a node has said and heard about the height under way, so that it says the same after a crash.
-- Rows of committed heights are forgotten.

CREATE TABLE records (
    position BIGINT PRIMARY KEY,
    height BIGINT NOT NULL,
    document BYTEA NOT NULL
);
