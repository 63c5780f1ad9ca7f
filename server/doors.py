"""Between seats and classes: who a connection speaks for, and that whoever is sent out of a class loses the seat as well.

The class decides (a journaled event), this follows: seats and unused tokens of the person are void before the next request, and the gateway
cuts what is open. Admission itself is the classroom's business.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias

from moderation.names import likeness
from server.adapters.sqlite_seats import SqliteSeats
from server.seats import well_formed
from signaling.classroom.ids import ConnectionId, Millis, ParticipantId, SessionId
from signaling.classroom.sanctions import BanLifted, ParticipantRemoved
from signaling.classroom.seats import Seat as Standing
from signaling.classroom.state import Room
from signaling.entries import Entry
from signaling.ports import SeatGrant, Signals, Unavailable

log = logging.getLogger("jiangtai.doors")
_SENT_OUT = (Standing.REMOVED, Standing.BANNED)
_RETRY_S = 1.0
#: how long a node that stops waits for what is not stored yet
_STOP_S = 5.0
#: brings the seats of a person in line with what the class decided
Step: TypeAlias = Callable[[SessionId, ParticipantId], Awaitable[None]]


class Doors:
    """ports.Seats for the gateway."""

    def __init__(self, cookie: str, seats: SqliteSeats) -> None:
        """cookie: the name browsers send it by."""
        self._cookie = cookie
        self._seats = seats

    async def open(self, cookies: Mapping[str, str], headers: Mapping[str, str], seat_id: str) -> SeatGrant | None:
        """See ports.Seats."""
        cookie = well_formed(cookies.get(self._cookie))
        seat = await self._seats.find(seat_id, int(time.time() * 1000)) if cookie else None
        if seat is None or not seat.owned_by(cookie):
            return None
        return SeatGrant(
            session=seat.session,
            participant=seat.participant,
            name=seat.name,
            role=seat.role,
            likeness=likeness(seat.name),
            seat=seat.id,
        )


class LateSignals:
    """ports.Signals for the media plane, which is made before the gateway that carries them; silent until `target` is set.

    Connections without a socket (encoders, players) have a listener in this process instead.
    """

    def __init__(self) -> None:
        self.target: Signals | None = None
        self._listeners: dict[ConnectionId, Callable[[Mapping[str, Any]], None]] = {}

    def listen(self, connection: ConnectionId, listener: Callable[[Mapping[str, Any]], None]) -> None:
        """Tell `listener` what is for this connection alone; it must not block."""
        self._listeners[connection] = listener

    def unlisten(self, connection: ConnectionId) -> None:
        """Tell it no more."""
        self._listeners.pop(connection, None)

    def to_all(self, session: SessionId, signal: Mapping[str, Any]) -> None:
        """See ports.Signals."""
        if self.target is not None:
            self.target.to_all(session, signal)

    def to_staff(self, session: SessionId, signal: Mapping[str, Any]) -> None:
        """See ports.Signals."""
        if self.target is not None:
            self.target.to_staff(session, signal)

    def to_participant(self, session: SessionId, participant: ParticipantId, signal: Mapping[str, Any]) -> None:
        """See ports.Signals."""
        if self.target is not None:
            self.target.to_participant(session, participant, signal)

    def to_connection(self, session: SessionId, connection: str, signal: Mapping[str, Any]) -> None:
        """See ports.Signals."""
        listener = self._listeners.get(connection)
        if listener is not None:
            listener(signal)
        elif self.target is not None:
            self.target.to_connection(session, connection, signal)


class Revokes(Protocol):
    """Cuts what a person has open."""

    def revoke(self, session: SessionId, participant: ParticipantId) -> None: ...


class Bouncer:
    """Watches every class (hub.Watcher), voids the seats of those sent out and lets those whose ban is lifted have new ones.

    What is decided of one person is stored in that order, each as often as it takes: a lifted ban never overtakes the ban.
    """

    def __init__(self, seats: SqliteSeats, gateway: Revokes) -> None:
        self._seats = seats
        self._gateway = gateway
        self._known: set[SessionId] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        #: the newest step about each person, until it is stored
        self._steps: dict[tuple[SessionId, ParticipantId], asyncio.Task[None]] = {}

    def watch(self, session: SessionId, room: Room, entries: Sequence[Entry]) -> None:
        """See hub.Watcher."""
        if session not in self._known:  # a crash may have come between what the class decided and the seats
            self._known.add(session)
            for person in [person for person in room.participants.values() if person.seat in _SENT_OUT]:
                self._do(session, person.id, partial(self._make_sure, at=entries[-1].origin.at, banned=person.seat is Standing.BANNED))
        for entry in entries:
            event = entry.event
            if isinstance(event, ParticipantRemoved):
                self._seats.shut(session, event.participant)
                self._gateway.revoke(session, event.participant)
                self._do(session, event.participant, partial(self._revoke, at=entry.origin.at, banned=event.banned))
            elif isinstance(event, BanLifted):
                self._do(session, event.participant, self._seats.forgive)

    async def settle(self) -> None:
        """Wait until everything decided so far is stored. What the store refuses for `_STOP_S` is given up, and made good when its class is
        next heard of."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _STOP_S
        while self._tasks and (left := until - loop.time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        if self._tasks:
            log.error("what classes decided of seats is not stored", extra={"count": len(self._tasks)})
        for task in self._tasks:
            task.cancel()

    def _do(self, session: SessionId, participant: ParticipantId, step: Step) -> None:
        whom = (session, participant)
        task = asyncio.create_task(self._in_turn(self._steps.get(whom), session, participant, step))
        self._steps[whom] = task
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._done(whom, task))

    def _done(self, whom: tuple[SessionId, ParticipantId], task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if self._steps.get(whom) is task:
            del self._steps[whom]

    async def _in_turn(self, before: "asyncio.Task[None] | None", session: SessionId, participant: ParticipantId, step: Step) -> None:
        if before is not None:
            await asyncio.wait({before})
        while True:
            try:
                await step(session, participant)
            except Unavailable:
                log.error("what a class decided of a seat waits for the store", extra={"session": session})
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def _revoke(self, session: SessionId, participant: ParticipantId, *, at: Millis, banned: bool) -> None:
        await self._seats.revoke(session, participant, at=at, banned=banned)
        self._gateway.revoke(session, participant)

    async def _make_sure(self, session: SessionId, participant: ParticipantId, *, at: Millis, banned: bool) -> None:
        """Bring the seats of somebody who is out in line with the class."""
        epoch, barred = await self._seats.standing(session, participant)
        if epoch == 0 or (banned and not barred):
            await self._revoke(session, participant, at=at, banned=banned)
        elif not banned:
            await self._seats.forgive(session, participant)
