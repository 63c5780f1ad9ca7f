-- What a class is held under: rules of attendance (JSON, stamped into its journal when it begins; NULL = made before there was a choice) and
-- who may watch its recordings, kept up with the journal (server/adapters/sqlite_rules.py).
ALTER TABLE class ADD COLUMN policy TEXT;
ALTER TABLE class ADD COLUMN replay TEXT NOT NULL DEFAULT 'participants';
