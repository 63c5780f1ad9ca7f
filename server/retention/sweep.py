"""The task that removes what is due: at start, every hour, sooner where a disk or a store refused. A turn does a bounded portion.

Each removal is written down before it begins (an open row of `expiry`: from then on nobody uses the thing) and closed when all is gone;
what a crash left open is taken up first. Everything it does may be done again. The order is: pages of ended classes by id, things by
`due.verdict`, removal by `removal`. Versions nobody has read whole yet are read on the way.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from recording import verified
from recording.catalog import Held, Row
from recording.publication import Version
from server.retention.due import Kind, Thing, verdict
from server.retention.policy import Policy
from server.retention.records import Act, Expiries
from server.retention.removal import Removal
from signaling.classroom.ids import Millis, SessionId
from signaling.ports import Unavailable

log = logging.getLogger("jiangtai.retention")
EVERY_S: Final = 3600.0
#: after a sweep in which a disk or a store refused something
AGAIN_S: Final = 300.0
#: between two turns, so that a long sweep leaves the disk to classes
PAUSE_S: Final = 0.05
#: classes looked at in one turn, and decisions without giving way
PAGE: Final = 200
_SLICE: Final = 50


class Figures:
    """Of one kind, since the start; `oldest_due_s` as of the last sweep: how long the most overdue thing that is still there is due."""

    def __init__(self) -> None:
        self.expired = 0
        self.bytes = 0
        self.failures = 0
        self.oldest_due_s = 0.0
        self.last_failure = ""


class Sweep:
    """One node's retention. Turns never overlap."""

    def __init__(self, removal: Removal, store: Expiries, policy: Policy, awake: Callable[[SessionId], bool]) -> None:
        """`awake` tells whether a class is in memory here; its log then waits."""
        self.policy = policy
        self.figures: Mapping[Kind, Figures] = {kind: Figures() for kind in Kind}
        self.last_at: Millis | None = None
        self._removal = removal
        self._store = store
        self._awake = awake
        self._after: SessionId = ""
        self._fresh = True
        #: how long the most overdue of what is left is due, by kind, in the sweep under way
        self._late: Counter[Kind] = Counter()
        self._failed = self._again = False
        self._turn = asyncio.Lock()

    async def run(self, clock: Callable[[], Millis]) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep(clock)
            except Exception:
                log.exception("a sweep failed")
                self._again = True
            await asyncio.sleep(AGAIN_S if self._again else EVERY_S)

    async def sweep(self, clock: Callable[[], Millis], pause_s: float = PAUSE_S) -> bool:
        """Go once over everything; whether nothing failed. Raises Unavailable."""
        more = True
        while more:
            more = await self.turn(clock())
            await asyncio.sleep(pause_s if more else 0)
        return not self._failed

    async def turn(self, now: Millis, limit: int = PAGE) -> bool:
        """One portion: whether there is more of this sweep. Raises Unavailable."""
        async with self._turn:
            if self._fresh:
                self._fresh, self._after = False, ""
                self._failed = self._again = False
                self._late.clear()
                await self._take_up(now, limit)
            page = await self._store.page(self._after, limit)
            for version in page.unread:
                await self._read(version, now)
            await self._all(page.things, now)
            if page.after is not None:
                self._after = page.after
                return True
            await self._all(await self._torn(), now)
            for kind in Kind:
                self.figures[kind].oldest_due_s = self._late[kind] / 1000
            self._fresh, self.last_at = True, now
            log.info("retention swept", extra={"count": sum(one.expired for one in self.figures.values())})
            return False

    async def _all(self, things: Sequence[Thing], now: Millis) -> None:
        whole: set[tuple[SessionId, str]] = set()  # recordings that went with their replay
        for number, thing in enumerate(things):
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
            found = verdict(thing, self.policy.days(thing.kind, thing.tenant), now)
            if not found.due or (thing.session, thing.recording) in whole:
                continue
            if not await self._remove(thing, now):
                self._late[thing.kind] = max(self._late[thing.kind], now - (found.due_at or now))
            elif thing.kind is Kind.REPLAY:
                whole.add((thing.session, thing.recording))

    async def _remove(self, thing: Thing, now: Millis) -> bool:
        """Whether it is gone."""
        if thing.kind is Kind.LOG and self._awake(thing.session):
            return False
        rule = self.policy.told(thing.kind, thing.tenant, thing.wish)
        try:
            act = await self._removal.begin(thing, rule, now)
            if act is None:
                return False
            self._count(thing.kind, await self._removal.carry_out(act, now))
        except Held:
            return False
        except (OSError, Unavailable, verified.Broken) as error:
            self._tell(thing.kind, thing.session, error)
            return False
        return True

    async def _take_up(self, now: Millis, limit: int) -> None:
        """End what was begun before, by a sweep or by whoever deleted a recording."""
        for row in await self._store.left(limit):
            await self._purge(row, now)
        for act in await self._store.unfinished(limit):
            try:
                self._count(Kind(act.kind), await self._removal.carry_out(act, now))
            except Held:
                continue
            except (OSError, Unavailable) as error:
                self._late[Kind(act.kind)] = max(self._late[Kind(act.kind)], now - act.begun_at)
                self._tell(Kind(act.kind), act.session, error)

    async def _purge(self, row: Row, now: Millis) -> None:
        """Files of a recording that somebody deleted and that could not go then."""
        try:
            await self._removal.purge(row, now)
        except Held:
            return
        except (OSError, Unavailable) as error:
            self._tell(Kind.REPLAY, row.session, error)

    async def _read(self, version: Version, now: Millis) -> None:
        """Read a published version whole; the days of its journal begin when it was."""
        try:
            await self._removal.read_whole(version, now)
        except (verified.Broken, OSError, Unavailable) as error:
            self._tell(Kind.JOURNAL, version.session, error)

    async def _torn(self) -> Sequence[Thing]:
        found = await self._removal.torn_files()
        known = await self._store.torn(list(found))
        return [self._removal.torn_thing(known[session], files) for session, files in found.items() if session in known]

    def _count(self, kind: Kind, act: Act) -> None:
        self.figures[kind].expired += 1
        self.figures[kind].bytes += act.bytes
        log.info("no longer kept", extra={"kind": kind, "session": act.session, "count": act.count, "policy": act.policy})

    def _tell(self, kind: Kind, session: SessionId, error: Exception) -> None:
        self._failed = True
        self._again = self._again or not isinstance(error, verified.Broken)  # what is broken is so in five minutes, too
        self.figures[kind].failures += 1
        self.figures[kind].last_failure = f"{session}: {error or type(error).__name__}"[:300]
        log.error("retention failed", extra={"kind": kind, "session": session, "why": str(error) or type(error).__name__})
