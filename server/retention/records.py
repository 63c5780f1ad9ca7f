"""What retention reads and writes: whose a class is, what there is of it, what was removed (server/adapters/sqlite_retention)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from recording.catalog import Row
from recording.publication import Version
from recording.verified import Whole
from server.retention.due import Kind, Thing
from signaling.classroom.ids import Millis, SessionId


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One removal: by which rule, of how many files or rows and bytes. `kind` may also be statements; done_at None: it is under way."""

    number: int
    session: str
    kind: str
    recording: str
    policy: str
    begun_at: Millis
    done_at: Millis | None
    count: int
    bytes: int


class Page(NamedTuple):
    """What there is of some ended classes: things with days of their own, versions nobody has read whole yet; and where the next page
    begins, None after the last."""

    things: Sequence[Thing]
    unread: Sequence[Version]
    after: SessionId | None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A class as retention knows it."""

    tenant: str
    held: bool
    wishes: Mapping[str, int]
    #: since when its log is no longer kept
    log_expired_at: Millis | None


class Expiries(Protocol):
    """The rows. Writes are durable when they return; all raise Unavailable."""

    async def own(self, session: SessionId, tenant: str) -> None:
        """A class belongs to a tenant; the first word counts."""

    async def wish(self, session: SessionId, days: Mapping[Kind, int]) -> None:
        """The class wants to be kept for so few days. Raises ValueError unless each is from 1 to due.MAX_DAYS."""

    async def standing(self, session: SessionId) -> Standing | None:
        """How a class stands; None if there is none."""

    async def standings(self, sessions: Sequence[SessionId]) -> Mapping[SessionId, Standing]:
        """The same of several."""

    async def page(self, after: SessionId, limit: int, only: SessionId | None = None) -> Page:
        """Ended classes by id behind `after`; or one class, ended or not."""

    async def left(self, limit: int) -> Sequence[Row]:
        """Recordings with a tombstone whose files may still be there, of classes that are not held."""

    async def torn(self, sessions: Sequence[SessionId]) -> Mapping[SessionId, Thing]:
        """What is known of these classes, for files that have no row."""

    async def verify(self, version: Version, whole: Whole, at: Millis) -> None:
        """A published version was read whole."""

    async def begin(self, thing: Thing, policy: str, at: Millis, count: int = 0, bytes: int = 0) -> Act | None:
        """Write down that a thing goes; the row that is open if there is one. Raises catalog.Held.

        None if somebody works on it, or it is gone already.
        """

    async def unfinished(self, limit: int) -> Sequence[Act]:
        """Removals that were begun and not ended, of classes that are not held."""

    async def finish(self, number: int, at: Millis) -> None:
        """All of it is gone (again: nothing happens)."""

    async def acts(self, *, after: int, limit: int, session: SessionId | None = None) -> Sequence[Act]:
        """Removals in order."""

    async def journal_expired_at(self, session: SessionId, recording: str) -> Millis | None:
        """Since when the raw media of a recording is no longer kept."""

    async def erase_log(self, act: Act, size: int, limit: int, erasure: str) -> int:
        """Remove up to so many records of a class whose leaves are among the first `size` of the ledger; returns how many."""

    async def forget(self, act: Act, limit: int) -> int:
        """Remove up to so many other rows of a class that are of no use without its log; returns how many."""

    async def unwatch(self, act: Act, limit: int) -> int:
        """Remove up to so many rows of who watched what; returns how many."""

    async def note(self, erasure: str, at: Millis, text: str) -> None:
        """Keep the signed note of a class's erasure; the first stays."""
