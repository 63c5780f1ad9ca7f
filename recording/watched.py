"""Who watched what of a recording: stretches that were really played, reported by the replay page. Apart from attendance of the class.

A report has an operation id of its page, so that sending it again adds nothing. A stretch is a continuous piece played at one speed; a
viewer's figure is the union of the stretches, whatever was watched twice counting once.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, NamedTuple, Protocol

import msgspec

from signaling.classroom.ids import Millis, OperationId, ParticipantId, SessionId

#: stretches kept of one person and recording: hours of restless seeking
MAX_STRETCHES: Final = 20_000
MAX_IN_REPORT: Final = 50
#: no recording is longer than this
_LONGEST_MS: Final = 48 * 3_600_000

Moment = Annotated[int, msgspec.Meta(ge=0, le=_LONGEST_MS)]


class Stretch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Played from from_ms to to_ms of the recording at this speed."""

    from_ms: Moment
    to_ms: Moment
    rate: Annotated[float, msgspec.Meta(ge=0.25, le=4)] = 1.0


class Report(NamedTuple):
    """What a page reports."""

    session: SessionId
    recording: str
    participant: ParticipantId
    op: OperationId
    at: Millis
    stretches: Sequence[Stretch]


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What one person has seen; intervals are [from, to] in ms, apart and in order."""

    participant: ParticipantId
    ms: int
    intervals: list[tuple[int, int]]
    last_at: Millis


class Watches(Protocol):
    """The reports. Writes are durable when they return; all raise Unavailable."""

    async def add(self, report: Report, most: int) -> bool:
        """Keep a report once; False if the person would then have more than `most` stretches."""

    async def stretches(self, session: SessionId, recording: str) -> Sequence[tuple[ParticipantId, Millis, Stretch]]:
        """Everything kept of a recording, by person, with when it was reported."""


def union(stretches: Iterable[Stretch], duration_ms: int) -> list[tuple[int, int]]:
    """The moments covered, as intervals apart from each other, within the recording."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted((each.from_ms, min(each.to_ms, duration_ms)) for each in stretches):
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def summed(kept: Sequence[tuple[ParticipantId, Millis, Stretch]], duration_ms: int) -> list[Watched]:
    """Per person what was seen."""
    people: dict[ParticipantId, list[tuple[Millis, Stretch]]] = {}
    for who, at, stretch in kept:
        people.setdefault(who, []).append((at, stretch))
    found = []
    for who, each in people.items():
        intervals = union((stretch for _, stretch in each), duration_ms)
        seen = sum(end - start for start, end in intervals)
        found.append(Watched(participant=who, ms=seen, intervals=intervals, last_at=max(at for at, _ in each)))
    return found
