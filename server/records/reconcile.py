"""Does the store really hold what it acknowledged? Every statement of a class is asked for by its id; what is missing becomes due again.

By id, since a store's paging may be wrong. A store may acknowledge before a statement can be read back: a reconciliation comes some time
after the class and may be repeated at will.
"""

from typing import Final, Protocol

import msgspec

from server.records.compare import same_statement
from server.records.outbox import Row
from server.records.stores import Store
from signaling.classroom.ids import SessionId

_PAGE: Final = 200


class Acknowledged(Protocol):
    """What reconciliation needs of the outbox."""

    async def acked(self, destination: str, session: SessionId, *, after: int, limit: int) -> list[Row]:
        """Acknowledged statements of a class with number > after, in order."""

    async def lost(self, destination: str, numbers: list[int]) -> None:
        """Make these due again."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Statements asked for: held as sent, missing (due again), different. `complete` is False when the store stopped answering."""

    asked: int
    held: int
    missing: int
    different: int
    complete: bool


async def reconcile(outbox: Acknowledged, store: Store, destination: str, session: SessionId) -> Report:
    """Ask a store for every acknowledged statement of a class."""
    asked = held = missing = different = after = 0
    while rows := await outbox.acked(destination, session, after=after, limit=_PAGE):
        lost: list[int] = []
        for row in rows:
            answer, held_there = await store.find(row)
            if answer.status not in (200, 404):
                await outbox.lost(destination, lost)
                return Report(asked=asked, held=held, missing=missing, different=different, complete=False)
            asked += 1
            if answer.status == 404:
                lost.append(row.number)
                missing += 1
            elif same_statement(msgspec.json.decode(row.body), held_there):
                held += 1
            else:
                different += 1
        await outbox.lost(destination, lost)
        after = rows[-1].number
    return Report(asked=asked, held=held, missing=missing, different=different, complete=True)
