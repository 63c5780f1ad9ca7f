"""Token buckets by key, bounded in number: the least recently used key is forgotten first. Time is an argument, monotonic seconds."""

from collections import OrderedDict

from signaling.limits import Bucket


class Buckets:
    """`rate` tokens per second up to `burst` for each key."""

    def __init__(self, *, rate: float, burst: float, keys: int = 20_000) -> None:
        self._rate = rate
        self._burst = burst
        self._keys = keys
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self.refused = 0

    def take(self, key: str, now: float) -> bool:
        """Take one token; False if there is none."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, self._burst)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._keys:
            self._buckets.popitem(last=False)
        granted = bucket.take(now)
        self.refused += not granted
        return granted

    def __len__(self) -> int:
        return len(self._buckets)
