-- Version 1. Written for PostgreSQL. For SQLite the words BYTEA and BIGINT PRIMARY KEY are replaced, and
-- what stands between slash, star, plus and star, slash comes into force.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    document BYTEA NOT NULL
);

-- The chain is kept by the database itself: each block names a block one lower by height and digest,
-- and no two blocks name the same one. Block 0 stands for the genesis.
CREATE TABLE blocks (
    height BIGINT PRIMARY KEY,
    previous BIGINT,
    parent BYTEA UNIQUE,
    digest BYTEA NOT NULL,
    leaf BYTEA NOT NULL,
    time BIGINT NOT NULL,
    header BYTEA NOT NULL,
    entries BYTEA NOT NULL,
    votes BYTEA NOT NULL,
    UNIQUE (height, digest),
    FOREIGN KEY (previous, parent) REFERENCES blocks (height, digest),
    CHECK (COALESCE(previous, -1) = height - 1),
    CHECK ((height = 0) = (previous IS NULL)),
    CHECK ((height = 0) = (parent IS NULL))
);

-- What this node voted for: one header for each height and round, for ever.
CREATE TABLE votes (
    height BIGINT NOT NULL,
    round BIGINT NOT NULL,
    header BYTEA NOT NULL,
    PRIMARY KEY (height, round)
);

CREATE TABLE decisions (
    height BIGINT NOT NULL REFERENCES blocks (height),
    position BIGINT NOT NULL,
    subject BYTEA NOT NULL,
    word TEXT NOT NULL,
    document BYTEA NOT NULL,
    PRIMARY KEY (height, position)
) /*+ WITHOUT ROWID */;

CREATE INDEX decisions_by_subject ON decisions (subject);

CREATE TABLE policies (
    number BIGINT PRIMARY KEY,
    height BIGINT NOT NULL REFERENCES blocks (height),
    document BYTEA NOT NULL
);

-- Inner hashes of the tree over all headers: the root of each full tile, one level up.
CREATE TABLE subtrees (
    level BIGINT NOT NULL,
    number BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (level, number)
);

CREATE TABLE snapshots (
    height BIGINT PRIMARY KEY,
    document BYTEA NOT NULL,
    mark BYTEA NOT NULL
);

-- By the decision that allowed it, not by request: rows that come one after the other lie on one page,
-- while digests as keys would touch a page each.
CREATE TABLE signatures (
    height BIGINT NOT NULL,
    position BIGINT NOT NULL,
    document BYTEA NOT NULL,
    digest BYTEA NOT NULL,
    PRIMARY KEY (height, position)
) /*+ WITHOUT ROWID */;

CREATE TABLE sealed_keys (
    name TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    document BYTEA NOT NULL,
    PRIMARY KEY (name, epoch)
);

CREATE TABLE backups (
    digest BYTEA PRIMARY KEY,
    document BYTEA NOT NULL
);

CREATE TABLE checkpoints (
    size BIGINT PRIMARY KEY,
    note TEXT NOT NULL
);

CREATE TABLE outbox (
    request BYTEA PRIMARY KEY,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    payload BYTEA NOT NULL,
    attempts BIGINT NOT NULL
);

CREATE TABLE boots (
    node TEXT PRIMARY KEY,
    number BIGINT NOT NULL
);
