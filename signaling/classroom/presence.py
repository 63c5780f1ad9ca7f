"""Presence checks: a question only somebody at the screen answers, with a nonce of its own per check and person, and a short window.

- Staff start a check while the class is live, or let the node start them at random times (`schedule_checks`): the interval and how far it
  varies come from the class's policy, the chance from the context. A check started by hand sets the next automatic one anew. On a break,
  while another check runs and with nobody there the automatic one is put off by one interval.
- Asked are the trainees present at that moment, at most 2,000 drawn by chance. Each is told of the own nonce alone; staff and inspectors
  see how many were asked and who has answered.
- An answer carries the nonce and counts once, up to the last millisecond of the window, whatever the phase and also when the class is
  frozen. Who speaks for another would need that person's seat; a nonce alone opens nothing.
- The newest check of a person stays in the state: a page loaded anew shows it with the time left.
"""

from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import msgspec

from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import CheckId, Millis, ParticipantId
from signaling.classroom.policies import AttendancePolicy
from signaling.classroom.roles import Role
from signaling.classroom.seats import Asked, Participant, Seat, member
from signaling.classroom.settings import Phase

if TYPE_CHECKING:
    from signaling.classroom.state import Room

MAX_ASKED: Final = 2_000
Nonce: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Check(msgspec.Struct, kw_only=True, omit_defaults=True):
    """State of the newest check; who was asked is kept with each person."""

    id: CheckId
    opened_at: Millis
    until: Millis
    asked: int
    automatic: bool = False
    answered: list[ParticipantId] = msgspec.field(default_factory=list)


class StartCheck(Command, frozen=True, kw_only=True, tag="start_check"):
    """Ask every trainee present to answer within some seconds (the policy's if absent). From the node itself: start the one that is due."""

    window_s: Annotated[int, msgspec.Meta(ge=10, le=300)] | None = None


class ScheduleChecks(Command, frozen=True, kw_only=True, tag="schedule_checks"):
    """Let the node start checks at random times, or stop that."""

    on: bool


class AnswerCheck(Command, frozen=True, kw_only=True, tag="answer_check"):
    """I am here. The nonce is the one this person was told with the check."""

    check: CheckId
    nonce: Nonce


class CheckOpened(Event, frozen=True, kw_only=True, tag="check_opened"):
    """So many people were asked, until then; staff and inspectors only. View: check = this one, nonce = null, mine = false, answered =
    []."""

    check: CheckId
    until: Millis
    asked: int
    automatic: bool = False


class CheckAsked(Event, frozen=True, kw_only=True, tag="check_asked"):
    """One person is asked, told to that person only. View: check = this one, mine = false, asked and answered = null."""

    participant: ParticipantId
    check: CheckId
    nonce: Nonce
    until: Millis


class CheckAnswered(Event, frozen=True, kw_only=True, tag="check_answered"):
    """An answer in time (by its author), told to staff, inspectors and the author. View: if it is the check shown: append the author to
    answered where that is not null; mine = true for the author."""

    check: CheckId


class ChecksScheduled(Event, frozen=True, kw_only=True, tag="checks_scheduled"):
    """When the next automatic check is due, null = never; staff only. View: checks_at = at."""

    at: Millis | None = None


def due(room: "Room") -> Millis | None:
    """When the node should ask for `StartCheck` by itself; None = never."""
    return None if room.phase is Phase.ENDED else room.checks_at


def decide_start(room: "Room", context: Context, command: StartCheck) -> list[Event]:
    # A wall clock that was set back makes nobody wait for a check of its future.
    running = room.check is not None and room.check.opened_at <= context.now <= room.check.until
    present = [person for person in room.participants.values() if _may_be_asked(person)]
    if context.actor is None:
        if room.checks_at is None or context.now < room.checks_at:
            return []
        if running or room.phase is not Phase.LIVE or not present:
            return [_next(room.policy, context)]
    elif room.phase is not Phase.LIVE:
        raise Rejected("wrong_phase")
    elif running:
        raise Rejected("check_running")
    return _opened(room, context, present, command.window_s or room.policy.check_window_s)


def decide_schedule(room: "Room", context: Context, command: ScheduleChecks) -> list[Event]:
    if command.on == (room.checks_at is not None):
        return []
    return [_next(room.policy, context) if command.on else ChecksScheduled()]


def decide_answer(room: "Room", context: Context, command: AnswerCheck) -> list[Event]:
    asked = member(room, context).asked
    if asked is None or asked.check != command.check:
        raise Rejected("no_such_check")
    if asked.nonce != command.nonce:
        raise Rejected("wrong_nonce")
    if asked.answered:
        raise Rejected("already_answered")
    if context.now > asked.until:
        raise Rejected("check_over")
    return [CheckAnswered(check=command.check)]


def _may_be_asked(person: Participant) -> bool:
    return person.role is Role.TRAINEE and person.seat is Seat.ADMITTED and person.present


def _opened(room: "Room", context: Context, present: list[Participant], window_s: int) -> list[Event]:
    check, until = f"k{context.seq}", context.now + window_s * 1_000
    nonces = {person.id: _digest(context, check, person.id) for person in present}
    asked = list(nonces) if len(nonces) <= MAX_ASKED else sorted(nonces, key=nonces.__getitem__)[:MAX_ASKED]
    opened = CheckOpened(check=check, until=until, asked=len(asked), automatic=context.actor is None)
    told: list[Event] = [CheckAsked(participant=id, check=check, nonce=nonces[id], until=until) for id in asked]
    return [opened, *told, *([_next(room.policy, context)] if room.checks_at is not None else [])]


def _next(policy: AttendancePolicy, context: Context) -> ChecksScheduled:
    share = int(_digest(context, "next", ""), 16) / 2**96
    return ChecksScheduled(at=context.now + int(policy.check_every_s * 1_000 * (1 + policy.check_jitter * (2 * share - 1))))


def _digest(context: Context, what: str, who: str) -> str:
    """96 bits that nobody can tell who does not know the context's chance."""
    return blake2b(f"{what}/{who}/{context.seq}".encode(), key=context.chance[:64], digest_size=12).hexdigest()


def evolve_opened(room: "Room", seq: int, origin: Origin, event: CheckOpened) -> None:
    room.check = Check(id=event.check, opened_at=origin.at, until=event.until, asked=event.asked, automatic=event.automatic)


def evolve_asked(room: "Room", seq: int, origin: Origin, event: CheckAsked) -> None:
    room.participants[event.participant].asked = Asked(check=event.check, nonce=event.nonce, at=origin.at, until=event.until)


def evolve_answered(room: "Room", seq: int, origin: Origin, event: CheckAnswered) -> None:
    person = room.participants.get(origin.by or "")
    if person is not None and person.asked is not None:
        person.asked.answered = True
        if room.check is not None and room.check.id == event.check:
            room.check.answered.append(person.id)


def evolve_scheduled(room: "Room", seq: int, origin: Origin, event: ChecksScheduled) -> None:
    room.checks_at = event.at
