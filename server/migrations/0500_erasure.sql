-- Acts of forgetting (kind: person or class); only ever added to. note = what was done, signed with the ledger's key.
CREATE TABLE erasure (
    id   TEXT PRIMARY KEY,
    at   INTEGER NOT NULL,
    by   TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('person', 'class')),
    note TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What the ledger keeps of a record whose content is gone or was made nameless: the hash of its leaf.
CREATE TABLE erased_leaf (
    session TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    hash    BLOB NOT NULL CHECK (length(hash) = 32),
    erasure TEXT NOT NULL,
    PRIMARY KEY (session, seq)
) STRICT, WITHOUT ROWID;

DROP TRIGGER record_is_never_changed;
CREATE TRIGGER record_is_never_changed BEFORE UPDATE ON record
WHEN OLD.session <> NEW.session OR OLD.seq <> NEW.seq OR OLD.chain <> NEW.chain
    OR NOT EXISTS (SELECT 1 FROM erased_leaf e WHERE e.session = OLD.session AND e.seq = OLD.seq)
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only');
END;
