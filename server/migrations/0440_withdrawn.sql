-- When the files of a version were removed because a later one took its place (recording.publication.retire).
ALTER TABLE publication ADD COLUMN withdrawn_at INTEGER;
