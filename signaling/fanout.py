"""One class's connections, and how events reach them: encoded once per lane, written in one native call per slice.

Rules.
- A batch says `after ... upto`. A lane's next batch begins where its last one ended, so a batch nobody in a lane may see is not sent.
  Events for explicit participants go to their connections as a batch of their own (everything they may see in the same span), before the
  lane's; whoever gets both skips the second by its numbers.
- The first events of a quiet class go at once and open a window; what comes meanwhile goes together at its end.
- Frames of one class leave in order: each is written to slices of at most `SLICE` sockets with the event loop running in between, and the
  next one waits. A newcomer's snapshot or a catch-up may overtake them; numbers make that harmless.
- Leaving costs the own places, whatever the size of the class.
"""

import asyncio
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from signaling.classroom.audience import LANES, Lane
from signaling.classroom.ids import ConnectionId, ParticipantId
from signaling.entries import RING, Entry
from signaling.messages import Batch
from signaling.metrics import Counters
from signaling.outbound import Outbound
from signaling.packets import encode_event
from signaling.ports import SendMany
from signaling.signals import Board, Signal

WINDOW_S: Final = 0.05
#: sockets written before the event loop gets its turn: 3 to 8 ms
SLICE: Final = 1_000


class Viewer(Protocol):
    """One connection in a class."""

    lane: Lane

    @property
    def id(self) -> ConnectionId: ...
    @property
    def participant(self) -> ParticipantId: ...
    @property
    def out(self) -> Outbound: ...


class Writer:
    """Writes one frame to many connections: the ready ones natively, the rest through their own way out."""

    def __init__(self, counters: Counters, send_many: SendMany | None) -> None:
        self._counters = counters
        self._send_many = send_many

    def write(self, outs: Sequence[Outbound], frame: bytes, upto: int | None) -> None:
        """upto is the journal number the frame brings its readers to; None: a frame slow readers do without."""
        self._counters.delivered += len(outs)
        self._counters.bytes_out += len(frame) * len(outs)
        if self._send_many is None:
            fast: list[Outbound] = []
        else:
            fast = [out for out in outs if out.fast]
        if len(fast) < len(outs):
            known = set(fast)
            for out in outs:
                if out not in known:
                    if upto is None:
                        out.send_latest(frame)
                    else:
                        out.send(frame, upto)
        if fast and self._send_many is not None:
            if upto is not None:
                for out in fast:
                    out.position = upto
            for index, sent in self._send_many(array("i", [out.fd for out in fast]), frame):
                fast[index].sent_short(frame, sent)


class Group:
    """Everybody connected to one class on this node."""

    def __init__(self, writer: Writer, counters: Counters, *, window_s: float = WINDOW_S) -> None:
        self._writer = writer
        self._counters = counters
        self._window_s = window_s
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[Lane, dict[Outbound, None]] = {lane: {} for lane in LANES}
        #: journal number each lane has been told up to
        self._told: dict[Lane, int] = dict.fromkeys(LANES, 0)
        self._people: dict[ParticipantId, dict[ConnectionId, Viewer]] = {}
        self._ring: deque[Entry] = deque(maxlen=RING)
        #: everything after this number is in the ring
        self._floor = 0
        self._top = 0
        self._fresh: list[Entry] = []
        #: when events were last told, and the timer that ends the window if any wait for it
        self._flushed_at = -window_s
        self._window: asyncio.TimerHandle | None = None
        self._jobs: deque[tuple[Callable[[], Iterable[Outbound]], bytes, int | None]] = deque()
        self._writing = False
        self.board = Board(self._tell_lane, self._loop)

    def __len__(self) -> int:
        return sum(len(members) for members in self._lanes.values())

    @property
    def top(self) -> int:
        """Number of the newest entry known."""
        return self._top

    def viewers(self, participant: ParticipantId | None = None) -> list[Viewer]:
        """Connections of one participant, or of all."""
        if participant is not None:
            return list(self._people.get(participant, {}).values())
        return [viewer for viewers in self._people.values() for viewer in viewers.values()]

    # ---- members ----

    def enter(self, viewer: Viewer, at: int) -> None:
        """A connection that has been told everything up to `at`."""
        viewer.out.position = at
        self._lanes[viewer.lane][viewer.out] = None
        self._people.setdefault(viewer.participant, {})[viewer.id] = viewer

    def leave(self, viewer: Viewer) -> None:
        """A connection is gone."""
        self._lanes[viewer.lane].pop(viewer.out, None)
        viewers = self._people.get(viewer.participant)
        if viewers is not None:
            viewers.pop(viewer.id, None)
            if not viewers:
                del self._people[viewer.participant]

    def move(self, viewer: Viewer, lane: Lane) -> None:
        """A connection sees the class from another lane from now on; it hears nothing more until it has been shown the class anew."""
        self._lanes[viewer.lane].pop(viewer.out, None)
        viewer.lane = lane
        self._lanes[lane][viewer.out] = None
        viewer.out.fall_behind(-1)

    # ---- numbered events ----

    def seed(self, recent: Sequence[Entry], top: int) -> None:
        """What the journal holds when a class becomes live (or is built anew): `recent` ends at `top` without a gap, or is empty."""
        self._ring = deque(recent, maxlen=RING)
        self._top = top
        self._floor = recent[0].seq - 1 if recent else top
        self._told = dict.fromkeys(LANES, top)

    def publish(self, entries: Sequence[Entry]) -> None:
        """Tell everybody who may see these entries; numbers continue from `top`."""
        for entry in entries:
            if len(self._ring) == RING:
                self._floor = self._ring[0].seq
            self._ring.append(entry)
        self._top = entries[-1].seq
        self._fresh.extend(entries)
        wait = self._flushed_at + self._window_s - self._loop.time()
        if wait <= 0:
            self.flush()
        else:
            self._counters.coalesced += len(entries)
            if self._window is None:
                self._window = self._loop.call_later(wait, self.flush)

    def flush(self) -> None:
        """Tell what waits, now."""
        if self._window is not None:
            self._window.cancel()
        self._window = None
        if not self._fresh:
            return
        entries, self._fresh = self._fresh, []
        self._flushed_at = self._loop.time()
        self._tell_named(entries)
        upto = entries[-1].seq
        for lane in LANES:
            told = [entry.told[lane] for entry in entries if lane in entry.audience.lanes]
            if not self._lanes[lane]:
                self._told[lane] = upto
            elif told or upto - self._told[lane] > RING // 2:
                frame = encode_event("events", Batch(after=self._told[lane], upto=upto, events=told))
                self._told[lane] = upto
                self._enqueue(lambda lane=lane: self._lanes[lane], frame, upto)  # type: ignore[misc]
        self._work()

    def replay(self, viewer: Viewer, after: int) -> bytes | None:
        """One frame with everything after a number that this viewer may see; None when it is no longer at hand."""
        if not self._floor <= after <= self._top:
            return None
        told = [
            entry.told[viewer.lane]
            for entry in self._ring
            if entry.seq > after
            and viewer.lane in entry.told
            and (viewer.lane in entry.audience.lanes or viewer.participant in entry.audience.participants)
        ]
        self._counters.replayed += len(told)
        return encode_event("events", Batch(after=after, upto=self._top, events=told))

    def _tell_named(self, entries: list[Entry]) -> None:
        upto = entries[-1].seq
        #: per person, the lanes that are told of every event naming that person anyway
        named: dict[ParticipantId, frozenset[Lane]] = {}
        for entry in entries:
            for participant in entry.audience.participants:
                named[participant] = named.get(participant, entry.audience.lanes) & entry.audience.lanes
        for participant, lanes in named.items():
            frames: dict[Lane, bytes] = {}
            for viewer in self.viewers(participant):
                if viewer.lane in lanes:
                    continue
                if viewer.lane not in frames:
                    frames[viewer.lane] = self._for_one(entries, participant, viewer.lane)
                out = viewer.out
                self._enqueue(lambda out=out: (out,), frames[viewer.lane], upto)  # type: ignore[misc]

    def _for_one(self, entries: list[Entry], participant: ParticipantId, lane: Lane) -> bytes:
        told = [
            entry.told[lane]
            for entry in entries
            if lane in entry.told and (lane in entry.audience.lanes or participant in entry.audience.participants)
        ]
        return encode_event("events", Batch(after=self._told[lane], upto=entries[-1].seq, events=told))

    # ---- unnumbered signals ----

    def _tell_lane(self, lane: Lane, signals: list[Signal]) -> None:
        if self._lanes[lane]:
            self._enqueue(lambda: self._lanes[lane], encode_event("signals", signals), None)
            self._work()

    # ---- writing ----

    def _enqueue(self, readers: Callable[[], Iterable[Outbound]], frame: bytes, upto: int | None) -> None:
        self._counters.frames_out += 1
        self._jobs.append((readers, frame, upto))

    def _work(self) -> None:
        """Write queued frames, SLICE sockets at a time."""
        if self._writing:
            return
        begun = time.thread_time()
        budget = SLICE
        while self._jobs and budget > 0:
            readers, frame, upto = self._jobs.popleft()
            outs = list(readers())
            self._writer.write(outs[:budget], frame, upto)
            if len(outs) > budget:
                rest = outs[budget:]
                self._jobs.appendleft((lambda rest=rest: rest, frame, upto))  # type: ignore[misc]
            budget -= len(outs)
        self._counters.fanout_cpu_seconds += time.thread_time() - begun
        if self._jobs:
            self._writing = True
            self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        self._writing = False
        self._work()

    def stop(self) -> None:
        """Send nothing more."""
        if self._window is not None:
            self._window.cancel()
        self._window = None
        self._fresh.clear()
        self._jobs.clear()
        self.board.stop()


def tell(viewers: Iterable[Viewer], signal: Signal) -> None:
    """Tell single connections something now."""
    frame = encode_event("signals", [signal])
    for viewer in viewers:
        viewer.out.send_latest(frame)
