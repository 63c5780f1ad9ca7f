-- Who a participant of a class is outside of it. Kept apart from the journal, so that forgetting a person is one row.
CREATE TABLE identity (
    session     TEXT NOT NULL,
    participant TEXT NOT NULL,
    issuer      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    PRIMARY KEY (session, participant)
) STRICT, WITHOUT ROWID;
INSERT INTO identity SELECT session, participant, min(issuer), min(subject) FROM seat GROUP BY session, participant;
CREATE TRIGGER seat_tells_identity AFTER INSERT ON seat
BEGIN
    INSERT INTO identity VALUES (NEW.session, NEW.participant, NEW.issuer, NEW.subject) ON CONFLICT DO NOTHING;
END;

-- Classes of which nothing is told outside.
CREATE TABLE untold (session TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- Statements in the order of their commits; body is the only spelling ever sent. flaw = why it is not sent. voids = id of the one it voids.
CREATE TABLE statement (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,
    session TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    voids   TEXT NOT NULL,
    flaw    TEXT NOT NULL,
    body    BLOB NOT NULL
) STRICT;
CREATE INDEX statement_by_class ON statement (session, kind, number);
CREATE INDEX statement_by_time ON statement (at);

CREATE TRIGGER statement_is_never_changed BEFORE UPDATE ON statement
BEGIN
    SELECT RAISE(ABORT, 'a statement has one spelling');
END;

-- Where statements go. owner holds the lease; tries counts failures in a row of what is next to be sent.
CREATE TABLE destination (
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    owner        TEXT NOT NULL DEFAULT '',
    lease_until  INTEGER NOT NULL DEFAULT 0,
    wait_until   INTEGER NOT NULL DEFAULT 0,
    tries        INTEGER NOT NULL DEFAULT 0,
    paused       TEXT NOT NULL DEFAULT '',
    batch_bytes  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One statement on its way to one destination. state: 0 due, 1 acknowledged, 2 dead letter, 3 conflict.
CREATE TABLE delivery (
    destination INTEGER NOT NULL,
    statement   INTEGER NOT NULL,
    state       INTEGER NOT NULL DEFAULT 0,
    status      INTEGER NOT NULL DEFAULT 0,
    answer      TEXT NOT NULL DEFAULT '',
    settled_at  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (destination, statement)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (destination, statement) WHERE state = 0;
CREATE INDEX delivery_stuck ON delivery (destination, statement) WHERE state > 1;
