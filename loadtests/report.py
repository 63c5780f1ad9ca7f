"""What every bench prints and keeps: one line per figure, `name figure unit budget ok|MISS`, and the same as JSON under var/bench."""

import argparse
import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parents[1] / "var" / "bench"


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile; nan for no values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def median_ratio(tops: Sequence[float], bottoms: Sequence[float]) -> float:
    """The median of the ratios of two series measured in alternating rounds; nan for none, or if a round was not measured (nan).

    Rounds that follow each other see the same machine, so a neighbour's noise cancels out of each ratio.
    """
    ratios = [top / bottom for top, bottom in zip(tops, bottoms, strict=True) if bottom != 0]
    return statistics.median(ratios) if ratios and not any(map(math.isnan, ratios)) else float("nan")


def as_usual(parser: argparse.ArgumentParser, options: argparse.Namespace) -> bool:
    """Whether nothing was asked for but what a bench does by itself."""
    return all((value or None) == (parser.get_default(name) or None) for name, value in vars(options).items())


class Report:
    """The lines printed, and whether any budget was missed."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def line(self, name: str, figure: float | None, unit: str, budget: float | None, *, least: bool = False) -> None:
        """One figure; budget is the most it may be, or with `least` the least (None: for information).

        nan misses every budget, and so does None: the load generator's times of nothing are null.
        """
        figure = math.nan if figure is None else figure
        kept = budget is None or (figure >= budget if least else figure <= budget)
        verdict = "" if budget is None else "ok" if kept else "MISS"
        told = "-" if budget is None else f"{'>=' if least else '<='} {budget:g}"
        print(f"{name:<60} {figure:>10.3f} {unit:<8} {told:<10} {verdict}", flush=True)
        self.lines.append({"name": name, "figure": figure, "unit": unit, "budget": budget, "least": least, "verdict": verdict})

    def figure(self, name: str) -> float:
        """A figure printed before, by its name."""
        return float(next(line["figure"] for line in self.lines if line["name"] == name))

    @property
    def missed(self) -> bool:
        """Whether any budget was."""
        return any(line["verdict"] == "MISS" for line in self.lines)

    def save(self, name: str, *, whole: bool, **about: Any) -> Path:
        """Keep the lines as var/bench/<name>.json with what else is to be known about the run; figures that are no numbers become null.

        A run that is not whole (short, stopped, some of the scenarios) becomes <name>-part.json: the last whole one's figures stay.
        """
        lines = [{**line, "figure": line["figure"] if math.isfinite(line["figure"]) else None} for line in self.lines]
        path = RESULTS / (f"{name}.json" if whole else f"{name}-part.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**about, "lines": lines}, indent=1, allow_nan=False))
        return path
