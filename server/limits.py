"""Token buckets by key, bounded in number: the least recently used key is forgotten first. Time is an argument, in seconds."""

from collections import OrderedDict


class Buckets:
    """`rate` tokens per second up to `burst` for each key."""

    def __init__(self, *, rate: float, burst: float, keys: int = 20_000) -> None:
        self._rate = rate
        self._burst = burst
        self._keys = keys
        self._level: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.refused = 0

    def take(self, key: str, now: float) -> bool:
        """Take one token; False if there is none."""
        level, at = self._level.pop(key, (self._burst, now))
        level = min(self._burst, level + max(0.0, now - at) * self._rate)
        granted = level >= 1
        self._level[key] = (level - 1 if granted else level, now)
        if len(self._level) > self._keys:
            self._level.popitem(last=False)
        self.refused += not granted
        return granted

    def __len__(self) -> int:
        return len(self._level)
