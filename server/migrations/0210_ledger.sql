-- Every record of every class in the order of commits: the leaves of the node's Merkle tree. One writer, so numbers have no gaps.
CREATE TABLE leaf (
    number  INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    UNIQUE (session, seq)
) STRICT;
INSERT INTO leaf (session, seq) SELECT session, seq FROM record ORDER BY at, session, seq;
CREATE TRIGGER record_is_a_leaf AFTER INSERT ON record
BEGIN
    INSERT INTO leaf (session, seq) VALUES (NEW.session, NEW.seq);
END;

-- Hashes of whole subtrees: tile `number` of `level` holds up to 256 hashes of subtrees with 256^level leaves each, 32 bytes each.
CREATE TABLE tile (
    level  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;

-- Signed statements that the tree of this size had this root.
CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL
) STRICT;
