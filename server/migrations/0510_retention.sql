-- Whose class it is: the caller of the API that made it ('' = the house). The first to say so counts.
CREATE TABLE class_owner (
    session TEXT PRIMARY KEY,
    tenant  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO class_owner SELECT session, '' FROM class;

-- Days a class asked for itself: they shorten what the configuration says, never lengthen it.
CREATE TABLE retention_wish (
    session TEXT NOT NULL,
    kind    TEXT NOT NULL,
    days    INTEGER NOT NULL CHECK (days BETWEEN 1 AND 36500),
    PRIMARY KEY (session, kind)
) STRICT, WITHOUT ROWID;

-- Legal holds: of a class, or (session = '') of every class a person has a seat in. Only ever added and lifted.
CREATE TABLE hold (
    number    INTEGER PRIMARY KEY,
    session   TEXT NOT NULL,
    issuer    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    reason    TEXT NOT NULL,
    by        TEXT NOT NULL,
    at        INTEGER NOT NULL,
    lifted_at INTEGER,
    lifted_by TEXT,
    CHECK ((session = '') <> (subject = ''))
) STRICT;
CREATE INDEX hold_open ON hold (session) WHERE lifted_at IS NULL;
CREATE INDEX identity_of_person ON identity (issuer, subject, session);

CREATE TRIGGER hold_is_only_lifted BEFORE UPDATE ON hold
WHEN OLD.lifted_at IS NOT NULL OR NEW.lifted_at IS NULL OR NEW.lifted_by IS NULL OR OLD.number <> NEW.number OR OLD.session <> NEW.session
    OR OLD.issuer <> NEW.issuer OR OLD.subject <> NEW.subject OR OLD.reason <> NEW.reason OR OLD.by <> NEW.by OR OLD.at <> NEW.at
BEGIN
    SELECT RAISE(ABORT, 'a hold is lifted, never changed');
END;
CREATE TRIGGER hold_stays BEFORE DELETE ON hold
BEGIN
    SELECT RAISE(ABORT, 'a hold is lifted, never removed');
END;

-- Classes under a hold. There are few holds: they lead, whatever the planner thinks.
CREATE VIEW held (session) AS
SELECT session FROM hold WHERE lifted_at IS NULL AND session <> ''
UNION ALL
SELECT i.session FROM hold h CROSS JOIN identity i
WHERE h.lifted_at IS NULL AND h.session = '' AND i.issuer = h.issuer AND i.subject = h.subject;

-- Whatever the code above forgets to ask: nothing of a held class goes.
CREATE TRIGGER held_record_stays BEFORE DELETE ON record WHEN EXISTS (SELECT 1 FROM held WHERE session = OLD.session)
BEGIN
    SELECT RAISE(ABORT, 'the class is under a legal hold');
END;
CREATE TRIGGER held_record_is_not_changed BEFORE UPDATE ON record WHEN EXISTS (SELECT 1 FROM held WHERE session = OLD.session)
BEGIN
    SELECT RAISE(ABORT, 'the class is under a legal hold');
END;
-- Who somebody was is kept without a word: a person taken from a roster is taken from it all the same.
CREATE TRIGGER held_identity_stays BEFORE DELETE ON identity WHEN EXISTS (SELECT 1 FROM held WHERE session = OLD.session)
BEGIN
    SELECT RAISE(IGNORE);
END;
CREATE TRIGGER held_recording_stays BEFORE UPDATE OF deleted_at ON recording
WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL AND EXISTS (SELECT 1 FROM held WHERE session = OLD.session)
BEGIN
    SELECT RAISE(ABORT, 'the class is under a legal hold');
END;

-- Recordings with a tombstone whose files may still be there.
CREATE INDEX recording_left ON recording (session) WHERE deleted_at IS NOT NULL AND purged_at IS NULL;

-- Published versions that were read whole, every file the manifest names: when first, and when last.
CREATE TABLE publication_verified (
    session    TEXT NOT NULL,
    recording  TEXT NOT NULL,
    version    INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    checked_at INTEGER NOT NULL,
    files      INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    PRIMARY KEY (session, recording, version)
) STRICT, WITHOUT ROWID;

-- What retention removed, and by which rule. A row is written before anything goes (from then on nobody uses it) and closed when all is
-- gone, so that a sweep which died is taken up again. session = '' for statements, which go by age and not by class.
CREATE TABLE expiry (
    number    INTEGER PRIMARY KEY,
    session   TEXT NOT NULL,
    kind      TEXT NOT NULL CHECK (kind IN ('journal', 'replay', 'log', 'watched', 'torn', 'statements')),
    recording TEXT NOT NULL,
    policy    TEXT NOT NULL,
    begun_at  INTEGER NOT NULL,
    done_at   INTEGER,
    count     INTEGER NOT NULL,
    bytes     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX expiry_open ON expiry (session, kind, recording) WHERE done_at IS NULL;
CREATE INDEX expiry_by_class ON expiry (session, kind, recording);

CREATE TRIGGER expiry_stays BEFORE DELETE ON expiry
BEGIN
    SELECT RAISE(ABORT, 'what was removed is remembered');
END;
CREATE TRIGGER expiry_is_closed_once BEFORE UPDATE ON expiry WHEN OLD.done_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'what was removed is remembered');
END;
CREATE TRIGGER expired_log_takes_no_record BEFORE INSERT ON record
WHEN EXISTS (SELECT 1 FROM expiry WHERE session = NEW.session AND kind = 'log')
BEGIN
    SELECT RAISE(ABORT, 'the log of this class is no longer kept');
END;
-- What a class still in memory would put back.
CREATE TRIGGER expired_log_takes_no_snapshot BEFORE INSERT ON snapshot
WHEN EXISTS (SELECT 1 FROM expiry WHERE session = NEW.session AND kind = 'log')
BEGIN
    SELECT RAISE(IGNORE);
END;
CREATE TRIGGER expired_log_takes_no_sign BEFORE INSERT ON life_sign
WHEN EXISTS (SELECT 1 FROM expiry WHERE session = NEW.session AND kind = 'log')
BEGIN
    SELECT RAISE(IGNORE);
END;
