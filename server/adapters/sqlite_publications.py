"""Published versions and what was watched of them on SQLite (recording.publication.Publications, recording.watched.Watches)."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from recording.publication import Deleted, Superseded, Version, new_folder
from recording.watched import Report, Stretch
from server.adapters.sqlite import Database
from signaling.classroom.ids import Millis, ParticipantId, SessionId

_COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Version))
_NAMES: Final = ", ".join(_COLUMNS)
_SELECT: Final = f"SELECT {_NAMES} FROM publication"  # noqa: S608 - names of our own
_INSERT: Final = f"INSERT INTO publication ({_NAMES}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"  # noqa: S608 - names of our own
_SERVED: Final = (
    f"SELECT {', '.join(f'p.{name}' for name in _COLUMNS)} FROM publication p"  # noqa: S608 - names of our own
    " JOIN publication_pointer USING (session, recording, version)"
    " JOIN recording r ON r.session = p.session AND r.id = p.recording AND r.deleted_at IS NULL"
    " WHERE p.session = ? AND p.recording = ?"
)
_OUTDATED: Final = (
    "SELECT DISTINCT o.session, o.recording FROM publication o JOIN publication_pointer t USING (session, recording)"
    " JOIN publication n ON n.session = t.session AND n.recording = t.recording AND n.version = t.version"
    " JOIN recording r ON r.session = o.session AND r.id = o.recording AND r.deleted_at IS NULL"
    " WHERE o.version < t.version AND o.published_at IS NOT NULL AND o.withdrawn_at IS NULL AND n.published_at < ?"
    " ORDER BY random() LIMIT 100"
)
_POINT: Final = (
    "INSERT INTO publication_pointer (session, recording, version) VALUES (?, ?, ?)"
    " ON CONFLICT (session, recording) DO UPDATE SET version = max(version, excluded.version)"
)
_LEFTOVERS: Final = (
    f"SELECT {', '.join(f'p.{name}' for name in _COLUMNS)} FROM publication p"  # noqa: S608 - names of our own
    " LEFT JOIN recording r ON r.session = p.session AND r.id = p.recording"
    " LEFT JOIN packaging j ON j.session = p.session AND j.recording = p.recording"
    " LEFT JOIN finishing f ON f.session = p.session AND f.recording = p.recording"
    " WHERE p.swept_at IS NULL AND max(ifnull(j.lease_until, 0), ifnull(f.lease_until, 0)) <= :now"
    " AND (p.failed_at IS NOT NULL OR p.published_at IS NULL AND r.deleted_at IS NOT NULL OR p.published_at IS NOT NULL AND p.place <> ''"
    " OR p.published_at IS NULL AND EXISTS (SELECT 1 FROM publication n WHERE n.session = p.session AND n.recording = p.recording"
    " AND n.version > p.version AND (n.published_at IS NOT NULL OR n.amends IS NULL)))"
    " ORDER BY random() LIMIT :most"
)


class SqlitePublications:
    """See recording.publication.Publications."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, session: SessionId, recording: str, at: Millis, amends: int | None = None) -> Version:
        """See the port."""

        def job(connection: sqlite3.Connection) -> Version:
            _alive(connection, session, recording)
            before = _versions(connection, session, recording)
            made = Version(
                session=session,
                recording=recording,
                version=before[-1].version + 1 if before else 1,
                folder=before[-1].folder if before else new_folder(),
                begun_at=at,
                amends=amends,
            )
            connection.execute(_INSERT, msgspec.structs.asdict(made))
            return made

        return await self._database.write(job)

    async def seal(self, version: Version, place: str) -> Version:
        """See the port."""

        def job(connection: sqlite3.Connection) -> Version:
            _alive(connection, version.session, version.recording)
            sql = "UPDATE publication SET place = ? WHERE session = ? AND recording = ? AND version = ? AND published_at IS NULL"
            connection.execute(sql, (place, version.session, version.recording, version.version))
            return msgspec.structs.replace(version, place=place)

        return await self._database.write(job)

    async def publish(self, version: Version, at: Millis, size: int, instead_of: int | None = None) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            _alive(connection, version.session, version.recording)
            pointer = "SELECT version FROM publication_pointer WHERE session = ? AND recording = ?"
            served = connection.execute(pointer, (version.session, version.recording)).fetchone()
            if instead_of is not None and served != (instead_of,):
                raise Superseded(version.recording)
            sql = "UPDATE publication SET published_at = ?, bytes = ? WHERE session = ? AND recording = ? AND version = ?"
            connection.execute(sql, (at, size, version.session, version.recording, version.version))
            connection.execute(_POINT, (version.session, version.recording, version.version))

        await self._database.write(job)

    async def fail(self, version: Version, at: Millis, why: str) -> bool:
        """See the port."""
        sql = "UPDATE publication SET failed_at = ?, why = ? WHERE session = ? AND recording = ? AND version = ? AND published_at IS NULL"
        values = (at, why[:500], version.session, version.recording, version.version)
        return await self._database.write(lambda connection: connection.execute(sql, values).rowcount > 0)

    async def withdraw(self, version: Version, at: Millis) -> None:
        """See the port."""
        sql = "UPDATE publication SET withdrawn_at = ? WHERE session = ? AND recording = ? AND version = ? AND withdrawn_at IS NULL"
        values = (at, version.session, version.recording, version.version)
        await self._database.write(lambda connection: _execute(connection, sql, values))

    async def served(self, session: SessionId, recording: str) -> Version | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> Version | None:
            row = connection.execute(_SERVED, (session, recording)).fetchone()
            return _version(row) if row else None

        return await self._database.read(job)

    async def outdated(self, before: Millis) -> Sequence[tuple[SessionId, str]]:
        """See the port."""
        return await self._database.read(lambda connection: connection.execute(_OUTDATED, (before,)).fetchall())

    async def versions(self, session: SessionId, recording: str | None = None) -> Sequence[Version]:
        """See the port."""
        return await self._database.read(lambda connection: _versions(connection, session, recording))

    async def leftovers(self, now: Millis, most: int) -> Sequence[Version]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> list[Version]:
            return [_version(row) for row in connection.execute(_LEFTOVERS, {"now": now, "most": most})]

        return await self._database.read(job)

    async def swept(self, version: Version, at: Millis) -> None:
        """See the port."""
        sql = "UPDATE publication SET swept_at = ? WHERE session = ? AND recording = ? AND version = ?"
        values = (at, version.session, version.recording, version.version)
        await self._database.write(lambda connection: _execute(connection, sql, values))


class SqliteWatches:
    """See recording.watched.Watches. `noted` is called in the transaction of each new report, after its rows were inserted."""

    def __init__(self, database: Database, noted: Callable[[sqlite3.Connection, Report], None] | None = None) -> None:
        self._database = database
        self._noted = noted

    async def add(self, report: Report, most: int) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            whose = (report.session, report.recording, report.participant)
            known = "SELECT 1 FROM watched WHERE session = ? AND recording = ? AND participant = ? AND op = ? LIMIT 1"
            if connection.execute(known, (*whose, report.op)).fetchone():
                return True
            count = "SELECT count(*) FROM watched WHERE session = ? AND recording = ? AND participant = ?"
            if connection.execute(count, whose).fetchone()[0] + len(report.stretches) > most:
                return False
            connection.executemany(
                "INSERT INTO watched (session, recording, participant, op, number, at, from_ms, to_ms, rate)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (*whose, report.op, number, report.at, each.from_ms, each.to_ms, each.rate)
                    for number, each in enumerate(report.stretches)
                ],
            )
            if self._noted is not None:
                self._noted(connection, report)
            return True

        return await self._database.write(job)

    async def stretches(self, session: SessionId, recording: str) -> Sequence[tuple[ParticipantId, Millis, Stretch]]:
        """See the port."""
        sql = (
            "SELECT participant, at, from_ms, to_ms, rate FROM watched WHERE session = ? AND recording = ?"
            " ORDER BY participant, at, op, number"
        )

        def job(connection: sqlite3.Connection) -> list[tuple[ParticipantId, Millis, Stretch]]:
            found = connection.execute(sql, (session, recording))
            return [(who, at, Stretch(from_ms=start, to_ms=end, rate=rate)) for who, at, start, end, rate in found]

        return await self._database.read(job)


def _alive(connection: sqlite3.Connection, session: SessionId, recording: str) -> None:
    row = connection.execute("SELECT deleted_at FROM recording WHERE session = ? AND id = ?", (session, recording)).fetchone()
    if row is not None and row[0] is not None:
        raise Deleted(recording)


def _versions(connection: sqlite3.Connection, session: SessionId, recording: str | None) -> list[Version]:
    where, values = ("", (session,)) if recording is None else (" AND recording = ?", (session, recording))
    return [_version(row) for row in connection.execute(f"{_SELECT} WHERE session = ?{where} ORDER BY recording, version", values)]


def _version(row: tuple[object, ...]) -> Version:
    return msgspec.convert(dict(zip(_COLUMNS, row, strict=True)), Version)


def _execute(connection: sqlite3.Connection, sql: str, values: tuple[object, ...]) -> None:
    connection.execute(sql, values)
