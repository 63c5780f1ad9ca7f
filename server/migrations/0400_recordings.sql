-- One recording of a class. The files themselves say the same; after a crash the figures are made anew from them.
CREATE TABLE recording (
    session    TEXT NOT NULL,
    id         TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    started_by TEXT,
    ended_at   INTEGER,
    reason     TEXT,
    first_file INTEGER,
    last_file  INTEGER,
    files      INTEGER NOT NULL DEFAULT 0,
    bytes      INTEGER NOT NULL DEFAULT 0,
    lost       INTEGER NOT NULL DEFAULT 0,
    deleted_at INTEGER,
    purged_at  INTEGER,
    PRIMARY KEY (session, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX recording_open ON recording (session) WHERE ended_at IS NULL;

-- What was done with recordings, and by whom; only ever added to.
CREATE TABLE recording_act (
    number    INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    session   TEXT NOT NULL,
    recording TEXT NOT NULL,
    act       TEXT NOT NULL,
    by        TEXT NOT NULL,
    details   TEXT NOT NULL
) STRICT;
