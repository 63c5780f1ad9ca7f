"""What a class's journal says about who was there when: the facts attendance is computed from. Pure, fed entry by entry.

- A stay is one connection of one person while admitted: it begins when the connection is journaled or its person is let in, whichever is
  later, and ends when it closes, at its last life sign if the journal tells one, or when its person is sent out. Waiting is no stay.
- A connection found open after a crash was closed as `recovered`: its stay ends at the last life sign, or where there is none at the last
  entry before the crash. From the last sign of anybody to the entries that closed them the class stood still (an outage).
- Who is on the roster and never came is a person without stays; coming in makes the same entry somebody who came.
- Times never go back: an entry older than the one before it, as after a clock was set back, counts as simultaneous with it.
"""

from dataclasses import dataclass, field
from typing import Final

from signaling.classroom.base import Event
from signaling.classroom.expected import PersonExpected, PersonNotExpected
from signaling.classroom.ids import CheckId, ConnectionId, Millis, ParticipantId
from signaling.classroom.overrides import AttendanceOverridden
from signaling.classroom.participants import (
    ConnectionClosed,
    ConnectionOpened,
    ParticipantAdmitted,
    ParticipantDeclined,
    ParticipantJoined,
    RoleChanged,
)
from signaling.classroom.policies import UNSTAMPED, AttendancePolicy
from signaling.classroom.presence import CheckAnswered, CheckAsked, CheckOpened
from signaling.classroom.roles import Role
from signaling.classroom.sanctions import ParticipantRemoved
from signaling.classroom.seats import Seat
from signaling.classroom.session import BreakStarted, ClassEnded, ClassResumed, ClassStarted, SessionCreated
from signaling.classroom.tracks import CameraChanged, MicrophoneChanged, ScreenStopped

#: reasons after which coming back is no reconnect
_FOR_GOOD: Final = frozenset({"left", "removed", "banned", "declined"})
#: what closing a connection brings about before it; no sign that the node was alive earlier
_CONSEQUENCES: Final = (MicrophoneChanged, CameraChanged, ScreenStopped)


@dataclass(frozen=True, kw_only=True)
class Stay:
    """One connection counted from start to end, ms; `end` None while it lasts. `final`: left or sent out, so that no gap follows."""

    start: Millis
    end: Millis | None
    final: bool = False
    recovered: bool = False


@dataclass(frozen=True, kw_only=True)
class Override:
    """The newest decision of a person about somebody's attendance."""

    event: AttendanceOverridden
    by: ParticipantId | None
    at: Millis


@dataclass(kw_only=True)
class PersonLog:
    """What is known of one identity."""

    name: str
    role: Role
    #: whether the person ever took a seat and connected; who did not is known from the roster alone
    came: bool = False
    expected: bool = False
    #: whether staff ever decided about the person
    decided: bool = False
    admitted: bool = False
    stays: list[Stay] = field(default_factory=list)
    #: open connections: counted since when, None while their person waits
    open: dict[ConnectionId, Millis | None] = field(default_factory=dict)
    #: check -> whether it was answered
    checks: dict[CheckId, bool] = field(default_factory=dict)
    override: Override | None = None


@dataclass(kw_only=True)
class CheckLog:
    """One presence check of the class."""

    at: Millis
    until: Millis
    automatic: bool
    asked: int
    answered: int = 0


class PresenceLog:
    """Facts of one class up to the journal number `seq`."""

    def __init__(self) -> None:
        self.seq = 0
        self.title = ""
        self.policy: AttendancePolicy = UNSTAMPED
        self.started_at: Millis | None = None
        self.ended_at: Millis | None = None
        self.breaks: list[tuple[Millis, Millis]] = []
        self.break_since: Millis | None = None
        self.outages: list[tuple[Millis, Millis]] = []
        self.people: dict[ParticipantId, PersonLog] = {}
        self.checks: dict[CheckId, CheckLog] = {}
        self._now: Millis = 0
        self._alive_at: Millis = 0
        #: whether the entries since the last other one close what a crash left open
        self._recovering = False

    def feed(self, seq: int, at: Millis, by: ParticipantId | None, event: Event) -> None:
        """Take in the next entry; one that is known already changes nothing."""
        if seq <= self.seq:
            return
        self.seq, self._now = seq, max(at, self._now)
        self._take(self._now, by, event)
        recovered = isinstance(event, ConnectionClosed) and event.reason == "recovered"
        if not recovered and not isinstance(event, _CONSEQUENCES):
            self._alive_at, self._recovering = self._now, False

    def _take(self, at: Millis, by: ParticipantId | None, event: Event) -> None:
        match event:
            case SessionCreated():
                self.title, self.policy = event.title, event.policy or UNSTAMPED
            case ClassStarted():
                self.started_at = at
            case BreakStarted():
                self.break_since = at if self.break_since is None else self.break_since
            case ClassResumed():
                self._end_break(at)
            case ClassEnded():
                self._end_break(at)
                self.ended_at = at
            case CheckOpened():
                self.checks[event.check] = CheckLog(at=at, until=event.until, automatic=event.automatic, asked=event.asked)
            case CheckAsked():
                if (person := self.people.get(event.participant)) is not None:
                    person.checks[event.check] = False
            case CheckAnswered():
                self._answered(by, event.check)
            case AttendanceOverridden():
                if (person := self.people.get(event.participant)) is not None:
                    person.override = Override(event=event, by=by, at=at) if event.status is not None else None
                    person.decided = True
            case PersonExpected():
                listed = self.people.setdefault(event.participant, PersonLog(name=event.name, role=Role.TRAINEE))
                listed.expected = True
                if not listed.came:
                    listed.name = event.name
            case PersonNotExpected():
                self._struck(event.participant)
            case _:
                self._take_person(at, event)

    def _take_person(self, at: Millis, event: Event) -> None:
        match event:
            case ParticipantJoined():
                joined = self.people.setdefault(event.participant, PersonLog(name=event.name, role=event.role))
                joined.came = True
                joined.name, joined.role, joined.admitted = event.name, event.role, event.seat is Seat.ADMITTED
            case ConnectionOpened():
                if (person := self.people.get(event.participant)) is not None:
                    person.open.setdefault(event.connection, at if person.admitted else None)
            case ConnectionClosed():
                self._closed(at, event)
            case ParticipantAdmitted():
                if (person := self.people.get(event.participant)) is not None:
                    person.admitted = True
                    person.open = {connection: at if since is None else since for connection, since in person.open.items()}
            case RoleChanged():
                if (person := self.people.get(event.participant)) is not None:
                    person.role = event.who.role
            case ParticipantRemoved() | ParticipantDeclined():
                self._sent_out(at, event.participant)

    def _struck(self, participant: ParticipantId) -> None:
        person = self.people.get(participant)
        if person is None:
            return
        person.expected = False
        if not person.came:
            del self.people[participant]

    def _end_break(self, at: Millis) -> None:
        if self.break_since is not None:
            self.breaks.append((self.break_since, at))
            self.break_since = None

    def _answered(self, by: ParticipantId | None, check: CheckId) -> None:
        person = self.people.get(by) if by is not None else None
        if person is not None and person.checks.get(check) is False:
            person.checks[check] = True
            if check in self.checks:
                self.checks[check].answered += 1

    def _closed(self, at: Millis, event: ConnectionClosed) -> None:
        person = self.people.get(event.participant)
        if person is None or event.connection not in person.open:
            return
        since = person.open.pop(event.connection)
        recovered = event.reason == "recovered"
        seen = event.seen if event.seen is not None else self._alive_at if recovered else at
        end = min(max(seen, since or 0), at)
        if recovered:
            self._outage(min(max(seen, self._alive_at), at), at)
        if since is not None:
            person.stays.append(Stay(start=since, end=end, final=event.reason in _FOR_GOOD, recovered=recovered))

    def _outage(self, since: Millis, until: Millis) -> None:
        """The node was gone until now; of all connections closed for one crash the one heard last tells since when."""
        if self._recovering:
            since = max(since, self.outages.pop()[0])
        self.outages.append((since, until))
        self._recovering = True

    def _sent_out(self, at: Millis, participant: ParticipantId) -> None:
        person = self.people.get(participant)
        if person is None:
            return
        person.stays += [Stay(start=since, end=at, final=True) for since in person.open.values() if since is not None]
        person.open = dict.fromkeys(person.open)
        person.admitted = False
