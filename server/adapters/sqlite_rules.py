"""What classes are held under, on SQLite: policies by name and version, and who may watch, as the journal last said."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from server.adapters.sqlite import Database
from signaling.classroom.ids import SessionId
from signaling.classroom.policies import AttendancePolicy
from signaling.classroom.replay_access import ReplayAccessChanged
from signaling.messages import decode_event
from signaling.ports import Record

_TAG: Final = str(ReplayAccessChanged.__struct_config__.tag).encode()
_decode: Final = msgspec.json.Decoder(AttendancePolicy).decode


class AccessProjection:
    """Keeps `class.replay` what the journal says (sqlite_journal.Projection)."""

    def appended(self, connection: sqlite3.Connection, session: SessionId, before: int, records: Sequence[Record]) -> None:
        """See sqlite_journal.Projection."""
        for record in records:
            if _TAG in record.event:  # decoding is for the few that can be one
                event = decode_event(record.event)
                if isinstance(event, ReplayAccessChanged):
                    connection.execute("UPDATE class SET replay = ? WHERE session = ?", (event.access.value, session))


class SqlitePolicies:
    """Policies that classes brought along."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, id: str, version: int) -> AttendancePolicy | None:
        """The policy of this name and version. Raises Unavailable."""
        sql = "SELECT rules FROM attendance_policy WHERE id = ? AND version = ?"
        found = await self._database.read(lambda c: c.execute(sql, (id, version)).fetchone())
        return _decode(found[0]) if found is not None else None

    async def register(self, policy: AttendancePolicy) -> bool:
        """Remember a policy; False if its name and version stand for other rules. Raises Unavailable."""
        rules = msgspec.json.encode(policy).decode()

        def job(connection: sqlite3.Connection) -> bool:
            sql = "INSERT INTO attendance_policy VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            if connection.execute(sql, (policy.id, policy.version, rules)).rowcount:
                return True
            sql = "SELECT rules FROM attendance_policy WHERE id = ? AND version = ?"
            return bool(_decode(connection.execute(sql, (policy.id, policy.version)).fetchone()[0]) == policy)

        return await self._database.write(job)
