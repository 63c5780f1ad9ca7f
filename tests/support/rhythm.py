"""Whether sound that arrives has the rhythm of the speech that was sent: loud for some seconds, silent for some, over and over."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

STEP_S = 0.25


async def loudness(energy: Callable[[], Awaitable[float]], seconds: float) -> list[float]:
    """Mean power (energy per second) of each quarter second."""
    powers = []
    before, then = await energy(), time.monotonic()
    end = then + seconds
    while then < end:
        await asyncio.sleep(STEP_S)
        now, at = await energy(), time.monotonic()
        powers.append(max(0.0, now - before) / (at - then))
        before, then = now, at
    return powers


def longest(powers: Sequence[float], wanted: Callable[[float], bool]) -> float:
    """Seconds of the longest run of such quarter seconds."""
    best = run = 0
    for power in powers:
        run = run + 1 if wanted(power) else 0
        best = max(best, run)
    return best * STEP_S


def follows_speech(powers: Sequence[float]) -> str | None:
    """None if there is a silence of over 2 s at less than a hundredth of the loudest power, and speech around it; else what is wrong."""
    top = max(powers, default=0.0)
    if top < 1e-6:
        return "no sound at all"
    silence = longest(powers, lambda power: power < top / 100)
    # Words have pauses of their own: speech is whatever is not one long silence.
    spoken = sum(power >= top / 100 for power in powers) * STEP_S
    if silence < 2.0:
        return f"longest silence {silence} s"
    if silence > 4.0:
        return f"silent for {silence} s"
    if spoken < len(powers) * STEP_S * 0.3:
        return f"only {spoken} s of speech"
    return None
