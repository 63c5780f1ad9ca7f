"""The reading half of sqlite_retention: what there is of classes, as retention.due.Thing."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from recording.catalog import Row
from recording.publication import Version
from server.retention.due import Kind, Thing
from server.retention.records import Page, Standing
from signaling.classroom.ids import Millis, SessionId

_CLASSES: Final = (
    "SELECT c.session, c.ended_at, coalesce(o.tenant, ''), EXISTS (SELECT 1 FROM held h WHERE h.session = c.session),"
    " (SELECT min(begun_at) FROM expiry e WHERE e.session = c.session AND e.kind = 'log')"
    " FROM class c LEFT JOIN class_owner o USING (session)"
)
_NAMED: Final = f"{_CLASSES} WHERE c.session IN (SELECT value FROM json_each(?))"  # noqa: S608 - names of our own
_ENDED: Final = f"{_CLASSES} WHERE c.session > ? AND c.ended_at IS NOT NULL ORDER BY c.session LIMIT ?"
_ROW: Final = tuple(Row.__struct_fields__)
_VERSION: Final = tuple(Version.__struct_fields__)
_RECORDINGS: Final = (
    f"SELECT {', '.join(f'r.{name}' for name in _ROW)}, {', '.join(f'p.{name}' for name in _VERSION)}, v.at, k.state,"  # noqa: S608
    " EXISTS (SELECT 1 FROM expiry e WHERE e.session = r.session AND e.kind = 'journal' AND e.recording = r.id) FROM recording r"
    " LEFT JOIN publication_pointer q ON q.session = r.session AND q.recording = r.id"
    " LEFT JOIN publication p ON p.session = q.session AND p.recording = q.recording AND p.version = q.version"
    " LEFT JOIN publication_verified v ON v.session = p.session AND v.recording = p.recording AND v.version = p.version"
    " LEFT JOIN packaging k ON k.session = r.session AND k.recording = r.id"
    " WHERE r.session IN (SELECT value FROM json_each(?)) ORDER BY r.session, r.started_at"
)

_LEFT: Final = (
    f"SELECT {', '.join(_ROW)} FROM recording r WHERE deleted_at IS NOT NULL AND purged_at IS NULL"  # noqa: S608 - names of our own
    " AND NOT EXISTS (SELECT 1 FROM held WHERE session = r.session) LIMIT ?"
)


class _Class(NamedTuple):
    session: SessionId
    ended_at: Millis | None
    tenant: str
    held: bool
    log_expired_at: Millis | None
    wishes: Mapping[str, int]

    def thing(self, kind: Kind, since: Millis, recording: str = "", *, whole: bool = True, in_use: bool = False) -> Thing:
        return Thing(
            session=self.session,
            kind=kind,
            recording=recording,
            tenant=self.tenant,
            ended_at=self.ended_at,
            since=since,
            whole=whole,
            in_use=in_use,
            held=self.held,
            wish=self.wishes.get(kind),
        )


class _Recording(NamedTuple):
    row: Row
    version: Version | None
    verified_at: Millis | None
    packaging: str | None
    journal_expired: bool

    @property
    def whole(self) -> bool:
        """Nothing of it is only in the raw media."""
        return self.row.deleted_at is not None or self.verified_at is not None or (self.version is None and self.row.files == 0)

    @property
    def in_use(self) -> bool:
        return self.row.deleted_at is None and (self.packaging in ("waiting", "working") or self.row.ended_at is None)


def page(connection: sqlite3.Connection, after: SessionId, limit: int, only: SessionId | None) -> Page:
    """See Expiries.page; to be called on a reading connection."""
    classes = _named(connection, [only]) if only is not None else _classes(connection, _ENDED, (after, limit))
    recordings = _recordings(connection, list(classes))
    watched = _watched(connection, list(classes))
    things: list[Thing] = []
    for session, found in classes.items():
        things += _of(found, recordings.get(session, []), watched.get(session))
    known = [each for several in recordings.values() for each in several]
    unread = [each.version for each in known if each.version is not None and each.verified_at is None and each.row.deleted_at is None]
    return Page(things, unread, list(classes)[-1] if only is None and len(classes) == limit else None)


def left(connection: sqlite3.Connection, limit: int) -> list[Row]:
    """See Expiries.left."""
    return [Row(**dict(zip(_ROW, values, strict=True))) for values in connection.execute(_LEFT, (limit,))]


def torn(connection: sqlite3.Connection, sessions: Sequence[SessionId]) -> Mapping[SessionId, Thing]:
    """See Expiries.torn."""
    return {session: found.thing(Kind.TORN, 0) for session, found in _named(connection, sessions).items()}


def standings(connection: sqlite3.Connection, sessions: Sequence[SessionId]) -> Mapping[SessionId, Standing]:
    """See Expiries.standings."""
    return {
        session: Standing(tenant=found.tenant, held=found.held, wishes=found.wishes, log_expired_at=found.log_expired_at)
        for session, found in _named(connection, sessions).items()
    }


def _named(connection: sqlite3.Connection, sessions: Sequence[SessionId]) -> dict[SessionId, _Class]:
    return _classes(connection, _NAMED, (json.dumps(list(sessions)),))


def _classes(connection: sqlite3.Connection, sql: str, values: Sequence[object]) -> dict[SessionId, _Class]:
    rows = connection.execute(sql, values).fetchall()
    wishes: dict[SessionId, dict[str, int]] = {}
    asked = "SELECT session, kind, days FROM retention_wish WHERE session IN (SELECT value FROM json_each(?))"
    for session, kind, days in connection.execute(asked, (json.dumps([row[0] for row in rows]),)):
        wishes.setdefault(session, {})[kind] = days
    return {
        session: _Class(session, ended_at, tenant, bool(held), expired, wishes.get(session, {}))
        for session, ended_at, tenant, held, expired in rows
    }


def _recordings(connection: sqlite3.Connection, sessions: list[SessionId]) -> dict[SessionId, list[_Recording]]:
    found: dict[SessionId, list[_Recording]] = {}
    for values in connection.execute(_RECORDINGS, (json.dumps(sessions),)):
        row = Row(**dict(zip(_ROW, values, strict=False)))
        told = dict(zip(_VERSION, values[len(_ROW) :], strict=False))
        verified_at, packaging, expired = values[len(_ROW) + len(_VERSION) :]
        version = Version(**told) if told["version"] is not None else None
        found.setdefault(row.session, []).append(_Recording(row, version, verified_at, packaging, bool(expired)))
    return found


def _watched(connection: sqlite3.Connection, sessions: list[SessionId]) -> dict[SessionId, Millis]:
    sql = "SELECT session, max(at) FROM watched WHERE session IN (SELECT value FROM json_each(?)) GROUP BY session"
    return dict(connection.execute(sql, (json.dumps(sessions),)).fetchall())


def _of(found: _Class, recordings: Sequence[_Recording], watched: Millis | None) -> Iterator[Thing]:
    published = 0
    for each in recordings:
        if each.row.deleted_at is not None:
            continue
        verified = each.verified_at is not None
        if each.version is not None:
            published = max(published, each.version.published_at or 0)
            yield found.thing(Kind.REPLAY, each.version.published_at or 0, each.row.id, whole=verified, in_use=each.in_use)
        if each.row.files > 0 and not each.journal_expired:
            yield found.thing(Kind.JOURNAL, each.verified_at or 0, each.row.id, whole=verified, in_use=each.in_use)
    if found.log_expired_at is None:
        whole = all(each.whole for each in recordings)
        yield found.thing(Kind.LOG, published, whole=whole, in_use=any(each.in_use for each in recordings))
    if watched is not None:
        yield found.thing(Kind.WATCHED, watched)
