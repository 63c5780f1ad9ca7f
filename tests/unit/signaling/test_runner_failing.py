"""What the class's one writer does while its store goes on failing, and when something breaks that nobody thought of."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from signaling.classroom.chat import PostChat
from signaling.classroom.hands import RaiseHand
from signaling.classroom.participants import Disconnect
from signaling.messages import encode_room
from signaling.ports import Record
from signaling.runner import _RETRY_S, TURN, Reply
from tests.support.journal import Fault, MemoryJournal
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


class Breaking(MemoryJournal):
    """Fails in a way no store may: each of the methods named here."""

    broken: frozenset[str] = frozenset()

    async def append(self, session: str, expected_seq: int, records: Sequence[Record]) -> None:
        if "append" in self.broken:
            raise RuntimeError("defect")
        await super().append(session, expected_seq, records)

    async def read(self, session: str, after: int, limit: int) -> AsyncIterator[Record]:
        if "read" in self.broken:
            raise RuntimeError("defect")
        async for record in super().read(session, after, limit):
            yield record


@pytest.mark.parametrize(
    ("broken", "faults", "first"),
    [("append", [], "draining"), ("read", [Fault.REFUSE], "journal_unavailable")],
    ids=["while it stores", "while it reads the class anew"],
)
async def test_a_turn_that_breaks_ends_the_run_and_answers_everybody_once(broken: str, faults: list[Fault], first: str) -> None:
    journal = Breaking()
    desk = await lesson(journal)
    journal.broken, journal.faults = frozenset({broken}), faults
    answers: list[tuple[str, str | None]] = []

    def noted(who: str) -> Any:
        def done(reply: Reply) -> None:
            answers.append((who, reply.error))

        return done

    desk.runner.submit("ben", RaiseHand(), "op-1", noted("ben"))
    desk.runner.submit("tina", Disconnect(connection="tina-1", reason="lost"), None, noted("tina"))
    assert desk.runner._task is not None
    await asyncio.wait_for(asyncio.wait([desk.runner._task]), 5)
    assert sorted(answers) == [("ben", first), ("tina", "draining")]
    assert (desk.told.closings, desk.runner.alive) == (["draining"], False)
    assert (await desk.do("ben", RaiseHand())).error == "draining"
    await desk.runner.stop()
    assert journal.snapshots == {}, "what may be spoilt is not saved"
