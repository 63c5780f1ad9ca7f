"""Legal holds: a class, or every class a person has a seat in, of which nothing may be deleted until the hold is lifted."""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from signaling.classroom.ids import Millis, SessionId

#: holds that may be open at a time
MAX_OPEN: Final = 10_000
MAX_REASON: Final = 500


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One hold: of a class (`session`), or of a person (`issuer` and `subject`); the other is empty. Open until `lifted_at` is set."""

    number: int
    session: str
    issuer: str
    subject: str
    reason: str
    by: str
    at: Millis
    lifted_at: Millis | None = None
    lifted_by: str | None = None


class TooMany(Exception):
    """As many holds are open as there may be."""


class Holds(Protocol):
    """The rows; only ever added and lifted. Writes are durable when they return; all raise Unavailable."""

    async def add(self, *, session: SessionId, issuer: str, subject: str, reason: str, by: str, at: Millis) -> Hold | None:
        """Hold a class, or a person's classes if `session` is empty; None if there is no such class. Raises TooMany."""

    async def lift(self, number: int, *, by: str, at: Millis) -> Hold | None:
        """Lift a hold (again: nothing happens); None if there is none."""

    async def held(self, session: SessionId) -> bool:
        """Whether a class is under a hold."""

    async def reasons(self, session: SessionId) -> Sequence[Hold]:
        """The open holds a class is under, oldest first."""

    async def page(self, *, lifted: bool, before: int, limit: int) -> Sequence[Hold]:
        """Holds, newest first, those with a number below `before`; lifted ones only if asked for."""


def sayable(reason: str) -> str | None:
    """A reason as it is kept; None if it says nothing, is too long, or holds what cannot be printed."""
    told = reason.strip()
    return told if 0 < len(told) <= MAX_REASON and told.isprintable() else None
