"""The class's one writer, with a journal that fails when told: nothing is told before it is stored, acked means stored once."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signaling import runner as running
from signaling.classroom import room as classroom
from signaling.classroom.base import Command, Origin
from signaling.classroom.chat import PostChat
from signaling.classroom.hands import HandRaised, LowerHand, RaiseHand
from signaling.classroom.participants import Connect, ConnectionClosed, Disconnect
from signaling.classroom.policies import STANDARD
from signaling.classroom.polls import CreatePoll
from signaling.classroom.presence import CheckAsked, ScheduleChecks
from signaling.classroom.roles import Role
from signaling.classroom.room import MAX_RECENT_OPS
from signaling.classroom.session import EndClass, StartClass
from signaling.classroom.settings import Profile
from signaling.entries import Entry
from signaling.messages import decode_event, encode_room
from signaling.metrics import Counters
from signaling.ports import Signs, Unavailable
from signaling.runner import Reply, Runner
from tests.support.journal import Fault, MemoryJournal
from tests.support.node import NoScreen, QuietMedia


class Told:
    """runner.Follower: keeps what it was told and checks that it was stored."""

    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal
        self.entries: list[Entry] = []
        self.openings = 0
        self.closings: list[str] = []
        self.known = 0

    def opened(self, runner: Runner, recent: Sequence[Entry]) -> None:
        self.openings += 1
        self.known = runner.room.seq

    def published(self, runner: Runner, entries: Sequence[Entry]) -> None:
        stored = self._journal.records[runner.session]
        for entry in entries:
            assert entry.seq == self.known + 1
            assert decode_event(stored[entry.seq - 1].event) == entry.event
            self.known = entry.seq
        assert runner.room.seq == self.known == len(stored)
        self.entries += entries

    def closed(self, runner: Runner, code: str) -> None:
        self.closings.append(code)


class Desk:
    """A runner on a memory journal, and a way to ask it things."""

    def __init__(self, journal: MemoryJournal | None = None) -> None:
        self.journal = journal or MemoryJournal()
        self.told = Told(self.journal)
        self.counters = Counters()
        self.media = QuietMedia()
        self.clock = itertools.count(1_000)
        self.runner = Runner(
            "c1",
            journal=self.journal,
            media=self.media,
            screen=NoScreen(),
            clock=lambda: next(self.clock),
            follower=self.told,
            counters=self.counters,
        )

    async def start(self) -> "Desk":
        await self.runner.start(classroom.create("c1", "Title", Profile.SMALL))
        return self

    def ask(self, actor: str | None, command: Command | None, op: str | None = None) -> "asyncio.Future[Reply]":
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.runner.submit(actor, command, op, answer.set_result)
        return answer

    async def do(self, actor: str | None, command: Command | None, op: str | None = None) -> Reply:
        return await asyncio.wait_for(self.ask(actor, command, op), 5)

    async def enter(self, name: str, role: Role = Role.TRAINEE) -> None:
        assert (await self.do(name, Connect(connection=f"{name}-1", name=name, role=role))).error is None

    def replayed(self) -> bytes:
        """The room as the journal alone tells it."""
        entries = [(r.seq, Origin(at=r.at, by=r.by, op=r.op), decode_event(r.event)) for r in self.journal.records["c1"]]
        return encode_room(classroom.replay(entries))


async def lesson(journal: MemoryJournal | None = None) -> Desk:
    desk = await Desk(journal).start()
    await desk.enter("tina", Role.TRAINER)
    await desk.enter("ben")
    assert (await desk.do("tina", StartClass())).error is None
    return desk


async def test_a_class_begins_with_its_first_event() -> None:
    desk = await Desk().start()
    (first,) = desk.journal.records["c1"]
    assert decode_event(first.event) == classroom.create("c1", "Title", Profile.SMALL)
    assert desk.runner.room.seq == 1
    assert desk.runner.epoch
    await desk.runner.stop()


async def test_nothing_is_answered_or_told_while_the_append_is_under_way() -> None:
    desk = await lesson()
    told = len(desk.told.entries)
    desk.journal.gate.clear()
    answer = desk.ask("ben", RaiseHand(), "op-1")
    await asyncio.sleep(0.02)
    assert not answer.done()
    assert len(desk.told.entries) == told
    desk.journal.gate.set()
    reply = await answer
    assert reply.seq == len(desk.journal.records["c1"])
    assert desk.told.entries[-1].origin.op == "op-1"
    await desk.runner.stop()


async def test_commands_that_wait_share_one_append_and_see_each_other() -> None:
    desk = await lesson()
    before = desk.journal.appends
    answers = [desk.ask("ben", command) for command in (RaiseHand(), RaiseHand(), LowerHand(), RaiseHand())]
    replies = await asyncio.gather(*answers)
    assert desk.journal.appends == before + 1
    first = replies[0].seq
    assert [reply.seq for reply in replies] == [first, first, first + 1, first + 2]
    await desk.runner.stop()


async def test_refused_command_changes_nothing() -> None:
    desk = await lesson()
    before = encode_room(desk.runner.room)
    assert (await desk.do("ben", EndClass())).error == "not_allowed"
    assert (await desk.do("ben", PostChat(text="forbidden fruit"))).error == "text_refused"
    question = CreatePoll(question="a?", options=["fine", "forbidden"], multiple=False, anonymous=False)
    assert (await desk.do("tina", question)).error == "text_refused"
    assert (await desk.do("nobody", RaiseHand())).error == "not_admitted"
    assert encode_room(desk.runner.room) == before
    assert desk.counters.rejected_commands == 4
    await desk.runner.stop()


async def test_operation_sent_twice_happens_once_even_in_one_turn() -> None:
    desk = await lesson()
    first, second = await asyncio.gather(desk.ask("ben", RaiseHand(), "op"), desk.ask("ben", RaiseHand(), "op"))
    third = await desk.do("ben", RaiseHand(), "op")
    assert first == second == third
    assert sum(isinstance(entry.event, HandRaised) for entry in desk.told.entries) == 1
    await desk.runner.stop()


async def test_old_operation_met_again_is_found_in_the_store() -> None:
    desk = await lesson()
    first = await desk.do("ben", RaiseHand(), "ancient")
    desk.runner.room.participants["ben"].recent.clear()
    await desk.do("ben", LowerHand(), "newer")
    again, other = await asyncio.gather(desk.ask("ben", RaiseHand(), "ancient"), desk.ask("tina", PostChat(text="hello"), "fresh"))
    assert again == first
    assert other.error is None, "others in the same turn are no worse for it"
    assert await desk.do("ben", RaiseHand(), "ancient") == first
    assert desk.runner.room.hands == []
    assert encode_room(desk.runner.room) == desk.replayed()
    await desk.runner.stop()


@pytest.mark.parametrize("reading_fails", [0, 1])
async def test_a_person_with_many_old_operations_has_the_class_built_anew_once(monkeypatch: pytest.MonkeyPatch, reading_fails: int) -> None:
    desk, load, loads = await lesson(), Runner._load, itertools.count()

    async def counted(runner: Runner) -> Any:
        next(loads)
        return await load(runner)

    first = [await desk.do("ben", PostChat(text=f"{n}"), f"op-{n}") for n in range(MAX_RECENT_OPS + 30)]
    monkeypatch.setattr(Runner, "_load", counted)
    assert [await desk.do("ben", PostChat(text="again"), f"op-{n}") for n in range(10)] == first[:10]
    desk.journal.reading_fails = reading_fails  # a look that fails costs another
    answers = [desk.ask("ben", PostChat(text="again"), f"op-{n}") for n in range(10, 30)]
    other = await desk.do("tina", PostChat(text="hello"), "op-0")
    assert (await asyncio.gather(*answers), other.error) == (first[10:30], None)
    assert next(loads) == 1 + reading_fails
    assert encode_room(desk.runner.room) == desk.replayed()
    await desk.runner.stop()


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.LIE])
async def test_failed_append_refuses_the_whole_turn_and_the_resend_counts_once(fault: Fault) -> None:
    desk = await lesson()
    desk.journal.faults = [fault]
    raised, said, not_allowed = await asyncio.gather(
        desk.ask("ben", RaiseHand(), "op-1"), desk.ask("ben", PostChat(text="hello"), "op-2"), desk.ask("ben", EndClass(), "op-3")
    )
    assert {raised.error, said.error, not_allowed.error} == {"journal_unavailable"}
    again = await desk.do("ben", RaiseHand(), "op-1")
    assert again.error is None
    stored = desk.journal.records["c1"]
    assert [record.seq for record in stored if record.op == "op-1"] == [again.seq]
    assert [entry.seq for entry in desk.told.entries] == list(range(2, len(stored) + 1))
    assert encode_room(desk.runner.room) == desk.replayed()
    await desk.runner.stop()


async def test_what_is_asked_for_on_a_refusal_is_answered_although_the_store_goes_on_failing() -> None:
    desk = await lesson()
    desk.journal.faults = [Fault.REFUSE]
    desk.journal.reading_fails = 1
    answers: list[Reply] = []
    both = asyncio.Event()

    def refused(reply: Reply) -> None:
        answers.append(reply)
        desk.runner.submit("ben", LowerHand(), "op-3", answered)

    def answered(reply: Reply) -> None:
        answers.append(reply)
        both.set()

    first = desk.ask("ben", RaiseHand(), "op-1")
    await asyncio.sleep(0)
    desk.runner.submit("ben", PostChat(text="hello"), "op-2", refused)
    await first
    async with asyncio.timeout(10):
        await both.wait()
    assert len(answers) == 2
    await desk.runner.stop()


async def test_departure_survives_a_failing_store() -> None:
    desk = await lesson()
    desk.journal.faults = [Fault.REFUSE, Fault.REFUSE]
    desk.journal.reading_fails = 1
    gone = await desk.do("ben", Disconnect(connection="ben-1", reason="lost"))
    assert gone.error is None
    assert not desk.runner.room.participants["ben"].present
    await desk.runner.stop()


async def test_fenced_writer_stops_and_says_so() -> None:
    desk = await lesson()
    desk.journal.faults = [Fault.FENCE]
    assert (await desk.do("ben", RaiseHand())).error == "draining"
    assert desk.told.closings == ["draining"]
    assert not desk.runner.alive
    assert (await desk.do("ben", RaiseHand())).error == "draining"
    await desk.runner.stop()
    assert desk.journal.snapshots == {}, "a room that is not the journal is never saved"


async def test_connections_found_open_after_a_crash_are_closed() -> None:
    desk = await lesson()
    other = await Desk(desk.journal).start()
    assert (await other.do(None, None)).error is None
    assert {entry.event.reason for entry in other.told.entries} == {"recovered"}  # type: ignore[attr-defined]
    assert other.runner.room.present == 0
    assert other.runner.epoch == desk.runner.epoch
    await other.runner.stop()


async def test_crash_replay_gives_the_same_room_with_or_without_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SNAPSHOT_EVERY", 10)
    desk = await lesson()
    for n in range(37):
        await desk.do("ben", PostChat(text=f"{n}") if n % 3 else (RaiseHand() if n % 2 else LowerHand()), f"op-{n}")
    assert desk.counters.snapshots >= 2
    assert desk.journal.snapshots["c1"][0] > 10
    assert desk.runner.room.seq - desk.journal.snapshots["c1"][0] >= 10, "who comes back after a crash finds entries to go on from"
    with_snapshot = await Desk(desk.journal).start()
    before = with_snapshot.runner.room.seq
    assert before == desk.runner.room.seq
    assert encode_room(with_snapshot.runner.room) == encode_room(desk.runner.room) == desk.replayed()
    await with_snapshot.runner.stop()


async def test_unreadable_snapshot_is_as_good_as_none() -> None:
    desk = await lesson()
    desk.journal.snapshots["c1"] = (3, b"from another version")
    other = await Desk(desk.journal).start()
    assert other.runner.room.participants.keys() == {"tina", "ben"}
    await other.runner.stop()


async def test_command_that_breaks_decide_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await lesson()
    monkeypatch.setattr(running.classroom, "decide", _break_for(PostChat, classroom.decide))
    good, bad, more = await asyncio.gather(
        desk.ask("ben", RaiseHand(), "1"), desk.ask("ben", PostChat(text="poison"), "2"), desk.ask("ben", LowerHand(), "3")
    )
    assert (good.error, bad.error, more.error) == (None, "internal", None)
    assert desk.counters.decide_failures == 1
    await desk.runner.stop()


async def test_command_that_breaks_evolve_is_refused_and_the_rest_of_the_turn_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await lesson()
    evolve = classroom.evolve

    def broken(room: Any, seq: int, origin: Origin, event: Any) -> None:
        room.title = "spoilt"
        if type(event).__name__ == "ChatPosted":
            raise RuntimeError("half done")
        room.title = "Title"
        evolve(room, seq, origin, event)

    monkeypatch.setattr(running.classroom, "evolve", broken)
    good, bad, more = await asyncio.gather(
        desk.ask("ben", RaiseHand(), "1"), desk.ask("ben", PostChat(text="poison"), "2"), desk.ask("ben", LowerHand(), "3")
    )
    assert (good.error, bad.error, more.error) == (None, "internal", None)
    monkeypatch.undo()
    assert encode_room(desk.runner.room) == desk.replayed()
    assert desk.runner.room.title == "Title"
    await desk.runner.stop()


async def test_journal_entry_nobody_can_read_is_left_out() -> None:
    desk = await lesson()
    log = desk.journal.records["c1"]
    last = log[-1]
    log.append(type(last)(seq=last.seq + 1, at=1, by=None, op=None, event=b"\xc1 not an event"))
    other = await Desk(desk.journal).start()
    assert other.counters.poisoned == 1
    assert (await other.do("tina", Connect(connection="t2", name="tina", role=Role.TRAINER))).error is None
    await other.runner.stop()


async def test_full_queue_is_overloaded_but_departures_get_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "QUEUE", 3)
    desk = await lesson()
    desk.journal.gate.clear()
    first = desk.ask("ben", RaiseHand())
    await asyncio.sleep(0.01)
    waiting = [desk.ask("ben", LowerHand()) for _ in range(3)]
    assert (await desk.ask("ben", LowerHand())).error == "overloaded"
    gone = desk.ask("ben", Disconnect(connection="ben-1", reason="lost"))
    desk.journal.gate.set()
    assert {reply.error for reply in await asyncio.gather(first, gone, *waiting)} == {None}
    assert desk.counters.queue_full == 1
    await desk.runner.stop()


async def test_stopping_finishes_what_is_queued_and_saves() -> None:
    desk = await lesson()
    answers = [desk.ask("ben", PostChat(text=f"{n}"), f"op-{n}") for n in range(300)]
    await desk.runner.stop()
    assert all(answer.result().error is None for answer in answers)
    seq, state = desk.journal.snapshots["c1"]
    assert seq == len(desk.journal.records["c1"])
    assert state == encode_room(desk.runner.room)


async def test_follower_that_fails_is_told_anew_and_the_class_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await lesson()
    openings = desk.told.openings

    def fail(runner: Runner, entries: Sequence[Entry]) -> None:
        raise RuntimeError("defect")

    monkeypatch.setattr(desk.told, "published", fail)
    assert (await desk.do("ben", RaiseHand())).error is None
    assert desk.told.openings == openings + 1
    monkeypatch.undo()
    assert (await desk.do("ben", LowerHand())).error is None
    await desk.runner.stop()


def _break_for(kind: type[Command], decide: Any) -> Any:
    def broken(room: Any, context: Any, command: Command) -> Any:
        if isinstance(command, kind):
            raise RuntimeError("defect")
        return decide(room, context, command)

    return broken


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(["ben", "ann", "tina", "stranger"]), st.integers(0, 12)),
        st.tuples(st.just("fault"), st.sampled_from([Fault.REFUSE, Fault.LIE])),
        st.tuples(st.just("settle")),
        st.tuples(st.just("crash")),
    ),
    max_size=40,
)
COMMANDS: list[Command] = [RaiseHand(), LowerHand(), PostChat(text="hi"), PostChat(text="forbidden"), StartClass(), EndClass()]


@settings(max_examples=60, deadline=None)
@given(ACTS)
def test_acked_is_stored_once_whatever_fails(acts: list[tuple[Any, ...]]) -> None:
    asyncio.run(_faulty(acts))


async def _faulty(acts: list[tuple[Any, ...]]) -> None:
    desk = await lesson()
    await desk.enter("ann")
    acked: dict[tuple[str, str], Reply] = {}
    pending: dict[tuple[str, str, int], asyncio.Future[Reply]] = {}

    async def settle() -> None:
        for (actor, op, _), answer in pending.items():
            reply = await asyncio.wait_for(answer, 5)
            if reply.error is None:
                assert acked.setdefault((actor, op), reply).seq == reply.seq or reply.seq >= acked[actor, op].seq
        pending.clear()

    for number, act in enumerate(acts):
        if act[0] == "ask":
            _, actor, op = act
            # an operation id names one command
            pending[actor, f"op-{op}", number] = desk.ask(actor, COMMANDS[op % len(COMMANDS)], f"op-{op}")
        elif act[0] == "fault":
            desk.journal.faults.append(act[1])
        elif act[0] == "settle":
            await settle()
        else:
            await settle()
            desk.journal.faults.clear()
            desk = await Desk(desk.journal).start()
            for name, role in (("tina", Role.TRAINER), ("ben", Role.TRAINEE), ("ann", Role.TRAINEE)):
                await desk.do(name, Connect(connection=f"{name}-{number}", name=name, role=role))
    await settle()
    log = desk.journal.records["c1"]
    assert [record.seq for record in log] == list(range(1, len(log) + 1))
    for (actor, op), reply in acked.items():
        found = [record.seq for record in log if (record.by, record.op) == (actor, op)]
        assert found == list(range(found[0], found[-1] + 1)) if found else True, "one operation's events are stored together, once"
        assert all(seq <= reply.seq for seq in found)
    assert encode_room(desk.runner.room) == desk.replayed()
    assert desk.told.known == len(log)
    await desk.runner.stop()


class Remembered:
    """ports.LifeSigns of a node that crashed."""

    def __init__(self, signs: Signs | None) -> None:
        self.signs = signs

    async def last(self, session: str) -> Signs | None:
        """See ports.LifeSigns."""
        return self.signs


@pytest.mark.parametrize(
    ("signs", "seen"),
    [(Signs(at=2_000, silent={"ben-1": 1_900}), {"tina": 2_000, "ben": 1_900}), (None, {"tina": None, "ben": None})],
    ids=["signs", "none"],
)
async def test_connections_left_open_by_a_crash_end_at_their_last_life_sign(signs: Signs | None, seen: dict[str, int | None]) -> None:
    desk = await lesson()
    again = Runner(
        "c1", journal=desk.journal, media=desk.media, screen=NoScreen(), clock=lambda: 9_000, follower=desk.told, counters=desk.counters,
        signs=Remembered(signs),
    )  # fmt: skip
    await again.start(None)
    await again.stop()
    closed = [event for record in desk.journal.records["c1"] if isinstance(event := decode_event(record.event), ConnectionClosed)]
    assert {event.participant: event.seen for event in closed} == seen
    assert {event.reason for event in closed} == {"recovered"}
    await desk.runner.stop()


async def test_a_class_whose_life_signs_cannot_be_read_is_not_woken_with_wrong_ones() -> None:
    desk = await lesson()

    class Away:
        async def last(self, session: str) -> Signs | None:
            raise Unavailable("away")

    again = Runner(
        "c1", journal=desk.journal, media=desk.media, screen=NoScreen(), clock=lambda: 9_000, follower=desk.told, counters=desk.counters,
        signs=Away(),
    )  # fmt: skip
    with pytest.raises(Unavailable):
        await again.start(None)
    await desk.runner.stop()


async def test_the_node_starts_presence_checks_by_itself_and_again_after_a_failed_append(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_SETTLE_MS", 0)
    desk = Desk()
    now = [1_000]
    desk.runner._clock = desk.runner._alarm._clock = lambda: now[0]
    often = msgspec.structs.replace(STANDARD, check_every_s=1, check_jitter=0.0)
    await desk.runner.start(classroom.create("c1", "Title", Profile.SMALL, policy=often))
    await desk.enter("tina", Role.TRAINER)
    await desk.enter("ben")
    await desk.do("tina", StartClass())
    assert (await desk.do("tina", ScheduleChecks(on=True))).error is None
    assert desk.runner._alarm._timer is not None
    now[0] += 1_000
    desk.journal.faults = [Fault.REFUSE]
    desk.runner._check_is_due()
    async with asyncio.timeout(5):
        while not any(isinstance(entry.event, CheckAsked) for entry in desk.told.entries):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert desk.journal.faults == []
    assert desk.runner.room.checks_at == now[0] + 1_000
    await desk.runner.stop()


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.LIE])
async def test_who_was_refused_entry_is_not_in_class_though_the_store_took_it(fault: Fault) -> None:
    desk = await lesson()
    desk.journal.faults = [fault]
    new, tab = await asyncio.gather(
        desk.ask("ann", Connect(connection="ann-1", name="ann", role=Role.TRAINEE)),
        desk.ask("ben", Connect(connection="ben-2", name="ben", role=Role.TRAINEE)),
    )
    assert (new.error, tab.error) == ("journal_unavailable", "journal_unavailable")
    assert (await desk.do(None, None)).error is None
    room = desk.runner.room
    assert {name: person.connections for name, person in room.participants.items() if person.present} == {
        "tina": ["tina-1"], "ben": ["ben-1"],
    }  # fmt: skip
    assert (await desk.do("ann", Connect(connection="ann-2", name="ann", role=Role.TRAINEE))).error is None
    assert room.participants["ann"].connections == ["ann-2"]
    assert encode_room(desk.runner.room) == desk.replayed()
    await desk.runner.stop()


async def test_who_was_refused_entry_departs_once_the_store_can_be_read_again() -> None:
    desk = await lesson()
    desk.journal.faults = [Fault.LIE, Fault.REFUSE]
    desk.journal.reading_fails = 1
    refused = await desk.do("ann", Connect(connection="ann-1", name="ann", role=Role.TRAINEE))
    assert refused.error == "journal_unavailable"
    gone = await desk.do("ben", Disconnect(connection="ben-1", reason="lost"))  # kept as well, and behind it
    assert gone.error is None
    assert not desk.runner.room.participants["ann"].present
    await desk.runner.stop()
