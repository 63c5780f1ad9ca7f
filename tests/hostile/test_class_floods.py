"""E11: one member sends a thousand things a second. The class hears what its pace allows, the rest is refused, nothing piles up.

Eight sockets carry the flood, since one socket that sends a thousand frames a second is cut off (the first case).
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from signaling.classroom.participants import MAX_CONNECTIONS
from tests.hostile.crowd import Crowd, Place, crowd, place
from tests.support.member import Member

pytestmark = pytest.mark.asyncio(loop_scope="module")
PER_S = 1_000
LASTS_S = 3
#: of the node's memory during a case
GROWTH = 16_000_000
#: what PROTOCOL lets one person do: per second, and at once
COMMANDS = (40, 120)
REACTIONS = (10, 20)
CHAT = (1, 5)

Sent = Callable[[int], tuple[str, dict[str, Any]]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Place]:
    async with place() as found:
        yield found


class Outcome(NamedTuple):
    """What came of a flood: answers by code, and how long it took to send and to be answered."""

    answers: Counter[str]
    took: float

    def allowed(self, limit: tuple[int, int]) -> bool:
        """Whether no more came through than a bucket of this rate and burst gives."""
        rate, burst = limit
        return burst / 2 <= self.answers["done"] <= burst + rate * self.took + 1


async def flood(members: list[Member], what: Sent, per_s: int = PER_S) -> Outcome:
    """So many commands a second for three seconds over all sockets in turn; no answer is waited for before the last was sent."""
    started, begun = time.monotonic(), []
    for tenth in range(LASTS_S * 10):
        for n in range(tenth * per_s // 10, (tenth + 1) * per_s // 10):
            type_, fields = what(n)
            begun.append(await members[n % len(members)].begin(type_, **fields))
        await asyncio.sleep(max(0.0, started + (tenth + 1) / 10 - time.monotonic()))
    answers = await asyncio.wait_for(asyncio.gather(*begun), 10)
    codes = Counter(answer["error"]["code"] if "error" in answer else "done" for answer in answers)
    return Outcome(codes, time.monotonic() - started)


@contextlib.asynccontextmanager
async def flooder(node: Place, scene: Crowd, sockets: int = MAX_CONNECTIONS) -> AsyncIterator[list[Member]]:
    """One person with this many sockets; the node must not have grown when they are done, and still know them."""
    guest = await node.home.come_in(scene.session, "flooder")
    before = node.resident()
    async with AsyncExitStack() as stack:
        members = [await stack.enter_async_context(node.home.join(guest, tab=f"tab-{n}")) for n in range(sockets)]
        yield members
    assert node.resident() - before < GROWTH


def deeds(node: Place, scene: Crowd, member: Member) -> Counter[str]:
    """Kinds of events this person caused, from the journal."""
    me = member.snapshot["me"]
    return Counter(type(event).__name__ for _, by, _, event in node.stored(scene.session) if by == me)


async def test_e11_one_socket_that_sends_a_thousand_a_second_is_cut_off(node: Place) -> None:
    async with crowd(node.home) as scene, flooder(node, scene, sockets=1) as [member]:
        sent = time.monotonic()
        with contextlib.suppress(ConnectionError, RuntimeError):
            for _ in range(PER_S):
                await member.begin("raise_hand")
        await asyncio.wait_for(member.closed.wait(), 5)
        assert time.monotonic() - sent < 5
        assert member.ws.close_code == 1008
        assert deeds(node, scene, member)["HandRaised"] <= 1


async def test_e11_hands_up_and_down(node: Place) -> None:
    async with crowd(node.home) as scene, flooder(node, scene) as members:
        outcome = await flood(members, lambda n: ("lower_hand" if n % 2 else "raise_hand", {}))
        assert outcome.allowed(COMMANDS), outcome
        assert set(outcome.answers) <= {"done", "rate_limited", "overloaded"}
        kinds = deeds(node, scene, members[0])
        assert kinds["HandRaised"] + kinds["HandLowered"] <= outcome.answers["done"]


async def test_e11_reactions_are_told_as_counts_at_their_pace(node: Place) -> None:
    kinds = ("clap", "heart", "laugh", "yes", "no")
    async with crowd(node.home) as scene, flooder(node, scene) as members:
        signals = scene.someone.signals
        outcome = await flood(members, lambda n: ("react", {"reaction": kinds[n % len(kinds)]}))
        assert outcome.allowed(REACTIONS), outcome
        assert deeds(node, scene, members[0])["Reacted"] == outcome.answers["done"]

        def told() -> list[int]:
            return [sum(signal["counts"].values()) for signal in signals if signal["type"] == "reactions"]

        await scene.someone.until(lambda: sum(told()) >= outcome.answers["done"])
        assert sum(told()) == outcome.answers["done"]
        assert len(told()) <= 2 * outcome.took + 3


async def test_e11_typing_is_told_once_a_second(node: Place) -> None:
    async with crowd(node.home) as scene, flooder(node, scene) as members:
        outcome = await flood(members, lambda n: ("typing", {}))
        assert outcome.allowed(COMMANDS), outcome
        told = [signal for signal in scene.someone.signals if signal["type"] == "typing"]
        assert 1 <= len(told) <= outcome.took + 4
        assert all(signal["participants"] in ([], [members[0].snapshot["me"]]) for signal in told)


async def test_e11_chat(node: Place) -> None:
    async with crowd(node.home) as scene, flooder(node, scene) as members:
        outcome = await flood(members, lambda n: ("post_chat", {"text": f"{n} " + "x" * 1_900}))
        assert outcome.allowed(CHAT), outcome
        assert deeds(node, scene, members[0])["ChatPosted"] == outcome.answers["done"]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Trainer Li"},
        {"name": "x" * 20_000},
        {"name": ["a"] * 500},
        {"participant": "boss", "name": {"__proto__": {"name": "x"}}},
        {"name": None, "role": "trainer"},
    ],
    ids=["a name", "a long one", "a list", "a map", "a role"],
)
async def test_e11_renames_do_not_exist(node: Place, fields: dict[str, Any]) -> None:
    types = ("rename", "set_name", "change_name", "connect", "participant_joined")
    async with crowd(node.home) as scene, flooder(node, scene) as members:
        before, name = deeds(node, scene, members[0]), members[0].snapshot["participants"]
        outcome = await flood(members, lambda n: (types[n % len(types)], fields))
        assert set(outcome.answers) <= {"unknown_type", "bad_message", "rate_limited"}
        assert deeds(node, scene, members[0]) == before
        async with node.home.member(scene.session, "looker") as looker:
            me = members[0].snapshot["me"]
            shown = next(person["name"] for person in looker.snapshot["participants"] if person["id"] == me)
        assert shown == next(person["name"] for person in name if person["id"] == me) == "flooder"


@pytest.mark.parametrize("fields", [{"name": [[]] * 60_000}, {"name": [{"a": 1}] * 15_000}], ids=["lists", "maps"])
async def test_e11_full_size_messages_of_very_many_values_hold_nobody_up(node: Place, fields: dict[str, Any]) -> None:
    async with crowd(node.home) as scene, flooder(node, scene) as members:
        outcome = await flood(members, lambda n: ("post_chat", {"text": "x", **fields}), per_s=80)
        assert set(outcome.answers) <= {"bad_message", "rate_limited"}
        assert not deeds(node, scene, members[0])["ChatPosted"]
