"""Rows of what a node does for a recording: `waiting -> working -> published | failed`, with a lease and a few tries.

The lease says until when somebody works on a row; a second process (a command, another node) leaves it alone until then. A node that stops,
a store that is away and a disk that is full do not count as tries.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from recording.catalog import Row
from recording.objects import StoreAway
from recording.process import ERROR_BYTES, no_room
from signaling.classroom.ids import Millis, SessionId
from signaling.ports import Unavailable

State: TypeAlias = Literal["waiting", "working", "published", "failed"]
Key: TypeAlias = tuple[SessionId, str]
#: tries of one recording
MAX_TRIES: Final = 5
LEASE_MS: Final = 15_000
RENEW_S: Final = 5.0
#: how long a store that was away is left alone, give or take half of it
AWAY_MS: Final = 20_000
#: how long a disk that was full is left alone: whoever makes something fills it again
FULL_MS: Final = 5 * 60_000


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """The row of one recording."""

    session: SessionId
    recording: str
    state: State = "waiting"
    tries: int = 0
    due_at: Millis = 0
    lease_until: Millis = 0
    error: str | None = None


class Jobs(Protocol):
    """The rows. Writes are durable when they return; all raise Unavailable."""

    async def take(self, key: Key, now: Millis, lease_until: Millis) -> Job | None:
        """Make the row if there is none, and work on it; None if somebody else does. Its due_at is less than 0 if it is to be done anew."""

    async def renew(self, key: Key, lease_until: Millis) -> None:
        """Still at it."""

    async def settle(self, key: Key, state: State, now: Millis, due_at: Millis, error: str | None) -> None:
        """Nobody works on it any more."""

    async def put_back(self, key: Key, now: Millis, due_at: Millis, why: str) -> None:
        """Nobody works on it any more, and it was no try."""

    async def anew(self, key: Key) -> None:
        """What was done or given up is to be done again; what somebody works on, once they are done."""

    async def unfinished(self, now: Millis) -> Sequence[Row]:
        """Recordings that are due: never tried, failed not too often, or left by who died."""


@contextlib.asynccontextmanager
async def renewed(jobs: Jobs, key: Key, clock: Callable[[], Millis]) -> AsyncIterator[None]:
    """Keep the lease of a row that was taken."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with contextlib.suppress(Unavailable):
                await jobs.renew(key, clock() + LEASE_MS)

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()


async def give_back(jobs: Jobs, key: Key, job: Job, now: Millis, error: BaseException) -> str:
    """Another try later, unless it was the last; why, in words of bounded length. Raises Unavailable."""
    why = str(error)[:ERROR_BYTES] or type(error).__name__
    if isinstance(error, asyncio.CancelledError):
        why = "the node stopped"
        await jobs.put_back(key, now, now, why)
    elif isinstance(error, StoreAway):
        await jobs.put_back(key, now, now + AWAY_MS // 2 + secrets.randbelow(AWAY_MS), why)
    elif no_room(error):
        await jobs.put_back(key, now, now + FULL_MS, why)
    else:
        await jobs.settle(key, "failed" if job.tries >= MAX_TRIES else "waiting", now, now + 1_000 * 4**job.tries, why)
    return why


async def stopped(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
