"""Measured figures against their budgets: one line each, `name figure unit budget ok|MISS`."""

import math
import os
from collections.abc import Iterable


def p95(found: Iterable[float]) -> float:
    """The 95th percentile of the sizes; infinite if there are none."""
    sizes = sorted(abs(each) for each in found)
    return sizes[math.ceil(0.95 * len(sizes)) - 1] if sizes else math.inf


class Figures:
    """What was measured; `missed` are the lines over budget."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def note(self, name: str, figure: float, unit: str, budget: float | None = None) -> None:
        """Print a figure, and the load of the machine beside it; it misses above its budget."""
        fits = budget is None or figure <= budget
        line = f"{name} {figure:.1f} {unit} {'-' if budget is None else f'{budget:g}'} {'ok' if fits else 'MISS'}"
        print(f"{line}  (load {os.getloadavg()[0]:.1f})")
        if not fits:
            self.missed.append(line)
