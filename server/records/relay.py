"""Carries the outbox to one destination: one request in flight, the same bytes until they are acknowledged, nothing given up silently.

Theory. `step` leases the oldest due rows and sends them as one batch; what `answers.judge` says decides. After a refusal the next batch
is half as large, until the statement that is wrong stands alone; a batch that is taken makes the next one larger. A failure makes the
destination wait, and the same rows are leased again. Eight failures of one batch with 5xx (503 apart) while the store takes again what it
took before make one of the batch suspect: it is then halved as if refused, and one that fails eight times alone, while another of the
batch is taken, is a dead letter. Killed at any moment, the relay sends some rows a second time; their ids make that harmless.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from server.records.answers import PAUSE_S, SUSPICIOUS, Answer, Verdict, judge, wait_s
from server.records.compare import same_statement
from server.records.destinations import Destination
from server.records.outbox import Outbox, Row, Settled, State
from server.records.stores import Store
from signaling.ports import Clock, Unavailable

log = logging.getLogger("jiangtai.records")
#: how often an idle destination looks by itself
IDLE_S: Final = 2.0
_SMALLEST_BATCH: Final = 4_000
_STOP_S: Final = 5.0
#: statements that fail alone, and no other is taken, before it is called an outage
_ENOUGH: Final = 4
#: how long what follows a wake-up is gathered
_GATHER_S: Final = 0.2


class _Stopped(Exception):
    """The batch cannot go on; the answer says why."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class Sender:
    """The relay of one destination; `run` until cancelled or stopped."""

    def __init__(
        self,
        destination: Destination,
        *,
        outbox: Outbox,
        store: Store,
        clock: Clock,
        owner: str,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """sleep: waits that many seconds (default: or until `wake`)."""
        self.destination = destination
        self.name = destination.name
        self._outbox = outbox
        self._store = store
        self._clock = clock
        self._owner = owner
        self._sleep = sleep or self._doze
        self._chance = chance or random.Random()  # noqa: S311 - spreads load, protects nothing
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._idle = False
        self._webhook = destination.kind == "webhook"
        #: statements of the next batch: halved when one is refused, grown when one is taken
        self._limit = destination.batch
        #: number of a statement the store took, to see whether it still takes any; its bytes may be erased at any time
        self._taken = 0
        #: failures with 5xx in a row of the batch that begins with this number
        self._failing = (0, 0)
        #: how many make it suspect; doubled when suspicion found nothing
        self._suspicious_at = SUSPICIOUS
        self.requests = 0
        self.acked = 0
        self.dead = 0
        self.conflicts = 0
        self.failures = 0
        self.paused = ""

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    async def run(self) -> None:
        """Send until `stop`."""
        while not self._stop.is_set():
            try:
                rest = await self.step()
            except Unavailable as error:
                log.warning("outbox not served", extra={"destination": self.name, "why": str(error)})
                rest = IDLE_S
            except Exception:  # a defect here must not end the hand-off
                self.failures += 1
                log.exception("a batch broke the relay", extra={"destination": self.name})
                rest = PAUSE_S
            if rest > 0 and not self._stop.is_set():
                await self._sleep(rest)
        with contextlib.suppress(Unavailable):
            await self._outbox.release(self.name, self._owner)

    def stop(self) -> None:
        """Lease nothing more; the request under way is finished."""
        self._stop.set()
        self._wake.set()

    async def step(self) -> float:
        """Deliver at most one batch; returns the seconds to wait before the next one."""
        now = self._clock()
        until = now + round(1000 * (self.destination.connect_s + self.destination.read_s + _STOP_S))
        lease = await self._outbox.lease(self.name, self._owner, now, until, rows=self._limit, size=self.destination.batch_bytes)
        self._idle = not lease.rows and not lease.wait_until
        if not lease.rows:
            waits = (lease.wait_until - now) / 1000 if lease.wait_until else IDLE_S
            return max(0.001, waits)
        answer = await self._post(lease.rows)
        settled, wait = await self._judge(answer, lease.rows, lease.batch_bytes)
        if wait is not None:
            return await self._failed(wait, lease.rows, lease.tries)
        self._failing, self._suspicious_at, self.paused = (0, 0), SUSPICIOUS, ""
        await self._outbox.settle(self.name, settled, now=self._clock())
        return 0.0

    # ---- one batch ----

    async def _post(self, rows: Sequence[Row]) -> Answer:
        self.requests += 1
        return await self._store.post(rows)

    async def _judge(self, answer: Answer, rows: Sequence[Row], size: int) -> tuple[list[Settled], Answer | None]:
        """What an answer settles; or the failure because of which everything must wait."""
        verdict = judge(answer.status, any_success=self._webhook)
        if verdict in (Verdict.AGAIN, Verdict.PAUSE):
            return [], answer
        if verdict is Verdict.STORED:
            self._limit = min(self.destination.batch, len(rows) * 4)
            return self._ack(rows, answer), None
        if len(rows) > 1:
            self._limit = len(rows) // 2
            if verdict is Verdict.TOO_LARGE:
                largest = max(_SMALLEST_BATCH, min(size, sum(len(row.body) + 1 for row in rows)) // 2)
                await self._outbox.shrink(self.name, largest)
            return [], None
        if verdict is Verdict.CONFLICT:
            return await self._compare(rows[0], answer)
        return [self._bury(rows[0], answer)], None

    async def _failed(self, answer: Answer, rows: Sequence[Row], tries: int) -> float:
        self.failures += 1
        if judge(answer.status, any_success=self._webhook) is Verdict.PAUSE:
            self.paused = f"{answer.status} {answer.text}".strip()[:200]
            log.error("records paused", extra={"destination": self.name, "status": answer.status})
            wait = PAUSE_S
        else:
            self.paused = ""
            wait = wait_s(tries + 1, answer.retry_after_s, self._chance)
            if await self._suspicious(answer, rows):
                return 0.0
        await self._outbox.hold(self.name, until=self._clock() + round(wait * 1000), tries=tries + 1, paused=self.paused)
        return max(wait, 0.001)

    def _ack(self, rows: Sequence[Row], answer: Answer) -> list[Settled]:
        self.acked += len(rows)
        self._taken = rows[-1].number
        return [Settled(number=row.number, state=State.ACKED, status=answer.status) for row in rows]

    def _bury(self, row: Row, answer: Answer) -> Settled:
        self.dead += 1
        log.error("statement refused", extra={"destination": self.name, "statement": row.id, "status": answer.status})
        return Settled(number=row.number, state=State.DEAD, status=answer.status, answer=answer.text)

    async def _compare(self, row: Row, refused: Answer) -> tuple[list[Settled], Answer | None]:
        """A known id: stored already if the store's copy says the same."""
        self.requests += 1
        answer, held = await self._store.find(row)
        if judge(answer.status) is Verdict.AGAIN or answer.status < 0:
            return [], answer
        if answer.status == 200 and same_statement(msgspec.json.decode(row.body), held):
            return self._ack([row], answer), None
        self.conflicts += 1
        log.error("the store holds another statement", extra={"destination": self.name, "statement": row.id})
        return [Settled(number=row.number, state=State.CONFLICT, status=refused.status, answer=refused.text)], None

    # ---- suspicion ----

    async def _suspicious(self, answer: Answer, rows: Sequence[Row]) -> bool:
        """Count failures of a batch; from the eighth on see whether one of its statements is the cause. True: something was settled."""
        if answer.status < 500 or answer.status == 503:  # 503 is about the service, not about the batch
            self._failing = (0, 0)
            return False
        first, times = self._failing
        self._failing = (rows[0].number, times + 1 if first == rows[0].number else 1)
        if self._failing[1] < self._suspicious_at or not await self._serves():
            return False
        found: list[Settled] = []
        with contextlib.suppress(_Stopped):
            await self._isolate(rows, found)
        self._failing = (0, 0)
        acked = [one for one in found if one.state is State.ACKED]
        if not acked:  # it takes nothing new: an outage, whatever it answers to what it knows
            self._suspicious_at *= 2
            return False
        for one in found:
            if one.state is State.DEAD:
                log.error("the store fails on a statement", extra={"destination": self.name, "status": one.status})
        self.dead += len(found) - len(acked)
        await self._outbox.settle(self.name, found, now=self._clock())
        return True

    async def _isolate(self, rows: Sequence[Row], found: list[Settled]) -> None:
        """Takes its time: what is erased meanwhile is sent no more."""
        rows = await self._outbox.kept([row.number for row in rows])
        if not rows:
            return
        answer = await self._post(rows)
        if judge(answer.status, any_success=self._webhook) is Verdict.STORED:
            found += self._ack(rows, answer)
        elif answer.status < 500:
            raise _Stopped(answer)
        elif len(rows) > 1:
            middle = len(rows) // 2
            await self._isolate(rows[:middle], found)
            await self._isolate(rows[middle:], found)
        elif len(found) >= _ENOUGH and all(one.state is State.DEAD for one in found):
            raise _Stopped(answer)
        else:
            for _ in range(SUSPICIOUS - 1):
                if not await self._outbox.kept([rows[0].number]):
                    return
                answer = await self._post(rows)
                if answer.status < 500:
                    return  # the next ordinary try settles it
            found.append(Settled(number=rows[0].number, state=State.DEAD, status=answer.status, answer=answer.text))

    async def _serves(self) -> bool:
        """Whether the store takes what it took before, or at least answers."""
        taken = await self._outbox.kept([self._taken])
        answer = await self._post(taken) if taken else await self._store.ask()
        return 200 <= answer.status < 300

    async def _doze(self, seconds: float) -> None:
        """Wait; a wake-up ends an idle wait only, never one that a failure imposed."""
        if self._idle:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), seconds)
            self._wake.clear()
            seconds = _GATHER_S
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
