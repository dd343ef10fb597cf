-- Version 2. Witnesses' lines are kept beside the checkpoint they are for, and the outbox says why.

CREATE TABLE cosignatures (
    size BIGINT NOT NULL REFERENCES checkpoints (size),
    witness TEXT NOT NULL,
    lines TEXT NOT NULL,
    PRIMARY KEY (size, witness)
);

ALTER TABLE outbox ADD COLUMN reason TEXT NOT NULL DEFAULT '';
