"""The hand-off of one node: a sender per destination, figures, back-pressure, reconciliation after each class, pruning.

Rows are on disk, so memory is flat however long a store is away. Beyond `shed_after` rows due at one destination the statements about
devices and reactions are left out (and counted; a backfill makes them from the log); arrivals, departures, answers, hands and messages
never are.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final

import aiohttp

from server.adapters.sqlite_outbox import SqliteOutbox, owner_of_this_process
from server.records import reach
from server.records.destinations import Destination
from server.records.outbox import Standing
from server.records.reconcile import reconcile
from server.records.relay import Sender
from server.records.stores import Store, store_for
from signaling.classroom.ids import SessionId
from signaling.ports import Clock, Unavailable

log = logging.getLogger("jiangtai.records")
_LOOK_S: Final = 5.0
_STOP_S: Final = 5.0
_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
#: classes waiting for their reconciliation; further ones are left to the command
_WAITING: Final = 1_000
#: after the end of a class, before its first reconciliation
_SETTLE_S: Final = 30.0


class RecordsService:
    """Runs between `start` and `stop`; wake it when events were stored."""

    def __init__(self, outbox: SqliteOutbox, destinations: Sequence[Destination], *, clock: Clock, shed_after: int, keep_days: int) -> None:
        self.outbox = outbox
        self.destinations = tuple(destinations)
        self._clock = clock
        self._shed_after = shed_after
        self._keep_ms = keep_days * _DAY_MS
        self._senders: list[Sender] = []
        self._stores: dict[str, Store] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._upkeep: list[asyncio.Task[None]] = []
        self._sessions: list[aiohttp.ClientSession] = []
        self._ended: list[tuple[SessionId, float]] = []
        #: as of the last look, at most `_LOOK_S` old
        self.standings: tuple[Standing, ...] = ()
        #: telemetry is left out at the moment
        self.shedding = False
        self.reconciled = 0
        self.missing = 0
        self.different = 0

    async def start(self) -> None:
        """Open connections and send. Raises Unavailable."""
        await self.outbox.register([destination.name for destination in self.destinations])
        for destination in self.destinations:
            http = reach.session(private=destination.private)
            self._sessions.append(http)
            await self.outbox.hold(destination.name, until=0, tries=0, paused="")  # what was wrong may be mended
            store = self._stores[destination.name] = store_for(destination, http, lambda: self._clock() / 1000)
            sender = Sender(destination, outbox=self.outbox, store=store, clock=self._clock, owner=owner_of_this_process())
            self._senders.append(sender)
            self._tasks.append(asyncio.create_task(sender.run(), name=f"records {destination.name}"))
        if self.destinations:  # the end of some may not have been followed up before this start
            for session in await self.outbox.ended_since(self._clock() - _DAY_MS, _WAITING):
                self.ended(session)
        self._upkeep = [
            asyncio.create_task(self._watch(), name="records upkeep"),
            asyncio.create_task(self._reconcile(), name="records reconciliation"),
        ]

    async def stop(self) -> None:
        """Finish the requests under way, give up the leases (idempotent)."""
        for sender in self._senders:
            sender.stop()
        for task in self._upkeep:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._upkeep, return_exceptions=True)
        for http in self._sessions:
            await http.close()

    def wake(self) -> None:
        """Something was stored."""
        for sender in self._senders:
            sender.wake()

    def ended(self, session: SessionId) -> None:
        """A class is over; it is reconciled once everything of it is acknowledged."""
        if len(self._ended) < _WAITING:
            self._ended.append((session, self._clock() + _SETTLE_S * 1000))

    def figures(self) -> dict[str, float]:
        """For /metrics, sums over destinations."""
        senders, standings = self._senders, self.standings
        return {
            "due": sum(one.due for one in standings),
            "oldest_unacked_seconds": max((one.oldest_s for one in standings), default=0.0),
            "dead": sum(one.dead for one in standings),
            "conflicts": sum(one.conflicts for one in standings),
            "paused": sum(bool(one.paused) for one in standings),
            "shedding": float(self.shedding),
            "acked": sum(sender.acked for sender in senders),
            "requests": sum(sender.requests for sender in senders),
            "failures": sum(sender.failures for sender in senders),
            "reconciled": self.reconciled,
            "reconciled_missing": self.missing,
            "reconciled_different": self.different,
        }

    async def look(self) -> None:
        """Read how things stand. Raises Unavailable."""
        self.standings = tuple(await self.outbox.standings(self._clock()))
        self.shedding = any(one.due > self._shed_after for one in self.standings)

    async def _watch(self) -> None:
        pruned = 0
        while True:
            with contextlib.suppress(Unavailable):
                await self.look()
                if self._clock() >= pruned + _HOUR_MS:
                    pruned = self._clock()
                    while await self.outbox.prune(pruned - self._keep_ms, pruned):
                        pass
            await asyncio.sleep(_LOOK_S)

    async def _reconcile(self) -> None:
        while True:
            with contextlib.suppress(Unavailable):
                await self._reconcile_one()
            await asyncio.sleep(_LOOK_S)

    async def _reconcile_one(self) -> None:
        """One class whose time has come, if nothing is due."""
        if not self._ended or self._ended[0][1] > self._clock() or any(one.due for one in self.standings):
            return
        session, _ = self._ended.pop(0)
        for destination in self.destinations:
            if destination.kind != "xapi":
                continue
            report = await reconcile(self.outbox, self._stores[destination.name], destination.name, session)
            self.reconciled += report.asked
            self.missing += report.missing
            self.different += report.different
            tell = log.info if report.complete and not report.missing and not report.different else log.error
            tell("reconciled", extra={"destination": destination.name, "session": session, "count": report.asked})
