-- Rules of attendance that classes brought along, in JSON. A policy never changes under its name and version.
CREATE TABLE attendance_policy (
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,
    rules   TEXT NOT NULL,
    PRIMARY KEY (id, version)
) STRICT, WITHOUT ROWID;
