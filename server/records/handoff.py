"""Puts the hand-off of a node together from its configuration: nothing runs, and no event costs more, unless records are wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from server.adapters.sqlite import Database
from server.adapters.sqlite_outbox import SqliteOutbox
from server.adapters.sqlite_statements import StatementProjection
from server.config import Config
from server.records import destinations
from server.records.attended import RollUp
from server.records.destinations import Destination
from server.records.service import RecordsService
from server.records.statements import Site
from signaling.classroom.ids import Millis, SessionId
from signaling.classroom.session import ClassEnded
from signaling.entries import Entry
from signaling.ports import Clock


@dataclass(frozen=True, kw_only=True)
class HandOff:
    """What a node has for its records; `projection` is None when no statements are made."""

    outbox: SqliteOutbox
    projection: StatementProjection | None
    service: RecordsService

    @property
    def projections(self) -> tuple[StatementProjection, ...]:
        """For the journal."""
        return (self.projection,) if self.projection is not None else ()

    def watch(self, session: SessionId, room: object, entries: Sequence[Entry]) -> None:
        """For the hub: these entries are durable."""
        self.service.wake()
        if any(isinstance(entry.event, ClassEnded) for entry in entries):
            self.service.ended(session)

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
    projection = None
    if found or config.records.feed:
        projection = StatementProjection(site_of(config), names, shed=lambda: service.shedding)
    return HandOff(outbox=outbox, projection=projection, service=service)
