"""What of a class's log is personal, and the log with one person made nobody. Pure.

`PERSONAL` is the only place that knows: it says for every field of every event what it tells of whom. Who is erased keeps a place in the
log, under a made-up id and the name `NOBODY`, so that everything others did, and every count, stays what it was. What that person wrote,
and the reasons others gave for a decision about that person, become `GONE`. Questions and answers of polls stay whoever asked them:
others' answers mean nothing without them. What others wrote stays theirs, also where it mentions somebody.
"""

import enum
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from signaling.classroom import (
    chat,
    erasure,
    expected,
    hands,
    overrides,
    participants,
    polls,
    presence,
    reactions,
    recording,
    replay_access,
    sanctions,
    session,
    stage,
    tracks,
)
from signaling.classroom.base import Event
from signaling.classroom.ids import ParticipantId
from signaling.classroom.seats import Person

#: the name of who was erased; a sign that needs no language, since names are never empty
NOBODY: Final = "\u2014"
#: what stands where a text was; texts are never empty either
GONE: Final = "\u2014"


class Kind(enum.Enum):
    """What a field tells of a person."""

    PLAIN = enum.auto()  # nothing
    ID = enum.auto()  # a participant, or None
    WHO = enum.auto()  # how the event's participant is introduced
    NAME = enum.auto()  # the name of the event's participant, else of its author
    LIKENESS = enum.auto()  # the same folded
    WRITTEN = enum.auto()  # free text of the author
    ABOUT = enum.auto()  # free text of the author about the event's participant
    COMMON = enum.auto()  # free text that belongs to the class


_ABOUT_ONE: Final = {"participant": Kind.ID}
_INTRODUCED: Final = {"participant": Kind.ID, "who": Kind.WHO}
_POLL: Final = {
    "poll": Kind.PLAIN,
    "question": Kind.COMMON,
    "options": Kind.COMMON,
    "multiple": Kind.PLAIN,
    "anonymous": Kind.PLAIN,
}


def _one(**more: Kind) -> dict[str, Kind]:
    return _ABOUT_ONE | more


def _plain(*names: str) -> dict[str, Kind]:
    return dict.fromkeys(names, Kind.PLAIN)


PERSONAL: Final[Mapping[type[Event], Mapping[str, Kind]]] = MappingProxyType(
    {
        session.SessionCreated: {"title": Kind.COMMON, **_plain("session", "profile", "settings", "starts_at", "policy", "replay")},
        session.LobbyOpened: {},
        session.ClassStarted: {},
        session.BreakStarted: _plain("until"),
        session.ClassResumed: {},
        session.ClassEnded: {},
        session.SettingsChanged: _plain("settings"),
        participants.ParticipantJoined: _one(
            name=Kind.NAME, likeness=Kind.LIKENESS, **_plain("role", "seat", "on_stage", "imitates", "permissions")
        ),
        participants.ConnectionOpened: _one(**_plain("connection", "first")),
        participants.ConnectionClosed: _one(**_plain("connection", "reason", "last", "seen")),
        participants.ParticipantAdmitted: _INTRODUCED | _plain("on_stage"),
        participants.ParticipantDeclined: _ABOUT_ONE,
        participants.ParticipantLeft: _ABOUT_ONE,
        participants.RoleChanged: _INTRODUCED | _plain("waits"),
        participants.NameFlagged: _ABOUT_ONE,
        stage.StageJoined: _INTRODUCED,
        stage.StageLeft: _ABOUT_ONE,
        stage.MainChanged: _ABOUT_ONE,
        hands.HandRaised: _INTRODUCED,
        hands.HandLowered: _ABOUT_ONE,
        hands.AllHandsLowered: {},
        tracks.MicrophoneChanged: _one(on=Kind.PLAIN),
        tracks.CameraChanged: _one(on=Kind.PLAIN),
        tracks.ScreenStarted: _ABOUT_ONE,
        tracks.ScreenStopped: _ABOUT_ONE,
        chat.ChatPosted: {"name": Kind.NAME, "text": Kind.WRITTEN, "to": Kind.ID, **_plain("message", "role", "channel")},
        chat.ChatDeleted: {"author": Kind.ID, "to": Kind.ID, **_plain("message", "channel")},
        reactions.Reacted: _plain("reaction"),
        polls.PollCreated: _POLL,
        polls.PollOpened: _POLL,
        polls.PollAnswered: _plain("poll", "choices"),
        polls.PollClosed: _plain("poll", "tally", "voters"),
        polls.PollRevealed: _plain("poll", "tally", "voters"),
        sanctions.PermissionsChanged: _one(permissions=Kind.PLAIN),
        sanctions.ParticipantRemoved: _INTRODUCED | _plain("banned", "waited"),
        sanctions.BanLifted: _ABOUT_ONE,
        presence.CheckOpened: _plain("check", "until", "asked", "automatic"),
        # The nonce comes from the person's id by a key that was thrown away.
        presence.CheckAsked: _one(**_plain("check", "nonce", "until")),
        presence.CheckAnswered: _plain("check"),
        presence.ChecksScheduled: _plain("at"),
        overrides.AttendanceOverridden: _one(reason=Kind.ABOUT, **_plain("status", "minutes")),
        recording.RecordingStarted: _plain("recording"),
        recording.RecordingStopped: _plain("recording", "reason"),
        recording.LeftOutChanged: _one(left_out=Kind.PLAIN),
        replay_access.ReplayAccessChanged: _plain("access"),
        expected.PersonExpected: _one(name=Kind.NAME),
        expected.PersonNotExpected: _ABOUT_ONE,
        erasure.ParticipantErased: _ABOUT_ONE,
    }
)
_FREE: Final = frozenset({Kind.WRITTEN, Kind.ABOUT, Kind.COMMON})
_NAMES: Final = frozenset({Kind.WHO, Kind.NAME, Kind.LIKENESS})


def concerns(event: Event, by: ParticipantId | None, person: ParticipantId) -> bool:
    """Whether an entry is by this person or names it."""
    if by == person:
        return True
    return any(kind is Kind.ID and getattr(event, name) == person for name, kind in PERSONAL[type(event)].items())


def nameless(event: Event, by: ParticipantId | None, person: ParticipantId, pseudonym: ParticipantId) -> Event:
    """The event with this person as nobody; the same if it says nothing of that person. `by` is its author as it was."""
    wrote, meant = by == person, _meant(event, by) == person
    changes: dict[str, Any] = {}
    for name, kind in PERSONAL[type(event)].items():
        value = getattr(event, name)
        if kind is Kind.ID and value == person:
            changes[name] = pseudonym
        elif kind is Kind.NAME and meant:
            changes[name] = NOBODY
        elif kind is Kind.LIKENESS and meant:
            changes[name] = ""
        elif kind is Kind.WHO and meant:
            changes[name] = msgspec.structs.replace(value, name=NOBODY)
        elif (kind is Kind.WRITTEN and wrote) or (kind is Kind.ABOUT and (wrote or meant)):
            changes[name] = GONE
    return msgspec.structs.replace(event, **changes) if changes else event


def names(event: Event, by: ParticipantId | None) -> Iterator[tuple[ParticipantId | None, str]]:
    """(whose, name) of every name an entry tells, folded ones included."""
    owner = _meant(event, by)
    for name, kind in PERSONAL[type(event)].items():
        if kind in _NAMES:
            value = getattr(event, name)
            yield owner, value.name if isinstance(value, Person) else value


def free_texts(event: Event) -> Iterator[str]:
    """Everything in an entry that somebody wrote."""
    for name, kind in PERSONAL[type(event)].items():
        if kind in _FREE:
            value = getattr(event, name)
            yield from value if isinstance(value, list) else (value,)


def _meant(event: Event, by: ParticipantId | None) -> ParticipantId | None:
    """Whom names and decisions in an event are about."""
    kinds = PERSONAL[type(event)]
    return event.participant if "participant" in kinds else by  # type: ignore[attr-defined]
