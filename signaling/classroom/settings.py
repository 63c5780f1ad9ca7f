"""Vocabulary of a class as a whole: phases, profiles and the switches every other feature reads."""

from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec


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


SlowSeconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=300)]
StageSize: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=50)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every switch of a class; `for_profile` gives the profile's defaults."""

    waiting_room: bool = False
    locked: bool = False
    frozen: bool = False
    chat: ChatMode = ChatMode.OPEN
    slow_mode_s: SlowSeconds = 0
    microphones: bool = True
    cameras: bool = True
    screens: bool = False  # trainees on stage may share their screen
    hands: bool = True
    reactions: bool = True
    auto_stage: bool = True  # admitted trainees go on stage at once (small classes)
    stage_size: StageSize = 50
    capacity: Annotated[int, msgspec.Meta(ge=1, le=20_000)] = 50
    mute_on_join: bool = False


def for_profile(profile: Profile) -> Settings:
    """The defaults of a profile."""
    if profile is Profile.SMALL:
        return Settings()
    return Settings(auto_stage=False, stage_size=12, capacity=5_000, slow_mode_s=2, mute_on_join=True)
