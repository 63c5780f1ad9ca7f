"""Who may call which route: a right is a set of callers, default deny.

A caller is anybody, the holder of a seat (by classroom role), a service with an API key or token, or the operator. What a seat holder
may do *inside* a class is the classroom's own table (`signaling/classroom/roles.py`); this one is about HTTP alone.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from signaling.classroom.roles import CAPABILITIES, Capability, Role


class Caller(StrEnum):
    ANYBODY = "anybody"
    TRAINER = "trainer"
    ASSISTANT = "assistant"
    TRAINEE = "trainee"
    INSPECTOR = "inspector"
    SERVICE = "service"
    OPERATOR = "operator"


class Right(StrEnum):
    COME_IN = "come_in"
    READ_API = "read_api"
    SEE_OWN_SEAT = "see_own_seat"
    CHECK_NETWORK = "check_network"
    MANAGE_CLASSES = "manage_classes"
    ISSUE_TOKENS = "issue_tokens"
    SEE_PEOPLE = "see_people"
    SEE_RECORDINGS = "see_recordings"
    REPORT_WATCHED = "report_watched"
    SEE_WATCHED = "see_watched"
    SEE_AUDIT = "see_audit"
    SEE_NODE = "see_node"
    STREAM = "stream"


SEATED: Final = frozenset(Caller(role) for role in Role)


def _seated_with(capability: Capability) -> frozenset[Caller]:
    return frozenset(Caller(role) for role in Role if capability in CAPABILITIES[role])


RIGHTS: Final[Mapping[Right, frozenset[Caller]]] = MappingProxyType(
    {
        Right.COME_IN: frozenset(Caller),
        Right.READ_API: frozenset(Caller),
        Right.SEE_OWN_SEAT: SEATED,
        Right.CHECK_NETWORK: SEATED,
        Right.MANAGE_CLASSES: frozenset({Caller.SERVICE, Caller.OPERATOR}),
        Right.ISSUE_TOKENS: frozenset({Caller.SERVICE}),
        Right.SEE_PEOPLE: _seated_with(Capability.SEE_EVERYBODY) | {Caller.SERVICE},
        # Of trainees those admitted; of the timeline nothing for the operator (server/routes/replay.py).
        Right.SEE_RECORDINGS: SEATED | {Caller.OPERATOR},
        Right.REPORT_WATCHED: SEATED,
        Right.SEE_WATCHED: _seated_with(Capability.RUN_CLASS) | {Caller.SERVICE},
        Right.SEE_AUDIT: frozenset({Caller.SERVICE, Caller.OPERATOR}),
        Right.SEE_NODE: frozenset({Caller.OPERATOR}),
        # With a join token as bearer, which the route itself looks at (server/routes/whip.py).
        Right.STREAM: frozenset(Caller),
    }
)


def may(caller: Caller, right: Right) -> bool:
    """Whether this caller has the right."""
    return caller in RIGHTS[right]
