"""A class without input and output, driven step by step: what the node's runner does, minus waiting and storing."""

from collections.abc import Sequence

from signaling.classroom import room as rooms
from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.errors import Rejected
from signaling.classroom.participants import Connect, Disconnect
from signaling.classroom.roles import Role
from signaling.classroom.seats import Participant
from signaling.classroom.session import StartClass
from signaling.classroom.settings import Profile, Settings
from signaling.messages import decode_event, encode_event

START = 1_700_000_000_000


class Lesson:
    """One class, its journal and a clock that moves when told."""

    def __init__(self, profile: Profile = Profile.SMALL, settings: Settings | None = None, session: str = "s1") -> None:
        created = rooms.create(session, "课", profile, settings)
        self.room = rooms.begin(created)
        self.now = START
        self.journal: list[tuple[int, Origin, Event]] = []
        self._record(Origin(at=self.now), created)

    def _record(self, origin: Origin, event: Event) -> None:
        stored = decode_event(encode_event(event))
        assert stored == event
        seq = self.room.seq + 1
        rooms.evolve(self.room, seq, origin, stored)
        self.journal.append((seq, origin, stored))

    def do(self, actor: str | None, command: Command, op: str | None = None) -> list[Event]:
        """Run a command; a resent operation causes nothing. Raises Rejected."""
        if actor is not None and op is not None and rooms.recent_op(self.room, actor, op) is not None:
            return []
        events = rooms.decide(self.room, Context(actor=actor, now=self.now, seq=self.room.seq + 1, chance=b"lesson"), command)
        for event in events:
            self._record(Origin(at=self.now, by=actor, op=op), event)
        return events

    def refusal(self, actor: str | None, command: Command) -> str | None:
        """The code a command is refused with, None if it was accepted (and done)."""
        try:
            self.do(actor, command)
        except Rejected as refused:
            return refused.code
        return None

    def join(self, who: str, role: Role = Role.TRAINEE, connection: str = "", name: str = "", likeness: str = "") -> list[Event]:
        """Open a connection of somebody."""
        return self.do(who, Connect(connection=connection or f"{who}-1", name=name or who.title(), role=role, likeness=likeness))

    def drop(self, who: str, connection: str | None = None, reason: str = "lost") -> list[Event]:
        """End a connection of somebody."""
        return self.do(who, Disconnect(connection=connection or f"{who}-1", reason=reason))

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * 1000)

    def __getitem__(self, who: str) -> Participant:
        return self.room.participants[who]


def live(profile: Profile = Profile.SMALL, trainees: Sequence[str] = ("ann", "bob"), settings: Settings | None = None) -> Lesson:
    """A running class of a trainer `tom`, an assistant `eve`, an inspector `ivy` and some trainees."""
    lesson = Lesson(profile, settings)
    lesson.join("tom", Role.TRAINER)
    lesson.join("eve", Role.ASSISTANT)
    lesson.join("ivy", Role.INSPECTOR)
    for trainee in trainees:
        lesson.join(trainee)
    lesson.do("tom", StartClass())
    return lesson


def kinds(events: Sequence[Event]) -> list[str]:
    """The types of events."""
    return [type(event).__name__ for event in events]
