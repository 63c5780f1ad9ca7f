-- Which classes exist.
CREATE TABLE class (
    session   TEXT PRIMARY KEY,
    title     TEXT NOT NULL,
    profile   TEXT NOT NULL,
    starts_at INTEGER,
    ended_at  INTEGER
) STRICT, WITHOUT ROWID;

-- The append-only log of each class. chain = sha256(chain of the row before || this row), so that a changed or missing row is found.
CREATE TABLE record (
    session TEXT NOT NULL,
    seq     INTEGER NOT NULL CHECK (seq > 0),
    at      INTEGER NOT NULL,
    by      TEXT,
    op      TEXT,
    event   BLOB NOT NULL,
    chain   BLOB NOT NULL CHECK (length(chain) = 32),
    PRIMARY KEY (session, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER record_is_never_changed BEFORE UPDATE ON record
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only');
END;

-- A client's operation happens once, whatever is resent; seq is its last record.
CREATE TABLE operation (
    session TEXT NOT NULL,
    by      TEXT NOT NULL,
    op      TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (session, by, op)
) STRICT, WITHOUT ROWID;

-- The newest state of each class; may be deleted at any time without losing anything.
CREATE TABLE snapshot (
    session TEXT PRIMARY KEY,
    seq     INTEGER NOT NULL,
    state   BLOB NOT NULL
) STRICT;
