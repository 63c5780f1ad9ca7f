-- The job that adds to a published recording what takes longer: H.264, the download, thumbnails.
CREATE TABLE finishing (
    session     TEXT NOT NULL,
    recording   TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'working', 'published', 'failed')),
    tries       INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    error       TEXT,
    PRIMARY KEY (session, recording)
) STRICT, WITHOUT ROWID;
