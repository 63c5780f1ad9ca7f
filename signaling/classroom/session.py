"""The class itself: its phases and its settings.

scheduled -> lobby -> live <-> break; any of them -> ended (final). People may connect in every phase but ended; chat, hands, polls and
publishing need lobby (staff only), live or break as each feature says. Freezing silences everybody but staff: no chat, media, hands,
reactions, answers, until unfrozen. Locking keeps newcomers out; those who have a seat may come back.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from signaling.classroom.base import Command, Event
from signaling.classroom.ids import Millis, SessionId


class Phase(StrEnum):
    SCHEDULED = "scheduled"
    LOBBY = "lobby"
    LIVE = "live"
    BREAK = "break"
    ENDED = "ended"


class Profile(StrEnum):
    SMALL = "small"  # 2-50, everybody may speak
    LARGE = "large"  # thousands listen, up to 12 on stage


class ChatMode(StrEnum):
    OPEN = "open"
    STAFF = "staff"  # trainees write to the staff only
    OFF = "off"


Title = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every switch of a class; `for_profile` gives the profile's defaults."""

    waiting_room: bool = False
    locked: bool = False
    frozen: bool = False
    chat: ChatMode = ChatMode.OPEN
    slow_mode_s: Annotated[int, msgspec.Meta(ge=0, le=300)] = 0
    microphones: bool = True
    cameras: bool = True
    screens: bool = False  # trainees on stage may share their screen
    hands: bool = True
    reactions: bool = True
    auto_stage: bool = True  # admitted trainees go on stage at once (small classes)
    stage_size: Annotated[int, msgspec.Meta(ge=1, le=50)] = 50
    capacity: Annotated[int, msgspec.Meta(ge=1, le=20_000)] = 50
    mute_on_join: bool = False


def for_profile(profile: Profile) -> Settings:
    """The defaults of a profile."""
    if profile is Profile.SMALL:
        return Settings()
    return Settings(auto_stage=False, stage_size=12, capacity=5_000, slow_mode_s=2, mute_on_join=True)


class OpenLobby(Command, frozen=True, kw_only=True, tag="open_lobby"):
    """Let people gather before the class starts."""


class StartClass(Command, frozen=True, kw_only=True, tag="start_class"):
    """Begin the class (from scheduled or lobby)."""


class TakeBreak(Command, frozen=True, kw_only=True, tag="take_break"):
    """Pause the class for some minutes."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=60)]


class ResumeClass(Command, frozen=True, kw_only=True, tag="resume_class"):
    """End the break early or late."""


class EndClass(Command, frozen=True, kw_only=True, tag="end_class"):
    """End the class for all; final."""


class ChangeSettings(Command, frozen=True, kw_only=True, tag="change_settings"):
    """Change some switches; absent ones stay."""

    waiting_room: bool | None = None
    locked: bool | None = None
    frozen: bool | None = None
    chat: ChatMode | None = None
    slow_mode_s: Annotated[int, msgspec.Meta(ge=0, le=300)] | None = None
    microphones: bool | None = None
    cameras: bool | None = None
    screens: bool | None = None
    hands: bool | None = None
    reactions: bool | None = None
    auto_stage: bool | None = None
    stage_size: Annotated[int, msgspec.Meta(ge=1, le=50)] | None = None
    mute_on_join: bool | None = None


class SessionCreated(Event, frozen=True, kw_only=True, tag="session_created"):
    """First event of every journal."""

    session: SessionId
    title: Title
    profile: Profile
    settings: Settings
    starts_at: Millis | None = None


class LobbyOpened(Event, frozen=True, kw_only=True, tag="lobby_opened"):
    """People may gather."""


class ClassStarted(Event, frozen=True, kw_only=True, tag="class_started"):
    """The class is live."""


class BreakStarted(Event, frozen=True, kw_only=True, tag="break_started"):
    """The class pauses until about then."""

    until: Millis


class ClassResumed(Event, frozen=True, kw_only=True, tag="class_resumed"):
    """The break is over."""


class ClassEnded(Event, frozen=True, kw_only=True, tag="class_ended"):
    """The class is over; nothing follows but closed connections."""


class SettingsChanged(Event, frozen=True, kw_only=True, tag="settings_changed"):
    """All settings as they now are."""

    settings: Settings
