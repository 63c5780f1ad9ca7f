"""Puts the hand-off of a node together from its configuration: nothing runs, and no event costs more, unless records are wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.adapters.sqlite import Database
from server.adapters.sqlite_journal import Projection
from server.adapters.sqlite_outbox import SqliteOutbox
from server.adapters.sqlite_rollups import RollUpProjection
from server.adapters.sqlite_statements import StatementProjection
from server.adapters.sqlite_viewings import SqliteViewings
from server.config import Config
from server.records import destinations
from server.records.attended import RollUp
from server.records.destinations import Destination
from server.records.service import RecordsService
from server.records.statements import Site
from server.records.viewed import IDLE_MS
from signaling.classroom.ids import Millis, SessionId
from signaling.classroom.session import ClassEnded
from signaling.entries import Entry
from signaling.ports import Clock

#: viewings ended in one go; each is a transaction of its own
_VIEWINGS: Final = 200


@dataclass(frozen=True, kw_only=True)
class HandOff:
    """What a node has for its records; `projection` is None when no statements are made, and so is `viewings`."""

    outbox: SqliteOutbox
    projection: StatementProjection | None
    viewings: SqliteViewings | None
    service: RecordsService

    @property
    def projections(self) -> tuple[Projection, ...]:
        """For the journal."""
        return (self.projection, RollUpProjection()) if self.projection is not None else ()

    def watch(self, session: SessionId, room: object, entries: Sequence[Entry]) -> None:
        """For the hub: these entries are durable."""
        self.service.wake()
        if any(isinstance(entry.event, ClassEnded) for entry in entries):
            self.service.ended(session)

    async def settle_viewings(self, now: Millis) -> int:
        """Tell the sums of some viewings that are over; returns how many, 0 when none is left. Raises Unavailable."""
        if self.viewings is None:
            return 0
        over = await self.viewings.due(now - IDLE_MS, _VIEWINGS)
        for viewing in over:
            await self.viewings.close(viewing)
        if over:
            self.service.wake()
        return len(over)

    async def attended(self, session: SessionId, seq: int, at: Millis, rollups: Sequence[RollUp]) -> int:
        """Tell what attendance was when the log stood at `seq`; returns how many statements were made. Raises Unavailable."""
        if self.projection is None:
            return 0
        made = await self.outbox.attended(self.projection, session, seq, at, rollups)
        self.service.wake()
        return made


def configured(config: Config) -> tuple[Destination, ...]:
    """The destinations of a configuration; raises BadDestinations."""
    found: tuple[Destination, ...] = ()
    if config.records.destinations_file:
        found += destinations.parse(Path(config.records.destinations_file).read_text("utf-8"))
    if config.records.destinations:
        found += destinations.parse(config.records.destinations)
    return found


def site_of(config: Config) -> Site:
    """Where the ids of a node live."""
    return Site(root=(config.records.site or config.public_url).rstrip("/"))


async def open_handoff(config: Config, database: Database, clock: Clock) -> HandOff:
    """The hand-off of a node, its destinations registered. Raises BadDestinations, Unavailable."""
    found = configured(config)
    outbox = SqliteOutbox(database)
    names = [destination.name for destination in found]
    await outbox.register(names)
    service = RecordsService(outbox, found, clock=clock, shed_after=config.records.shed_after, keep_days=config.records.keep_days)
    projection = viewings = None
    if found or config.records.feed:
        projection = StatementProjection(site_of(config), names, shed=lambda: service.shedding)
        viewings = SqliteViewings(database, projection)
    return HandOff(outbox=outbox, projection=projection, viewings=viewings, service=service)
