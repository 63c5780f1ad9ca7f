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
    SET_ROSTER = "set_roster"
    ISSUE_TOKENS = "issue_tokens"
    SEE_PEOPLE = "see_people"
    SEE_RECORDINGS = "see_recordings"
    SHARE_REPLAY = "share_replay"
    REPORT_WATCHED = "report_watched"
    SEE_WATCHED = "see_watched"
    SEE_AUDIT = "see_audit"
    SEE_NODE = "see_node"
    SEE_RECORDS = "see_records"
    MANAGE_RECORDS = "manage_records"
    SEE_LEDGER = "see_ledger"
    STREAM = "stream"
    SEE_ATTENDANCE = "see_attendance"
    SEE_OWN_ATTENDANCE = "see_own_attendance"
    OVERRIDE_ATTENDANCE = "override_attendance"
    DELETE_RECORDINGS = "delete_recordings"
    SEE_RETENTION = "see_retention"
    MANAGE_HOLDS = "manage_holds"
    ERASE_PEOPLE = "erase_people"


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
        Right.SET_ROSTER: frozenset({Caller.SERVICE, Caller.OPERATOR}),
        Right.ISSUE_TOKENS: frozenset({Caller.SERVICE}),
        Right.SEE_PEOPLE: _seated_with(Capability.SEE_EVERYBODY) | {Caller.SERVICE},
        # Those the class's setting lets in; of trainees those admitted; of the timeline nothing for the operator (server/routes/replay.py).
        Right.SEE_RECORDINGS: SEATED | {Caller.OPERATOR},
        Right.SHARE_REPLAY: _seated_with(Capability.SHARE_REPLAY) | {Caller.SERVICE, Caller.OPERATOR},
        Right.REPORT_WATCHED: SEATED,
        Right.SEE_WATCHED: _seated_with(Capability.RUN_CLASS) | {Caller.SERVICE},
        Right.SEE_AUDIT: frozenset({Caller.SERVICE, Caller.OPERATOR}),
        Right.SEE_NODE: frozenset({Caller.OPERATOR}),
        Right.SEE_RECORDS: frozenset({Caller.SERVICE, Caller.OPERATOR}),
        Right.MANAGE_RECORDS: frozenset({Caller.SERVICE, Caller.OPERATOR}),
        Right.SEE_LEDGER: SEATED | {Caller.SERVICE, Caller.OPERATOR},
        # With a join token as bearer, which the route itself looks at (server/routes/whip.py).
        Right.STREAM: frozenset(Caller),
        Right.SEE_ATTENDANCE: _seated_with(Capability.SEE_ATTENDANCE) | {Caller.OPERATOR},
        Right.SEE_OWN_ATTENDANCE: SEATED,
        Right.OVERRIDE_ATTENDANCE: _seated_with(Capability.OVERRIDE_ATTENDANCE),
        Right.DELETE_RECORDINGS: frozenset({Caller.SERVICE, Caller.OPERATOR}),
        Right.SEE_RETENTION: frozenset({Caller.OPERATOR}),
        Right.MANAGE_HOLDS: frozenset({Caller.OPERATOR}),
        Right.ERASE_PEOPLE: frozenset({Caller.OPERATOR}),
    }
)


def may(caller: Caller, right: Right) -> bool:
    """Whether this caller has the right."""
    return caller in RIGHTS[right]
