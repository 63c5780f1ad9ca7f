"""From journal entries to statements: one table says which events are told outside, and how. Pure.

A new kind of event is one line in `HANDLERS` and one function: it folds the event into the class and returns what it tells. What is not
in the table is told to nobody, for a reason that `untold` names. What people wrote stays here: of a message only that it was posted, of
private ones and those among staff nothing. An answer to an anonymous poll is not told at all: its time beside a running tally would give
the author away.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from server.records import vocabulary as v
from server.records.checks import question_answered, question_asked
from server.records.fold import ClassFold, Draft, Entry, Person
from server.records.statements import Json, Site, activity, duration, encode, statement_id, text, timestamp, verb
from signaling.classroom.base import Event
from signaling.classroom.chat import Channel, ChatPosted
from signaling.classroom.hands import AllHandsLowered, HandLowered, HandRaised
from signaling.classroom.ids import ParticipantId, SessionId
from signaling.classroom.participants import (
    ConnectionClosed,
    ConnectionOpened,
    ParticipantAdmitted,
    ParticipantDeclined,
    ParticipantJoined,
    RoleChanged,
)
from signaling.classroom.polls import PollAnswered, PollOpened
from signaling.classroom.presence import CheckAnswered, CheckOpened
from signaling.classroom.reactions import Reacted
from signaling.classroom.recording import RecordingStarted, RecordingStopped
from signaling.classroom.sanctions import BanLifted, ParticipantRemoved
from signaling.classroom.seats import Seat
from signaling.classroom.session import ClassEnded, ClassStarted, SessionCreated
from signaling.classroom.tracks import CameraChanged, MicrophoneChanged, ScreenStarted, ScreenStopped

#: what closing a connection brings about before it; no sign that the node was alive earlier
_CONSEQUENCES: Final = (MicrophoneChanged, CameraChanged, ScreenStopped)
#: folds an event into the class and returns what it tells
Handler = Callable[[ClassFold, Entry, Any], list[Draft]]
#: the actor of a participant
Actors = Callable[[ParticipantId], Json]


class Statement(NamedTuple):
    """A finished statement: its id, the entry it came from, and the only bytes it will ever have."""

    id: str
    session: SessionId
    seq: int
    kind: str
    voids: str
    json: Json
    body: bytes


def _created(fold: ClassFold, entry: Entry, event: SessionCreated) -> list[Draft]:
    fold.title = event.title
    return []


def _started(fold: ClassFold, entry: Entry, event: ClassStarted) -> list[Draft]:
    return fold.opening(entry.by, entry.at)


def _ended(fold: ClassFold, entry: Entry, event: ClassEnded) -> list[Draft]:
    """Everybody has left when the class is over; who closes the connection later is told no second time."""
    gone = [fold.left(id, entry.at) for id, person in fold.people.items() if person.since is not None]
    opened = fold.opening(entry.by, entry.at)
    fold.ended_at = entry.at
    length = {"duration": duration(entry.at - (fold.initialized_at or entry.at))}
    over = Draft(kind="terminated", by=entry.by, verb=v.TERMINATED, object=fold.classroom(), at=entry.at, result=length)
    return [*opened, *gone, over]


def _seated(fold: ClassFold, entry: Entry, event: ParticipantJoined) -> list[Draft]:
    person = fold.people.setdefault(event.participant, Person(seat=event.seat, role=event.role))
    person.seat, person.role = event.seat, event.role
    return fold.arrivals(event.participant, entry.at)


def _opened(fold: ClassFold, entry: Entry, event: ConnectionOpened) -> list[Draft]:
    fold.people[event.participant].connections += 1
    return fold.arrivals(event.participant, entry.at)


def _closed(fold: ClassFold, entry: Entry, event: ConnectionClosed) -> list[Draft]:
    """Who is gone with it left when the last of the connections was last alive, as attendance counts."""
    person = fold.people[event.participant]
    person.connections -= 1
    seen = event.seen if event.seen is not None else fold.alive_at if event.reason == "recovered" else entry.at
    person.seen = max(person.seen, seen)
    return fold.arrivals(event.participant, min(max(person.seen, person.since or 0), entry.at))


def _role(fold: ClassFold, entry: Entry, event: RoleChanged) -> list[Draft]:
    fold.people[event.participant].role = event.who.role
    return []


def _seat(seat: Seat) -> Handler:
    def handle(fold: ClassFold, entry: Entry, event: Any) -> list[Draft]:
        fold.people[event.participant].seat = seat
        return fold.arrivals(event.participant, entry.at)

    return handle


def _removed(fold: ClassFold, entry: Entry, event: ParticipantRemoved) -> list[Draft]:
    fold.people[event.participant].seat = Seat.BANNED if event.banned else Seat.REMOVED
    return fold.arrivals(event.participant, entry.at)


def _asked(fold: ClassFold, entry: Entry, event: PollOpened) -> list[Draft]:
    if event.anonymous:
        fold.anonymous.add(event.poll)
    choices = [{"id": str(index), "description": text(option)} for index, option in enumerate(event.options)]
    question = fold.part(v.INTERACTION, "poll", event.poll, interactionType="choice", description=text(event.question), choices=choices)
    return [Draft(kind="asked", by=entry.by, verb=v.ASKED, object=question, at=entry.at, inner=True)]


def _answered(fold: ClassFold, entry: Entry, event: PollAnswered) -> list[Draft]:
    if event.poll in fold.anonymous:
        return []
    question = fold.part(v.INTERACTION, "poll", event.poll, interactionType="choice")
    result = {"response": "[,]".join(map(str, event.choices))}
    return [Draft(kind="answered", by=entry.by, verb=v.ANSWERED, object=question, at=entry.at, inner=True, result=result)]


def _posted(fold: ClassFold, entry: Entry, event: ChatPosted) -> list[Draft]:
    if event.channel is not Channel.EVERYONE:
        return []
    message = fold.part(v.MESSAGE, "message", event.message)
    return [Draft(kind="posted", by=entry.by, verb=v.POSTED, object=message, at=entry.at, inner=True)]


def _emoji(fold: ClassFold, entry: Entry, by: ParticipantId | None, verb: str, emoji: str, *, telemetry: bool = False) -> Draft:
    result = {"extensions": {v.EMOJI: emoji}}
    kind = f"{v.DISPLAY[verb]}/{by}"
    return Draft(kind=kind, by=by, verb=verb, object=fold.classroom(), at=entry.at, result=result, telemetry=telemetry)


def _reacted(fold: ClassFold, entry: Entry, event: Reacted) -> list[Draft]:
    return [_emoji(fold, entry, entry.by, v.REACTED, v.EMOJIS[event.reaction], telemetry=True)]


def _hand_up(fold: ClassFold, entry: Entry, event: HandRaised) -> list[Draft]:
    fold.hands.append(event.participant)
    return [_emoji(fold, entry, event.participant, v.REACTED, v.HAND)]


def _hand_down(fold: ClassFold, entry: Entry, event: HandLowered) -> list[Draft]:
    fold.hands.remove(event.participant)
    return [_emoji(fold, entry, event.participant, v.UNREACTED, v.HAND)]


def _hands_down(fold: ClassFold, entry: Entry, event: AllHandsLowered) -> list[Draft]:
    hands, fold.hands = fold.hands, []
    return [_emoji(fold, entry, participant, v.UNREACTED, v.HAND) for participant in hands]


def _device(type: str, on: str, off: str) -> Handler:
    name = type.rpartition("/")[2]

    def handle(fold: ClassFold, entry: Entry, event: Any) -> list[Draft]:
        verb = on if getattr(event, "on", isinstance(event, ScreenStarted)) else off
        device, kind = fold.part(type, name), f"{name}/{v.DISPLAY[verb]}"
        return [Draft(kind=kind, by=event.participant, verb=verb, object=device, at=entry.at, inner=True, telemetry=True)]

    return handle


def _recorded(verb: str) -> Handler:
    """The profile has no verb for recordings: as a device that is switched, the recording as the video it becomes."""

    def handle(fold: ClassFold, entry: Entry, event: RecordingStarted | RecordingStopped) -> list[Draft]:
        video = fold.part(v.VIDEO, "recording", event.recording)
        return [Draft(kind=f"recording/{v.DISPLAY[verb]}", by=entry.by, verb=verb, object=video, at=entry.at, inner=True)]

    return handle


_micro: Final = _device(v.MICRO, v.STARTED, v.STOPPED)
_camera: Final = _device(v.CAMERA, v.STARTED, v.STOPPED)
_screen: Final = _device(v.SCREEN, v.SHARED, v.UNSHARED)

HANDLERS: Final[Mapping[type[Event], Handler]] = MappingProxyType(
    {
        SessionCreated: _created,
        ClassStarted: _started,
        ClassEnded: _ended,
        ParticipantJoined: _seated,
        ParticipantAdmitted: _seat(Seat.ADMITTED),
        ParticipantDeclined: _seat(Seat.DECLINED),
        ParticipantRemoved: _removed,
        BanLifted: _seat(Seat.REMOVED),
        RoleChanged: _role,
        ConnectionOpened: _opened,
        ConnectionClosed: _closed,
        PollOpened: _asked,
        PollAnswered: _answered,
        CheckOpened: lambda fold, entry, event: question_asked(fold, entry, "check", event.check),
        CheckAnswered: lambda fold, entry, event: question_answered(fold, entry, "check", event.check),
        ChatPosted: _posted,
        Reacted: _reacted,
        HandRaised: _hand_up,
        HandLowered: _hand_down,
        AllHandsLowered: _hands_down,
        MicrophoneChanged: _micro,
        CameraChanged: _camera,
        ScreenStarted: _screen,
        ScreenStopped: _screen,
        RecordingStarted: _recorded(v.STARTED),
        RecordingStopped: _recorded(v.STOPPED),
    }
)


def drafts(fold: ClassFold, entry: Entry) -> list[Draft]:
    """Fold the entry into its class; returns what it tells, in order."""
    handler = HANDLERS.get(type(entry.event))
    told = handler(fold, entry, entry.event) if handler else []
    fold.seq = entry.seq
    recovered = isinstance(entry.event, ConnectionClosed) and entry.event.reason == "recovered"
    if not recovered and not isinstance(entry.event, _CONSEQUENCES):
        fold.alive_at = entry.at
    return told


def finish(site: Site, session: SessionId, seq: int, draft: Draft, actors: Actors) -> Statement:
    """Put a statement together and fix its bytes."""
    id = statement_id(site, session, seq, draft.kind)
    activities: Json = {"category": [{"id": v.PROFILE, "definition": {"type": v.PROFILE_TYPE}}]}
    if draft.inner:
        activities["parent"] = [activity(site.activity(session), v.CLASSROOM)]
    context: Json = {
        "registration": site.uuid("registration", session),
        "contextActivities": activities,
        "extensions": {v.SESSION_ID: site.uuid("run", session), **draft.extensions},
    }
    statement: Json = {
        "id": id,
        "actor": site.node() if draft.by is None else actors(draft.by),
        "verb": verb(draft.verb),
        "object": draft.object,
        "context": context,
        "timestamp": timestamp(draft.at),
    }
    if draft.result is not None:
        statement["result"] = draft.result
    return Statement(id, session, seq, draft.kind, draft.voids, statement, encode(statement))
