"""One grade for a person's connection from what the engine measured on its transports. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

#: grade -> (highest round trip in ms, highest loss in permille)
_BARS: Final = ((4, 150, 20), (3, 300, 50), (2, 500, 100))
#: the layer of a picture for which the connection has no room
PAUSED: Final = -1


@dataclass(frozen=True, kw_only=True)
class Report:
    """One transport over the last interval: round trip in ms (0 = unknown), loss in permille towards and from the server."""

    rtt_ms: int
    loss_in: int
    loss_out: int


def all_paused(layers: Iterable[int | None]) -> bool:
    """Whether there are pictures and none fits, by the layer each plays (None = not begun)."""
    return set(layers) == {PAUSED}


def score(reports: Mapping[str, Report], *, starved: bool = False) -> tuple[int, int, int]:
    """(grade 4 good .. 1 bad, round trip in ms, loss in permille), the worst of what was sent to and by the person.

    `starved`: no picture fits through the connection, so that nothing is sent which could be late or lost.
    """
    rtt = max((report.rtt_ms for report in reports.values()), default=0)
    loss = max((max(report.loss_in, report.loss_out) for report in reports.values()), default=0)
    grade = 1 if starved else next((grade for grade, most_rtt, most_loss in _BARS if rtt <= most_rtt and loss <= most_loss), 1)
    return grade, rtt, loss
