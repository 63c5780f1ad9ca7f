"""Attendance: from the facts of a class (`presence_log`) to minutes, checks, status and study hours per person, by a policy. Pure.

- Counted is the union of a person's stays over devices and tabs, clipped to the class (from its start to its end, or now), without breaks
  and without outages of the node: what nobody could attend counts for nobody and is held against nobody.
- A gap of at most the grace between two stays counts too and is marked `bridged`, up to the policy's bound for a person; none follows an
  explicit leave or a removal. The time of breaks and outages within a gap is no part of it.
- Three numbers stand apart: connected, media delivered (windows of 30 s in which something arrived, within the connected time), and checks
  answered of asked. Status and hours follow from the connected time alone; too little of it and leaving early are judged at the end.
- The policy is the one stamped on the class unless another is asked for. A decision of staff replaces status and minutes in what counts;
  what was computed stays beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from moderation.intervals import Span, intersect, length, subtract, union
from moderation.presence_log import Override, PersonLog, PresenceLog
from signaling.classroom.ids import Millis, ParticipantId
from signaling.classroom.policies import AttendancePolicy, AttendanceStatus
from signaling.classroom.roles import Role

#: length of a window of delivered media
WINDOW_MS: Final = 30_000
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of counted time, ms. `bridged`: a gap that counts; `recovered`: it ended because the node stopped without warning."""

    start: Millis
    end: Millis
    bridged: bool = False
    recovered: bool = False


@dataclass(frozen=True, kw_only=True)
class Attendance:
    """The roll-up of one person in one class: what the records store is told and the report shows. Times in ms."""

    person: ParticipantId
    name: str
    role: Role
    #: whether the person came, or is on the roster, or both; and whether anything but the roster tells of the person
    came: bool
    expected: bool
    known: bool
    connected_ms: int
    delivered_ms: int
    bridged_ms: int
    #: connected share of the class, 0 to 1
    ratio: float
    first_at: Millis | None
    last_at: Millis | None
    segments: tuple[Segment, ...]
    #: when media arrived
    delivered: tuple[Span, ...]
    checks_asked: int
    checks_answered: int
    policy_id: str
    policy_version: int
    #: what the policy says, and what counts after a decision of staff
    computed: AttendanceStatus
    status: AttendanceStatus
    minutes: int
    hours: float
    override: Override | None


class Point(NamedTuple):
    """How many were connected, and how many received media, at a moment."""

    at: Millis
    connected: int
    delivered: int


class _Stretch(NamedTuple):
    start: Millis
    end: Millis
    final: bool
    recovered: bool


class _Frame(NamedTuple):
    """The time of a class that counts."""

    countable: list[Span]
    idle: list[Span]
    start: Millis
    end: Millis


def evaluate(
    log: PresenceLog,
    *,
    now: Millis,
    policy: AttendancePolicy | None = None,
    delivered: Mapping[ParticipantId, Iterable[int]] | None = None,
    only: ParticipantId | None = None,
) -> list[Attendance]:
    """Everybody's attendance (or one person's), as they came or were listed; who never came is absent. Empty before the class starts.

    `now` ends what still lasts. `delivered` are the numbers of the 30 s windows since the epoch in which media arrived, per person.
    """
    frame = _frame(log, now)
    if frame is None:
        return []
    rules = policy or log.policy
    windows = delivered or {}
    people = log.people.items() if only is None else [(id, person) for id, person in log.people.items() if id == only]
    return [_attendance(log, frame, rules, id, person, windows.get(id, ())) for id, person in people]


def countable_ms(log: PresenceLog, now: Millis) -> int:
    """How long the class has lasted without breaks and outages; 0 before its start."""
    frame = _frame(log, now)
    return length(frame.countable) if frame is not None else 0


def idle_spans(log: PresenceLog, now: Millis) -> list[Span]:
    """Breaks and outages within the class."""
    frame = _frame(log, now)
    return intersect(frame.idle, [(frame.start, frame.end)]) if frame is not None else []


def curve(log: PresenceLog, people: Sequence[Attendance], *, now: Millis, points: int = 120) -> list[Point]:
    """Presence over time at evenly spread moments from the start of the class to its end or now, breaks included, of these people."""
    frame = _frame(log, now)
    if frame is None:
        return []
    moments = [frame.start + (frame.end - frame.start) * i // (points - 1) for i in range(points)]
    connected = _counts(moments, (_presence(log, frame, one) for one in people))
    received = _counts(moments, (list(one.delivered) for one in people))
    return [Point(at, here, got) for at, here, got in zip(moments, connected, received, strict=True)]


def _presence(log: PresenceLog, frame: _Frame, one: Attendance) -> list[Span]:
    stays = [(stretch.start, stretch.end) for stretch in _stretches(frame, log.people[one.person])]
    return [*stays, *((segment.start, segment.end) for segment in one.segments)]


def _counts(moments: Sequence[Millis], people: Iterable[list[Span]]) -> list[int]:
    counts = [0] * len(moments)
    for spans in people:
        merged, at = union(spans), 0
        for i, moment in enumerate(moments):
            while at < len(merged) and merged[at][1] < moment:
                at += 1
            counts[i] += at < len(merged) and merged[at][0] <= moment
    return counts


def _frame(log: PresenceLog, now: Millis) -> _Frame | None:
    if log.started_at is None:
        return None
    end = log.ended_at if log.ended_at is not None else max(now, log.started_at)
    last_break = [(log.break_since, end)] if log.break_since is not None else []
    idle = union([*log.breaks, *last_break, *log.outages])
    return _Frame(subtract([(log.started_at, end)], idle), idle, log.started_at, end)


def _attendance(
    log: PresenceLog, frame: _Frame, rules: AttendancePolicy, id: ParticipantId, person: PersonLog, windows: Iterable[int]
) -> Attendance:
    segments = _segments(frame, rules, _stretches(frame, person))
    connected = length((s.start, s.end) for s in segments)
    received = intersect(
        ((number * WINDOW_MS, (number + 1) * WINDOW_MS) for number in windows), [(s.start, s.end) for s in segments if not s.bridged]
    )
    total = length(frame.countable)
    ratio = connected / total if total else 0.0
    computed = _status(log, frame, rules, segments, ratio)
    override = person.override
    status = override.event.status if override is not None and override.event.status is not None else computed
    decided = override.event.minutes if override is not None else None
    minutes = decided if decided is not None else connected // _MINUTE_MS
    return Attendance(
        person=id,
        name=person.name,
        role=person.role,
        came=person.came,
        expected=person.expected,
        known=person.came or person.decided,
        connected_ms=connected,
        delivered_ms=length(received),
        bridged_ms=sum(s.end - s.start for s in segments if s.bridged),
        ratio=ratio,
        first_at=segments[0].start if segments else None,
        last_at=segments[-1].end if segments else None,
        segments=tuple(segments),
        delivered=tuple(received),
        checks_asked=len(person.checks),
        checks_answered=sum(person.checks.values()),
        policy_id=rules.id,
        policy_version=rules.version,
        computed=computed,
        status=status,
        minutes=minutes,
        hours=0.0 if status is AttendanceStatus.ABSENT else hours_for(rules, minutes),
        override=override,
    )


def hours_for(policy: AttendancePolicy, minutes: int) -> float:
    """Study hours of so many counted minutes."""
    return max((credit.hours for credit in policy.credits if credit.minutes <= minutes), default=0.0)


def _stretches(frame: _Frame, person: PersonLog) -> list[_Stretch]:
    """The person's stays within the class, overlapping ones as one; who stays longest tells how it ended.

    A stay without length, as one that a crash cut off at once, counts nothing, but a gap may begin or end at it.
    """
    stays = [(stay.start, stay.end if stay.end is not None else frame.end, stay.final, stay.recovered) for stay in person.stays]
    stays += [(since, frame.end, False, False) for since in person.open.values() if since is not None]
    clipped = [
        _Stretch(max(start, frame.start), min(end, frame.end), final, lost)
        for start, end, final, lost in stays
        if start < frame.end and end > frame.start
    ]
    merged: list[_Stretch] = []
    for one in sorted(one for one in clipped if one.start <= one.end):
        last = merged[-1] if merged else None
        if last is None or one.start > last.end:
            merged.append(one)
        elif one.end > last.end:
            merged[-1] = one._replace(start=last.start)
        elif one.end == last.end:
            merged[-1] = last._replace(final=last.final or one.final, recovered=last.recovered or one.recovered)
    return merged


def _segments(frame: _Frame, rules: AttendancePolicy, stretches: list[_Stretch]) -> list[Segment]:
    segments: list[Segment] = []
    bridged = 0
    for i, one in enumerate(stretches):
        segments += _counted(frame, one.start, one.end, bridged=False, recovered=one.recovered)
        after = stretches[i + 1] if i + 1 < len(stretches) else None
        if after is None or one.final:
            continue
        gap = length(subtract([(one.end, after.start)], frame.idle))
        if gap <= rules.grace_s * 1_000 and bridged + gap <= rules.bridged_max_s * 1_000:
            bridged += gap
            segments += _counted(frame, one.end, after.start, bridged=True, recovered=False)
    return segments


def _counted(frame: _Frame, start: Millis, end: Millis, *, bridged: bool, recovered: bool) -> list[Segment]:
    spans = subtract([(start, end)], frame.idle)
    last = len(spans) - 1
    return [Segment(start=a, end=b, bridged=bridged, recovered=recovered and i == last) for i, (a, b) in enumerate(spans)]


def _status(log: PresenceLog, frame: _Frame, rules: AttendancePolicy, segments: list[Segment], ratio: float) -> AttendanceStatus:
    over = log.ended_at is not None
    if not segments or (over and ratio < rules.absent_below):
        return AttendanceStatus.ABSENT
    if length(intersect(frame.countable, [(frame.start, segments[0].start)])) > rules.late_s * 1_000:
        return AttendanceStatus.LATE
    missed = length(intersect(frame.countable, [(segments[-1].end, frame.end)]))
    if over and missed > rules.early_s * 1_000:
        return AttendanceStatus.LEFT_EARLY
    return AttendanceStatus.PRESENT
