"""Events that are told to no records store, and why: with the encoder's table this names every event there is. Data only."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from signaling.classroom.base import Event
from signaling.classroom.chat import ChatDeleted
from signaling.classroom.erasure import ParticipantErased
from signaling.classroom.expected import PersonExpected, PersonNotExpected
from signaling.classroom.overrides import AttendanceOverridden
from signaling.classroom.participants import NameFlagged, ParticipantLeft
from signaling.classroom.polls import PollClosed, PollCreated, PollRevealed
from signaling.classroom.presence import CheckAsked, ChecksScheduled
from signaling.classroom.recording import LeftOutChanged
from signaling.classroom.replay_access import ReplayAccessChanged
from signaling.classroom.sanctions import PermissionsChanged
from signaling.classroom.session import BreakStarted, ClassResumed, LobbyOpened, SettingsChanged
from signaling.classroom.stage import MainChanged, StageJoined, StageLeft

_SUPERVISION: Final = "an act of supervision: the audit trail tells it to who may know, a learning record is no place for it"
_PROFILE: Final = "no profile has a verb for it, and nobody learns by it"

UNTOLD: Final[Mapping[type[Event], str]] = MappingProxyType(
    {
        LobbyOpened: "the class has not begun; who comes early is told as joining",
        BreakStarted: "no profile has a verb for it; breaks are taken out of what `attended` counts",
        ClassResumed: "as the break that it ends",
        SettingsChanged: _SUPERVISION,
        ParticipantLeft: "told as leaving when the person's last connection closes, which follows",
        NameFlagged: _SUPERVISION,
        StageJoined: _PROFILE,
        StageLeft: _PROFILE,
        MainChanged: _PROFILE,
        ChatDeleted: "that a message was posted stays true, and what it said was never told",
        PollCreated: "a draft: told once it is put to the class",
        PollClosed: "its answers are told one by one, anonymous ones not at all",
        PollRevealed: "as closing it",
        PermissionsChanged: _SUPERVISION,
        CheckAsked: "told once for all who are asked, without the nonces, as the check that opened",
        ChecksScheduled: "foretells checks; each is told when it opens",
        AttendanceOverridden: "told as the `attended` that replaces the former one; author and reason stay in the class's log",
        ReplayAccessChanged: _SUPERVISION,
        PersonExpected: "the learning platform's own roster; what came of it is told as `attended`",
        PersonNotExpected: "as being listed",
        ParticipantErased: "there is nobody left to tell of",
        LeftOutChanged: "who does not want to be recorded is nobody's business elsewhere",
    }
)
