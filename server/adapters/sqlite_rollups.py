"""Attendance that is to be told, and that was told, on SQLite.

A wish is written in the transaction of the entry that asks for it; the roll-up that stands for a person is remembered in the one that tells
it, for as long as the log could bring another.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from server.records.attended import Told
from server.records.encode import Statement
from signaling.classroom.ids import ParticipantId, SessionId
from signaling.classroom.overrides import AttendanceOverridden
from signaling.classroom.session import ClassEnded
from signaling.messages import decode_event
from signaling.ports import Record

_ENDED: Final = str(ClassEnded.__struct_config__.tag).encode()
_OVERRIDDEN: Final = str(AttendanceOverridden.__struct_config__.tag).encode()
_WISH: Final = "INSERT INTO rollup_wish VALUES (?, ?) ON CONFLICT (session) DO UPDATE SET seq = excluded.seq"
#: a class that goes on is not woken for what was decided in it: its end asks again
_WISHED: Final = (
    "SELECT session FROM rollup_wish w WHERE EXISTS (SELECT 1 FROM record WHERE session = w.session AND instr(event, ?))"
    " ORDER BY session LIMIT ?"
)
_STANDING: Final = "SELECT statement, result FROM rollup WHERE session = ? AND participant = ?"
_STANDS: Final = "INSERT INTO rollup SELECT session, ?, id, ? FROM statement WHERE id = ? AND flaw = '' AND body = ?"


class RollUpProjection:
    """Keeps the wishes (sqlite_journal.Projection)."""

    def appended(self, connection: sqlite3.Connection, session: SessionId, before: int, records: Sequence[Record]) -> None:
        """See sqlite_journal.Projection."""
        for record in records:
            # Decoding is for the few that can be one.
            if (_ENDED in record.event or _OVERRIDDEN in record.event) and isinstance(
                decode_event(record.event), ClassEnded | AttendanceOverridden
            ):
                connection.execute(_WISH, (session, record.seq))


def wished(connection: sqlite3.Connection, limit: int) -> list[SessionId]:
    """Classes that are over, as far as a look at their bytes tells, and have a wish."""
    return [row[0] for row in connection.execute(_WISHED, (_ENDED, limit))]


def fulfil(connection: sqlite3.Connection, session: SessionId, seq: int) -> None:
    """A class was told as its log stood at `seq`; what was asked for later stays."""
    connection.execute("DELETE FROM rollup_wish WHERE session = ? AND seq <= ?", (session, seq))


def standing(connection: sqlite3.Connection, session: SessionId, participant: ParticipantId) -> Told | None:
    """What stands for a person."""
    found = connection.execute(_STANDING, (session, participant)).fetchone()
    return Told(found[0], msgspec.json.decode(found[1])) if found is not None else None


def stand(connection: sqlite3.Connection, participant: ParticipantId, told: Statement) -> None:
    """This stands from now on, or nothing does if it was kept back; the former one is void."""
    connection.execute("DELETE FROM rollup WHERE session = ? AND participant = ?", (told.session, participant))
    result = msgspec.json.encode(told.json["result"]).decode()
    connection.execute(_STANDS, (participant, result, told.id, told.body))
