"""The hand-off of one node: a sender per destination, figures, back-pressure, reconciliation after each class, pruning.

Rows are on disk, so memory is flat however long a store is away. Beyond `shed_after` rows due at a configured destination the statements
about devices and reactions are left out (and counted; a backfill makes them from the log); arrivals, departures, answers, hands and
messages never are.
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
from server.records.reconcile import LOOK_S, Reconciliation
from server.records.relay import Sender
from server.records.stores import store_for
from signaling.classroom.ids import SessionId
from signaling.ports import Clock, Unavailable

log = logging.getLogger("jiangtai.records")
_LOOK_S: Final = 5.0
_STOP_S: Final = 5.0
_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
#: classes that ended before a start and are reconciled after it
_ENDED: Final = 1_000


class RecordsService:
    """Runs between `start` and `stop`; wake it when events were stored."""

    def __init__(self, outbox: SqliteOutbox, destinations: Sequence[Destination], *, clock: Clock, shed_after: int, keep_days: int) -> None:
        self.outbox = outbox
        self.destinations = tuple(destinations)
        self._clock = clock
        self._shed_after = shed_after
        self._keep_ms = keep_days * _DAY_MS
        self._senders: list[Sender] = []
        self._reconciliations: list[Reconciliation] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._upkeep: list[asyncio.Task[None]] = []
        self._sessions: list[aiohttp.ClientSession] = []
        #: as of the last look, at most `_LOOK_S` old
        self.standings: tuple[Standing, ...] = ()
        #: telemetry is left out at the moment
        self.shedding = False

    async def start(self) -> None:
        """Open connections and send. Raises Unavailable."""
        await self.outbox.register([destination.name for destination in self.destinations])
        for destination in self.destinations:
            http = reach.session(private=destination.private)
            self._sessions.append(http)
            await self.outbox.hold(destination.name, until=0, tries=0, paused="")  # what was wrong may be mended
            store = store_for(destination, http, lambda: self._clock() / 1000)
            if destination.kind == "xapi":
                self._reconciliations.append(Reconciliation(destination.name, outbox=self.outbox, store=store, clock=self._clock))
            sender = Sender(destination, outbox=self.outbox, store=store, clock=self._clock, owner=owner_of_this_process())
            self._senders.append(sender)
            self._tasks.append(asyncio.create_task(sender.run(), name=f"records {destination.name}"))
        if self._reconciliations:  # the end of some may not have been followed up before this start
            for session in await self.outbox.ended_since(self._clock() - _DAY_MS, _ENDED):
                self.ended(session)
        self._upkeep = [
            asyncio.create_task(self._watch(), name="records upkeep"),
            *(asyncio.create_task(self._reconcile(one), name=f"reconciliation {one.name}") for one in self._reconciliations),
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
        """A class is over; it is reconciled with each destination once everything of it is settled there."""
        for one in self._reconciliations:
            one.add(session)

    def figures(self) -> dict[str, float]:
        """For /metrics, sums over destinations."""
        senders, standings, reconciliations = self._senders, self.standings, self._reconciliations
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
            "reconciled": sum(one.asked for one in reconciliations),
            "reconciled_missing": sum(one.missing for one in reconciliations),
            "reconciled_different": sum(one.different for one in reconciliations),
        }

    async def look(self) -> None:
        """Read how things stand. Raises Unavailable."""
        self.standings = tuple(await self.outbox.standings(self._clock()))
        names = {destination.name for destination in self.destinations}  # nobody sends what is due at others
        self.shedding = any(one.due > self._shed_after for one in self.standings if one.name in names)

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

    async def _reconcile(self, one: Reconciliation) -> None:
        while True:
            rest = LOOK_S
            try:
                rest = await one.step()
            except Unavailable as error:
                log.warning("outbox not served", extra={"destination": one.name, "why": str(error)})
            except Exception:  # a defect here must not end the reconciliation
                log.exception("a class broke the reconciliation", extra={"destination": one.name})
            await asyncio.sleep(rest)
