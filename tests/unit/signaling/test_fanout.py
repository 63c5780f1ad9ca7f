"""Groups and lanes: who is sent which frame, that numbers join without a gap, and that big audiences are served in slices."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signaling import fanout
from signaling.classroom.audience import Audience, Lane
from signaling.classroom.base import Origin
from signaling.classroom.hands import AllHandsLowered
from signaling.entries import RING, Entry
from signaling.fanout import Group, Writer, tell, tell_latest
from signaling.metrics import Counters
from signaling.outbound import Laggards, Outbound
from signaling.packets import raw
from tests.support.wire import transport, turns


class Seat:
    """fanout.Viewer."""

    def __init__(self, participant: str, lane: Lane, laggards: Laggards, number: int = 1) -> None:
        self.id = f"{participant}-{number}"
        self.participant = participant
        self.lane = lane
        self.out = Outbound(transport(), laggards)

    def said(self) -> list[tuple[str, Any]]:
        """(event name, argument) of every frame received."""
        data: bytes = self.out.transport.received  # type: ignore[attr-defined]
        found = []
        while data:
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            packet = msgspec.msgpack.decode(data[start : start + size])
            found.append(tuple(packet["data"]))
            data = data[start + size :]
        return found

    def batches(self) -> list[dict[str, Any]]:
        return [argument for name, argument in self.said() if name == "events"]

    def numbers(self, last: int) -> list[int]:
        """Events applied by the rules of the protocol, starting from `last`."""
        applied = []
        for batch in self.batches():
            assert batch["after"] <= last, "a gap"
            applied += [entry["seq"] for entry in batch["events"] if entry["seq"] > last]
            last = max(last, batch["upto"])
        return applied


def entry(seq: int, lanes: set[Lane], *named: str) -> Entry:
    told: dict[Lane, msgspec.Raw] = {lane: raw({"seq": seq, "lane": lane}) for lane in (*lanes, *(("trainee", "staff") if named else ()))}
    return Entry(seq, Origin(at=0), AllHandsLowered(), Audience(frozenset(lanes), named), told)


def group_of(window_s: float = 0.0) -> tuple[Group, Laggards]:
    counters = Counters()
    laggards = Laggards(counters)
    return Group(Writer(counters, None, laggards), counters, window_s=window_s), laggards


async def test_each_lane_gets_its_own_batch_and_silent_ones_none() -> None:
    group, laggards = group_of()
    group.seed([], 4)
    ann, tina, wei = Seat("ann", "trainee", laggards), Seat("tina", "staff", laggards), Seat("wei", "waiting", laggards)
    for seat in (ann, tina, wei):
        group.enter(seat, 4)
    group.publish([entry(5, {"trainee", "staff"}), entry(6, {"staff"})])
    group.publish([entry(7, {"staff"})])
    group.publish([entry(8, {"trainee"})])
    assert [(b["after"], b["upto"], [e["seq"] for e in b["events"]]) for b in ann.batches()] == [(4, 6, [5]), (6, 8, [8])]
    assert [(b["after"], b["upto"], [e["seq"] for e in b["events"]]) for b in tina.batches()] == [(4, 6, [5, 6]), (6, 7, [7])]
    assert all(e["lane"] == "staff" for b in tina.batches() for e in b["events"])
    assert wei.said() == []


async def test_named_people_get_what_their_lane_does_not() -> None:
    group, laggards = group_of()
    ann, other, ben = Seat("ann", "trainee", laggards), Seat("ann", "trainee", laggards, 2), Seat("ben", "trainee", laggards)
    for seat in (ann, other, ben):
        group.enter(seat, 0)
    group.publish([entry(1, {"trainee"}), entry(2, set(), "ann"), entry(3, {"trainee"}, "ann")])
    assert ann.numbers(0) == other.numbers(0) == [1, 2, 3]
    assert ben.numbers(0) == [1, 3]
    sent = len(ann.batches())
    group.publish([entry(4, {"trainee"}, "ann")])
    assert len(ann.batches()) == sent + 1, "the lane's batch says it all"


async def test_newcomer_is_not_told_again_what_its_snapshot_told() -> None:
    group, laggards = group_of(window_s=3_600)
    group.publish([entry(1, {"trainee"})])
    group.publish([entry(2, {"staff"}, "ann")])
    ann = Seat("ann", "trainee", laggards)
    group.enter(ann, 2)
    group.publish([entry(3, {"trainee"})])
    group.flush()
    assert [(b["after"], b["upto"], len(b["events"])) for b in ann.batches()] == [(1, 3, 1)]
    group.stop()


async def test_first_event_goes_at_once_and_the_next_ones_together() -> None:
    group, laggards = group_of(window_s=0.03)
    ann = Seat("ann", "trainee", laggards)
    group.enter(ann, 0)
    group.publish([entry(1, {"trainee"})])
    assert ann.numbers(0) == [1]
    group.publish([entry(2, {"trainee"})])
    group.publish([entry(3, {"trainee"})])
    assert ann.numbers(0) == [1]
    await asyncio.sleep(0.06)  # the window's own timer
    assert [len(b["events"]) for b in ann.batches()] == [1, 2]
    group.publish([entry(4, {"trainee"})])
    group.flush()
    assert ann.numbers(0) == [1, 2, 3, 4]
    group.stop()


async def test_lane_that_sees_nothing_for_long_is_told_where_it_stands() -> None:
    group, laggards = group_of()
    ann = Seat("ann", "trainee", laggards)
    group.enter(ann, 0)
    for seq in range(1, RING):
        group.publish([entry(seq, {"staff"})])
    assert 0 < len(ann.batches()) <= 2
    assert ann.numbers(0) == []
    assert group.replay(ann, ann.batches()[-1]["upto"]) is not None


async def test_replay_tells_all_that_was_missed_or_nothing() -> None:
    group, laggards = group_of()
    ann, tina = Seat("ann", "trainee", laggards), Seat("tina", "staff", laggards)
    group.seed([entry(n, {"trainee"} if n % 2 else {"staff"}, *(["ann"] if n == 4 else [])) for n in range(3, 8)], 7)
    group.publish([entry(8, {"trainee", "staff"})])
    for seat, after, seen in ((ann, 2, [3, 4, 5, 7, 8]), (tina, 2, [4, 6, 8]), (ann, 7, [8]), (ann, 8, [])):
        frame = group.replay(seat, after)
        assert frame is not None
        batch = msgspec.msgpack.decode(frame[4 if frame[1] == 126 else 2 :])["data"][1]
        assert (batch["after"], batch["upto"]) == (after, 8)
        assert [e["seq"] for e in batch["events"]] == seen
    assert group.replay(ann, 1) is None, "older than memory"
    assert group.replay(ann, 9) is None, "not written yet"


async def test_memory_is_bounded_and_its_edge_exact() -> None:
    group, laggards = group_of()
    ann = Seat("ann", "trainee", laggards)
    for seq in range(1, RING + 11):
        group.publish([entry(seq, {"trainee"})])
    assert group.replay(ann, 9) is None
    assert group.replay(ann, 10) is not None


async def test_large_audience_is_written_in_slices_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "SLICE", 10)
    group, laggards = group_of()
    seats = [Seat(f"p{n}", "trainee", laggards) for n in range(35)]
    for seat in seats:
        group.enter(seat, 0)
    group.publish([entry(1, {"trainee"})])
    assert sum(bool(seat.said()) for seat in seats) == 10
    group.publish([entry(2, {"trainee"}, "p34"), entry(3, set(), "p34", "p0")])
    group.leave(seats[20])
    late = Seat("late", "trainee", laggards)
    group.enter(late, 3)
    await turns(12)
    for seat in (*seats[:20], *seats[21:]):
        assert seat.numbers(0) == ([1, 2, 3] if seat.participant in ("p34", "p0") else [1, 2])
    assert late.numbers(3) == []


async def test_moving_to_another_lane_changes_what_comes_next() -> None:
    group, laggards = group_of()
    ann = Seat("ann", "trainee", laggards)
    group.enter(ann, 0)
    group.publish([entry(1, {"staff"})])
    group.move(ann, "staff")
    group.publish([entry(2, {"staff"})])
    assert ann.said() == [], "first it must be shown the class anew"
    assert ann.out.behind
    assert group.replay(ann, ann.out.position) is None
    ann.out.catch_up(b"", 2)
    group.publish([entry(3, {"staff"})])
    await asyncio.sleep(0.05)
    assert ann.numbers(2) == [3]
    assert ann.lane == "staff"
    group.leave(ann)
    assert (len(group), group.viewers("ann")) == (0, [])


async def test_signals_of_what_is_so_now_are_left_out_for_slow_readers_and_those_told_once_wait_for_them() -> None:
    group, laggards = group_of()
    ann, ben = Seat("ann", "trainee", laggards), Seat("ben", "trainee", laggards)
    ben.out.lagging = True
    for seat in (ann, ben):
        group.enter(seat, 0)
    group.board.put(("trainee",), {"type": "speakers", "speakers": []})
    await asyncio.sleep(0.01)
    tell_latest([ann, ben], {"type": "quality", "participant": "ann", "score": 4, "rtt": 20, "loss": 0})
    for seat in (ann, ben):
        tell(seat, {"type": "slots", "slots": []})
    assert [[s["type"] for s in argument] for name, argument in ann.said() if name == "signals"] == [["speakers"], ["quality"], ["slots"]]
    assert ben.said() == []
    ben.out.drain()
    assert [[s["type"] for s in argument] for name, argument in ben.said() if name == "signals"] == [["slots"]]
    group.stop()


LANES_SEEN: list[set[Lane]] = [set(), {"trainee"}, {"staff"}, {"trainee", "staff"}]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=4)),
        st.tuples(st.just("join"), st.sampled_from(["trainee", "staff"])),
        st.tuples(st.just("flush")),
        st.tuples(st.just("turn")),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=80)
@given(STEPS, st.integers(1, 3))
def test_every_viewer_sees_exactly_what_it_may_whatever_the_timing(steps: list[tuple[Any, ...]], slice_: int) -> None:
    asyncio.run(_timing(steps, slice_))


async def _timing(steps: list[tuple[Any, ...]], slice_: int) -> None:
    before, fanout.SLICE = fanout.SLICE, slice_  # type: ignore[misc]
    try:
        group, laggards = group_of(window_s=3_600)
        log: list[Entry] = []
        seats: list[tuple[Seat, int]] = []
        for step in steps:
            if step[0] == "publish":
                fresh = []
                for lanes, named in step[1]:
                    fresh.append(entry(len(log) + 1, LANES_SEEN[lanes], *(["p0"] if named else [])))
                    log.append(fresh[-1])
                group.publish(fresh)
            elif step[0] == "join":
                seat = Seat(f"p{len(seats)}", step[1], laggards)
                group.enter(seat, len(log))
                seats.append((seat, len(log)))
            elif step[0] == "flush":
                group.flush()
            else:
                await turns(1)
        group.flush()
        await turns(60)
        for seat, since in seats:
            expected = [e.seq for e in log[since:] if seat.lane in e.audience.lanes or seat.participant in e.audience.participants]
            assert seat.numbers(since) == expected
        group.stop()
    finally:
        fanout.SLICE = before  # type: ignore[misc]
