"""One identity's place in a class: the vocabulary of people that every other feature builds on."""

from enum import StrEnum
from typing import Annotated

import msgspec

from signaling.classroom.roles import Role

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Seat(StrEnum):
    WAITING = "waiting"
    ADMITTED = "admitted"
    DECLINED = "declined"
    REMOVED = "removed"
    BANNED = "banned"


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """What staff has left to one person, besides role and settings."""

    microphone: bool = True
    camera: bool = True
    screen: bool = True
    chat: bool = True


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An introduction, carried by events about somebody a client may not have in its list yet (large classes, admissions).

    A client that already lists the person ignores it. `permissions` is told to staff and inspectors only.
    """

    name: Name
    role: Role
    present: bool = True
    imitates: bool = False
    permissions: Permissions = Permissions()
