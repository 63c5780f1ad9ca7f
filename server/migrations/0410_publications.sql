-- One version of a recording made for the replay; its files lie in <published>/<folder>/v<version>.
CREATE TABLE publication (
    session      TEXT NOT NULL,
    recording    TEXT NOT NULL,
    version      INTEGER NOT NULL,
    folder       TEXT NOT NULL,
    begun_at     INTEGER NOT NULL,
    published_at INTEGER,
    failed_at    INTEGER,
    why          TEXT,
    bytes        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session, recording, version)
) STRICT, WITHOUT ROWID;

-- The version that is served.
CREATE TABLE publication_pointer (
    session   TEXT NOT NULL,
    recording TEXT NOT NULL,
    version   INTEGER NOT NULL,
    PRIMARY KEY (session, recording)
) STRICT, WITHOUT ROWID;

-- What was played of a recording, by whom; one row per report and stretch. Only ever added to.
CREATE TABLE watched (
    session     TEXT NOT NULL,
    recording   TEXT NOT NULL,
    participant TEXT NOT NULL,
    op          TEXT NOT NULL,
    number      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    from_ms     INTEGER NOT NULL,
    to_ms       INTEGER NOT NULL,
    rate        REAL NOT NULL,
    PRIMARY KEY (session, recording, participant, op, number)
) STRICT, WITHOUT ROWID;
