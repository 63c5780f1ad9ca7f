-- Classes whose attendance is to be evaluated and told; seq = the newest entry that asks for it. Written with that entry, removed with what
-- is told of it (server/rollups.py).
CREATE TABLE rollup_wish (
    session TEXT PRIMARY KEY,
    seq     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER expired_log_is_not_evaluated AFTER INSERT ON expiry WHEN NEW.kind = 'log'
BEGIN
    DELETE FROM rollup_wish WHERE session = NEW.session;
END;
