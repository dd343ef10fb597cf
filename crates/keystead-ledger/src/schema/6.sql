-- Version 6. The journal of threshold runs: written before a run's first message, and before anybody is told of an abort.

CREATE TABLE threshold_records (
    position BIGINT PRIMARY KEY,
    stays BIGINT NOT NULL,
    document BYTEA NOT NULL
);
