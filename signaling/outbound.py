"""The one way out of a connection, and what happens when its reader is slow.

States: fast -> lagging -> (fast | behind -> (fast | gone)). A *fast* connection has nothing buffered, so the native fan-out may write to
its descriptor directly. The first short write makes it *lagging*: from then on frames queue here as references, at most `QUEUE_BYTES` and
`QUEUE_FRAMES`, so that nothing overtakes queued bytes. Over the bound it is *behind*: numbered frames are dropped until its buffer has
drained, then its owner sends everything after `position` in one piece. No progress for `STALLED_S`, or behind for `BEHIND_S`: gone.
Latest-value frames are never queued for a slow reader.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from signaling.metrics import Counters

QUEUE_BYTES: Final = 256 * 1024
QUEUE_FRAMES: Final = 512
#: handed to the operating system's buffer in one go while draining
_PIECE: Final = 64 * 1024
STALLED_S: Final = 4.0
BEHIND_S: Final = 30.0
#: how long a closing connection may take to empty its buffer and to answer
LINGER_S: Final = 1.0
SWEEP_S: Final = 0.02
MAX_LAGGARDS: Final = 4_000


class _Queued(NamedTuple):
    frame: bytes
    #: highest journal number in it, None for frames outside the numbering
    upto: int | None


class Outbound:
    """The outgoing half of one connection; every write goes through it or, while `fast`, through the native fan-out."""

    __slots__ = (
        "_laggards",
        "_queue",
        "_queued_bytes",
        "behind_since",
        "catching_up",
        "closing_until",
        "fast",
        "fd",
        "lagging",
        "moved_at",
        "pending",
        "position",
        "tls",
        "transport",
    )

    def __init__(self, transport: asyncio.Transport, laggards: "Laggards") -> None:
        self.transport = transport
        socket = transport.get_extra_info("socket")
        self.fd: int = socket.fileno() if socket is not None else -1
        self.tls = transport.get_extra_info("ssl_object") is not None or self.fd < 0
        self._laggards = laggards
        #: nothing buffered and not closing: the native fan-out may write. Changed by `set_fast` alone
        self.fast = not self.tls
        self.lagging = False
        #: journal number up to which this connection has been sent everything it may see
        self.position = 0
        self.behind_since: float | None = None
        #: its owner was asked for what it missed and has not answered yet
        self.catching_up = False
        self.closing_until: float | None = None
        self._queue: deque[_Queued] = deque()
        self._queued_bytes = 0
        #: bytes in the transport's buffer at the last sweep, and when that last went down
        self.pending = 0
        self.moved_at = 0.0

    @property
    def behind(self) -> bool:
        """Whether numbered frames are being dropped until a catch-up."""
        return self.behind_since is not None

    @property
    def closing(self) -> bool:
        """Whether nothing more may be sent."""
        return self.closing_until is not None

    def send(self, frame: bytes, upto: int | None = None) -> None:
        """Send or queue in order; upto is the journal number the frame brings the reader to."""
        if self.closing_until is not None:
            return
        if not self.lagging:
            if upto is not None:
                self.position = upto
            self._write(frame)
        elif upto is None or self.behind_since is None:
            self._queue.append(_Queued(frame, upto))
            self._queued_bytes += len(frame)
            if (self._queued_bytes > QUEUE_BYTES and len(self._queue) > 1) or len(self._queue) > QUEUE_FRAMES:
                self._overflow()

    def send_latest(self, frame: bytes) -> None:
        """Send a frame that a slow reader can do without."""
        if not self.lagging and self.closing_until is None:
            self._write(frame)

    def sent_short(self, frame: bytes, sent: int) -> None:
        """The native fan-out wrote only `sent` bytes of the frame (negative: an errno)."""
        self._laggards.counters.partial_sends += 1
        if sent < 0 and -sent not in _AGAIN:
            self.transport.abort()
            self.set_fast(False)
        elif self.closing_until is None:
            self._write(memoryview(frame)[max(sent, 0) :])

    def close(self, last: bytes) -> None:
        """Send the last frame as soon as possible, then end the connection within LINGER_S, whatever the reader does."""
        if self.closing_until is not None:
            return
        self.set_fast(False)
        self._queue.clear()
        self._queued_bytes = 0
        self.closing_until = self._laggards.loop.time() + LINGER_S
        if not self.transport.is_closing():
            self.transport.write(last)
            if self.transport.can_write_eof():
                # The peer may have gone since: the kernel then refuses to half-close what is no longer connected.
                try:
                    self.transport.write_eof()
                except OSError:
                    self.transport.abort()
            else:
                self.transport.close()
        self._laggards.add(self)

    def gone(self) -> None:
        """The transport has ended; forget everything."""
        self.set_fast(False)
        if self.closing_until is None:
            self.closing_until = 0.0
        self._queue.clear()
        self._laggards.discard(self)

    def set_fast(self, fast: bool) -> None:
        """Whether the native fan-out may write; whoever has sorted connections by it must sort them again."""
        if fast is not self.fast:
            self.fast = fast
            self._laggards.changes += 1

    def _write(self, frame: bytes | memoryview) -> None:
        self.transport.write(frame)
        if self.transport.get_write_buffer_size():
            self._lag()

    def _lag(self) -> None:
        if not self.lagging:
            self.lagging = True
            self.set_fast(False)
            self.pending = self.transport.get_write_buffer_size()
            self.moved_at = self._laggards.loop.time()
            self._laggards.add(self)

    def fall_behind(self, position: int | None = None) -> None:
        """Send no numbered frames until the owner has caught up from `position` (None: from what was really handed over; -1: anew)."""
        if self.closing_until is not None:
            return
        self._lag()
        if position is not None:
            self.position = position
        if self.behind_since is None:
            self.behind_since = self._laggards.loop.time()
        self._queue = deque(queued for queued in self._queue if queued.upto is None)
        self._queued_bytes = sum(len(queued.frame) for queued in self._queue)

    def catch_up(self, frame: bytes, upto: int) -> None:
        """Send everything that was missed, up to this number; numbered frames may follow again."""
        if self.closing_until is not None:
            return
        self.behind_since, self.catching_up = None, False
        self._queue.append(_Queued(frame, upto))
        self._queued_bytes += len(frame)
        # However large it is, it must not push itself out of the queue: it goes at once, once each time all before it is gone.
        while self._queue:
            self._hand_over()

    def _overflow(self) -> None:
        if all(queued.upto is None for queued in self._queue):  # only answers fill the queue: the peer asks without reading
            self._laggards.counters.dropped_behind += 1
            self.transport.abort()
        else:
            self.fall_behind()

    def drain(self) -> bool:
        """Hand over queued frames while the transport's buffer is empty; True when nothing is left."""
        while self._queue and not self.transport.get_write_buffer_size():
            self._hand_over()
        return not self._queue and not self.transport.get_write_buffer_size()

    def _hand_over(self) -> None:
        """Give the transport the first queued frames."""
        piece = []
        size = 0
        while self._queue and size < _PIECE:
            queued = self._queue.popleft()
            piece.append(queued.frame)
            size += len(queued.frame)
            if queued.upto is not None:
                self.position = queued.upto
        self._queued_bytes -= size
        self.transport.write(b"".join(piece))


_AGAIN: Final = frozenset({11, 4, 105})  # EAGAIN, EINTR, ENOBUFS


class Laggards:
    """All connections that are slow or closing; swept by one timer that runs only while there are any."""

    def __init__(self, counters: Counters, *, stalled_s: float = STALLED_S, behind_s: float = BEHIND_S, limit: int = MAX_LAGGARDS) -> None:
        self.counters = counters
        self.loop = asyncio.get_running_loop()
        #: goes up whenever any connection becomes fast or stops being it
        self.changes = 0
        self._members: dict[Outbound, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._stalled_s = stalled_s
        self._behind_s = behind_s
        self._limit = limit
        #: what to do for a connection that is behind and has drained: find what it missed since `position`, then call its `catch_up`
        self.ask: Callable[[Outbound], None] = lambda outbound: outbound.transport.abort()
        #: what to do for a connection that stays behind too long
        self.give_up: Callable[[Outbound], None] = lambda outbound: outbound.transport.abort()

    def __len__(self) -> int:
        return len(self._members)

    def add(self, outbound: Outbound) -> None:
        """Watch a connection; over the bound it is cut at once (it can resume)."""
        if len(self._members) >= self._limit and outbound not in self._members:
            self.counters.dropped_behind += 1
            outbound.transport.abort()
            return
        self._members[outbound] = None
        if self._timer is None:
            self._timer = self.loop.call_later(SWEEP_S, self._sweep)

    def discard(self, outbound: Outbound) -> None:
        """Stop watching."""
        self._members.pop(outbound, None)

    def _sweep(self) -> None:
        now = self.loop.time()
        for outbound in list(self._members):
            self._look_at(outbound, now)
        self.counters.lagging = sum(outbound.lagging for outbound in self._members)
        self.counters.behind = sum(outbound.behind for outbound in self._members)
        self._timer = self.loop.call_later(SWEEP_S, self._sweep) if self._members else None

    def _look_at(self, outbound: Outbound, now: float) -> None:
        if outbound.closing_until is not None:
            if now >= outbound.closing_until:
                outbound.transport.abort()
                self._members.pop(outbound, None)
            return
        pending = outbound.transport.get_write_buffer_size()
        if pending < outbound.pending or not pending:
            outbound.moved_at = now
        if outbound.drain() and outbound.behind_since is not None and not outbound.catching_up:
            outbound.catching_up = True
            self.ask(outbound)
        outbound.pending = outbound.transport.get_write_buffer_size()
        if outbound.behind_since is None and outbound.drain():
            outbound.lagging = False
            outbound.set_fast(not outbound.tls)
            self._members.pop(outbound, None)
            return
        if now - outbound.moved_at >= self._stalled_s:
            self.counters.dropped_stalled += 1
            outbound.transport.abort()
        elif outbound.behind_since is not None and now - outbound.behind_since >= self._behind_s:
            self.counters.dropped_behind += 1
            self.give_up(outbound)
