-- Acts of forgetting a person that are being done; done again from where a crash broke them off. whom = keyed hash of issuer and subject.
-- sealed = what is to be erased, encrypted with a key of the node's, so that not even this table has it in clear; gone when the act is done.
CREATE TABLE erasure_job (
    id          TEXT PRIMARY KEY,
    whom        BLOB NOT NULL CHECK (length(whom) = 32),
    at          INTEGER NOT NULL,
    by          TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('working', 'done')),
    owner       TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    sealed      BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX erasure_job_by_person ON erasure_job (whom, at);

-- Which records an erasure changed: a receipt's digests are over the hashes that erased_leaf keeps of them.
CREATE TABLE erasure_record (
    erasure TEXT NOT NULL,
    session TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (erasure, session, seq)
) STRICT, WITHOUT ROWID;

-- The hash of what stands in an erased record's place now, so that a change of that is found, too; NULL: nothing stands there.
ALTER TABLE erased_leaf ADD COLUMN now BLOB;

-- Participants who are nobody: made-up ids. seq = the record that says so, 0 where there was no record to change. Nothing links one to an erasure.
CREATE TABLE pseudonym (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    session     TEXT NOT NULL,
    participant TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    UNIQUE (session, participant)
) STRICT;

-- A node that still has the class in memory as it was would bring back what is gone.
CREATE TRIGGER snapshot_is_not_older_than_an_erasure BEFORE INSERT ON snapshot
WHEN EXISTS (SELECT 1 FROM pseudonym p WHERE p.session = NEW.session AND p.seq > NEW.seq)
BEGIN
    SELECT RAISE(IGNORE);
END;

-- And what it noted just before, of a class or by a seat that it still remembers.
CREATE TRIGGER window_is_not_older_than_an_erasure BEFORE INSERT ON delivered_window
WHEN EXISTS (SELECT 1 FROM pseudonym p WHERE p.session = NEW.session)
BEGIN
    SELECT RAISE(IGNORE);
END;
CREATE TRIGGER nobody_watches BEFORE INSERT ON watched
WHEN EXISTS (SELECT 1 FROM pseudonym p WHERE p.session = NEW.session)
    AND NOT EXISTS (SELECT 1 FROM identity i WHERE i.session = NEW.session AND i.participant = NEW.participant)
BEGIN
    SELECT RAISE(IGNORE);
END;
CREATE TRIGGER nobody_views BEFORE INSERT ON viewing
WHEN EXISTS (SELECT 1 FROM pseudonym p WHERE p.session = NEW.session)
    AND NOT EXISTS (SELECT 1 FROM identity i WHERE i.session = NEW.session AND i.participant = NEW.participant)
BEGIN
    SELECT RAISE(IGNORE);
END;
