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
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from signaling.classroom.audience import LANES, Lane
from signaling.classroom.ids import ConnectionId, ParticipantId
from signaling.entries import RING, Entry
from signaling.messages import Batch
from signaling.metrics import Counters
from signaling.outbound import Laggards, Outbound
from signaling.packets import encode_event
from signaling.ports import SendMany
from signaling.signals import Board, Signal

WINDOW_S: Final = 0.05
#: sockets written before the event loop gets its turn: 3 to 8 ms
SLICE: Final = 1_000
#: a lane that sees nothing of what happens is told how far the class is at most this often
_POSITION_S: Final = 10.0


class Viewer(Protocol):
    """One connection in a class."""

    lane: Lane

    @property
    def id(self) -> ConnectionId: ...
    @property
    def participant(self) -> ParticipantId: ...
    @property
    def out(self) -> Outbound: ...


class Readers(NamedTuple):
    """Connections sorted by how they are written to: natively (with their descriptors), or each through its own way out."""

    fast: Sequence[Outbound]
    descriptors: "array[int]"
    others: Sequence[Outbound]


class Writer:
    """Writes one frame to many connections: the ready ones natively, the rest through their own way out."""

    def __init__(self, counters: Counters, send_many: SendMany | None, laggards: Laggards) -> None:
        self.laggards = laggards
        self._counters = counters
        self._send_many = send_many

    def sort(self, outs: Sequence[Outbound]) -> Readers:
        """Good until `laggards.changes` changes."""
        if self._send_many is None:
            return Readers((), array("i"), outs)
        fast = [out for out in outs if out.fast]
        others = [out for out in outs if not out.fast] if len(fast) < len(outs) else ()
        return Readers(fast, array("i", [out.fd for out in fast]), others)

    def write(self, readers: Readers, frame: bytes, upto: int | None) -> None:
        """upto is the journal number the frame brings its readers to; None: a frame slow readers do without."""
        fast, descriptors, others = readers
        count = len(fast) + len(others)
        self._counters.delivered += count
        self._counters.bytes_out += len(frame) * count
        if upto is None:
            for out in others:
                out.send_latest(frame)
        else:
            for out in others:
                out.send(frame, upto)
            for out in fast:
                out.position = upto
        if fast and self._send_many is not None:
            for index, sent in self._send_many(descriptors, frame):
                fast[index].sent_short(frame, sent)


class _Lane:
    """Viewers who are told the same."""

    __slots__ = ("_changes", "_sorted", "members", "told", "told_at")

    def __init__(self) -> None:
        self.members: dict[Outbound, None] = {}
        #: journal number told up to
        self.told = 0
        self.told_at = -_POSITION_S
        self._sorted: Readers | None = None
        self._changes = -1

    def add(self, out: Outbound) -> None:
        self.members[out] = None
        self._sorted = None

    def discard(self, out: Outbound) -> None:
        self.members.pop(out, None)
        self._sorted = None

    def readers(self, writer: Writer) -> Readers:
        """Everybody, sorted anew only if somebody came, went, slowed down or recovered."""
        if self._sorted is None or self._changes != writer.laggards.changes:
            self._sorted = writer.sort(list(self.members))
            self._changes = writer.laggards.changes
        return self._sorted


class _Job(NamedTuple):
    """A frame on its way: to a lane as it is when its turn comes, or to these connections."""

    to: _Lane | Sequence[Outbound]
    frame: bytes
    upto: int | None


class Group:
    """Everybody connected to one class on this node."""

    def __init__(self, writer: Writer, counters: Counters, *, window_s: float = WINDOW_S) -> None:
        self._writer = writer
        self._counters = counters
        self._window_s = window_s
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[Lane, _Lane] = {lane: _Lane() for lane in LANES}
        self._people: dict[ParticipantId, dict[ConnectionId, Viewer]] = {}
        self._ring: deque[Entry] = deque(maxlen=RING)
        #: everything after this number is in the ring
        self._floor = 0
        self._top = 0
        self._fresh: list[Entry] = []
        #: when events were last told, and the timer that ends the window if any wait for it
        self._flushed_at = -window_s
        self._window: asyncio.TimerHandle | None = None
        self._jobs: deque[_Job] = deque()
        self._writing = False
        self.board = Board(self._tell_lane, self._loop)

    def __len__(self) -> int:
        return sum(len(lane.members) for lane in self._lanes.values())

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
        self._lanes[viewer.lane].add(viewer.out)
        self._people.setdefault(viewer.participant, {})[viewer.id] = viewer

    def leave(self, viewer: Viewer) -> None:
        """A connection is gone."""
        self._lanes[viewer.lane].discard(viewer.out)
        viewers = self._people.get(viewer.participant)
        if viewers is not None:
            viewers.pop(viewer.id, None)
            if not viewers:
                del self._people[viewer.participant]

    def move(self, viewer: Viewer, lane: Lane) -> None:
        """A connection sees the class from another lane from now on; it hears nothing more until it has been shown the class anew."""
        self._lanes[viewer.lane].discard(viewer.out)
        viewer.lane = lane
        self._lanes[lane].add(viewer.out)
        viewer.out.fall_behind(-1)

    # ---- numbered events ----

    def seed(self, recent: Sequence[Entry], top: int) -> None:
        """What the journal holds when a class becomes live (or is built anew): `recent` ends at `top` without a gap, or is empty."""
        self._ring = deque(recent, maxlen=RING)
        self._top = top
        self._floor = recent[0].seq - 1 if recent else top
        for lane in self._lanes.values():
            lane.told = top

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
        for name, lane in self._lanes.items():
            if not lane.members:
                lane.told = upto
                continue
            told = [entry.told[name] for entry in entries if name in entry.audience.lanes]
            if told or (upto - lane.told > RING // 2 and self._flushed_at - lane.told_at > _POSITION_S):
                frame = encode_event("events", Batch(after=lane.told, upto=upto, events=told))
                lane.told, lane.told_at = upto, self._flushed_at
                self._enqueue(lane, frame, upto)
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
        named: dict[ParticipantId, list[Entry]] = {}
        for entry in entries:
            for participant in entry.audience.participants:
                named.setdefault(participant, []).append(entry)
        shared: dict[Lane, list[Entry]] = {}
        for participant, mine in named.items():
            frames: dict[Lane, bytes] = {}
            for viewer in self.viewers(participant):
                if all(viewer.lane in entry.audience.lanes or entry.seq <= viewer.out.position for entry in mine):
                    continue  # the lane's batch tells it, or a snapshot did
                lane = viewer.lane
                if lane not in frames:
                    if lane not in shared:
                        shared[lane] = [entry for entry in entries if lane in entry.told and lane in entry.audience.lanes]
                    frames[lane] = self._for_one(shared[lane], mine, lane, upto)
                self._enqueue((viewer.out,), frames[lane], upto)

    def _for_one(self, shared: list[Entry], mine: list[Entry], lane: Lane, upto: int) -> bytes:
        """What the lane is told and this person alone; a check of thousands names each of them once."""
        alone = [entry for entry in mine if lane in entry.told and lane not in entry.audience.lanes]
        told = [entry.told[lane] for entry in sorted([*shared, *alone], key=lambda entry: entry.seq)]
        return encode_event("events", Batch(after=self._lanes[lane].told, upto=upto, events=told))

    # ---- unnumbered signals ----

    def _tell_lane(self, lane: Lane, signals: list[Signal]) -> None:
        if self._lanes[lane].members:
            self._enqueue(self._lanes[lane], encode_event("signals", signals), None)
            self._work()

    # ---- writing ----

    def _enqueue(self, to: _Lane | Sequence[Outbound], frame: bytes, upto: int | None) -> None:
        self._counters.frames_out += 1
        self._jobs.append(_Job(to, frame, upto))

    def _work(self) -> None:
        """Write queued frames, SLICE sockets at a time."""
        if self._writing:
            return
        begun = time.thread_time()
        budget = SLICE
        while self._jobs and budget > 0:
            to, frame, upto = self._jobs.popleft()
            count = len(to.members) if isinstance(to, _Lane) else len(to)
            if isinstance(to, _Lane) and count <= budget:
                readers = to.readers(self._writer)
            else:
                outs = list(to.members) if isinstance(to, _Lane) else to
                readers = self._writer.sort(outs[:budget])
                if count > budget:
                    self._jobs.appendleft(_Job(outs[budget:], frame, upto))
            self._writer.write(readers, frame, upto)
            budget -= count
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


def tell(viewer: Viewer, signal: Signal) -> None:
    """Tell a single connection what is told once, as it changes: who reads slowly gets it later."""
    viewer.out.send(encode_event("signals", [signal]))


def tell_latest(viewers: Iterable[Viewer], signal: Signal) -> None:
    """Tell single connections something now; who reads slowly can do without, for the next says it anew."""
    frame = encode_event("signals", [signal])
    for viewer in viewers:
        viewer.out.send_latest(frame)
