"""Unnumbered news of one class: the newest value of each type wins, told at most as often as its pace allows.

A value put during a quiet time goes out at once and opens the type's window; later ones wait for its end, older ones are replaced unsent.
Values newcomers need are kept (`standing`). Reactions are counted and told as counts per window; typing is told as the set of people who
typed lately. One timer per class, running only while something waits.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from signaling.classroom.audience import Lane
from signaling.classroom.ids import ParticipantId
from signaling.classroom.reactions import Reaction
from signaling.classroom.room import Room

#: shortest time between two signals of a type to a lane, seconds
PACE: Final[Mapping[str, float]] = {"present": 1.0, "tally": 0.34, "reactions": 0.5, "speakers": 0.2, "typing": 1.0, "quality": 0.5}
#: types a newcomer is told the last value of
STANDING: Final = frozenset({"present", "audio", "speakers"})
INSIDE: Final[tuple[Lane, ...]] = ("trainee", "staff", "inspector")
OVERSEERS: Final[tuple[Lane, ...]] = ("staff", "inspector")
STAFF: Final[tuple[Lane, ...]] = ("staff",)
_TYPING_S: Final = 3.0
MAX_TYPING: Final = 50

Signal = Mapping[str, Any]


class Board:
    """What is to be told, by lane."""

    def __init__(self, tell: Callable[[Lane, list[Signal]], None], loop: asyncio.AbstractEventLoop) -> None:
        """tell sends signals to everybody in a lane."""
        self._tell = tell
        self._loop = loop
        #: (lane, type, key) -> value waiting; key tells values of one type apart (whose quality)
        self._waiting: dict[tuple[Lane, str, str], Signal] = {}
        self._standing: dict[tuple[Lane, str], Signal] = {}
        self._next: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._reactions: dict[str, int] = {}
        self._typing: dict[ParticipantId, float] = {}

    def put(self, lanes: tuple[Lane, ...], signal: Signal, key: str = "") -> None:
        """Tell these lanes, now or when the pace allows."""
        kind = signal["type"]
        for lane in lanes:
            self._waiting[lane, kind, key] = signal
            if kind in STANDING:
                self._standing[lane, kind] = signal
        self._arm(self._next.get(kind, 0.0))

    def standing(self, lane: Lane) -> list[Signal]:
        """What a newcomer to the lane is told."""
        return [signal for (where, _), signal in self._standing.items() if where == lane]

    def present(self, room: Room) -> None:
        """Tell how many are there; the number who wait to staff only."""
        count = {"type": "present", "present": room.present}
        if self._standing.get(("trainee", "present")) != count:
            self.put(("trainee", "inspector"), count)
        full = count | {"waiting": len(room.waiting)}
        if self._standing.get(("staff", "present")) != full:
            self.put(STAFF, full)

    def tally(self, room: Room) -> None:
        """Tell how the open poll stands: to all once it is revealed."""
        poll = room.polls.get(room.open_poll) if room.open_poll is not None else None
        if poll is not None:
            lanes = INSIDE if poll.revealed else OVERSEERS
            self.put(lanes, {"type": "tally", "poll": room.open_poll, "tally": list(poll.tally), "voters": poll.voters})

    def reacted(self, reaction: Reaction) -> None:
        """Count one reaction."""
        self._reactions[reaction] = self._reactions.get(reaction, 0) + 1
        self.put(INSIDE, {"type": "reactions", "counts": self._reactions})

    def typed(self, participant: ParticipantId) -> None:
        """Somebody is writing."""
        self._typing[participant] = self._loop.time()
        self._put_typing()

    def stop(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _put_typing(self) -> None:
        since = self._loop.time() - _TYPING_S
        self._typing = {participant: at for participant, at in self._typing.items() if at >= since}
        self.put(INSIDE, {"type": "typing", "participants": list(self._typing)[:MAX_TYPING]})

    def _arm(self, when: float) -> None:
        if self._timer is None:
            self._timer = self._loop.call_at(max(when, self._loop.time()), self._flush)
        elif when < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(when, self._flush)

    def _flush(self) -> None:
        now = self._loop.time()
        self._timer = None
        due: dict[Lane, list[Signal]] = {}
        told = set()
        for where, signal in list(self._waiting.items()):
            lane, kind, _ = where
            if self._next.get(kind, 0.0) <= now:
                due.setdefault(lane, []).append(signal)
                told.add(kind)
                del self._waiting[where]
        for kind in told:
            self._next[kind] = now + PACE.get(kind, 0.0)
        for lane, signals in due.items():
            self._tell(lane, signals)
        if "reactions" in told:
            self._reactions = {}
        if "typing" in told and self._typing:
            self._put_typing()
        if self._waiting:
            self._arm(min(self._next.get(kind, 0.0) for _, kind, _ in self._waiting))
