"""What happened in a recorded class beside its media: a pure function from the class's log to the files a replay follows.

The timeline holds what everybody in class could see, and nothing else: it is a *public view* of the room (`_view`), written down as its
changes. A change carries the whole new value of what changed, so applying one twice does no harm.

- People are those everybody had listed: all admitted people of a small class, staff, inspectors and the stage of a large one; hands in
  small classes only. Who waited, was declined or sent out is not there.
- Chat is the channel `everyone`, from the start of the recording on. A message deleted later, even after the recording, has no text.
- A poll is there once opened, with its tally once revealed: as it stood at the reveal and at the close. Answers are in no file.
- Microphones and cameras are told by the media alone, and the screen of a person left out of the recording is never told, so that nobody
  can derive who is left out. A person left out stays in the list and in the chat, as in class.

Times are milliseconds since the recording's start by the log's `at`; where the clock behind that was set in class, by the media's clock, as
their journal tells (recording.moments). chunks[i] holds the changes from i * CHUNK_MS on, snapshots[k] the state before the changes at
k * SNAPSHOT_MS, so that a seek costs one snapshot and at most four chunks.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec

from recording.manifest import CHUNK_MS, SNAPSHOT_MS, Moment
from signaling.classroom import room as classroom
from signaling.classroom.audience import LANES, audience
from signaling.classroom.base import Event, Origin
from signaling.classroom.chat import ChatDeleted, ChatPosted
from signaling.classroom.ids import MessageId, Millis, ParticipantId, PollId
from signaling.classroom.polls import PollClosed, PollOpened, PollRevealed, PollState
from signaling.classroom.recording import RecordingStarted, RecordingStopped
from signaling.classroom.roles import Role
from signaling.classroom.seats import Seat
from signaling.classroom.session import SessionCreated
from signaling.classroom.settings import Phase, Profile
from signaling.classroom.state import Room

#: messages a snapshot keeps; the chunks keep all
MAX_MESSAGES: Final = 200
#: a clock that is off by less was not set: an entry is noted a little later than it came
_SET_MS: Final = 1_000
_INSIDE: Final = frozenset(LANES) - {"waiting", "out"}

LogEntry: TypeAlias = tuple[int, Origin, Event]


class PersonShown(msgspec.Struct, frozen=True, kw_only=True, tag="person", omit_defaults=True):
    """A person as everybody sees them; hand is since when (ms) it is up."""

    id: ParticipantId
    name: str
    role: Role
    present: bool = False
    on_stage: bool = False
    hand: int | None = None


class PersonGone(msgspec.Struct, frozen=True, kw_only=True, tag="gone"):
    """This person is not listed any more."""

    id: ParticipantId


class SceneShown(msgspec.Struct, frozen=True, kw_only=True, tag="scene", omit_defaults=True):
    """The class as a whole: its phase, who is large (None: automatic), whose screen is shown."""

    phase: Phase
    main: ParticipantId | None = None
    screen: ParticipantId | None = None


class MessageShown(msgspec.Struct, frozen=True, kw_only=True, tag="message", omit_defaults=True):
    """A chat message to everybody; text is empty if it was deleted."""

    id: MessageId
    by: ParticipantId
    name: str
    role: Role
    text: str = ""
    deleted: bool = False


class PollShown(msgspec.Struct, frozen=True, kw_only=True, tag="poll", omit_defaults=True):
    """A poll as everybody sees it; tally and voters once it was revealed."""

    id: PollId
    question: str
    options: list[str]
    state: PollState
    multiple: bool = False
    anonymous: bool = False
    tally: list[int] | None = None
    voters: int | None = None


Shown: TypeAlias = PersonShown | PersonGone | SceneShown | MessageShown | PollShown


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What was to be seen from `at` (ms) on."""

    at: int
    what: Shown


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message and when (ms) it was posted."""

    at: int
    what: MessageShown


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is to be seen at a moment; polls in order of opening, the last MAX_MESSAGES of the chat."""

    scene: SceneShown
    people: dict[ParticipantId, PersonShown]
    polls: dict[PollId, PollShown]
    chat: list[Message]


class Built(NamedTuple):
    """A whole timeline before it is written."""

    started_at: Millis
    title: str
    changes: list[Change]
    first: State
    #: those of the moments that say when the log's clock was set
    moments: Sequence[Moment] = ()


class NoSuchRecording(Exception):
    """The log has no recording of that name."""


def build(entries: Sequence[LogEntry], recording: str, duration_ms: int | None = None, moments: Sequence[Moment] = ()) -> Built:
    """The timeline of a recording from the class's whole log, up to its end or at most duration_ms. Raises NoSuchRecording."""
    deleted = {event.message for _, _, event in entries if isinstance(event, ChatDeleted)}
    walk = _walk(entries, recording)
    found = next(walk, None)
    if found is None:
        raise NoSuchRecording(recording)
    room, origin, _ = found
    clock = _Clock(origin.at, _settings(entries, origin.at, moments))
    seen = _view(room, clock)
    polls = {} if room.open_poll is None else {room.open_poll: _poll(room, room.open_poll)}
    first = State(scene=seen.scene, people=seen.people, polls=polls, chat=[])
    changes: list[Change] = []
    for room, origin, event in walk:
        last = clock.place(room.seq, origin.at)
        if duration_ms is not None and last > duration_ms:
            break
        now = _view(room, clock)
        changes += [Change(at=last, what=what) for what in (*_differences(seen, now), *_said(room, origin, event, deleted))]
        seen = now
    return Built(clock.started_at, room.title, changes, first, tuple(moment for setting in clock.settings for moment in setting.moments))


def apply(state: State, changes: Sequence[Change]) -> State:
    """The state after some changes."""
    scene, people, polls, chat = state.scene, dict(state.people), dict(state.polls), list(state.chat)
    for change in changes:
        what = change.what
        if isinstance(what, SceneShown):
            scene = what
        elif isinstance(what, PersonShown):
            people[what.id] = what
        elif isinstance(what, PersonGone):
            people.pop(what.id, None)
        elif isinstance(what, PollShown):
            polls[what.id] = what
        else:
            chat.append(Message(at=change.at, what=what))
    return State(scene=scene, people=people, polls=polls, chat=chat[-MAX_MESSAGES:])


def files(built: Built, duration_ms: int) -> tuple[list[bytes], list[bytes]]:
    """(chunks, snapshots) as JSON, in order, over the whole duration."""
    count = max(1, -(-duration_ms // CHUNK_MS))
    chunks: list[list[Change]] = [[] for _ in range(count)]
    for change in built.changes:
        chunks[min(change.at // CHUNK_MS, count - 1)].append(change)
    state, snapshots = built.first, []
    for number, chunk in enumerate(chunks):
        if number * CHUNK_MS % SNAPSHOT_MS == 0:
            snapshots.append(msgspec.json.encode(state))
        state = apply(state, chunk)
    return [msgspec.json.encode(chunk) for chunk in chunks], snapshots


def read_chunk(data: bytes) -> list[Change]:
    """The changes of a chunk file; raises msgspec.ValidationError."""
    return msgspec.json.decode(data, type=list[Change])


def read_snapshot(data: bytes) -> State:
    """The state of a snapshot file; raises msgspec.ValidationError."""
    return msgspec.json.decode(data, type=State)


# ---- the clock ----


class _Setting(NamedTuple):
    """Behind this entry the log's clock is so far ahead of the media's; and the moments that say so."""

    behind: int
    ahead_ms: int
    moments: tuple[Moment, ...]


def _settings(entries: Sequence[LogEntry], started_at: Millis, moments: Sequence[Moment]) -> list[_Setting]:
    at = {seq: origin.at for seq, origin, _ in entries} if moments else {}
    found: list[_Setting] = []
    ahead, before = 0, (0, 0)
    for moment in moments:
        seq, ms = moment
        if seq not in at:
            continue
        now = at[seq] - started_at - ms
        if abs(now - ahead) >= _SET_MS:
            ahead = now
            found.append(_Setting(before[0], ahead, (before, moment) if before[0] else (moment,)))
        before = moment
    return found


class _Clock:
    """The media's clock, told by the log's."""

    def __init__(self, started_at: Millis, settings: list[_Setting]) -> None:
        self.started_at = started_at
        self.settings = settings
        self._waiting = deque(settings)
        self._ahead = 0
        self._last = 0
        #: what of the log was placed, by its time
        self._placed: dict[Millis, int] = {}

    def place(self, seq: int, at: Millis) -> int:
        """When the next entry came; times only grow."""
        while self._waiting and seq > self._waiting[0].behind:
            self._ahead = self._waiting.popleft().ahead_ms
        self._last = self._placed[at] = max(self._last, at - self.started_at - self._ahead)
        return self._last

    def since(self, at: Millis) -> int:
        """When something came that the log has at this time; 0 if that was before."""
        return self._placed.get(at, max(0, at - self.started_at))


# ---- the public view ----


class _Seen(NamedTuple):
    scene: SceneShown
    people: dict[ParticipantId, PersonShown]


def _walk(entries: Sequence[LogEntry], recording: str) -> Iterator[tuple[Room, Origin, Event]]:
    """The room after each entry of the recording, the one that began it included; the same room, evolving."""
    room: Room | None = None
    on = False
    for seq, origin, event in entries:
        if room is None:
            if not isinstance(event, SessionCreated):
                return
            room = classroom.begin(event)
        classroom.evolve(room, seq, origin, event)
        on = on or (isinstance(event, RecordingStarted) and event.recording == recording)
        if on:
            yield room, origin, event
        if isinstance(event, RecordingStopped) and event.recording == recording:
            return


def _view(room: Room, clock: _Clock) -> _Seen:
    small = room.profile is Profile.SMALL
    listed = room.participants if small else dict.fromkeys([*room.crew, *room.stage])
    people: dict[ParticipantId, PersonShown] = {}
    for id in listed:
        person = room.participants[id]
        if person.seat is Seat.ADMITTED:
            hand = clock.since(person.hand_at) if small and person.hand_at is not None else None
            people[id] = PersonShown(id=id, name=person.name, role=person.role, present=person.present, on_stage=person.on_stage, hand=hand)
    screen = None if room.screen in room.left_out else room.screen
    return _Seen(SceneShown(phase=room.phase, main=room.main, screen=screen), people)


def _differences(before: _Seen, now: _Seen) -> Iterator[Shown]:
    for id, person in now.people.items():
        if before.people.get(id) != person:
            yield person
    for id in before.people:
        if id not in now.people:
            yield PersonGone(id=id)
    if before.scene != now.scene:
        yield now.scene


def _said(room: Room, origin: Origin, event: Event, deleted: set[MessageId]) -> Iterator[Shown]:
    """What an event that everybody was told of says beside the view."""
    if not audience(room, origin, event).lanes >= _INSIDE:
        return
    if isinstance(event, ChatPosted) and origin.by is not None:
        gone = event.message in deleted
        yield MessageShown(id=event.message, by=origin.by, name=event.name, role=event.role, text="" if gone else event.text, deleted=gone)
    elif isinstance(event, PollOpened | PollClosed | PollRevealed):
        yield _poll(room, event.poll)


def _poll(room: Room, id: PollId) -> PollShown:
    poll = room.polls[id]
    return PollShown(
        id=id,
        question=poll.question,
        options=poll.options,
        multiple=poll.multiple,
        anonymous=poll.anonymous,
        state=poll.state,
        tally=list(poll.tally) if poll.revealed else None,
        voters=poll.voters if poll.revealed else None,
    )
