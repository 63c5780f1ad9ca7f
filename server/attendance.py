"""The node's part in attendance: life signs written every few seconds, media noted per window, and the report read from the journal.

- Every `BEAT_S` one row per class with somebody in it says until when all its connections were alive, but for those silent for
  longer than `SILENT_S`, at their own time. After a crash stays end there: at most BEAT_S too early, at most SILENT_S too late.
- That media reached somebody is noted per 30 s window in memory and stored with the next beat; at most one beat of it is lost.
- The facts of a class are kept after a report and fed with what is new in the store at the next, for the last `KEPT` classes.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from moderation.attendance import WINDOW_MS
from moderation.presence_log import PresenceLog
from server.adapters.sqlite_attendance import SqliteAttendance
from signaling.classroom.erasure import ParticipantErased
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import ConnectionId, ParticipantId, SessionId
from signaling.hub import Hub
from signaling.messages import decode_event
from signaling.ports import Clock, Journal, Signs, Unavailable
from signaling.runner import Reply

log = logging.getLogger("jiangtai.attendance")

BEAT_S: Final = 5.0
PING_S: Final = 5.0
#: pings in a row without an answer after which a connection is ended
MISSED_PINGS: Final = 5
#: a connection that showed no life for that long is written down as silent: a ping's interval and time for the answer to travel
SILENT_S: Final = PING_S + 2.0
KEPT: Final = 64
#: (class, window) pairs that may wait for a beat while the store is away
_MAX_WINDOWS: Final = 10_000
_ALL: Final = 2**62


class Listeners(Protocol):
    """Who hears connections: the gateway."""

    def silent(self, session: SessionId, for_s: float) -> Mapping[ConnectionId, float]:
        """Connections of a class that showed no life for that long: how many seconds ago each last did."""


class Keeper:
    """Keeps the evidence of every class here."""

    def __init__(self, *, hub: Hub, gateway: Listeners, store: SqliteAttendance, clock: Clock) -> None:
        self._hub = hub
        self._gateway = gateway
        self._store = store
        self._clock = clock
        self._delivered: dict[tuple[SessionId, int], set[ParticipantId]] = {}

    def delivered(self, session: SessionId, participant: ParticipantId) -> None:
        """Media reached this person now."""
        key = (session, self._clock() // WINDOW_MS)
        if key in self._delivered or len(self._delivered) < _MAX_WINDOWS:
            self._delivered.setdefault(key, set()).add(participant)

    async def beat(self) -> None:
        """Write signs until cancelled."""
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self.write()
            except Exception:
                log.exception("life signs failed")

    async def write(self) -> None:
        """Write the signs of this moment, and what was noted since the last time."""
        now = self._clock()
        signs: dict[SessionId, Signs] = {}
        for session in self._hub.sessions():
            room = self._hub.room(session)
            if room is not None and any(person.connections for person in room.participants.values()):
                silent = self._gateway.silent(session, SILENT_S)
                signs[session] = Signs(at=now, silent={id: now - int(ago * 1_000) for id, ago in silent.items()})
        noted, self._delivered = self._delivered, {}
        if not signs and not noted:
            return
        try:
            await self._store.keep(signs, noted)
        except Unavailable as error:
            log.warning("life signs not stored", extra={"why": str(error)})
            for key, people in noted.items():
                self._delivered.setdefault(key, set()).update(people)


@dataclass(kw_only=True)
class Facts:
    """What is known of one class: its log, and the windows in which media reached each person."""

    log: PresenceLog = field(default_factory=PresenceLog)
    delivered: dict[ParticipantId, set[int]] = field(default_factory=dict)
    #: the newest window read; it may still gain people
    window: int = 0
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class Reader:
    """The facts of classes, read from the journal and beside it."""

    def __init__(self, *, hub: Hub, journal: Journal, store: SqliteAttendance) -> None:
        self._hub = hub
        self._journal = journal
        self._store = store
        self._known: OrderedDict[SessionId, Facts] = OrderedDict()

    @contextlib.asynccontextmanager
    async def facts(self, session: SessionId) -> AsyncIterator[Facts]:
        """Everything known up to now; a class that sleeps is woken, so that what a crash left open is closed.

        They stay as they are within the block. Raises Rejected, Unavailable.
        """
        await self._settle(session)
        facts = self._known.setdefault(session, Facts())
        self._known.move_to_end(session)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        async with facts.reading:
            known = facts.log.seq
            if await self._read_on(session, facts.log) and known:  # what was read before is of somebody who is nobody now
                facts.log, facts.delivered, facts.window = PresenceLog(), {}, 0
                await self._read_on(session, facts.log)
            for window, people in await self._store.delivered(session, facts.window):
                facts.window = window
                for person in people:
                    facts.delivered.setdefault(person, set()).add(window)
            yield facts

    async def _read_on(self, session: SessionId, log: PresenceLog) -> bool:
        """Feed what is new; whether somebody was erased by it."""
        erased = False
        async for record in self._journal.read(session, log.seq, _ALL):
            with contextlib.suppress(msgspec.MsgspecError):  # the class leaves such an entry out as well, and counts it
                event = decode_event(record.event)
                log.feed(record.seq, record.at, record.by, event)
                erased = erased or isinstance(event, ParticipantErased)
        return erased

    async def _settle(self, session: SessionId) -> None:
        """Wake the class and wait until it is between turns."""
        runner = await self._hub.runner(session)
        settled: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        runner.submit(None, None, None, settled.set_result)
        reply = await asyncio.shield(settled)
        if reply.error is not None:
            raise Rejected(reply.error)
