"""The outbox as the relay, the commands and the routes see it: rows on disk, one delivery per statement and destination.

A row is written in the transaction of the event it tells of and leaves state `due` only by what a store answered.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

import msgspec

from signaling.classroom.ids import Millis, SessionId


class State(IntEnum):
    DUE = 0
    ACKED = 1
    DEAD = 2
    CONFLICT = 3


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A statement as it is sent."""

    number: int
    id: str
    session: SessionId
    at: Millis
    body: bytes


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """What to send now; without rows, when to look again (0 = nothing is due). `tries` are failures in a row."""

    rows: tuple[Row, ...] = ()
    wait_until: Millis = 0
    tries: int = 0
    batch_bytes: int = 0


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one delivery."""

    number: int
    state: State
    status: int = 0
    answer: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one destination stands. `oldest_s` is the age of the oldest statement not yet acknowledged, 0 if none waits."""

    name: str
    due: int
    dead: int
    conflicts: int
    oldest_s: float
    paused: str
    tries: int


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that ended without an acknowledgement, with what the store answered."""

    destination: str
    number: int
    id: str
    session: SessionId
    state: str
    status: int
    answer: str
    at: Millis


class Outbox(Protocol):
    """Raises ports.Unavailable when the file cannot serve."""

    async def lease(self, destination: str, owner: str, now: Millis, until: Millis, *, rows: int, size: int) -> Lease:
        """Hold the destination and take the oldest due rows, at most `rows` and `size` bytes but at least one.

        Empty when nothing is due, when a wait is not over, or when another owner who may be alive holds it. A voiding statement waits
        while what it voids is on its way there or was refused; a store that never gets that takes it all the same.
        """

    async def kept(self, numbers: Sequence[int]) -> list[Row]:
        """Those of these statements that are still there, in order."""

    async def settle(self, destination: str, settled: Sequence[Settled], *, now: Millis) -> None:
        """Store the ends of deliveries; what failed before is forgotten."""

    async def hold(self, destination: str, *, until: Millis, tries: int, paused: str) -> None:
        """Try nothing before `until`; `paused` says why an operator is needed."""

    async def shrink(self, destination: str, batch_bytes: int) -> None:
        """Remember the largest batch the store takes."""

    async def release(self, destination: str, owner: str) -> None:
        """Give up the lease."""
