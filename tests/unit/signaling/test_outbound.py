"""The way out of one connection: order, bounds, and what happens to slow readers. Time moves by hand."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signaling.metrics import Counters
from signaling.outbound import BEHIND_S, LINGER_S, QUEUE_BYTES, QUEUE_FRAMES, STALLED_S, SWEEP_S, Laggards, Outbound
from tests.support.wire import transport


class Clock:
    """An event loop's time and its one timer, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timer: Any = None

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Any) -> Any:
        assert delay == SWEEP_S
        self.timer = callback
        return self

    def sweep(self, seconds: float = SWEEP_S) -> None:
        """Let time pass and the timer fire at its end."""
        self.now += seconds
        if self.timer is not None:
            callback, self.timer = self.timer, None
            callback()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def laggards(clock: Clock) -> Laggards:
    return make(clock)


def make(clock: Clock) -> Laggards:
    laggards = Laggards.__new__(Laggards)
    laggards.counters = Counters()
    laggards.loop = clock  # type: ignore[assignment]
    laggards._members, laggards._timer, laggards.changes = {}, None, 0
    laggards._stalled_s, laggards._behind_s, laggards._limit = STALLED_S, BEHIND_S, 2
    laggards.ask = lambda out: out.catch_up(b"<caught up>", 1_000)
    laggards.give_up = lambda out: out.transport.abort()
    return laggards


def test_ready_reader_gets_frames_at_once(laggards: Laggards) -> None:
    out = Outbound(transport(), laggards)
    out.send(b"one", 1)
    out.send(b"two")
    assert out.transport.received == b"onetwo"  # type: ignore[attr-defined]
    assert (out.position, out.lagging, len(laggards)) == (1, False, 0)


def test_short_write_makes_it_lagging_and_later_frames_wait(laggards: Laggards, clock: Clock) -> None:
    out = Outbound(transport(room=2), laggards)
    out.send(b"one", 1)
    out.send(b"two", 2)
    out.send_latest(b"dropped")
    assert out.transport.received == b"on"  # type: ignore[attr-defined]
    assert (out.lagging, out.fast, out.position) == (True, False, 1)
    out.transport.read(100)  # type: ignore[attr-defined]
    clock.sweep()
    assert out.transport.received == b"onetwo"  # type: ignore[attr-defined]
    assert (out.lagging, out.position, len(laggards)) == (False, 2, 0)
    assert clock.timer is None, "no timer runs when nobody is slow"


def test_rest_of_a_native_short_write_goes_first(laggards: Laggards) -> None:
    out = Outbound(transport(), laggards)
    out.sent_short(b"frame", 2)
    out.send(b"|next", 5)
    assert out.transport.received == b"ame|next"  # type: ignore[attr-defined]
    out.sent_short(b"again", -11)
    assert out.transport.received.endswith(b"again")  # type: ignore[attr-defined]


def test_dead_socket_found_by_the_native_write_is_cut(laggards: Laggards) -> None:
    out = Outbound(transport(), laggards)
    out.sent_short(b"frame", -32)
    assert out.transport.aborted  # type: ignore[attr-defined]
    assert not out.fast


@pytest.mark.parametrize(("size", "count"), [(QUEUE_BYTES // 4, 6), (10, QUEUE_FRAMES + 2)])
def test_over_its_bound_it_is_behind_then_caught_up_from_what_it_has(laggards: Laggards, clock: Clock, size: int, count: int) -> None:
    out = Outbound(transport(room=size), laggards)
    out.send(b"a" * size, 1)
    out.send(b"b" * size, 2)
    out.send(b"c" * size, 3)
    for n in range(count):
        out.send(b"d" * size, 4 + n)
    out.send(b"<answer>")
    assert out.behind
    assert out.position == 2
    out.transport.read(10**9)  # type: ignore[attr-defined]
    clock.sweep()
    assert out.transport.received.endswith(b"b" * size + b"<answer><caught up>")  # type: ignore[attr-defined]
    assert (out.behind, out.lagging, out.position) == (False, False, 1_000)


@pytest.mark.parametrize("waiting", [b"", b"an answer"])
def test_what_was_missed_may_be_larger_than_the_queue_and_more_may_follow_it(laggards: Laggards, clock: Clock, waiting: bytes) -> None:
    whole = b"x" * (QUEUE_BYTES + 1)

    def show_again(out: Outbound) -> None:
        if waiting:
            out.send(waiting)
        out.catch_up(whole, 7)
        out.send(b"<standing>")

    laggards.ask = show_again
    out = Outbound(transport(room=2), laggards)
    out.send(b"one", 1)
    out.fall_behind(-1)
    for _ in range(10):
        out.transport.read(QUEUE_BYTES * 2)  # type: ignore[attr-defined]
        clock.sweep()
    assert out.transport.received == b"one" + waiting + whole + b"<standing>"  # type: ignore[attr-defined]
    assert (out.behind, out.lagging, out.position) == (False, False, 7)


def test_told_to_fall_behind_it_waits_for_its_owner(laggards: Laggards, clock: Clock) -> None:
    asked: list[Outbound] = []
    laggards.ask = asked.append
    out = Outbound(transport(), laggards)
    out.send(b"a", 1)
    out.fall_behind(-1)
    out.send(b"numbered", 2)
    out.send(b"<answer>")
    clock.sweep()
    clock.sweep()
    assert asked == [out], "asked once"
    out.send(b"numbered", 3)
    assert (out.behind, out.lagging, out.position) == (True, True, -1)
    out.catch_up(b"<anew>", 3)
    out.send(b"b", 4)
    clock.sweep()
    assert out.transport.received == b"a<answer><anew>b"  # type: ignore[attr-defined]
    assert (out.behind, out.lagging, out.position, len(laggards)) == (False, False, 4, 0)


def test_reader_without_progress_is_cut(laggards: Laggards, clock: Clock) -> None:
    out = Outbound(transport(room=0), laggards)
    out.send(b"x" * 100, 1)
    clock.sweep(STALLED_S - 1)
    assert not out.transport.is_closing()
    out.transport.read(1)  # type: ignore[attr-defined]
    clock.sweep(0.5)
    clock.sweep(STALLED_S - 0.6)
    assert not out.transport.is_closing()
    clock.sweep(0.7)
    assert out.transport.aborted  # type: ignore[attr-defined]
    assert laggards.counters.dropped_stalled == 1


def test_reader_that_stays_behind_is_given_up(laggards: Laggards, clock: Clock) -> None:
    out = Outbound(transport(room=0), laggards)
    for n in range(QUEUE_FRAMES + 3):
        out.send(b"x" * 400, n)
    assert out.behind
    for _ in range(int(BEHIND_S)):
        out.transport.read(1)  # type: ignore[attr-defined]
        assert not out.transport.is_closing()
        clock.sweep(1.0)
    assert out.transport.aborted  # type: ignore[attr-defined]
    assert laggards.counters.dropped_behind == 1


def test_peer_that_asks_without_reading_is_cut(laggards: Laggards) -> None:
    out = Outbound(transport(room=0), laggards)
    for _ in range(QUEUE_FRAMES + 2):
        out.send(b"answer")
    assert out.transport.aborted  # type: ignore[attr-defined]


def test_more_slow_readers_than_the_bound_are_cut(laggards: Laggards) -> None:
    outs = [Outbound(transport(room=0), laggards) for _ in range(3)]
    for out in outs:
        out.send(b"x")
    assert [out.transport.is_closing() for out in outs] == [False, False, True]
    assert len(laggards) == 2


def test_closing_says_the_last_words_then_waits_a_moment(laggards: Laggards, clock: Clock) -> None:
    out = Outbound(transport(), laggards)
    out.close(b"bye")
    out.send(b"too late")
    out.close(b"again")
    assert out.transport.received == b"bye"  # type: ignore[attr-defined]
    assert out.transport.ended  # type: ignore[attr-defined]
    clock.sweep(LINGER_S / 2)
    assert not out.transport.aborted  # type: ignore[attr-defined]
    clock.sweep(LINGER_S)
    assert out.transport.aborted  # type: ignore[attr-defined]
    assert len(laggards) == 0


def test_closed_socket_is_forgotten(laggards: Laggards, clock: Clock) -> None:
    out = Outbound(transport(room=0), laggards)
    out.send(b"x")
    out.gone()
    out.send(b"y")
    assert len(laggards) == 0
    clock.sweep()
    assert clock.timer is None


STEPS = st.lists(st.one_of(st.integers(1, 40).map(lambda n: ("send", n)), st.integers(0, 300).map(lambda n: ("read", n))), max_size=80)


@settings(deadline=None)
@given(STEPS)
def test_bytes_leave_in_order_however_the_reader_reads(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    out = Outbound(transport(room=0), make(clock))
    sent = b""
    for number, (what, size) in enumerate(steps):
        if what == "send":
            sent += bytes([number]) * size
            out.send(bytes([number]) * size, number)
        else:
            out.transport.read(size)  # type: ignore[attr-defined]
            clock.sweep()
        assert sent.startswith(out.transport.received)  # type: ignore[attr-defined]
    out.transport.read(10**9)  # type: ignore[attr-defined]
    clock.sweep()
    assert out.transport.received == sent  # type: ignore[attr-defined]


def test_closing_towards_a_reader_already_gone_cuts_it(laggards: Laggards, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Outbound(transport(), laggards)

    def not_connected() -> None:
        raise OSError(107, "Transport endpoint is not connected")

    monkeypatch.setattr(out.transport, "write_eof", not_connected)
    out.close(b"bye")
    assert out.transport.aborted  # type: ignore[attr-defined]
