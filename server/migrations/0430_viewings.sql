-- Viewings of recordings that are told outside (server/records/viewed.py): from the first report to the last; ended_at when its sum was told.
CREATE TABLE viewing (
    session      TEXT NOT NULL,
    recording    TEXT NOT NULL,
    participant  TEXT NOT NULL,
    number       INTEGER NOT NULL,
    began_at     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    ended_at     INTEGER,
    completed_at INTEGER,
    PRIMARY KEY (session, recording, participant, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX viewing_open ON viewing (last_at) WHERE ended_at IS NULL;
