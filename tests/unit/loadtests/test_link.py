"""The line of the relay: what it promises whatever comes, and what each setting does."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.link import Conditions, Link, conditions, schedule

Sent = list[tuple[float, int]]
#: (gap in seconds, bytes on the wire) of one packet after another
traffic = st.lists(st.tuples(st.floats(0, 0.05), st.integers(29, 1500)), max_size=120)
rates = st.one_of(st.none(), st.floats(20e3, 20e6))
chances = st.sampled_from([0.0, 0.02, 0.3])
in_order = st.builds(
    Conditions,
    rate=rates,
    queue_s=st.floats(0, 0.5),
    delay=st.floats(0, 0.3),
    jitter=st.floats(0, 0.1),
    loss=chances,
    burst=chances,
    burst_length=st.floats(1, 8),
)


def drive(
    link: Link[int], packets: Iterable[tuple[float, int]], *, changes: dict[int, Conditions] | None = None
) -> list[tuple[float, int]]:
    """(arrival, index) of what comes out when packet by packet goes in and the link is asked exactly when it says."""
    arrived: list[tuple[float, int]] = []
    now = 0.0

    def run(until: float) -> None:
        while (wanted := link.next()) is not None and wanted <= until:
            arrived.extend((wanted, packet) for packet in link.due(wanted))

    for index, (gap, size) in enumerate(packets):
        run(now + gap)
        now += gap
        if changes and index in changes:
            link.change(changes[index], now)
        link.send(index, size, now)
    run(float("inf"))
    return arrived


def times(packets: Sent) -> list[float]:
    now, found = 0.0, []
    for gap, _ in packets:
        now += gap
        found.append(now)
    return found


@given(packets=traffic, first=in_order, second=in_order, at=st.integers(0, 119), seed=st.integers(0, 9))
def test_never_reorders_unless_told(packets: Sent, first: Conditions, second: Conditions, at: int, seed: int) -> None:
    arrived = drive(Link(first, random.Random(seed)), packets, changes={at: second})
    assert [index for _, index in arrived] == sorted(index for _, index in arrived)
    assert [when for when, _ in arrived] == sorted(when for when, _ in arrived)


@given(packets=traffic, how=in_order, seed=st.integers(0, 9))
def test_every_packet_arrives_or_is_counted_as_dropped(packets: Sent, how: Conditions, seed: int) -> None:
    link: Link[int] = Link(how, random.Random(seed))
    arrived = drive(link, packets)
    told = link.figures()
    assert told["offered"] == len(packets)
    assert told["forwarded"] == len(arrived) == len({index for _, index in arrived})
    assert len(packets) - len(arrived) == told["dropped_queue"] + told["dropped_loss"] + told["dropped_held"]
    assert link.queued == 0
    assert link.next() is None


@given(packets=traffic, rate=st.floats(20e3, 20e6), queue=st.floats(0, 0.5))
def test_any_stretch_of_what_comes_out_obeys_the_rate(packets: Sent, rate: float, queue: float) -> None:
    arrived = drive(Link(Conditions(rate=rate, queue_s=queue), random.Random(0)), packets)
    for begin in range(len(arrived)):
        bits = 0
        for when, index in arrived[begin + 1 :]:
            bits += packets[index][1] * 8
            assert bits <= rate * (when - arrived[begin][0]) * (1 + 1e-9) + 1e-3


@given(packets=traffic, rate=st.floats(20e3, 20e6), limit=st.floats(0, 20_000))
def test_the_queue_is_bounded_and_drops_newcomers(packets: Sent, rate: float, limit: float) -> None:
    link: Link[int] = Link(Conditions(rate=rate, queue_bytes=limit, queue_s=None), random.Random(0))
    now = 0.0
    for index, (gap, size) in enumerate(packets):
        now += gap
        before = link.figures()["dropped_queue"]
        link.due(now)
        waiting = link.queued
        link.send(index, size, now)
        dropped = link.figures()["dropped_queue"] > before
        assert dropped == (waiting > 0 and waiting + size > limit)
        assert link.queued <= max(limit, 1500)  # one packet may always wait


@given(packets=traffic, rate=st.floats(20e3, 20e6))
def test_an_idle_line_is_never_slower_than_its_rate(packets: Sent, rate: float) -> None:
    arrived = {index: when for when, index in drive(Link(Conditions(rate=rate, queue_s=1e9), random.Random(0)), packets)}
    free = 0.0
    for index, (sent, (_, size)) in enumerate(zip(times(packets), packets, strict=True)):
        free = max(free, sent) + size * 8 / rate
        assert arrived[index] == pytest.approx(free, abs=1e-9)


@given(packets=traffic, delay=st.floats(0, 0.3), jitter=st.floats(0, 0.1))
def test_delay_stays_within_jitter_but_for_keeping_order(packets: Sent, delay: float, jitter: float) -> None:
    latest = 0.0
    for (when, index), sent in zip(
        drive(Link(Conditions(delay=delay, jitter=jitter), random.Random(1)), packets), times(packets), strict=True
    ):
        took = when - sent
        assert took >= max(0.0, delay - jitter) - 1e-9, index
        assert took <= delay + jitter + 1e-9 or when == latest
        latest = when


@given(packets=traffic, how=in_order, seed=st.integers(0, 9))
def test_the_same_seed_does_the_same(packets: Sent, how: Conditions, seed: int) -> None:
    assert drive(Link(how, random.Random(seed)), packets) == drive(Link(how, random.Random(seed)), packets)


@given(packets=traffic, how=in_order)
def test_how_often_it_is_asked_changes_nothing(packets: Sent, how: Conditions) -> None:
    lazy: Link[int] = Link(how, random.Random(3))
    for index, (when, (_, size)) in enumerate(zip(times(packets), packets, strict=True)):
        lazy.send(index, size, when)
    assert lazy.due(1e9) == [index for _, index in drive(Link(how, random.Random(3)), packets)]


def test_lost_packets_are_as_many_as_told() -> None:
    link: Link[int] = Link(conditions("loss=10%"), random.Random(7))
    drive(link, [(0.001, 1200)] * 20_000)
    assert link.figures()["dropped_loss"] == pytest.approx(2_000, rel=0.1)


def test_bursts_come_as_often_and_as_long_as_told() -> None:
    arrived = {index for _, index in drive(Link(conditions("burst=1%x5"), random.Random(7)), [(0.0, 100)] * 15_000)}
    runs, run = [], 0
    for index in range(15_000):
        if index not in arrived:
            run += 1
        elif run:
            runs.append(run)
            run = 0
    assert len(runs) == pytest.approx(15_000 / (100 + 5), rel=0.2)
    assert sum(runs) / len(runs) == pytest.approx(5, rel=0.2)


def test_packets_held_back_are_overtaken() -> None:
    link: Link[int] = Link(conditions("delay=10ms reorder=10%x25ms"), random.Random(7))
    arrived = [index for _, index in drive(link, [(0.005, 1200)] * 1_000)]
    assert sorted(arrived) == list(range(1_000))
    displaced = sum(1 for place, index in enumerate(arrived) if index < max(arrived[: place + 1]))
    assert displaced == link.figures()["reordered"] > 50


def test_a_slower_rate_meets_what_already_waits() -> None:
    link: Link[int] = Link(conditions("1000kbit queue=1000ms"), random.Random(0))
    for index in range(3):
        link.send(index, 1_250, 0.0)  # 10 ms each
    link.change(conditions("100kbit queue=1000ms"), 0.015)  # half of the second is through; 5 ms of it left become 50
    assert link.due(0.015) == [0]
    assert link.next() == pytest.approx(0.065)
    assert link.due(0.065 + 1e-9) == [1]
    assert link.next() == pytest.approx(0.165)


def test_going_unlimited_lets_all_go_at_once() -> None:
    link: Link[int] = Link(conditions("10kbit queue=10000ms"), random.Random(0))
    for index in range(5):
        link.send(index, 1_250, 0.0)
    link.change(conditions("unlimited"), 0.5)
    assert link.due(0.5) == [0, 1, 2, 3, 4]


def test_a_queue_in_milliseconds_follows_the_rate() -> None:
    link: Link[int] = Link(conditions("3000kbit queue=200ms"), random.Random(0))
    for index in range(200):
        link.send(index, 1_250, 0.0)
    assert link.queued == 75_000
    link.change(conditions("600kbit queue=200ms"), 0.0)
    link.send(200, 1_250, 0.0)
    assert link.figures()["dropped_queue"] == 200 - 60 + 1


def test_figures_tell_queue_delay_and_start_anew_when_reset() -> None:
    link: Link[int] = Link(conditions("1000kbit queue=1000ms"), random.Random(0))
    drive(link, [(0.0, 1_250)] * 10)
    told = link.figures(reset=True)
    assert told["queue_ms_p50"] == pytest.approx(60)
    assert told["queue_ms_p100"] == pytest.approx(100)
    assert told["bytes"] == 12_500
    again = link.figures()
    assert (again["offered"], again["queue_ms_p100"]) == (0, 0.0)


def test_a_late_asker_is_told_apart_from_a_slow_line() -> None:
    link: Link[int] = Link(conditions("delay=50ms"), random.Random(0))
    link.send(0, 100, 0.0)
    assert link.due(0.049) == []
    assert link.due(0.058) == [0]
    assert link.figures()["late_ms_p100"] == pytest.approx(8)


def test_settings_that_are_not_named_stay() -> None:
    first = conditions("3000kbit queue=64000B delay=50ms loss=2.5%")
    assert first == Conditions(rate=3e6, queue_bytes=64_000, queue_s=None, delay=0.05, loss=0.025)
    second = conditions("600kbit queue=100ms burst=1%x4 reorder=2%x20ms jitter=5ms", first)
    assert (second.rate, second.queue_limit(), second.delay, second.loss) == (6e5, 7_500, 0.05, 0.025)
    assert (second.burst, second.burst_length, second.reorder, second.reorder_by, second.jitter) == (0.01, 4, 0.02, 0.02, 0.005)
    assert conditions("unlimited", second).rate is None


def test_a_schedule_builds_on_its_steps() -> None:
    steps = schedule("0:3000kbit delay=20ms,20:600kbit,40:3000kbit")
    assert [(at, how.rate, how.delay) for at, how in steps] == [(0, 3e6, 0.02), (20, 6e5, 0.02), (40, 3e6, 0.02)]
    assert schedule("loss=1%") == [(0, Conditions(loss=0.01))]
    assert schedule("") == [(0, Conditions())]


@pytest.mark.parametrize(
    "text",
    ["3000", "loss=2", "loss=200%", "0kbit", "queue=5", "burst=1%", "burst=1%x0.5", "delay=-5ms", "5:loss=1%,5:loss=2%", "x:loss=1%"],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        schedule(text)
