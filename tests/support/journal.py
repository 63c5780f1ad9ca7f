"""A journal in memory with the same promises, and faults on demand."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import Enum, auto
from typing import Any

from signaling.ports import DuplicateOperation, Fenced, Operation, Record, Unavailable


class Fault(Enum):
    """What the next append does."""

    NONE = auto()
    REFUSE = auto()  # nothing is written
    LIE = auto()  # written, but the caller is told it was not
    FENCE = auto()  # another writer came first


class MemoryJournal:
    """ports.Journal; `faults` are used up one per append."""

    def __init__(self) -> None:
        self.records: dict[str, list[Record]] = {}
        self.snapshots: dict[str, tuple[int, bytes]] = {}
        self.faults: list[Fault] = []
        self.reading_fails = 0
        self.appends = 0
        #: cleared: appends wait
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, session: str, expected_seq: int, records: Sequence[Record]) -> None:
        """See ports.Journal.append."""
        await self.gate.wait()
        await asyncio.sleep(0)
        self.appends += 1
        fault = self.faults.pop(0) if self.faults else Fault.NONE
        log = self.records.setdefault(session, [])
        if fault is Fault.REFUSE:
            raise Unavailable("refused")
        if fault is Fault.FENCE:
            raise Fenced("another writer")
        if len(log) != expected_seq:
            raise Fenced("stale")
        if [record.seq for record in records] != list(range(expected_seq + 1, expected_seq + 1 + len(records))):
            raise ValueError("a gap in the numbers")
        known = {(record.by, record.op): record.seq for record in log if record.op is not None}
        for record in records:
            if record.by is not None and record.op is not None and (record.by, record.op) in known:
                raise DuplicateOperation(record.by, record.op, known[record.by, record.op])
        log.extend(records)
        if fault is Fault.LIE:
            raise Unavailable("the answer got lost")

    async def read(self, session: str, after: int, limit: int) -> AsyncIterator[Record]:
        """See ports.Journal.read."""
        if self.reading_fails:
            self.reading_fails -= 1
            raise Unavailable("cannot read")
        for record in list(self.records.get(session, []))[after : after + limit]:
            yield record

    async def last_seq(self, session: str) -> int:
        """See ports.Journal.last_seq."""
        return len(self.records.get(session, []))

    async def operations(self, session: str, asked: Sequence[Operation]) -> Mapping[Operation, int]:
        """See ports.Journal.operations."""
        if self.reading_fails:
            self.reading_fails -= 1
            raise Unavailable("cannot read")
        known = {(record.by, record.op): record.seq for record in self.records.get(session, [])}
        return {one: known[one] for one in asked if one in known}

    async def save_snapshot(self, session: str, seq: int, state: bytes) -> None:
        """See ports.Journal.save_snapshot."""
        if seq >= self.snapshots.get(session, (0, b""))[0]:
            self.snapshots[session] = (seq, state)

    async def load_snapshot(self, session: str) -> tuple[int, bytes] | None:
        """See ports.Journal.load_snapshot."""
        return self.snapshots.get(session)


class MemoryDirectory:
    """ports.Directory."""

    def __init__(self) -> None:
        self._classes: dict[str, dict[str, Any]] = {}

    async def create(
        self, session: str, title: str, profile: str, starts_at: int | None, *, policy: str | None = None, replay: str = "participants"
    ) -> None:
        """See ports.Directory.create."""
        row = {"session": session, "title": title, "profile": profile, "starts_at": starts_at, "ended_at": None}
        row |= {"policy": policy, "replay": replay}
        self._classes.setdefault(session, row)

    async def mark_ended(self, session: str, at: int) -> None:
        """See ports.Directory.mark_ended."""
        if session in self._classes and self._classes[session]["ended_at"] is None:
            self._classes[session]["ended_at"] = at

    async def get(self, session: str) -> Mapping[str, Any] | None:
        """See ports.Directory.get."""
        found = self._classes.get(session)
        return dict(found) if found else None

    async def list(self, *, ended: bool, after: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """See ports.Directory.list."""
        rows = [self._classes[name] for name in sorted(self._classes) if name > (after or "")]
        return [dict(row) for row in rows if ended or row["ended_at"] is None][:limit]
