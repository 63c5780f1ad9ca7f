"""What the class's one writer does while its store goes on failing."""

import asyncio

import pytest

from signaling.classroom.chat import PostChat
from signaling.classroom.participants import Disconnect
from signaling.messages import encode_room
from signaling.runner import _RETRY_S, TURN
from tests.support.journal import Fault
from tests.unit.signaling.test_runner import lesson


async def test_a_store_that_goes_on_refusing_is_asked_a_few_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await lesson()
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        if seconds:
            pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", counted)
    desk.journal.faults = [Fault.REFUSE] * 5
    gone = await desk.do("ben", Disconnect(connection="ben-1", reason="lost"))
    assert gone.error is None
    assert pauses == [_RETRY_S] * 4, "the first time may have been an accident"
    assert (await desk.do("tina", PostChat(text="hello"))).error is None
    desk.journal.faults = [Fault.REFUSE]
    assert (await desk.do("tina", PostChat(text="hello"))).error == "journal_unavailable"
    assert len(pauses) == 4, "a store that took something in between is asked again at once"
    monkeypatch.undo()
    await desk.runner.stop()


async def test_nobody_waits_for_a_turn_to_be_refused_in_while_the_store_goes_on_refusing() -> None:
    desk = await lesson()
    desk.journal.faults = [Fault.REFUSE] * 2
    before = desk.journal.appends
    gone = desk.ask("ben", Disconnect(connection="ben-1", reason="lost"))
    said = [desk.ask("tina", PostChat(text=f"{n}"), f"op-{n}") for n in range(3 * TURN)]
    replies = await asyncio.wait_for(asyncio.gather(*said), 5)
    assert {reply.error for reply in replies} == {"journal_unavailable"}
    assert desk.journal.appends == before + 2
    assert (await gone).error is None
    assert encode_room(desk.runner.room) == desk.replayed()
    await desk.runner.stop()
