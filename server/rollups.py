"""Attendance on its way to the records store: evaluated when a class is over, and again after every later decision of staff.

An evaluation that says the same tells nothing, so repeating one is harmless. That a class is to be evaluated is written down with the entry
that asks for it (`adapters/sqlite_rollups`) and crossed out with what is told: a start goes on with what a stop left out, however old the
class. Those that ended in the last day and of which nothing was told are evaluated, too: nothing was written down if nobody was to be told.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final

from moderation.attendance import Attendance, evaluate
from server.attendance import Reader
from server.records.attended import RollUp, Segment
from server.records.handoff import HandOff
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import SessionId
from signaling.classroom.overrides import AttendanceOverridden
from signaling.classroom.policies import AttendanceStatus
from signaling.classroom.roles import Role
from signaling.classroom.session import ClassEnded
from signaling.classroom.settings import Phase
from signaling.classroom.state import Room
from signaling.entries import Entry
from signaling.ports import Clock, Unavailable

log = logging.getLogger("jiangtai.records")
#: classes waiting to be evaluated; further ones are evaluated after the next start
_WAITING: Final = 1_000
_RETRY_S: Final = 30.0
_DAY_MS: Final = 86_400_000


class RollUps:
    """Tells attendance from `run` on; `watch` the hub for classes to tell of."""

    def __init__(self, reader: Reader, handoff: HandOff, clock: Clock) -> None:
        self._reader = reader
        self._handoff = handoff
        self._clock = clock
        self._waiting: dict[SessionId, None] = {}
        self._wake = asyncio.Event()

    def watch(self, session: SessionId, room: Room, entries: Sequence[Entry]) -> None:
        """For the hub: these entries are durable."""
        over = room.phase is Phase.ENDED
        if over and any(isinstance(entry.event, ClassEnded | AttendanceOverridden) for entry in entries):
            self._add(session)

    async def run(self) -> None:
        """Evaluate and tell, one class after the other, until cancelled."""
        if self._handoff.projection is None:
            return
        looked = False
        while True:
            looked = looked or await self._take_up()
            while self._waiting:
                session = next(iter(self._waiting))
                del self._waiting[session]  # what is asked for from here on wants another evaluation
                try:
                    await self.tell(session)
                except Unavailable:
                    self._add(session)
                    await asyncio.sleep(_RETRY_S)
                except Rejected:
                    log.warning("attendance not told", extra={"session": session})
                except Exception:
                    log.exception("attendance not told", extra={"session": session})
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), None if looked else _RETRY_S)

    async def tell(self, session: SessionId) -> int:
        """Evaluate a class that is over and tell what is new; returns how many statements were made. Raises Rejected, Unavailable."""
        async with self._reader.facts(session) as facts:
            if facts.log.ended_at is None:
                return 0
            people = await asyncio.to_thread(evaluate, facts.log, now=self._clock(), delivered=facts.delivered)
            seq = facts.log.seq
        # That somebody of the roster never came is no statement of that person's; what staff decided about it is.
        rollups = [rollup_of(one) for one in people if one.role is Role.TRAINEE and one.known]
        return await self._handoff.attended(session, seq, self._clock(), rollups)

    async def _take_up(self) -> bool:
        """What a stop left out; False if the store cannot say."""
        outbox = self._handoff.outbox
        try:
            for session in (*await outbox.unevaluated(_WAITING), *await outbox.unattended_since(self._clock() - _DAY_MS, _WAITING)):
                self._add(session)
        except Unavailable:
            log.warning("the store cannot say whose attendance is to be told")
            return False
        return True

    def _add(self, session: SessionId) -> None:
        if len(self._waiting) < _WAITING:
            self._waiting[session] = None
            self._wake.set()


def rollup_of(found: Attendance) -> RollUp:
    """What the records store is told of an evaluation. Met: not absent."""
    return RollUp(
        participant=found.person,
        minutes=found.minutes,
        ratio=found.ratio,
        met=found.status is not AttendanceStatus.ABSENT,
        segments=tuple(Segment(start=one.start, end=one.end, bridged=one.bridged, recovered=one.recovered) for one in found.segments),
        policy=found.policy_id,
        policy_version=str(found.policy_version),
        checks_asked=found.checks_asked,
        checks_answered=found.checks_answered,
        status=found.status,
        computed=found.computed,
        hours=found.hours,
    )
