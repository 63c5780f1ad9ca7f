"""Logs of attendance for tests: from a lesson that was played, or from single facts."""

from collections.abc import Iterable

from moderation.attendance import Attendance, evaluate
from moderation.presence_log import PresenceLog
from signaling.classroom.base import Event
from signaling.classroom.participants import ConnectionClosed, ConnectionOpened, ParticipantJoined
from signaling.classroom.roles import Role
from signaling.classroom.seats import Seat
from signaling.classroom.session import ClassStarted, EndClass, StartClass
from signaling.classroom.settings import Settings
from tests.support.classroom import Lesson

MINUTE = 60_000
T = 1_700_000_000_000
Fact = tuple[int, str | None, Event]


def read(facts: Iterable[Fact]) -> PresenceLog:
    log = PresenceLog()
    for seq, (at, by, event) in enumerate(facts, 1):
        log.feed(seq, at, by, event)
    return log


def of(lesson: Lesson, who: str, **options: object) -> Attendance:
    log = PresenceLog()
    for seq, origin, event in lesson.journal:
        log.feed(seq, origin.at, origin.by, event)
    return evaluate(log, now=lesson.now, only=who, **options)[0]  # type: ignore[arg-type]


def begun(settings: Settings | None = None) -> Lesson:
    """A class that starts with its trainer alone."""
    lesson = Lesson(settings=settings)
    lesson.join("tom", Role.TRAINER)
    lesson.do("tom", StartClass())
    return lesson


def wait(lesson: Lesson, minutes: float) -> None:
    lesson.pass_seconds(minutes * 60)


def over(lesson: Lesson, minutes: float = 0) -> None:
    wait(lesson, minutes)
    lesson.do("tom", EndClass())


def session_started() -> Event:
    return ClassStarted()


def joined(who: str, at: int) -> list[Fact]:
    return [
        (at, who, ParticipantJoined(participant=who, name=who, role=Role.TRAINEE, seat=Seat.ADMITTED)),
        (at, who, ConnectionOpened(participant=who, connection=f"{who}-1", first=True)),
    ]


def closed(who: str, connection: str, **more: object) -> Event:
    return ConnectionClosed(participant=who, connection=connection, reason="lost", last=True, **more)  # type: ignore[arg-type]
