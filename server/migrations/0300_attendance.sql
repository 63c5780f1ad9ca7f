-- The last a node knew of each class it ran: everybody was alive at `at`, the silent connections (MessagePack map: id -> ms) at their own
-- time. Replaced every few seconds; what of it matters goes into the journal when a connection is closed.
CREATE TABLE life_sign (
    session TEXT PRIMARY KEY,
    at      INTEGER NOT NULL,
    silent  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Whom media reached in a window of 30 s (number = ms since the epoch / 30000); people is a MessagePack list of participant ids.
CREATE TABLE delivered_window (
    session TEXT NOT NULL,
    window  INTEGER NOT NULL,
    people  BLOB NOT NULL,
    PRIMARY KEY (session, window)
) STRICT, WITHOUT ROWID;
