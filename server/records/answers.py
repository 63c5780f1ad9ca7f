"""What a store's answer means for the batch it got, and how long to wait after a failure. Pure.

| answer | meaning |
|---|---|
| 200, 204 (webhooks: 2xx) | the whole batch is stored |
| 400, 422 | something in it is refused: halve it; a single one is a dead letter |
| 409 | as above; a single one is compared with what the store holds |
| 413 | too large: halve it and remember the size; a single one is a dead letter |
| 408, 425, 429, 5xx, no answer | the same bytes again, for ever; Retry-After wins |
| anything else (401, 403, 404, a redirect, TLS) | nothing is wrong with the batch: pause the destination, tell the operator |
"""

import email.utils
import random
from enum import Enum, auto
from typing import Final, NamedTuple

#: bounds of a wait between two tries, seconds
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 300.0
#: bounds of a wait a store may ask for
SHORTEST_ASKED_S: Final = 0.1
LONGEST_ASKED_S: Final = 3600.0
#: between two tries of a paused destination
PAUSE_S: Final = 180.0
#: failures in a row of one batch after which one of its statements is suspected
SUSPICIOUS: Final = 8


class Verdict(Enum):
    STORED = auto()
    REFUSED = auto()
    CONFLICT = auto()
    TOO_LARGE = auto()
    AGAIN = auto()
    PAUSE = auto()


class Answer(NamedTuple):
    """What came back: status (0 = nothing did, -1 = no trust in the other side), seconds it asked to wait, the beginning of its text."""

    status: int
    retry_after_s: float | None = None
    text: str = ""


def judge(status: int, *, any_success: bool = False) -> Verdict:
    """The meaning of a status; `any_success` takes every 2xx for an acknowledgement."""
    if status in (200, 204) or (any_success and 200 <= status < 300):
        return Verdict.STORED
    if status in (400, 422):
        return Verdict.REFUSED
    if status == 409:
        return Verdict.CONFLICT
    if status == 413:
        return Verdict.TOO_LARGE
    if status in (0, 408, 425, 429) or status >= 500:
        return Verdict.AGAIN
    return Verdict.PAUSE


def wait_s(tries: int, asked_s: float | None, chance: random.Random) -> float:
    """Seconds until the next try after `tries` failures in a row: what was asked for, else full jitter under a doubling bound."""
    if asked_s is not None:
        return min(max(SHORTEST_ASKED_S, asked_s), LONGEST_ASKED_S)
    bound = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(tries - 1, 20))
    return chance.uniform(0.0, bound)


def retry_after_s(header: str | None, now_s: float) -> float | None:
    """Seconds a Retry-After header asks for (RFC 9110 section 10.2.3); None if it is missing or malformed."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(min(int(header), 10**9))
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - now_s)
    except (ValueError, TypeError, OverflowError):
        return None
