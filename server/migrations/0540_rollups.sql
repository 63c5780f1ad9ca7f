-- The roll-up of a person that stands: its statement's id and result. It outlives the statement, so that a later one can still void it.
CREATE TABLE rollup (
    session     TEXT NOT NULL,
    participant TEXT NOT NULL,
    statement   TEXT NOT NULL,
    result      TEXT NOT NULL,
    PRIMARY KEY (session, participant)
) STRICT, WITHOUT ROWID;
INSERT INTO rollup
SELECT session, substr(kind, length('attended/') + 1), id, json_extract(CAST(body AS TEXT), '$.result') FROM statement s
WHERE kind >= 'attended/' AND kind < 'attended0' AND flaw = ''
    AND NOT EXISTS (SELECT 1 FROM statement l WHERE l.session = s.session AND l.kind = s.kind AND l.number > s.number)
    AND NOT EXISTS (SELECT 1 FROM expiry e WHERE e.session = s.session AND e.kind = 'log');

-- It goes with the person and with the log.
CREATE TRIGGER nobody_has_a_rollup AFTER DELETE ON identity
BEGIN
    DELETE FROM rollup WHERE session = OLD.session AND participant = OLD.participant;
END;
CREATE TRIGGER expired_log_has_no_rollup AFTER INSERT ON expiry WHEN NEW.kind = 'log'
BEGIN
    DELETE FROM rollup WHERE session = NEW.session;
END;
