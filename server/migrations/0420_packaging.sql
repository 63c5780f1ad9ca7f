-- The job that makes a recording's replay; the versions it made are rows of their own.
CREATE TABLE packaging (
    session     TEXT NOT NULL,
    recording   TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'working', 'published', 'failed')),
    tries       INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    error       TEXT,
    PRIMARY KEY (session, recording)
) STRICT, WITHOUT ROWID;
