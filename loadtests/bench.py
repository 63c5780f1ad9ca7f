"""What the scenarios of a bench of the media engine work with."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from loadtests.report import Report
from loadtests.soundness import judge
from loadtests.swarm import Door, Told, swarm

#: what the floor measures, cheapest last
MODES: Final = ("sendto", "sendmmsg", "gso")


@dataclass
class Bench:
    """What a scenario works with."""

    report: Report
    short: bool
    #: seconds of one measured window
    window: float
    churn_s: float
    #: more options for every load
    load: Mapping[str, object]

    def run(self, door: Door, *, timeout_s: float = 90, **options: object) -> dict[str, Any]:
        """One load on a door, measured in its steady window."""
        known = {
            "whip": f"{door.url}/whip/{{room}}",
            "whep": f"{door.url}/whep/{{room}}",
            "pid": door.pid,
            "figures": f"{door.url}/figures",
        }
        given: dict[str, object] = {"seconds": self.window, "tolerate": 1_000_000, **known, **self.load, **options}
        return swarm("run", timeout_s, **given)

    def floor(self, receivers: int, traffic: Mapping[str, int] | None = None) -> dict[str, float]:
        """CPU microseconds per packet by mode; traffic (options of the floor) if it is not that of one publisher."""
        told = swarm("floor", 60, receivers=receivers, seconds=1 if self.short else 2, **(traffic or {}))
        return {mode: told["modes"][mode]["cpu_us_per_packet"] for mode in MODES}

    def sound(self, name: str, *runs: Told, streams: int = 1, voices: int = 1, layers: int = 1) -> None:
        """Judges all rounds of a load."""
        judge(self.report, name, runs, streams=streams, voices=voices, layers=layers)


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """TimeoutError in the middle of whatever is under way after so long, so that everything that was started is taken down."""

    def over(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
