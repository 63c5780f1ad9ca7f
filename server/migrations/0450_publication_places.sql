-- Where a version's files are kept: '' in the folder they were made in, else the store they go to (s3://bucket/prefix). Set when they are
-- whole, before the first of them is sent. swept_at: nothing of it lies any more where it need not.
ALTER TABLE publication ADD COLUMN place TEXT NOT NULL DEFAULT '';
ALTER TABLE publication ADD COLUMN swept_at INTEGER;
