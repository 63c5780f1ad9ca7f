"""One writer per live class: a bounded queue in, numbered events out.

A turn takes what waits (at most `TURN`), and for each command in order: looks the operation up, screens texts, decides, evolves. Then one
append makes everything durable, and only then is anybody told: publication first, answers after. So within a turn later commands see the
effects of earlier ones, and outside a turn the room is exactly the journal. If the append fails the room is built anew from the store
(until then the media plane, which has the spoilt one, holds still) and the whole turn is refused with `journal_unavailable` (the node's own
commands are tried again, a few times a second, and who was refused entry departs); if it is fenced the class has another owner and this one
stops. An operation that the room has forgotten is found by the append, once per person, from then on by a look. A command that breaks
`decide` or `evolve` is refused with `internal`, an entry that breaks `evolve` on replay is left out; both are counted and neither stops the
class. A turn that breaks in a way nobody thought of ends the run like a fence: whoever comes back wakes the class anew.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, ParamSpec, Protocol

from signaling.alarm import Alarm
from signaling.classroom import presence
from signaling.classroom import room as classroom
from signaling.classroom.base import Command, Context, Event, Origin
from signaling.classroom.chat import PostChat
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import OperationId, ParticipantId, SessionId
from signaling.classroom.participants import Connect, Disconnect
from signaling.classroom.polls import CreatePoll
from signaling.classroom.recording import RecordingStarted
from signaling.classroom.room import Room
from signaling.classroom.session import ClassEnded, SessionCreated
from signaling.entries import RING, Entry, Loaded, entry_of, load
from signaling.messages import encode_event, encode_room
from signaling.metrics import Counters
from signaling.ports import Clock, DuplicateOperation, Fenced, Journal, LifeSigns, MediaPlane, Record, Recorder, Screen, Unavailable

log = logging.getLogger("jiangtai.runner")
P = ParamSpec("P")

TURN: Final = 64
QUEUE: Final = 20_000
SNAPSHOT_EVERY: Final = 500
#: the longest the answers of one turn may hold the event loop
SLICE_S: Final = 0.004
_RETRY_S: Final = 0.25
_CHANCE_BYTES: Final = 16
#: an automatic check that fell due while nobody ran the class waits this long for people to come back
_SETTLE_MS: Final = 60_000


class Reply(NamedTuple):
    """The outcome of a command: the number of the last event it caused (or where the class stands), or a refusal."""

    seq: int = 0
    error: str | None = None


class Work(NamedTuple):
    """A command on its way; `done` is called exactly once, after the outcome is durable and published."""

    actor: ParticipantId | None
    command: Command | None
    op: OperationId | None
    done: Callable[[Reply], None]
    arrived: float


class Follower(Protocol):
    """Who tells clients. Called by the runner between turns of the event loop, never concurrently for one class."""

    def opened(self, runner: "Runner", recent: Sequence[Entry]) -> None:
        """A class is live here; recent holds its newest entries without a gap. Called again after a rebuild."""

    def published(self, runner: "Runner", entries: Sequence[Entry]) -> None:
        """These entries are durable and runner.room has applied them."""

    def closed(self, runner: "Runner", code: str) -> None:
        """The class is no longer run here; connections must go, `code` says why."""


class Runner:
    """Runs one class from `start` to `stop`."""

    def __init__(
        self,
        session: SessionId,
        *,
        journal: Journal,
        media: MediaPlane,
        screen: Screen,
        clock: Clock,
        follower: Follower,
        counters: Counters,
        signs: LifeSigns | None = None,
        chance: Callable[[int], bytes] = secrets.token_bytes,
        recorder: Recorder | None = None,
    ) -> None:
        """`signs` tells when connections left open by a crash were last alive; `chance` gives so many random bytes."""
        self.session = session
        self.room: Room
        #: names this journal; numbering continues as long as it stays the same
        self.epoch = ""
        self.alive = False
        self._journal = journal
        self._media = media
        self._screen = screen
        self._recorder = recorder
        self._clock = clock
        self._follower = follower
        self._counters = counters
        self._signs = signs
        self._chance = chance
        #: for the next automatic check
        self._alarm = Alarm(clock, self._check_is_due)
        self._queue: deque[Work] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        #: operations older than the room remembers, met again and found in the store
        self._known_ops: dict[tuple[ParticipantId, OperationId], int] = {}
        #: their authors, at most the people of the class: what more they send is looked up first
        self._resenders: set[ParticipantId] = set()
        #: whether the room is what the journal says (between turns)
        self._sound = False
        #: the last append failed
        self._refusing = False
        #: number of the last entry the follower knows
        self._told = 0
        self._snapshot_at = 0
        #: (number, state) to be saved next, once the class has gone on: who comes back after a crash then finds entries to go on from
        self._held: tuple[int, bytes] | None = None
        self._saving: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Commands not yet taken into a turn."""
        return len(self._queue)

    async def start(self, first: SessionCreated | None) -> None:
        """Load the class, or begin it with `first`; close connections a crash left open. Raises Unavailable, Fenced, Rejected."""
        if first is not None and await self._journal.last_seq(self.session) == 0:
            record = Record(seq=1, at=self._clock(), by=None, op=None, event=encode_event(first))
            await self._journal.append(self.session, 0, [record])
        loaded = await self._load()
        self.alive = True
        self._told = self.room.seq
        self._follower.opened(self, loaded.recent)
        await self._close_left_open()
        self._alarm.rest(_SETTLE_MS)
        self._alarm.set(presence.due(self.room))
        self._task = asyncio.create_task(self._run(), name=f"class {self.session}")

    async def _close_left_open(self) -> None:
        """End the connections a crash left open, as of their last life sign."""
        left = [(person.id, connection) for person in self.room.participants.values() for connection in person.connections]
        signs = await self._signs.last(self.session) if left and self._signs is not None else None
        for participant, connection in left:
            seen = signs.silent.get(connection, signs.at) if signs is not None else None
            self.submit(participant, Disconnect(connection=connection, reason="recovered", seen=seen), None, _ignore)

    def submit(self, actor: ParticipantId | None, command: Command | None, op: OperationId | None, done: Callable[[Reply], None]) -> None:
        """Queue a command; None asks for nothing but a call of `done` between turns, when the room is exactly the journal."""
        if self._stopping or not self.alive:
            done(Reply(error="draining"))
        elif len(self._queue) >= QUEUE and not isinstance(command, Disconnect):
            self._counters.queue_full += 1
            done(Reply(error="overloaded"))
        else:
            self._queue.append(Work(actor, command, op, done, time.perf_counter()))
            self._wake.set()

    async def stop(self) -> None:
        """Finish what is queued, save a snapshot, end (idempotent)."""
        self._stopping = True
        self._alarm.stop()
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        self.alive = False
        if self._saving is not None:
            await asyncio.wait([self._saving])
        if self._sound and self.room.seq > self._snapshot_at:
            await self._save(self.room.seq, encode_room(self.room))

    # ---- the loop ----

    async def _run(self) -> None:
        while self.alive:
            if not self._queue:
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = [self._queue.popleft() for _ in range(min(TURN, len(self._queue)))]
            try:
                await self._turn(batch)
            except Exception:
                # Of ours or of the store: nobody may wait for a writer that is gone.
                log.exception("a turn broke", extra={"session": self.session})
                self._lose(batch)

    async def _turn(self, batch: list[Work]) -> None:
        """Carry these out; what is left in `batch` if this raises has no answer yet and waits nowhere else."""
        self._counters.turns += 1
        await self._look_up(batch)
        entries: list[Entry] = []
        records: list[Record] = []
        replies: list[tuple[Work, Reply]] = []
        before = self.room.seq
        for position, work in enumerate(batch):
            reply = self._take(work, entries, records)
            if reply is None:  # evolve broke: nothing of this turn is durable, the room is spoilt
                self._refuse([work], "internal")
                self._put_back(batch, batch[:position] + batch[position + 1 :])
                await self._rebuild()
                return
            replies.append((work, reply))
        if records and not await self._store(before, records, batch):
            return
        self._publish(entries)
        self._alarm.set(presence.due(self.room))
        batch.clear()
        await self._answer(replies)
        self._keep_snapshot()

    async def _look_up(self, batch: list[Work]) -> None:
        """Find old operations of those who have resent one before: the first of a person costs a rebuild, the others a look."""
        asked = [
            (work.actor, work.op)
            for work in batch
            if work.actor is not None and work.op is not None and work.actor in self._resenders and not self._known(work.actor, work.op)
        ]
        if asked:
            with contextlib.suppress(Unavailable):  # then the append finds them
                for (by, op), seq in (await self._journal.operations(self.session, asked)).items():
                    self._remember(by, op, seq)

    def _known(self, actor: ParticipantId, op: OperationId) -> int | None:
        return classroom.recent_op(self.room, actor, op) or self._known_ops.get((actor, op))

    def _remember(self, by: ParticipantId, op: OperationId, seq: int) -> None:
        self._known_ops[by, op] = seq
        if len(self._known_ops) > RING:
            del self._known_ops[next(iter(self._known_ops))]

    def _take(self, work: Work, entries: list[Entry], records: list[Record]) -> Reply | None:
        """Decide and evolve one command; None when the room can no longer be trusted."""
        room = self.room
        if work.command is None:
            return Reply(seq=room.seq)
        self._counters.commands += 1
        try:
            if work.actor is not None and work.op is not None:
                known = self._known(work.actor, work.op)
                if known is not None:
                    return Reply(seq=known)
            self._check_texts(work.command)
            now = self._clock()
            context = Context(actor=work.actor, now=now, seq=room.seq + 1, chance=self._chance(_CHANCE_BYTES))
            events = classroom.decide(room, context, work.command)
            self._check_disk(events)
        except Rejected as refusal:
            self._counters.rejected_commands += 1
            return Reply(error=refusal.code)
        except Exception:
            self._counters.decide_failures += 1
            log.exception("a command broke decide", extra={"session": self.session, "type": type(work.command).__name__})
            return Reply(error="internal")
        origin = Origin(at=now, by=work.actor, op=work.op)
        try:
            for event in events:
                seq = room.seq + 1
                classroom.evolve(room, seq, origin, event)
                entries.append(entry_of(room, seq, origin, event))
                records.append(Record(seq=seq, at=now, by=origin.by, op=origin.op, event=encode_event(event)))
        except Exception:
            self._counters.decide_failures += 1
            log.exception("a command broke evolve", extra={"session": self.session, "type": type(work.command).__name__})
            return None
        self._counters.accepted_commands += 1
        return Reply(seq=room.seq)

    def _check_texts(self, command: Command) -> None:
        if isinstance(command, PostChat):
            texts = [command.text]
        elif isinstance(command, CreatePoll):
            texts = [command.question, *command.options]
        else:
            return
        for text in texts:
            code = self._screen.check(text)
            if code is not None:
                raise Rejected(code)

    def _check_disk(self, events: Sequence[Event]) -> None:
        if self._recorder is not None and any(isinstance(event, RecordingStarted) for event in events):
            code = self._recorder.refusal()
            if code is not None:
                raise Rejected(code)

    async def _store(self, before: int, records: list[Record], batch: list[Work]) -> bool:
        try:
            with self._counters.journal_seconds.time():
                await self._journal.append(self.session, before, records)
        except Fenced:
            log.error("fenced: another node owns the class", extra={"session": self.session})
            self._lose(batch)
        except (Unavailable, DuplicateOperation) as error:
            if isinstance(error, DuplicateOperation):
                self._resenders.add(error.by)
                self._remember(error.by, error.op, error.seq)
            log.warning("append failed", extra={"session": self.session, "why": str(error)})
            self._counters.journal_failures += 1
            if isinstance(error, DuplicateOperation):
                # One was done long ago, which is its answer now; the others are no worse for it.
                self._put_back(batch, list(batch))
                await self._rebuild()
            else:
                await self._undo(batch)
        else:
            self._refusing = False
            return True
        return False

    async def _undo(self, batch: list[Work]) -> None:
        """Nobody can say whether the turn is durable: refuse it, keep the node's own commands, start from the store again.

        While the store goes on failing nobody waits for a turn to be refused in, and it is asked a few times a second.
        """
        works, again = list(batch), self._refusing
        if again:
            works += self._queue
            self._queue.clear()
        self._refusing = True
        self._put_back(batch, [work for work in map(_departing, works) if _is_own(work)])
        self._refuse([work for work in works if not _is_own(work)], "journal_unavailable")
        await self._rebuild()
        if again and self._queue and not self._stopping:
            await asyncio.sleep(_RETRY_S)

    def _put_back(self, batch: list[Work], works: Sequence[Work]) -> None:
        """These of the turn are to be tried again, before what waits; it has no others any more."""
        self._queue.extendleft(reversed(works))
        batch.clear()

    def _lose(self, batch: list[Work]) -> None:
        self.alive = False
        self._follower.closed(self, "draining")
        self._refuse([*batch, *self._queue], "draining")
        self._queue.clear()
        self._sound = False
        self._media.close(self.session)

    # ---- automatic presence checks ----

    def _check_is_due(self) -> None:
        self.submit(None, presence.StartCheck(), None, self._check_was_asked)

    def _check_was_asked(self, reply: Reply) -> None:
        """Refused by the store or a full queue: again a little later. The clock was set back: when it is really due."""
        if not self._stopping and self.alive:
            self._alarm.rest(int(_RETRY_S * 1_000))
            self._alarm.set(presence.due(self.room))

    def _refuse(self, works: Sequence[Work], code: str) -> None:
        for work in works:
            self._finish(work, Reply(error=code))

    def _publish(self, entries: list[Entry]) -> None:
        if not entries:
            return
        self._told = entries[-1].seq
        self._counters.events += len(entries)
        for entry in entries:
            self._move_media(self._media.follow, self.session, self.room, entry.event)
            if isinstance(entry.event, ClassEnded):
                self._move_media(self._media.close, self.session)
        try:
            self._follower.published(self, entries)
        except Exception:
            log.exception("publication failed", extra={"session": self.session, "seq": entries[-1].seq})
            self._follower.opened(self, [])

    def _move_media(self, act: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            act(*args, **kwargs)
        except Exception:
            log.exception("the media plane did not follow", extra={"session": self.session})

    async def _answer(self, replies: list[tuple[Work, Reply]]) -> None:
        until = time.perf_counter() + SLICE_S
        for work, reply in replies:
            self._finish(work, reply)
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + SLICE_S

    def _finish(self, work: Work, reply: Reply) -> None:
        self._counters.ack_seconds.add(time.perf_counter() - work.arrived)
        try:
            work.done(reply)
        except Exception:
            log.exception("an answer could not be delivered", extra={"session": self.session})

    # ---- the store ----

    async def _load(self) -> Loaded:
        loaded = await load(self._journal, self.session, self._counters)
        if loaded is None:
            raise Rejected("class_ended")
        self.room, self.epoch, self._snapshot_at = loaded.room, loaded.epoch, loaded.snapshot_at
        self._sound = True
        return loaded

    async def _rebuild(self) -> None:
        self._sound = False
        self._move_media(self._media.hold, self.session)  # the room it has is the spoilt one
        while not self._stopping:
            try:
                loaded = await self._load()
            except (Unavailable, Rejected):
                # Whoever is refused may ask for the next thing at once.
                works, self._queue = self._queue, deque(work for work in self._queue if _is_own(work))
                self._refuse([work for work in works if not _is_own(work)], "journal_unavailable")
                await asyncio.sleep(_RETRY_S)
            else:
                log.warning("room rebuilt", extra={"session": self.session, "seq": self.room.seq})
                self._move_media(self._media.reload, self.session, self.room)
                self._tell_rebuilt(loaded.recent)
                return
        self._refuse(self._queue, "journal_unavailable")
        self._queue.clear()

    def _tell_rebuilt(self, recent: list[Entry]) -> None:
        """Usually nothing is new; but an append that seemed to fail may have been stored."""
        missed = [entry for entry in recent if entry.seq > self._told]
        if self._told + len(missed) == self.room.seq:
            self._publish(missed)
        else:
            self._told = self.room.seq
            self._follower.opened(self, recent)

    def _keep_snapshot(self) -> None:
        held = self._held
        newest = self._snapshot_at if held is None else held[0]
        if self.room.seq - newest >= SNAPSHOT_EVERY and (self._saving is None or self._saving.done()):
            self._held = (self.room.seq, encode_room(self.room))
            if held is not None:
                self._saving = asyncio.create_task(self._save(*held), name=f"snapshot {self.session}")

    async def _save(self, seq: int, state: bytes) -> None:
        try:
            await self._journal.save_snapshot(self.session, seq, state)
        except Unavailable as error:
            log.warning("snapshot not saved", extra={"session": self.session, "why": str(error)})
        else:
            self._snapshot_at = max(self._snapshot_at, seq)
            self._counters.snapshots += 1


def _is_own(work: Work) -> bool:
    """Commands of the node that must not get lost: the connection is gone whether it could be written or not."""
    return isinstance(work.command, Disconnect)


def _departing(work: Work) -> Work:
    """Instead of a Connect that is refused: whoever asked is gone, and must not stay in class if the connection was stored after all."""
    if not isinstance(work.command, Connect):
        return work
    return Work(work.actor, Disconnect(connection=work.command.connection, reason="lost"), None, _ignore, work.arrived)


def _ignore(reply: Reply) -> None:
    """For commands whose outcome nobody waits for."""
