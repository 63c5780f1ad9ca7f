"""E05: one person, four sockets, a hundred votes at once: one is counted, whatever the order in which they arrive."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from signaling.classroom.polls import PollAnswered
from tests.hostile.crowd import Crowd, Place, crowd, place
from tests.support.house import Guest
from tests.support.member import Member

pytestmark = pytest.mark.asyncio(loop_scope="module")
SOCKETS = 4
VOTES = 100


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Place]:
    async with place() as found:
        yield found


async def poll_in(scene: Crowd, *, multiple: bool = False) -> str:
    events = await scene.act("create_poll", question="Which knot?", options=["bowline", "reef", "sheet bend"], multiple=multiple)
    return str(events[-1]["poll"])


async def four_sockets(scene: Crowd, stack: AsyncExitStack, voter: Guest) -> list[Member]:
    return [await stack.enter_async_context(scene.home.join(voter, tab=f"tab-{n}")) for n in range(SOCKETS)]


async def vote(sockets: list[Member], poll: str, **fields: Any) -> list[dict[str, Any]]:
    """All votes on their way before the first answer is read."""
    begun = [await sockets[n % SOCKETS].begin("answer_poll", poll=poll, choices=[n % 3], **fields) for n in range(VOTES)]
    return await asyncio.wait_for(asyncio.gather(*begun), 10)


async def result(scene: Crowd, poll: str) -> tuple[list[int], int]:
    [closed] = await scene.act("close_poll", poll=poll)
    return closed["tally"], closed["voters"]


async def test_e05_of_a_hundred_different_votes_one_is_counted(node: Place) -> None:
    async with crowd(node.home) as scene, AsyncExitStack() as stack:
        voter = await node.home.come_in(scene.session, "voter")
        sockets = await four_sockets(scene, stack, voter)
        poll = await poll_in(scene)
        answers = await vote(sockets, poll)
        outcomes = Counter(answer["error"]["code"] if "error" in answer else "counted" for answer in answers)
        assert outcomes == {"counted": 1, "already_answered": VOTES - 1}
        winner = next(answer["seq"] for answer in answers if "seq" in answer)
        tally, voters = await result(scene, poll)
        assert (sum(tally), voters) == (1, 1)
        assert [(seq, by) for seq, by, _, event in node.stored(scene.session) if isinstance(event, PollAnswered)] == [
            (winner, voter.participant)
        ]
        for socket in sockets:
            await socket.until(lambda told=socket: "poll_closed" in told.types())  # type: ignore[misc]
            mine = [entry for entry in socket.events if entry["event"]["type"] == "poll_answered"]
            assert [entry["seq"] for entry in mine] == [winner]


async def test_e05_one_operation_resent_a_hundred_times_is_one_vote_with_one_answer(node: Place) -> None:
    async with crowd(node.home) as scene, AsyncExitStack() as stack:
        voter = await node.home.come_in(scene.session, "voter")
        sockets = await four_sockets(scene, stack, voter)
        poll = await poll_in(scene)
        answers = await vote(sockets, poll, ref="the-vote")
        assert len({answer["seq"] for answer in answers}) == 1
        tally, voters = await result(scene, poll)
        assert (sorted(tally), voters) == ([0, 0, 1], 1)
        stored = [op for _, _, op, event in node.stored(scene.session) if isinstance(event, PollAnswered)]
        assert stored == ["the-vote"]


async def test_e05_a_vote_on_several_options_is_one_vote_too(node: Place) -> None:
    async with crowd(node.home) as scene, AsyncExitStack() as stack:
        voter = await node.home.come_in(scene.session, "voter")
        sockets = await four_sockets(scene, stack, voter)
        poll = await poll_in(scene, multiple=True)
        bad = [[0, 0], [3], [-1], list(range(11)), [], ["0"], [0.5], [True], {"0": 1}, None]
        refused = [await sockets[0].command("answer_poll", poll=poll, choices=choices) for choices in bad]
        assert {answer["error"]["code"] for answer in refused} <= {"bad_choice", "bad_message"}
        begun = [await sockets[n % SOCKETS].begin("answer_poll", poll=poll, choices=[0, 2]) for n in range(40)]
        answers = await asyncio.wait_for(asyncio.gather(*begun), 10)
        assert sum("seq" in answer for answer in answers) == 1
        assert await result(scene, poll) == ([1, 0, 1], 1)


async def test_e05_votes_racing_with_the_end_of_the_poll_are_counted_or_refused_never_both(node: Place) -> None:
    async with crowd(node.home) as scene, AsyncExitStack() as stack:
        voters = [await stack.enter_async_context(node.home.member(scene.session, f"voter-{n}")) for n in range(12)]
        poll = await poll_in(scene)
        begun = [await voter.begin("answer_poll", poll=poll, choices=[0]) for voter in voters[:6]]
        closing = await scene.boss.begin("close_poll", poll=poll)
        begun += [await voter.begin("answer_poll", poll=poll, choices=[0]) for voter in voters[6:]]
        answers = await asyncio.wait_for(asyncio.gather(*begun), 10)
        end = (await closing)["seq"]
        counted = [answer["seq"] for answer in answers if "seq" in answer]
        assert all(seq < end for seq in counted)
        assert {answer["error"]["code"] for answer in answers if "error" in answer} <= {"poll_not_open"}
        await scene.boss.until(lambda: scene.boss.last >= end)
        closed = next(entry["event"] for entry in scene.boss.events if entry["seq"] == end)
        assert closed["tally"] == [len(counted), 0, 0]
