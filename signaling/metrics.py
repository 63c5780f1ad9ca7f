"""Numbers this package keeps about itself: plain integers and fixed buckets, read by whoever publishes them.

No locks: each object is written by one thread; a reader may see a value one step old.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: seconds; 0.25 ms to 10 s in steps of about 2
BUCKETS: Final = (0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """How long something took; counts[i] holds the values <= BUCKETS[i] and > BUCKETS[i-1], the last one everything above."""

    __slots__ = ("count", "counts", "max", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.count = 0
        self.total = 0.0
        self.max = 0.0

    def add(self, seconds: float) -> None:
        """Count one value."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.count += 1
        self.total += seconds
        if seconds > self.max:
            self.max = seconds

    @contextmanager
    def time(self) -> Iterator[None]:
        """Count how long the block takes."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(time.perf_counter() - start)


class Counters:
    """Everything the signaling core counts; monotonic unless marked as a gauge."""

    def __init__(self) -> None:
        #: gauges
        self.connections = 0
        self.lagging = 0
        self.behind = 0
        self.runners = 0
        #: at the door
        self.refused_handshakes = 0
        self.joins = 0
        self.refused_joins = 0
        self.late_connects = 0
        self.resumed = 0
        self.snapshots_sent = 0
        self.protocol_errors = 0
        self.rate_limited = 0
        self.queue_full = 0
        #: commands and events
        self.commands = 0
        self.accepted_commands = 0
        self.rejected_commands = 0
        self.decide_failures = 0
        self.poisoned = 0
        self.turns = 0
        self.events = 0
        self.journal_failures = 0
        self.snapshots = 0
        #: frames: built once, delivered to many
        self.frames_out = 0
        self.delivered = 0
        self.bytes_out = 0
        #: CPU time of the loop's thread spent writing frames to many
        self.fanout_cpu_seconds = 0.0
        self.coalesced = 0
        self.partial_sends = 0
        self.replayed = 0
        self.dropped_stalled = 0
        self.dropped_behind = 0
        #: from the arrival of a command to its acknowledgement
        self.ack_seconds = Histogram()
        #: from the handshake to the class being shown
        self.join_seconds = Histogram()
        self.journal_seconds = Histogram()
        #: how late the event loop ran a timer
        self.loop_late_seconds = Histogram()
