"""Newest wins, at a pace; time is the event loop's, moved by hand."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from signaling.classroom import room as classroom
from signaling.classroom.reactions import Reaction
from signaling.classroom.room import Room
from signaling.classroom.settings import Profile
from signaling.signals import INSIDE, PACE, STAFF, Board


class Timer:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self._when = when
        self.callback = callback
        self.cancelled = False

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Time and timers of an event loop, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        self.timers.append(Timer(when, callback))
        return self.timers[-1]

    def to(self, when: float) -> None:
        """Run everything due until then."""
        while due := [t for t in self.timers if not t.cancelled and t.when() <= when]:
            first = min(due, key=Timer.when)
            self.timers.remove(first)
            self.now = max(self.now, first.when())
            first.callback()
        self.now = when


class Desk:
    def __init__(self) -> None:
        self.loop = Loop()
        self.told: list[tuple[float, str, dict[str, Any]]] = []
        self.board = Board(self.tell, self.loop)  # type: ignore[arg-type]

    def tell(self, lane: str, signals: list[Any]) -> None:
        self.told += [(round(self.loop.now - 100, 3), lane, dict(signal)) for signal in signals]

    def take(self, lane: str) -> list[tuple[float, dict[str, Any]]]:
        found = [(at, {k: v for k, v in s.items() if k != "type"}) for at, where, s in self.told if where == lane]
        self.told.clear()
        return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


def room(present: int, waiting: int = 0) -> Room:
    made = classroom.begin(classroom.create("c1", "t", Profile.SMALL))
    made.present = present
    made.waiting = {f"w{n}": n for n in range(waiting)}
    return made


def test_first_value_goes_at_once_then_the_newest_at_the_pace(desk: Desk) -> None:
    for n in range(30):
        desk.loop.to(100 + n / 10)
        desk.board.put(("trainee",), {"type": "speakers", "n": n})
    desk.loop.to(110)
    told = desk.take("trainee")
    assert told[0] == (0.0, {"n": 0})
    assert told[-1][1] == {"n": 29}
    gaps = [b - a for (a, _), (b, _) in itertools.pairwise(told)]
    assert min(gaps) >= PACE["speakers"] - 1e-6
    assert not [t for t in desk.loop.timers if not t.cancelled], "no timer runs when nothing waits"


def test_types_do_not_hold_each_other_up(desk: Desk) -> None:
    desk.board.put(STAFF, {"type": "present", "present": 1})
    desk.loop.to(100.1)
    desk.board.put(STAFF, {"type": "present", "present": 2})
    desk.board.put(STAFF, {"type": "audio", "slots": ["a"]})
    desk.board.put(STAFF, {"type": "audio", "slots": ["b"]})
    desk.loop.to(102)
    assert desk.take("staff") == [(0.0, {"present": 1}), (0.1, {"slots": ["b"]}), (1.0, {"present": 2})]


def test_values_about_different_people_do_not_replace_each_other(desk: Desk) -> None:
    desk.board.put(STAFF, {"type": "quality", "participant": "a", "score": 4}, "a")
    desk.board.put(STAFF, {"type": "quality", "participant": "b", "score": 1}, "b")
    desk.board.put(STAFF, {"type": "quality", "participant": "a", "score": 3}, "a")
    desk.loop.to(101)
    assert {(s["participant"], s["score"]) for _, s in desk.take("staff")} == {("a", 3), ("b", 1)}


def test_reactions_are_counted_per_window(desk: Desk) -> None:
    desk.board.reacted(Reaction.CLAP)
    desk.loop.to(100)
    for _ in range(5):
        desk.board.reacted(Reaction.CLAP)
        desk.board.reacted(Reaction.HEART)
    desk.loop.to(102)
    assert desk.take("inspector") == [(0.0, {"counts": {"clap": 1}}), (0.5, {"counts": {"clap": 5, "heart": 5}})]


def test_presence_is_told_when_it_changed_and_waiting_to_staff_only(desk: Desk) -> None:
    desk.board.present(room(3, waiting=2))
    desk.loop.to(102)
    desk.board.present(room(3, waiting=2))
    desk.loop.to(104)
    desk.board.present(room(3, waiting=1))
    desk.loop.to(106)
    told = list(desk.told)
    assert [(at, s) for at, lane, s in told if lane == "trainee"] == [(0.0, {"type": "present", "present": 3})]
    assert [s["waiting"] for _, lane, s in told if lane == "staff"] == [2, 1]
    assert all("waiting" not in s for _, lane, s in told if lane != "staff")


def test_newcomers_are_told_what_stands(desk: Desk) -> None:
    desk.board.present(room(3, waiting=2))
    desk.board.put(INSIDE, {"type": "audio", "slots": [None]})
    desk.board.reacted(Reaction.CLAP)
    assert desk.board.standing("trainee") == [{"type": "present", "present": 3}, {"type": "audio", "slots": [None]}]
    assert desk.board.standing("staff")[0] == {"type": "present", "present": 3, "waiting": 2}
    assert desk.board.standing("waiting") == []


def test_typing_ends_by_itself(desk: Desk) -> None:
    desk.board.typed("ann")
    desk.loop.to(100.5)
    desk.board.typed("ben")
    desk.loop.to(110)
    told = [s["participants"] for _, s in desk.take("trainee")]
    assert told[0] == ["ann"]
    assert ["ann", "ben"] in told
    assert told[-1] == []
    assert not [t for t in desk.loop.timers if not t.cancelled]


async def test_stopped_board_tells_nothing() -> None:
    told: list[Any] = []
    board = Board(lambda lane, signals: told.append(signals), asyncio.get_running_loop())
    board.put(STAFF, {"type": "present", "present": 1})
    board.stop()
    await asyncio.sleep(0.01)
    assert told == []
