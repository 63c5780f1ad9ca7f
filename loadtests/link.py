"""A network line as arithmetic: packets go in with the time, and come out delayed, slowed down, reordered or not at all. Pure, seeded.

Conditions are written as settings separated by spaces; a setting that is not named stays as it is:

    3000kbit | unlimited     rate on the wire (IPv4 and UDP headers included)
    queue=300ms | 64000B     most that waits for the rate before newcomers are dropped
    delay=50ms jitter=10ms   each packet takes delay +- jitter; jitter alone never reorders
    loss=2%                  packets lost independently
    burst=1%x5               with that chance a packet begins a row of losses, 5 long on average
    reorder=1%x20ms          packets held back by that time, so that later ones overtake

A schedule changes them by itself: `0:3000kbit queue=300ms,20:600kbit,40:3000kbit`, seconds from the start.
"""

import heapq
import random
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, NamedTuple, TypeVar

from loadtests.report import quantile

#: IPv4 and UDP headers, bytes
OVERHEAD: Final = 28
#: packets a link holds at most, whatever its conditions
MOST_HELD: Final = 20_000
#: delays remembered for percentiles
MOST_REMEMBERED: Final = 50_000

Packet = TypeVar("Packet")


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """How a line treats packets. Times in seconds, chances from 0 to 1, rate in bit/s."""

    rate: float | None = None
    #: at most one of these two bounds the queue; bytes of it, or seconds at the present rate
    queue_bytes: float | None = None
    queue_s: float | None = 0.3
    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    burst: float = 0.0
    burst_length: float = 1.0
    reorder: float = 0.0
    reorder_by: float = 0.0

    def queue_limit(self) -> float:
        """Bytes that may wait."""
        if self.queue_bytes is not None:
            return self.queue_bytes
        return (self.rate or 0.0) / 8 * (self.queue_s or 0.0)


def _time(text: str) -> float:
    return float(text.removesuffix("ms")) / 1e3


def _chance(text: str) -> float:
    return float(text.removesuffix("%")) / 100


_SETTINGS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], dict[str, float | None]]], ...]] = (
    (re.compile(r"unlimited"), lambda _: {"rate": None}),
    (re.compile(r"(\d+(?:\.\d+)?)kbit"), lambda m: {"rate": float(m[1]) * 1e3}),
    (re.compile(r"queue=(\d+(?:\.\d+)?ms)"), lambda m: {"queue_s": _time(m[1]), "queue_bytes": None}),
    (re.compile(r"queue=(\d+)B"), lambda m: {"queue_s": None, "queue_bytes": float(m[1])}),
    (re.compile(r"delay=(\d+(?:\.\d+)?ms)"), lambda m: {"delay": _time(m[1])}),
    (re.compile(r"jitter=(\d+(?:\.\d+)?ms)"), lambda m: {"jitter": _time(m[1])}),
    (re.compile(r"loss=(\d+(?:\.\d+)?%)"), lambda m: {"loss": _chance(m[1])}),
    (re.compile(r"burst=(\d+(?:\.\d+)?%)x(\d+(?:\.\d+)?)"), lambda m: {"burst": _chance(m[1]), "burst_length": float(m[2])}),
    (re.compile(r"reorder=(\d+(?:\.\d+)?%)x(\d+(?:\.\d+)?ms)"), lambda m: {"reorder": _chance(m[1]), "reorder_by": _time(m[2])}),
)


def conditions(text: str, before: Conditions | None = None) -> Conditions:
    """Settings as text over the conditions before; raises ValueError naming the first that cannot be read."""
    found = before or Conditions()
    for word in text.split():
        for pattern, read in _SETTINGS:
            if (match := pattern.fullmatch(word)) is not None:
                found = replace(found, **read(match))  # type: ignore[arg-type]
                break
        else:
            raise ValueError(f"no such setting: {word!r}")
    if found.rate is not None and found.rate <= 0:
        raise ValueError("the rate must be positive")
    if max(found.loss, found.burst, found.reorder) > 1:
        raise ValueError("no chance is above 100%")
    if found.burst_length < 1:
        raise ValueError("a burst is at least one packet long")
    return found


def schedule(text: str) -> list[tuple[float, Conditions]]:
    """(seconds from the start, conditions) of a text like `0:3000kbit,20:600kbit`; a text without times holds from 0 on."""
    steps: list[tuple[float, Conditions]] = []
    for step in text.split(","):
        at, colon, settings = step.partition(":")
        if not colon:
            at, settings = "0", step
        when = float(at)
        if steps and when <= steps[-1][0]:
            raise ValueError("times of a schedule must grow")
        steps.append((when, conditions(settings, steps[-1][1] if steps else None)))
    return steps


class _Waiting(NamedTuple):
    since: float
    size: int
    packet: Any


class Link(Generic[Packet]):
    """One direction of a line: queue, rate, loss, delay. Packets in with the time, packets out when due; `random` decides the rest.

    Order: a packet that finds the queue full is dropped; the queue is emptied at the rate; what left it is lost or takes its delay. Packets
    come out in the order they went in except those held back by `reorder`. `now` must not run backwards.
    """

    def __init__(self, conditions: Conditions, random: random.Random) -> None:
        self.conditions = conditions
        self._random = random
        self._queue: deque[_Waiting] = deque()
        self._queued = 0
        #: bits of the first in the queue not yet sent at `_clock`
        self._left = 0.0
        self._clock = 0.0
        self._flying: list[tuple[float, int, Packet]] = []
        self._order = 0
        self._latest = 0.0
        self._in_burst = False
        self.delays: deque[float] = deque(maxlen=MOST_REMEMBERED)
        #: by how much `due` was asked too late, seconds
        self.lateness: deque[float] = deque(maxlen=MOST_REMEMBERED)
        self.counts = dict.fromkeys(("offered", "forwarded", "bytes", "dropped_queue", "dropped_loss", "dropped_held", "reordered"), 0)

    def send(self, packet: Packet, size: int, now: float) -> None:
        """One packet of so many bytes on the wire goes in."""
        self._serve(now)
        self.counts["offered"] += 1
        if len(self._queue) + len(self._flying) >= MOST_HELD:
            self.counts["dropped_held"] += 1
        elif self.conditions.rate is None and not self._queue:
            self.delays.append(0.0)
            self._depart(packet, size, now)
        elif self._queue and self._queued + size > self.conditions.queue_limit():
            self.counts["dropped_queue"] += 1
        else:
            if not self._queue:
                self._left = size * 8.0
            self._queue.append(_Waiting(now, size, packet))
            self._queued += size

    def change(self, conditions: Conditions, now: float) -> None:
        """Other conditions from now on; what waits is sent at the new rate, what left keeps its delay."""
        self._serve(now)
        self.conditions = conditions
        self._in_burst = False
        self._serve(now)

    def due(self, now: float) -> list[Packet]:
        """What has arrived by now, in order of arrival."""
        self._serve(now)
        found = []
        while self._flying and self._flying[0][0] <= now:
            arrival, _, packet = heapq.heappop(self._flying)
            self.lateness.append(now - arrival)
            found.append(packet)
        return found

    def next(self) -> float | None:
        """When to ask again; None while nothing is held."""
        times = [self._flying[0][0]] if self._flying else []
        if self._queue and self.conditions.rate is not None:
            times.append(self._clock + self._left / self.conditions.rate)
        return min(times, default=None)

    @property
    def queued(self) -> int:
        """Bytes waiting for the rate."""
        return self._queued

    def figures(self, *, reset: bool = False) -> dict[str, float]:
        """Counters, and percentiles in ms over the last 50,000 packets: of the queue delay, and of how late `due` was asked.

        reset forgets them afterwards.
        """
        told: dict[str, float] = {"queued": self._queued, **self.counts}
        for name, values in (("queue", self.delays), ("late", self.lateness)):
            ordered = sorted(values)
            told |= {f"{name}_ms_p{q}": round(quantile(ordered, q / 100) * 1e3, 3) if ordered else 0.0 for q in (50, 95, 99, 100)}
        if reset:
            self.delays.clear()
            self.lateness.clear()
            self.counts = dict.fromkeys(self.counts, 0)
        return told

    def _serve(self, now: float) -> None:
        """Empty the queue at the rate up to now."""
        rate = self.conditions.rate
        while self._queue:
            finish = self._clock if rate is None else self._clock + self._left / rate
            if finish > now:
                self._left = max(0.0, self._left - (now - self._clock) * (rate or 0.0))
                break
            self._clock = finish
            since, size, packet = self._queue.popleft()
            self._queued -= size
            self.delays.append(finish - since)
            self._depart(packet, size, finish)
            if self._queue:
                self._left = self._queue[0].size * 8.0
        self._clock = max(self._clock, now)

    def _depart(self, packet: Packet, size: int, now: float) -> None:
        if self._lost():
            self.counts["dropped_loss"] += 1
            return
        how = self.conditions
        wobble = self._random.uniform(-how.jitter, how.jitter) if how.jitter else 0.0
        arrival = max(self._latest, now + max(0.0, how.delay + wobble))
        if how.reorder and self._random.random() < how.reorder:
            arrival += how.reorder_by
            self.counts["reordered"] += 1
        else:
            self._latest = arrival
        self._order += 1
        heapq.heappush(self._flying, (arrival, self._order, packet))
        self.counts["forwarded"] += 1
        self.counts["bytes"] += size

    def _lost(self) -> bool:
        """Independent loss, or the two-state chain of Gilbert: in the bad state everything is lost."""
        how = self.conditions
        if self._in_burst or (how.burst and self._random.random() < how.burst):
            self._in_burst = self._random.random() >= 1 / how.burst_length
            return True
        return bool(how.loss) and self._random.random() < how.loss
