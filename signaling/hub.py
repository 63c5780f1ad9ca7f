"""Which runner owns a class on this node: started from the journal when somebody comes, put to rest when everybody has left.

At most `limit` classes are awake; one that is empty makes room for another. While draining no class is woken, those awake go on; `drain`
then ends them with everything saved.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from signaling.classroom import policies
from signaling.classroom import room as classroom
from signaling.classroom.base import Command
from signaling.classroom.errors import Rejected
from signaling.classroom.ids import Millis, OperationId, ParticipantId, SessionId
from signaling.classroom.policies import STANDARD, AttendancePolicy
from signaling.classroom.replay_access import ReplayAccess
from signaling.classroom.room import Room
from signaling.classroom.session import ClassEnded
from signaling.classroom.settings import Phase, Profile
from signaling.entries import Entry
from signaling.metrics import Counters
from signaling.ports import Clock, Directory, Fenced, Journal, LifeSigns, MediaPlane, Recorder, Screen, Unavailable
from signaling.runner import Follower, Reply, Runner

log = logging.getLogger("jiangtai.hub")

MAX_CLASSES: Final = 500
IDLE_S: Final = 120.0
_REST_S: Final = 15.0
#: whoever woke a class has so long to come in before it may be put to rest for another
_FRESH_S: Final = 5.0

#: told after every publication: (class, room after it, entries); must not block
Watcher = Callable[[SessionId, Room, Sequence[Entry]], None]


class _Nobody:
    """Until a gateway follows."""

    def opened(self, runner: Runner, recent: Sequence[Entry]) -> None: ...
    def published(self, runner: Runner, entries: Sequence[Entry]) -> None: ...
    def closed(self, runner: Runner, code: str) -> None: ...


class Hub:
    """The classes of this node; also the runners' follower, passing on to the gateway and the watchers."""

    def __init__(
        self,
        *,
        journal: Journal,
        directory: Directory,
        media: MediaPlane,
        screen: Screen,
        clock: Clock,
        counters: Counters | None = None,
        recorder: Recorder | None = None,
        limit: int = MAX_CLASSES,
        idle_s: float = IDLE_S,
        signs: LifeSigns | None = None,
    ) -> None:
        self.media = media
        self.counters = counters or Counters()
        #: who tells the clients; set by the gateway
        self.follower: Follower = _Nobody()
        self._journal = journal
        self._directory = directory
        self._screen = screen
        self._recorder = recorder
        self._clock = clock
        self._limit = limit
        self._idle_s = idle_s
        self._signs = signs
        self._runners: dict[SessionId, Runner] = {}
        self._starting: dict[SessionId, asyncio.Task[Runner]] = {}
        self._empty_since: dict[SessionId, float] = {}
        self._watchers: list[Watcher] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._resting: asyncio.Task[None] | None = None
        self._making_room = asyncio.Lock()
        self._draining = False

    # ---- for the rest of the node ----

    @property
    def draining(self) -> bool:
        """Whether no class is woken any more."""
        return self._draining

    def refuse_new(self) -> None:
        """Wake no further class; those awake go on."""
        self._draining = True

    def watch(self, watcher: Watcher) -> None:
        """Be told of everything that happens in any class here."""
        self._watchers.append(watcher)

    def sessions(self) -> list[SessionId]:
        """Classes awake here."""
        return list(self._runners)

    def room(self, session: SessionId) -> Room | None:
        """The live state of a class awake here; to be read, never changed. During an append it may be one commit ahead of the journal."""
        runner = self._runners.get(session)
        return runner.room if runner is not None else None

    async def create(
        self,
        session_id: SessionId,
        title: str,
        profile: Profile,
        starts_at: Millis | None,
        *,
        policy: AttendancePolicy = STANDARD,
        replay: ReplayAccess = ReplayAccess.PARTICIPANTS,
    ) -> None:
        """Make a class (again: nothing happens). Raises Rejected (draining), Unavailable."""
        if self._draining:
            raise Rejected("draining")
        rules = msgspec.json.encode(policy).decode()
        await self._directory.create(session_id, title, profile.value, starts_at, policy=rules, replay=replay.value)

    async def dispatch(self, session: SessionId, actor: ParticipantId | None, command: Command, op: OperationId | None = None) -> Reply:
        """Do a command for a participant, or for the node itself (None), and wait until it is durable. Raises Rejected, Unavailable."""
        runner = await self.runner(session)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def done(reply: Reply) -> None:
            if not answer.done():
                answer.set_result(reply)

        runner.submit(actor, command, op, done)
        return await answer

    async def runner(self, session: SessionId) -> Runner:
        """The class's runner, woken if need be. Raises Rejected (class_ended, no_longer_kept, draining, overloaded), Unavailable."""
        while self._lacks_room(session):
            async with self._making_room:
                if self._lacks_room(session):  # nobody else made it meanwhile
                    await self._make_room()
        runner = self._runners.get(session)
        if runner is not None:
            return runner
        starting = self._starting.get(session)
        if starting is None:
            if self._draining:
                raise Rejected("draining")
            starting = asyncio.create_task(self._start(session), name=f"wake {session}")
            self._starting[session] = starting
            starting.add_done_callback(lambda task: self._started(session, task))
        return await asyncio.shield(starting)

    async def let_go(self, session: SessionId) -> None:
        """Forget what is in memory of a class, where the store was changed; who is connected comes back to what it says now."""
        runner = self._runners.get(session)
        if runner is not None:
            self.follower.closed(runner, "draining")
            await self._retire(session)

    async def drain(self) -> None:
        """Wake no class any more, dismiss everybody, save every class (idempotent)."""
        self._draining = True
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        for runner in list(self._runners.values()):
            self.follower.closed(runner, "draining")
        await asyncio.gather(*(self._retire(session) for session in list(self._runners)))
        if self._ending:
            await asyncio.wait(self._ending)

    # ---- runner.Follower ----

    def opened(self, runner: Runner, recent: Sequence[Entry]) -> None:
        """See runner.Follower."""
        self.follower.opened(runner, recent)

    def published(self, runner: Runner, entries: Sequence[Entry]) -> None:
        """See runner.Follower."""
        try:
            self.follower.published(runner, entries)
        finally:
            self._tell_watchers(runner, entries)

    def closed(self, runner: Runner, code: str) -> None:
        """See runner.Follower: a runner lost its class."""
        self.follower.closed(runner, code)
        self._forget(runner)

    def _tell_watchers(self, runner: Runner, entries: Sequence[Entry]) -> None:
        """What clients are told may fail; seats that are void and rows that follow are another matter."""
        for watcher in self._watchers:
            try:
                watcher(runner.session, runner.room, entries)
            except Exception:
                log.exception("a watcher failed", extra={"session": runner.session})
        if any(isinstance(entry.event, ClassEnded) for entry in entries):
            task = asyncio.create_task(self._mark_ended(runner.session, entries[-1].origin.at), name=f"end {runner.session}")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    # ---- waking and resting ----

    async def _start(self, session: SessionId) -> Runner:
        found = await self._directory.get(session)
        if found is None:
            raise Rejected("class_ended")
        if found.get("expired_at") is not None:
            raise Rejected("no_longer_kept")
        first = classroom.create(
            session,
            found["title"],
            Profile(found["profile"]),
            starts_at=found["starts_at"],
            policy=policies.stamped(found["policy"]),
            replay=ReplayAccess(found["replay"]),
        )
        runner = Runner(
            session,
            journal=self._journal,
            media=self.media,
            screen=self._screen,
            clock=self._clock,
            follower=self,
            counters=self.counters,
            signs=self._signs,
            recorder=self._recorder,
        )
        try:
            await runner.start(first)
        except Fenced as error:
            raise Unavailable("another node began the class") from error
        self._runners[session] = runner
        self._empty_since[session] = asyncio.get_running_loop().time()
        self.counters.runners = len(self._runners)
        if self._resting is None and not self._draining:
            self._resting = asyncio.create_task(self._rest(), name="put classes to rest")
        if runner.room.phase is Phase.ENDED and found["ended_at"] is None:
            await self._mark_ended(session, runner.room.ended_at or self._clock())
        return runner

    def _started(self, session: SessionId, task: asyncio.Task[Runner]) -> None:
        self._starting.pop(session, None)
        if not task.cancelled():
            task.exception()  # told to those who wait; nobody may be left

    async def _mark_ended(self, session: SessionId, at: Millis) -> None:
        with contextlib.suppress(Unavailable):  # the append itself may have done it; else again when next woken
            await self._directory.mark_ended(session, at)

    def _lacks_room(self, session: SessionId) -> bool:
        awake = session in self._runners or session in self._starting
        return not awake and not self._draining and len(self._runners) + len(self._starting) >= self._limit

    async def _make_room(self) -> None:
        """Put the class to rest that has been empty longest, before its time. Raises Rejected (overloaded) if there is none."""
        now = asyncio.get_running_loop().time()
        for session, since in self._empty_since.items():
            if now - since < _FRESH_S:
                break
            runner = self._runners[session]
            if _is_empty(runner):
                return await self._put_to_rest(runner)
        raise Rejected("overloaded")

    async def _rest(self) -> None:
        while True:
            await asyncio.sleep(min(_REST_S, self._idle_s))
            try:
                await self._rest_who_may()
            except Exception:
                log.exception("classes were not put to rest")

    async def _rest_who_may(self) -> None:
        loop = asyncio.get_running_loop()
        for session, runner in list(self._runners.items()):
            if self._runners.get(session) is not runner:
                continue  # it made room meanwhile
            if not _is_empty(runner):
                self._empty_since.pop(session, None)
            elif loop.time() - self._empty_since.setdefault(session, loop.time()) >= self._idle_s:
                await self._put_to_rest(runner)

    async def _put_to_rest(self, runner: Runner) -> None:
        self.follower.closed(runner, "draining")
        await self._retire(runner.session)

    async def _retire(self, session: SessionId) -> None:
        runner = self._runners.get(session)
        if runner is not None:
            await runner.stop()
            if self._forget(runner):
                self.media.close(session)

    def _forget(self, runner: Runner) -> bool:
        """Keep a runner no longer; False if it was not kept: its class may be awake anew."""
        if self._runners.get(runner.session) is not runner:
            return False
        del self._runners[runner.session]
        self._empty_since.pop(runner.session, None)
        self.counters.runners = len(self._runners)
        return True


def _is_empty(runner: Runner) -> bool:
    """Whether nobody is in class and nothing waits to be done."""
    return not runner.waiting and not any(person.connections for person in runner.room.participants.values())
