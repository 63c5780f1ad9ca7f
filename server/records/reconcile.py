"""Does the store really hold what it acknowledged? Every statement of a class is asked for by its id; what is missing becomes due again.

By id, since a store's paging may be wrong. A store may acknowledge before a statement can be read back: a reconciliation comes some time
after the class and may be repeated at will. Each destination has its own line of classes: what waits elsewhere, or of other classes, holds
up nothing, and a class that could not be asked for to its end is asked for again.
"""

import logging
from typing import Final, Protocol

import msgspec

from server.records.compare import same_statement
from server.records.outbox import Row
from server.records.stores import Store
from signaling.classroom.ids import Millis, SessionId
from signaling.ports import Clock

log = logging.getLogger("jiangtai.records")
#: between two looks at what waits
LOOK_S: Final = 5.0
_PAGE: Final = 200
#: classes waiting at one destination; further ones are left to the command
_WAITING: Final = 1_000
#: after the end of a class, and between two looks whether something of it is due
_SETTLE_MS: Final = 30_000
#: after a store stopped answering
_AGAIN_S: Final = 300.0


class Acknowledged(Protocol):
    """What reconciliation needs of the outbox."""

    async def acked(self, destination: str, session: SessionId, *, after: int, limit: int) -> list[Row]:
        """Acknowledged statements of a class with number > after, in order."""

    async def unsettled(self, destination: str, session: SessionId) -> bool:
        """Whether something of a class is to be sent there yet."""

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


class Reconciliation:
    """The classes that are to be reconciled with one destination; figures are sums since the start."""

    def __init__(self, destination: str, *, outbox: Acknowledged, store: Store, clock: Clock) -> None:
        self.name = destination
        self._outbox = outbox
        self._store = store
        self._clock = clock
        #: when to look at each class, in the order they wait
        self._waiting: dict[SessionId, Millis] = {}
        self.asked = 0
        self.missing = 0
        self.different = 0

    def add(self, session: SessionId) -> None:
        """A class is over."""
        if session in self._waiting or len(self._waiting) < _WAITING:
            self._put_off(session, _SETTLE_MS)

    async def step(self) -> float:
        """Reconcile at most one class; returns the seconds to wait before the next step. Raises Unavailable."""
        session = await self._next()
        if session is None:
            return LOOK_S
        self._put_off(session, round(_AGAIN_S * 1000))
        report = await reconcile(self._outbox, self._store, self.name, session)
        self.asked += report.asked
        self.missing += report.missing
        self.different += report.different
        tell = log.info if report.complete and not report.missing and not report.different else log.error
        tell("reconciled", extra={"destination": self.name, "session": session, "count": report.asked})
        if not report.complete:
            return _AGAIN_S
        self._waiting.pop(session, None)
        return LOOK_S

    async def _next(self) -> SessionId | None:
        """The first class whose time has come and of which nothing is due; the others are looked at later."""
        now = self._clock()
        for session in [session for session, at in self._waiting.items() if at <= now]:
            if not await self._outbox.unsettled(self.name, session):
                return session
            self._put_off(session, _SETTLE_MS)
        return None

    def _put_off(self, session: SessionId, wait_ms: Millis) -> None:
        """To the end of the line."""
        self._waiting.pop(session, None)
        self._waiting[session] = self._clock() + wait_ms
