"""A class with clients: who connects folds what the node would send, may sleep and resume, and must never hear others' secrets."""

import msgspec
from msgspec.structs import replace

from signaling import messages
from signaling.classroom import audience, chat
from signaling.classroom.base import Event, Origin
from signaling.classroom.ids import ParticipantId
from signaling.classroom.polls import PollState
from signaling.classroom.roles import STAFF
from signaling.classroom.seats import Seat
from signaling.classroom.settings import Profile, Settings
from signaling.classroom.view import ParticipantView, PollView, RoomView
from tests.support.classroom import Lesson
from tests.support.fold import fold


class Told:
    """One viewer's client: its view, and the number it stands at. A sleeping client hears nothing until it resumes."""

    def __init__(self, view: RoomView) -> None:
        self.view = view
        self.asleep_at: int | None = None


class ClassLesson(Lesson):
    """A class with clients for everybody who is connected, and a record of what each must never hear."""

    def __init__(self, profile: Profile, class_settings: Settings, name: str) -> None:
        self.clients: dict[ParticipantId, Told] = {}
        #: private and staff texts: whether staff may see it, and who may beside them
        self.secrets: dict[str, tuple[bool, set[ParticipantId | None]]] = {}
        self.admitted_once: set[ParticipantId] = set()
        super().__init__(profile, class_settings, name)

    def _record(self, origin: Origin, event: Event) -> None:
        stood = len(self.room.stage)
        super()._record(origin, event)
        assert len(self.room.stage) <= max(stood, self.room.settings.stage_size), "the stage grew beyond its size"
        if isinstance(event, chat.ChatPosted) and event.channel is not chat.Channel.EVERYONE:
            self.secrets[event.text] = (event.channel is chat.Channel.STAFF, {origin.by, event.to})
        self.admitted_once |= {id for id, person in self.room.participants.items() if person.seat is Seat.ADMITTED}
        seq = self.journal[-1][0]
        for viewer, client in self.clients.items():
            if client.asleep_at is None:
                self._tell(viewer, client, seq, origin, event)
        for id, person in self.room.participants.items():
            if not person.present:
                self.sleep(id)
            elif id not in self.clients:
                self.clients[id] = Told(self._snapshot(id))

    def _tell(self, viewer: ParticipantId, client: Told, seq: int, origin: Origin, event: Event) -> None:
        if audience.visible(self.room, viewer, origin, event):
            redacted = audience.redact(self.room, audience.lane_of(self.room, viewer), event)
            self.check_secrecy(viewer, messages.encode_entry(seq, origin, redacted))
            client.view = fold(client.view, seq, origin.at, origin.by, redacted)
        if audience.relocated(event) == viewer:
            client.view = self._snapshot(viewer)

    def _snapshot(self, viewer: ParticipantId) -> RoomView:
        view = audience.view_for(self.room, viewer)
        self.check_secrecy(viewer, msgspec.msgpack.encode(view))
        return view

    def sleep(self, viewer: ParticipantId) -> None:
        """A client loses touch, whether the node knows it or not."""
        client = self.clients.get(viewer)
        if client is not None and client.asleep_at is None:
            client.asleep_at = self.room.seq

    def wake(self, viewer: ParticipantId) -> None:
        """Resume a sleeping client: the missed events, or a snapshot where a resume is not allowed."""
        client = self.clients.get(viewer)
        if client is None or client.asleep_at is None or not self.room.participants[viewer].present:
            return
        after, client.asleep_at = client.asleep_at, None
        if not audience.can_resume(self.room, viewer, after):
            client.view = self._snapshot(viewer)
            return
        for seq, origin, event in self.journal[after:]:
            self._tell(viewer, client, seq, origin, event)

    def check_secrecy(self, viewer: ParticipantId, told: bytes) -> None:
        is_staff = self.room.participants[viewer].role in STAFF
        for text, (to_staff, ends) in self.secrets.items():
            if viewer not in ends and not (to_staff and is_staff):
                assert text.encode() not in told, f"{viewer} was told {text}"
        if not is_staff:
            for id, person in self.room.participants.items():
                if id not in self.admitted_once and id != viewer:
                    assert id.encode() not in told, f"{viewer} learned that {id} waits: {told!r}"
                    assert person.name.encode() not in told
        assert b"\xa2op" not in told, "an operation id left the node"


def comparable(view: RoomView, profile: Profile) -> RoomView:
    """A view without what is told by signals: running tallies, and the count of people in a large class."""

    def settled(poll: PollView) -> PollView:
        return replace(poll, tally=None, voters=None) if poll.state is PollState.OPEN else poll

    def by_id(listed: list[ParticipantView]) -> list[ParticipantView]:
        return sorted(listed, key=lambda person: person.id)

    return replace(
        view,
        seq=0,
        chat=view.chat[-audience.SNAPSHOT_MESSAGES[profile] :],
        present=view.present if profile is Profile.SMALL else 0,
        participants=by_id(view.participants),
        polls=[settled(poll) for poll in view.polls],
    )
