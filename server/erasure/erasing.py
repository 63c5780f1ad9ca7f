"""An erasure from the request to the receipt: a job in the store whose steps may be repeated, taken up again where a crash broke it off.

Step by step: each class's log and rows in one transaction, then its recordings (their timeline is made anew from the log, so log first),
then the store's files are emptied of what was deleted, everything is searched, and the receipt is signed and kept. A class that may not be
changed is refused by itself; the others are done. Whoever carries a job out holds a lease, so a node and a command line do not meet.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from server.adapters import sqlite_traces
from server.adapters.sqlite import Database
from server.adapters.sqlite_erasures import Broken, Job, Look, Moved, SqliteErasures, Standing
from server.adapters.sqlite_ledger import SqliteLedger
from server.adapters.sqlite_outbox import owner_of_this_process
from server.adapters.sqlite_publications import SqlitePublications
from server.erasure import files, receipt
from server.erasure.needles import Find, Whom, needles
from server.erasure.work import Part, Person, Refusal, Vault, Work, pseudonym
from server.records.checkpoint import Signer
from signaling.classroom.ids import ParticipantId, SessionId
from signaling.ports import Clock, Unavailable

log = logging.getLogger("jiangtai.erasure")
#: erasures under way at one time
MAX_WORKING: Final = 2_000
#: longer than any one step but that of media, which renews it
_LEASE_MS: Final = 120_000
_RENEW_S: Final = 30.0
_TRIES: Final = 20
_SCRUBS: Final = 20
_AGAIN_S: Final = 0.25
_PLACES: Final = 50


class NoSuchPerson(Exception):
    """Nobody of that issuer and subject is known here: never was in a class, or was erased, or has gone with what was kept."""


class TooMany(Exception):
    """So many erasures are under way that no more are taken."""


class Busy(Exception):
    """Somebody else is at this erasure."""


class NotNow(Exception):
    """A class's recordings could not be made anew now; the erasure goes on there the next time."""


class Redacted(Protocol):
    """What taking a person out of a class's recordings did."""

    @property
    def recordings(self) -> int: ...
    @property
    def files(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def deleted(self) -> list[str]: ...


class Redactor(Protocol):
    """Takes people out of recordings."""

    async def redact(self, session: SessionId, participant: ParticipantId) -> Redacted:
        """Make every recording of a class anew without the tracks of a participant, and remove what it was before; repeatable."""


#: whether a class may not be changed now
Held = Callable[[SessionId], Awaitable[bool]]


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure would do to one class; `code` says why it would be refused."""

    session: SessionId
    title: str
    code: Refusal | None
    kinds: dict[str, int]
    recordings: int


class Erasing:
    """Erases people from one node's store and files."""

    def __init__(
        self,
        database: Database,
        signer: Signer,
        clock: Clock,
        var: Path,
        *,
        held: Held,
        redactor: Redactor | None = None,
        logs: Sequence[Path] = (),
    ) -> None:
        """`logs`: files outside of `var` to look through as well."""
        self.store = SqliteErasures(database)
        self._database = database
        self._ledger = SqliteLedger(database)
        self._publications = SqlitePublications(database)
        self._signer = signer
        self._vault = Vault(signer.key)
        self._clock = clock
        self._var = var
        self._held = held
        self._redactor = redactor
        self._logs = tuple(logs)

    async def foresee(self, person: Person) -> list[Foreseen]:
        """What would be done, class by class; nothing is changed. Raises NoSuchPerson, Unavailable."""
        found = []
        for part in await self._parts(person):
            look = await self.store.look(part, person)
            code = await self._refusal(look)
            seen = Foreseen(session=part.session, title=look.title, code=code, kinds=look.kinds, recordings=look.recordings)
            found.append(seen)
        return found

    async def begin(self, person: Person, by: str) -> Standing:
        """Take an erasure on, to be carried out; one of the same person that is under way, or left nothing to do, is given instead.

        Raises NoSuchPerson, TooMany, Unavailable.
        """
        whom = self._vault.whom(person)
        former = await self.store.standing(whom=whom)
        if former is not None and former.state == "working":
            return former
        try:
            parts = await self._parts(person)
        except NoSuchPerson:
            if former is None:
                raise
            return former
        job = Job(
            secrets.token_hex(8), self._clock(), by, self._vault.seal(Work(issuer=person.issuer, subject=person.subject, parts=parts))
        )
        if not await self.store.add(job, whom, MAX_WORKING):
            raise TooMany
        return Standing(job.id, job.at, job.by, "working", None)

    async def carry_out(self, id: str | None = None) -> str | None:
        """Do the oldest erasure nobody is at, or that one; its receipt, None if there is nothing to do.

        Raises Busy for one that somebody else is at, NotNow, Unavailable, OSError, BrokenSeal; what was done until then is kept, and the
        rest is done next time.
        """
        job = await self.store.take(owner_of_this_process(), self._clock(), self._clock() + _LEASE_MS, id)
        if job is None:
            standing = await self.store.standing(id=id) if id is not None else None
            if standing is not None and standing.state == "working":
                raise Busy
            return standing.note if standing is not None else None
        try:
            return await self._carry_out(job, self._vault.open(job.sealed))
        except BaseException:
            await asyncio.shield(self._let_go(job))
            raise

    async def _carry_out(self, job: Job, work: Work) -> str:
        for number in range(len(work.parts)):
            if work.parts[number].state == "waiting":
                work = await self._make_nameless(job, work, number)
            if work.parts[number].state == "nameless":
                work = await self._redact(job, work, number)
        traces = await self._prove(work)
        note = await self._receipt(job, work, traces)
        await self.store.finish(job, self._clock(), note)
        await self._scrub()
        log.info("a person was erased", extra={"count": len(work.parts)})
        return note

    # ---- the steps ----

    async def _parts(self, person: Person) -> list[Part]:
        places = await self.store.places(person)
        if not places:
            raise NoSuchPerson
        return [Part(session=session, participant=participant, pseudonym=pseudonym()) for session, participant in places]

    async def _refusal(self, look: Look) -> Refusal | None:
        if not look.over:
            return "class_not_over"
        if look.held or await self._held(look.session):
            return "held"
        return "recordings_stay" if look.recordings and self._redactor is None else None

    async def _make_nameless(self, job: Job, work: Work, number: int) -> Work:
        person = Person(work.issuer, work.subject)
        for _ in range(_TRIES):
            await self._ledger.grow()
            look = await self.store.look(work.parts[number], person)
            code = await self._refusal(look)
            if code is None:
                try:
                    return await self.store.erase(job, work, number, look, self._clock(), self._vault.seal)
                except Moved:
                    continue
                except Broken:
                    code = "ledger_broken"
                    log.error("a class was not erased: its records are not what the ledger says", extra={"session": look.session})
            work.parts[number].state, work.parts[number].code = "refused", code
            return await self._kept(job, work)
        raise Unavailable("a log does not stand still")

    async def _redact(self, job: Job, work: Work, number: int) -> Work:
        part = work.parts[number]
        if self._redactor is not None:
            done = await self._patiently(job, self._redactor.redact(part.session, part.participant))
            work.media.recordings += done.recordings
            work.media.files += done.files
            work.media.bytes += done.bytes
            work.media.deleted = [*work.media.deleted, *done.deleted]
        part.state = "done"
        return await self._kept(job, work)

    async def _patiently(self, job: Job, redacting: Coroutine[Any, Any, Redacted]) -> Redacted:
        """Media take their time."""
        task = asyncio.create_task(redacting, name=f"redact for {job.id}")
        try:
            while not (await asyncio.wait({task}, timeout=_RENEW_S))[0]:
                await self.store.renew(job, self._clock() + _LEASE_MS)
            return task.result()
        except (Unavailable, OSError):
            raise
        except Exception as error:
            log.exception("recordings are not redacted")
            raise NotNow(type(error).__name__) from error
        finally:
            task.cancel()

    async def _kept(self, job: Job, work: Work) -> Work:
        await self.store.keep(job, self._vault.seal(work), self._clock() + _LEASE_MS)
        return work

    async def _let_go(self, job: Job) -> None:
        """Leave a job that could not be finished to whoever comes next."""
        with contextlib.suppress(Unavailable):  # then the lease runs out
            await self.store.release(job, self._clock())

    async def _scrub(self, *, rewrite: bool = False) -> None:
        for _ in range(_SCRUBS):
            if await self._database.scrub(rewrite=rewrite):
                return
            rewrite = False
            await asyncio.sleep(_AGAIN_S)
        log.warning("the write-ahead log was not emptied: the store is being read")

    # ---- the proof ----

    async def _prove(self, work: Work) -> receipt.Traces:
        await self._scrub()
        traces, store = await self._search(work, rewritten=False)
        if store:  # pages that were moved before this store overwrote what it deletes
            await self._scrub(rewrite=True)
            traces, _ = await self._search(work, rewritten=True)
        return traces

    async def _search(self, work: Work, *, rewritten: bool) -> tuple[receipt.Traces, bool]:
        """What is found, and whether any of it is in the store's own files."""
        done = [part for part in work.parts if part.state == "done"]
        refused = {part.session for part in work.parts if part.state == "refused"}
        ids = {part.participant for part in done}
        wanted = needles(Person(work.issuer, work.subject), work.names, sorted(ids))
        nobodies = [await self.store.nobodies(part.session) for part in done]
        whom = Whom(Person(work.issuer, work.subject), ids.union(*nobodies))
        rows = await sqlite_traces.look_through(self._database, wanted, whom, refused)
        kept = [await self._folders(session) for session in refused]
        found = await asyncio.to_thread(files.look_through, self._var, wanted, whom, rightly=rows.rightly, kept=set[Path]().union(*kept))
        logs = await asyncio.to_thread(files.lines, self._logs, wanted)
        finds = rows.finds + found.finds
        traces = receipt.Traces(
            rows=rows.finds[Find.TRACE],
            files=found.finds[Find.TRACE],
            log_lines=logs[1],
            mentions=finds[Find.MENTION],
            namesakes=finds[Find.NAMESAKE],
            kept=finds[Find.KEPT],
            places=[*sorted(rows.traces), *found.traces][:_PLACES],
            tables_read=rows.tables,
            files_read=found.files,
            bytes_read=found.bytes,
            log_lines_read=logs[0],
            rewritten=rewritten,
        )
        return traces, found.store and not rows.finds[Find.TRACE]

    async def _folders(self, session: SessionId) -> set[Path]:
        """Where the files of a class lie."""
        versions = await self._publications.versions(session)
        return {self._var / "journal" / session, *(self._var / "published" / version.folder for version in versions)}

    async def _receipt(self, job: Job, work: Work, traces: receipt.Traces) -> str:
        size = await self._ledger.grow()
        root = await self._ledger.root(size) if size else b""
        salt, whom = await asyncio.to_thread(receipt.salted, Person(work.issuer, work.subject))
        made = receipt.Receipt(
            id=job.id,
            asked_at=job.at,
            done_at=self._clock(),
            by=job.by,
            salt=salt,
            whom=whom,
            classes=[_told(part) for part in work.parts],
            counts=work.counts,
            media=msgspec.convert(msgspec.to_builtins(work.media), receipt.ErasedMedia),
            statements=receipt.ToldStatements(held=work.held, perhaps=work.perhaps),
            ledger=receipt.Ledger(size=size, root=root.hex()) if size else None,
            search=traces,
        )
        return receipt.signed(made, self._signer)


def _told(part: Part) -> receipt.ErasedClass:
    if part.state == "refused":
        return receipt.ErasedClass(session=part.session, outcome="refused", code=part.code)
    return receipt.ErasedClass(session=part.session, outcome="erased", records=part.records, digest=part.digest.hex())
