"""The audit trail of a class: which journal entries are acts of supervision, and how they are told. Pure.

The trail is not a second log. The journal is append-only and hash-chained, so reading it is the trail and verifying it proves it whole.
Told are who came in (inspectors by that), the phases and settings of the class, and whatever one person did to another. What people said
is never told.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from signaling.classroom.base import Event
from signaling.classroom.chat import ChatDeleted
from signaling.classroom.erasure import ParticipantErased
from signaling.classroom.expected import PersonExpected, PersonNotExpected
from signaling.classroom.hands import AllHandsLowered, HandLowered
from signaling.classroom.ids import Millis, ParticipantId
from signaling.classroom.overrides import AttendanceOverridden
from signaling.classroom.participants import NameFlagged, ParticipantAdmitted, ParticipantDeclined, ParticipantJoined, RoleChanged
from signaling.classroom.presence import CheckOpened, ChecksScheduled
from signaling.classroom.recording import LeftOutChanged, RecordingStarted, RecordingStopped
from signaling.classroom.replay_access import ReplayAccessChanged
from signaling.classroom.sanctions import BanLifted, ParticipantRemoved, PermissionsChanged
from signaling.classroom.session import BreakStarted, ClassEnded, ClassResumed, ClassStarted, LobbyOpened, SessionCreated, SettingsChanged
from signaling.classroom.stage import MainChanged, StageJoined, StageLeft
from signaling.classroom.tracks import CameraChanged, MicrophoneChanged, ScreenStopped

#: told whoever did it
ALWAYS: Final[frozenset[type[Event]]] = frozenset(
    {
        SessionCreated,
        LobbyOpened,
        ClassStarted,
        BreakStarted,
        ClassResumed,
        ClassEnded,
        SettingsChanged,
        ParticipantJoined,
        RoleChanged,
        NameFlagged,
        ParticipantAdmitted,
        ParticipantDeclined,
        ParticipantRemoved,
        BanLifted,
        PermissionsChanged,
        MainChanged,
        AllHandsLowered,
        ChatDeleted,
        CheckOpened,
        ChecksScheduled,
        AttendanceOverridden,
        RecordingStarted,
        RecordingStopped,
        LeftOutChanged,
        ReplayAccessChanged,
        PersonExpected,
        PersonNotExpected,
        ParticipantErased,
    }
)
#: told when done to somebody else
TO_OTHERS: Final[frozenset[type[Event]]] = frozenset({MicrophoneChanged, CameraChanged, ScreenStopped, StageJoined, StageLeft, HandLowered})
#: parts of an event that are no act: introductions for clients, keys for comparing names
_LEFT_OUT: Final = frozenset({"type", "participant", "who", "likeness"})


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One act: at number `seq` of the class's journal, `by` (None = the node or an API caller) did `act` to `target`."""

    seq: int
    at: Millis
    by: ParticipantId | None
    act: str
    target: ParticipantId | None
    details: dict[str, Any]


def told(seq: int, at: Millis, by: ParticipantId | None, event: Event) -> AuditEntry | None:
    """The trail's entry for a journal entry; None if it is no act of supervision."""
    fields: Mapping[str, Any] = msgspec.to_builtins(event)
    target = fields.get("participant")
    kind = type(event)
    if kind not in ALWAYS and not (kind in TO_OTHERS and by != target):
        return None
    details = {name: value for name, value in fields.items() if name not in _LEFT_OUT}
    if who := fields.get("who"):
        details |= {"name": who["name"], "role": who["role"]}
    return AuditEntry(seq=seq, at=at, by=by, act=fields["type"], target=target, details=details)
