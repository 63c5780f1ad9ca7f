-- One person in one class, for one browser. cookie = sha256 of the browser's cookie; the cookie itself is never stored.
CREATE TABLE seat (
    id          TEXT PRIMARY KEY,
    cookie      BLOB NOT NULL CHECK (length(cookie) = 32),
    session     TEXT NOT NULL,
    participant TEXT NOT NULL,
    issuer      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    name        TEXT NOT NULL,
    role        TEXT NOT NULL,
    epoch       INTEGER NOT NULL,
    opened_at   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX seat_by_cookie ON seat (cookie);
CREATE INDEX seat_by_end ON seat (expires_at);

-- How often, and when last, a person was sent out of a class: seats of an older epoch and tokens issued before are void.
CREATE TABLE revocation (
    session     TEXT NOT NULL,
    participant TEXT NOT NULL,
    epoch       INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    banned      INTEGER NOT NULL,
    PRIMARY KEY (session, participant)
) STRICT, WITHOUT ROWID;

-- Tokens already used: key = sha256(issuer, jti); forgotten when the token itself has expired.
CREATE TABLE used_token (
    key        BLOB PRIMARY KEY CHECK (length(key) = 32),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX used_token_by_end ON used_token (expires_at);

-- Browsers logged in as operator.
CREATE TABLE operator_login (
    cookie     BLOB PRIMARY KEY CHECK (length(cookie) = 32),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
