-- The version that a version adds something to (captions, the film, a timeline made anew), NULL if the packager made it: a try that waits for
-- its store is taken up again only by who made it.
ALTER TABLE publication ADD COLUMN amends INTEGER;
