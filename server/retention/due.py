"""Whether a thing a class left behind is to go now, and why or why not. Pure: time, rules and holds are arguments.

In this order: a hold wins; nothing goes before the end of its class; no raw media, and nothing that is built on it, without a published
version that was read whole; the days; nothing while somebody works on it. A clock that steps back only postpones.
"""

from enum import StrEnum
from typing import Final, Literal, TypeAlias

import msgspec

from signaling.classroom.ids import Millis, SessionId

DAY_MS: Final = 86_400_000
MAX_DAYS: Final = 36_500


class Kind(StrEnum):
    """What has days of its own. Statements go by age alone (records.keep_days)."""

    JOURNAL = "journal"
    REPLAY = "replay"
    LOG = "log"
    WATCHED = "watched"
    TORN = "torn"


Why: TypeAlias = Literal["due", "held", "class_not_ended", "not_published", "in_use", "kept_for_ever", "not_yet"]


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of a class. `since`: when it last changed; for journals when the published version was read whole.

    `whole`: what is published of it was read whole (of a log: of every recording of the class). Times may be anything a clock ever said.
    """

    session: SessionId
    kind: Kind
    recording: str = ""
    tenant: str = ""
    ended_at: Millis | None = None
    since: Millis = 0
    whole: bool = True
    in_use: bool = False
    held: bool = False
    #: days the class asked for, None if it did not
    wish: int | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """due_at: when its days are over, None while that is not known or never."""

    due: bool
    why: Why
    due_at: Millis | None = None


def days_of(rule: int, wish: int | None) -> int:
    """The days that count: the rule's, or fewer if the class asked for fewer. 0 is for ever."""
    return rule if not wish else min(rule or wish, wish)


def verdict(thing: Thing, rule: int, now: Millis) -> Verdict:
    """What is to be done with a thing that the rule keeps for so many days."""
    days, ended = days_of(rule, thing.wish), thing.ended_at
    due_at = None if ended is None or days <= 0 or not thing.whole else max(ended, thing.since) + min(days, MAX_DAYS) * DAY_MS
    return Verdict(due=(why := _why(thing, days, due_at, now)) == "due", why=why, due_at=due_at)


def _why(thing: Thing, days: int, due_at: Millis | None, now: Millis) -> Why:
    if thing.held:
        return "held"
    if thing.ended_at is None or thing.ended_at > now:
        return "class_not_ended"
    if days <= 0:
        return "kept_for_ever"
    if due_at is None:
        return "not_published"
    if due_at > now:
        return "not_yet"
    return "in_use" if thing.in_use else "due"
