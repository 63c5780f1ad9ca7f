"""A class in memory by the real classroom core: commands in, events told to followers; the runner without journal and sockets."""

from collections.abc import Callable

from signaling.classroom import room as core
from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.ids import ParticipantId
from signaling.classroom.participants import Connect, Disconnect
from signaling.classroom.roles import Role
from signaling.classroom.session import StartClass
from signaling.classroom.settings import Profile, Settings
from signaling.classroom.state import Room


class Lesson:
    """One class; `followers` hear (room, event) after every event."""

    def __init__(self, session: str = "class-1", profile: Profile = Profile.SMALL, settings: Settings | None = None) -> None:
        self.now = 1_000_000
        self.followers: list[Callable[[Room, Event], None]] = []
        created = core.create(session, "Knots", profile, settings)
        self.room: Room = core.begin(created)
        self._apply(None, created)

    def _apply(self, by: ParticipantId | None, event: Event) -> None:
        core.evolve(self.room, self.room.seq + 1, Origin(at=self.now, by=by), event)
        for follower in self.followers:
            follower(self.room, event)

    def do(self, actor: ParticipantId | None, command: Command) -> list[Event]:
        """Decide and apply; raises Rejected."""
        self.now += 1
        events = core.decide(self.room, Context(actor=actor, now=self.now, seq=self.room.seq + 1), command)
        for event in events:
            self._apply(actor, event)
        return events

    def join(self, name: str, role: Role = Role.TRAINEE, connection: str | None = None) -> ParticipantId:
        """A person comes in by one connection, named like the person unless said otherwise."""
        self.do(name, Connect(connection=connection or name, name=name, role=role))
        return name

    def leave(self, name: str, connection: str | None = None) -> None:
        self.do(name, Disconnect(connection=connection or name, reason="lost"))

    def start(self, trainer: ParticipantId) -> None:
        self.do(trainer, StartClass())
