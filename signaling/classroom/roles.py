"""Who may do what: a role is a set of capabilities, default deny. The only place where roles are compared with rights.

Phase, locks and admission restrict further; those rules live with their feature.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Role(StrEnum):
    TRAINER = "trainer"
    ASSISTANT = "assistant"
    TRAINEE = "trainee"
    INSPECTOR = "inspector"


class Capability(StrEnum):
    END_CLASS = "end_class"
    RUN_CLASS = "run_class"  # lobby, start, break, resume, settings
    ADMIT = "admit"
    MODERATE_MEDIA = "moderate_media"  # mute, stop camera or screen, block
    REMOVE = "remove"  # remove, ban, unban
    MANAGE_STAGE = "manage_stage"
    MANAGE_HANDS = "manage_hands"
    RUN_POLLS = "run_polls"
    DELETE_CHAT = "delete_chat"
    CHAT_PRIVATELY = "chat_privately"  # to one participant; trainees may only write to everyone or to the staff
    SEE_STAFF_CHAT = "see_staff_chat"
    SEE_WAITING = "see_waiting"
    SEE_TALLIES = "see_tallies"  # running poll results before they are revealed
    SEE_EVERYBODY = "see_everybody"  # the full list, also in a large class
    CHAT = "chat"
    RAISE_HAND = "raise_hand"
    REACT = "react"
    ANSWER_POLLS = "answer_polls"
    PUBLISH = "publish"  # microphone and camera, when on stage
    SHARE_SCREEN = "share_screen"
    RUN_CHECKS = "run_checks"  # presence checks
    ANSWER_CHECKS = "answer_checks"
    SEE_ATTENDANCE = "see_attendance"  # of everybody: running checks, the report
    OVERRIDE_ATTENDANCE = "override_attendance"
    RECORD = "record"  # start and stop the recording, leave people out
    SHARE_REPLAY = "share_replay"  # say who may watch the recordings


_TRAINEE = frozenset(
    {
        Capability.CHAT,
        Capability.RAISE_HAND,
        Capability.REACT,
        Capability.ANSWER_POLLS,
        Capability.PUBLISH,
        Capability.SHARE_SCREEN,
        Capability.ANSWER_CHECKS,
    }
)
#: what a trainer alone may do
_TRAINER = frozenset({Capability.END_CLASS, Capability.SHARE_REPLAY})
_ASSISTANT = frozenset(Capability) - {*_TRAINER, Capability.ANSWER_POLLS, Capability.RAISE_HAND, Capability.ANSWER_CHECKS}

CAPABILITIES: Final[Mapping[Role, frozenset[Capability]]] = MappingProxyType(
    {
        Role.TRAINER: _ASSISTANT | _TRAINER,
        Role.ASSISTANT: _ASSISTANT,
        Role.TRAINEE: _TRAINEE,
        Role.INSPECTOR: frozenset({Capability.SEE_EVERYBODY, Capability.SEE_TALLIES, Capability.SEE_ATTENDANCE}),
    }
)

STAFF: Final = frozenset({Role.TRAINER, Role.ASSISTANT})


def can(role: Role, capability: Capability) -> bool:
    """Whether the role includes the capability."""
    return capability in CAPABILITIES[role]
